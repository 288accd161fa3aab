"""Catalogue rows: exponentials, logarithms, powers, trigonometric and hyperbolic functions.

Special values are those of IEEE 754-2019 section 9.2.1 and of JAX, which agree here.
The stated errors cover NumPy's vectorised forms (at most 4 ULP) and the C library's.
"""

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np

from xla_evo.targets import exact_forms as exact
from xla_evo.targets import float64_forms as fast
from xla_evo.targets import pair_forms as pair
from xla_evo.targets import pair_inverses as inverses
from xla_evo.targets import pair_trigonometric as turned
from xla_evo.targets import trigonometric_forms as trigonometric
from xla_evo.targets.function import Function
from xla_evo.targets.reliable import guarded

_INF, _NAN, _PI = np.inf, np.nan, np.pi
_ODD_ZERO = ((0.0, 0.0), (-0.0, -0.0), (_NAN, _NAN))
_NAN_BELOW_ZERO = ((-1.0, _NAN), (-_INF, _NAN), (_NAN, _NAN))
_TRIGONOMETRIC = ((_INF, _NAN), (-_INF, _NAN))
_NAN_BEYOND_ONE = ((2.0, _NAN), (-2.0, _NAN), (_INF, _NAN), (-_INF, _NAN))
_LOG = ((0.0, -_INF), (-0.0, -_INF), (1.0, 0.0), (_INF, _INF), *_NAN_BELOW_ZERO)
_EXP = ((0.0, 1.0), (-0.0, 1.0), (_INF, _INF), (-_INF, 0.0), (_NAN, _NAN))
_MULTIPLES = (1.0, 2.0, 3.0, 100.0, 1e6)
_PI_ZEROS = (0.0, *(s * _PI * k for k in _MULTIPLES for s in (1, -1)))
_HALF_PI = tuple(s * _PI * (k - 0.5) for k in _MULTIPLES for s in (1, -1))
_EXP64 = fast.saturating(np.exp, below=(-800.0, 0.0), above=(800.0, _INF))
_EXP264 = fast.saturating(np.exp2, below=(-1100.0, 0.0), above=(1100.0, _INF))
_EXPM164 = fast.saturating(np.expm1, below=(-800.0, -1.0), above=(800.0, _INF))
_SINH64 = fast.saturating(np.sinh, below=(-800.0, -_INF), above=(800.0, _INF))
_COSH64 = fast.saturating(np.cosh, below=(-800.0, _INF), above=(800.0, _INF))


def _nan_below(least: float, form: Callable[..., Any]) -> fast.Series:
    """Wraps a form whose domain begins there; NumPy takes long to refuse an array outside."""
    return fast.short_cut(fast.quiet(form), low=(least, fast.constant(_NAN)))


def _within_one(form: Callable[..., Any], tiny: fast.Series | None = None) -> fast.Series:
    """Wraps a form whose domain is [-1, 1], as `_nan_below`."""
    nan = fast.constant(_NAN)
    return fast.short_cut(fast.quiet(form), tiny=tiny, low=(-1.0, nan), high=(1.0, nan))


ROWS: tuple[Function, ...] = (
    Function(
        name="exp", mp=mp.exp, f64=_EXP64, f64_error_ulp=4.0, pair=pair.exp,
        specials=_EXP, results=(0.0, _INF),
        builtin="jax.numpy.exp", primitive="exp",
    ),
    Function(
        name="exp2", mp=exact.exp2, f64=_EXP264, f64_error_ulp=4.0, pair=pair.exp2,
        specials=(*_EXP, (1.0, 2.0), (-1.0, 0.5)), results=(0.0, _INF),
        builtin="jax.numpy.exp2", primitive="exp2",
    ),
    Function(
        name="expm1", mp=mp.expm1, f64=_EXPM164, f64_error_ulp=4.0, pair=pair.expm1,
        specials=(*_ODD_ZERO, (_INF, _INF), (-_INF, -1.0)), zeros=(0.0,),
        results=(-1.0, _INF),
        builtin="jax.numpy.expm1", primitive="expm1",
    ),
    Function(
        name="log", mp=exact.log, f64=_nan_below(0.0, np.log),
        f64_error_ulp=4.0, pair=pair.log, domain=(0.0, _INF), specials=_LOG,
        zeros=(1.0,), poles=(0.0,),
        builtin="jax.numpy.log", primitive="log",
    ),
    Function(
        name="log2", mp=exact.log2, f64=_nan_below(0.0, np.log2),
        f64_error_ulp=4.0, pair=pair.log2, domain=(0.0, _INF), specials=_LOG,
        zeros=(1.0,), poles=(0.0,),
        builtin="jax.numpy.log2",
    ),
    Function(
        name="log10", mp=exact.log10, f64=_nan_below(0.0, np.log10),
        f64_error_ulp=4.0, pair=pair.log10, domain=(0.0, _INF), specials=_LOG,
        zeros=(1.0,), poles=(0.0,),
        builtin="jax.numpy.log10",
    ),
    Function(
        name="log1p", mp=exact.log1p,
        f64=fast.short_cut(
            fast.quiet(np.log1p), tiny=lambda x: x - 0.5 * x * x, low=(-1.0, fast.constant(_NAN))
        ),
        f64_error_ulp=4.0, pair=pair.log1p,
        domain=(-1.0, _INF), zeros=(0.0,), poles=(-1.0,),
        specials=(*_ODD_ZERO, (-1.0, -_INF), (_INF, _INF), (-2.0, _NAN), (-_INF, _NAN)),
        builtin="jax.numpy.log1p", primitive="log1p",
    ),
    Function(
        name="sin", mp=guarded(mp.sin), f64=fast.short_cut(trigonometric.sin, tiny=fast.itself),
        f64_error_ulp=6.0, pair=turned.sin, symmetry="odd",
        specials=(*_ODD_ZERO, *_TRIGONOMETRIC), zeros=_PI_ZEROS,
        results=(-1.0, 1.0),
        builtin="jax.numpy.sin", primitive="sin",
    ),
    Function(
        name="cos", mp=guarded(mp.cos),
        f64=fast.short_cut(trigonometric.cos, tiny=fast.constant(1.0)),
        f64_error_ulp=6.0, pair=turned.cos, symmetry="even",
        specials=((0.0, 1.0), (-0.0, 1.0), (_NAN, _NAN), *_TRIGONOMETRIC), zeros=_HALF_PI,
        results=(-1.0, 1.0),
        builtin="jax.numpy.cos", primitive="cos",
    ),
    Function(
        name="tan", mp=guarded(mp.tan),
        f64=fast.short_cut(fast.quiet(np.tan), tiny=fast.itself),
        f64_error_ulp=4.0, pair=turned.tan, symmetry="odd",
        specials=(*_ODD_ZERO, *_TRIGONOMETRIC), zeros=_PI_ZEROS, poles=_HALF_PI,
        builtin="jax.numpy.tan", primitive="tan",
    ),
    Function(
        name="asin", mp=guarded(mp.asin), f64=_within_one(np.arcsin), f64_error_ulp=4.0,
        pair=inverses.asin, domain=(-1.0, 1.0), symmetry="odd",
        specials=(*_ODD_ZERO, *_NAN_BEYOND_ONE), zeros=(0.0,), poles=(1.0, -1.0),
        builtin="jax.numpy.arcsin", primitive="asin",
    ),
    Function(
        name="acos", mp=guarded(mp.acos), f64=_within_one(np.arccos), f64_error_ulp=4.0,
        pair=inverses.acos, domain=(-1.0, 1.0),
        specials=((1.0, 0.0), (_NAN, _NAN), *_NAN_BEYOND_ONE), zeros=(1.0,), poles=(-1.0,),
        builtin="jax.numpy.arccos", primitive="acos",
    ),
    Function(
        name="atan", mp=guarded(mp.atan), f64=fast.quiet(np.arctan), f64_error_ulp=4.0,
        pair=inverses.atan, symmetry="odd", specials=_ODD_ZERO, zeros=(0.0,),
        builtin="jax.numpy.arctan", primitive="atan",
    ),
    Function(
        name="sinh", mp=guarded(mp.sinh), f64=_SINH64, f64_error_ulp=4.0, pair=pair.sinh,
        symmetry="odd", specials=(*_ODD_ZERO, (_INF, _INF), (-_INF, -_INF)), zeros=(0.0,),
        builtin="jax.numpy.sinh", primitive="sinh",
    ),
    Function(
        name="cosh", mp=guarded(mp.cosh), f64=_COSH64, f64_error_ulp=4.0, pair=pair.cosh,
        symmetry="even",
        specials=((0.0, 1.0), (-0.0, 1.0), (_INF, _INF), (-_INF, _INF), (_NAN, _NAN)),
        results=(1.0, _INF),
        builtin="jax.numpy.cosh", primitive="cosh",
    ),
    Function(
        name="tanh", mp=guarded(mp.tanh), f64=fast.quiet(np.tanh), f64_error_ulp=4.0,
        pair=pair.tanh,
        symmetry="odd", specials=(*_ODD_ZERO, (_INF, 1.0), (-_INF, -1.0)), zeros=(0.0,),
        results=(-1.0, 1.0),
        builtin="jax.numpy.tanh", primitive="tanh",
    ),
    Function(
        name="asinh", mp=guarded(mp.asinh),
        f64=fast.short_cut(fast.quiet(np.arcsinh), tiny=fast.itself),
        f64_error_ulp=4.0, pair=inverses.asinh,
        symmetry="odd", specials=(*_ODD_ZERO, (_INF, _INF), (-_INF, -_INF)), zeros=(0.0,),
        builtin="jax.numpy.arcsinh", primitive="asinh",
    ),
    Function(
        name="acosh", mp=guarded(mp.acosh), f64=_nan_below(1.0, np.arccosh),
        f64_error_ulp=4.0, pair=inverses.acosh, domain=(1.0, _INF), zeros=(1.0,), poles=(1.0,),
        specials=((1.0, 0.0), (_INF, _INF), (0.0, _NAN), (-0.0, _NAN), *_NAN_BELOW_ZERO),
        results=(0.0, _INF),
        builtin="jax.numpy.arccosh", primitive="acosh",
    ),
    Function(
        name="atanh", mp=exact.atanh,
        f64=_within_one(np.arctanh, tiny=fast.itself),
        f64_error_ulp=4.0, pair=inverses.atanh,
        domain=(-1.0, 1.0), symmetry="odd",
        specials=(*_ODD_ZERO, (1.0, _INF), (-1.0, -_INF), *_NAN_BEYOND_ONE),
        zeros=(0.0,), poles=(1.0, -1.0), builtin="jax.numpy.arctanh", primitive="atanh",
    ),
    Function(
        name="cbrt", mp=exact.cbrt, f64=fast.quiet(np.cbrt), f64_error_ulp=4.0, pair=inverses.cbrt,
        symmetry="odd", specials=(*_ODD_ZERO, (_INF, _INF), (-_INF, -_INF), (1.0, 1.0), (8.0, 2.0)),
        zeros=(0.0,), builtin="jax.numpy.cbrt", primitive="cbrt",
    ),
    Function(
        name="sqrt", mp=mp.sqrt, f64=fast.quiet(np.sqrt), f64_error_ulp=0.5, domain=(0.0, _INF),
        specials=((0.0, 0.0), (-0.0, -0.0), (1.0, 1.0), (_INF, _INF), *_NAN_BELOW_ZERO),
        zeros=(0.0,), builtin="jax.numpy.sqrt", primitive="sqrt",
    ),
    Function(
        name="rsqrt", mp=exact.rsqrt, f64=fast.rsqrt, f64_error_ulp=1.5, domain=(0.0, _INF),
        specials=((0.0, _INF), (-0.0, -_INF), (1.0, 1.0), (_INF, 0.0), *_NAN_BELOW_ZERO),
        poles=(0.0,), builtin="jax.lax.rsqrt", primitive="rsqrt",
    ),
    Function(
        name="pow", mp=exact.power, f64=fast.quiet(np.power), f64_error_ulp=4.0, arity=2,
        specials=(
            ((0.0, 0.0), 1.0), ((_NAN, 0.0), 1.0), ((1.0, _NAN), 1.0), ((1.0, _INF), 1.0),
            ((-1.0, _INF), 1.0), ((-1.0, -_INF), 1.0), ((0.0, -1.0), _INF), ((-0.0, -1.0), -_INF),
            ((-0.0, -2.0), _INF), ((-0.0, 3.0), -0.0), ((-0.0, 2.0), 0.0), ((-0.0, 0.5), 0.0),
            ((0.5, -_INF), _INF), ((2.0, -_INF), 0.0), ((0.5, _INF), 0.0), ((2.0, _INF), _INF),
            ((-_INF, 3.0), -_INF), ((-_INF, 2.0), _INF), ((-_INF, -3.0), -0.0),
            ((_INF, 2.0), _INF), ((_INF, -2.0), 0.0), ((-2.0, 0.5), _NAN), ((-2.0, 3.0), -8.0),
            ((2.0, _NAN), _NAN), ((_NAN, 2.0), _NAN),
        ),
        zeros=(0.0,), poles=(0.0,), builtin="jax.numpy.power", primitive="pow",
    ),
    Function(
        name="atan2", mp=exact.atan2, f64=fast.quiet(np.arctan2), f64_error_ulp=4.0, arity=2,
        specials=(
            ((0.0, 0.0), 0.0), ((-0.0, 0.0), -0.0),
            ((0.0, -0.0), _PI), ((-0.0, -0.0), -_PI), ((0.0, 1.0), 0.0), ((-0.0, 1.0), -0.0),
            ((0.0, _INF), 0.0), ((1.0, _INF), 0.0), ((-1.0, _INF), -0.0),
            ((_NAN, 1.0), _NAN), ((1.0, _NAN), _NAN),
            ((_INF, _INF), _PI / 4), ((-_INF, _INF), -_PI / 4),
            ((_INF, -_INF), 3 * _PI / 4), ((-_INF, -_INF), -3 * _PI / 4),
        ),
        zeros=(0.0,), builtin="jax.numpy.arctan2", primitive="atan2",
    ),
)  # fmt: skip
