"""Catalogue rows: error functions, gamma functions, Bessel functions and neural activations.

Where the limit at an infinity exists but JAX gives nan (gelu, silu and mish at -inf),
JAX is followed: a replacement under ``jax.numpy`` must not change special values.
Where versions differ the newest is followed: digamma at zero and sinc at infinity are nan before
JAX 0.11.
"""

import numpy as np
from scipy import special

from xla_evo.targets import bessel_forms, gamma_forms
from xla_evo.targets import exact_forms as exact
from xla_evo.targets import float64_forms as fast
from xla_evo.targets import pair_errors as errors
from xla_evo.targets import pair_forms as pair
from xla_evo.targets.function import Array64, Function

_INF, _NAN = np.inf, np.nan
_ODD_ZERO = ((0.0, 0.0), (-0.0, -0.0), (_NAN, _NAN))
_ACTIVATION = (*_ODD_ZERO, (_INF, _INF), (-_INF, _NAN))
_NEGATIVE_INTEGERS = tuple(float(-k) for k in range(1, 11))
_LGAMMA_ZEROS = (
    1.0, 2.0, -2.4570247382208006, -2.7476826467274127, -3.14358088834998, -3.955294284858598,
    -4.039361839740537, -4.991544640560048, -5.0082181683225935, -5.998607480080875,
)  # fmt: skip
_DIGAMMA_ZEROS = (
    1.4616321449683622, -0.5040830082644554, -1.5734984731623904, -2.6107208684441447,
    -3.635293366436901, -4.653237761743142, -5.6671624415568855, -6.678418213073427,
)  # fmt: skip
_TWO_BY_ROOT_PI = 2.0 / np.sqrt(np.pi)
_FAR = 1e9
"""From here on a few terms of asymptotic expansions are enough."""
_INTEGERS_FROM = 2.0**52
"""All float64 numbers from here on are integers."""


def _lgamma_far(x: Array64) -> Array64:
    """First terms for large x, DLMF 5.11.1."""
    return (x - 0.5) * (np.log(x) - 1.0) + (0.5 * np.log(2.0 * np.pi) - 0.5)


ROWS: tuple[Function, ...] = (
    Function(
        name="erf", mp=exact.erf, f64=fast.short_cut(
            fast.quiet(special.erf), tiny=lambda x: _TWO_BY_ROOT_PI * x,
            low=(-8.0, fast.constant(-1.0)), high=(8.0, fast.constant(1.0)),
        ), f64_error_ulp=4.0, pair=errors.erf,
        symmetry="odd", specials=(*_ODD_ZERO, (_INF, 1.0), (-_INF, -1.0)), zeros=(0.0,),
        results=(-1.0, 1.0),
        builtin="jax.lax.erf", primitive="erf",
    ),
    Function(
        name="erfc", mp=exact.erfc, f64=fast.short_cut(
            fast.erfc, tiny=lambda x: 1.0 - _TWO_BY_ROOT_PI * x,
            low=(-8.0, fast.constant(2.0)), high=(28.0, fast.constant(0.0)),
        ), f64_error_ulp=16.0, pair=errors.erfc,
        specials=((0.0, 1.0), (-0.0, 1.0), (_INF, 0.0), (-_INF, 2.0), (_NAN, _NAN)),
        results=(0.0, 2.0),
        builtin="jax.lax.erfc", primitive="erfc",
    ),
    Function(
        name="erf_inv", mp=exact.erf_inv,
        f64=fast.short_cut(
            fast.erf_inv, tiny=lambda x: x / _TWO_BY_ROOT_PI,
            low=(-1.0, fast.constant(_NAN)), high=(1.0, fast.constant(_NAN)),
        ),
        f64_error_ulp=4.0, pair=errors.erf_inv,
        domain=(-1.0, 1.0), symmetry="odd", zeros=(0.0,), poles=(1.0, -1.0),
        specials=(*_ODD_ZERO, (1.0, _INF), (-1.0, -_INF), (2.0, _NAN), (_INF, _NAN), (-_INF, _NAN)),
        builtin="jax.lax.erf_inv", primitive="erf_inv",
    ),
    Function(
        name="logistic", mp=exact.logistic, f64=fast.short_cut(
            fast.logistic, tiny=lambda x: 0.5 + 0.25 * x,
            low=(-800.0, fast.constant(0.0)), high=(40.0, fast.constant(1.0)),
        ), f64_error_ulp=6.0, pair=pair.logistic,
        specials=((0.0, 0.5), (-0.0, 0.5), (_INF, 1.0), (-_INF, 0.0), (_NAN, _NAN)),
        results=(0.0, 1.0),
        builtin="jax.lax.logistic", primitive="logistic",
    ),
    Function(
        name="lgamma", mp=exact.lgamma, f64=fast.short_cut(
            gamma_forms.lgamma, tiny=gamma_forms.lgamma_near_zero, near=gamma_forms.NEAR_ZERO,
            low=(-_INTEGERS_FROM, fast.constant(_INF)), high=(_FAR, _lgamma_far),
        ), f64_error_ulp=64.0,
        specials=(
            (0.0, _INF), (-0.0, _INF), (1.0, 0.0), (2.0, 0.0), (-1.0, _INF), (-2.0, _INF),
            (_INF, _INF), (-_INF, _INF), (_NAN, _NAN),
        ),
        zeros=_LGAMMA_ZEROS, poles=(0.0, *_NEGATIVE_INTEGERS),
        builtin="jax.lax.lgamma", primitive="lgamma",
    ),
    Function(
        name="digamma", mp=exact.digamma, f64=fast.short_cut(
            gamma_forms.digamma, tiny=gamma_forms.digamma_near_zero, near=gamma_forms.NEAR_ZERO,
            low=(-_INTEGERS_FROM, fast.constant(_NAN)), high=(_FAR, lambda x: np.log(x) - 0.5 / x),
        ), f64_error_ulp=64.0,
        specials=(
            (0.0, -_INF), (-0.0, -_INF), (-1.0, _NAN), (-2.0, _NAN), (_INF, _INF), (-_INF, _NAN),
            (_NAN, _NAN),
        ),
        zeros=_DIGAMMA_ZEROS, poles=(0.0, *_NEGATIVE_INTEGERS),
        builtin="jax.lax.digamma", primitive="digamma",
    ),
    Function(
        name="bessel_i0e", mp=exact.bessel_i0e, f64=fast.short_cut(
            fast.quiet(special.i0e), tiny=bessel_forms.i0e_near, near=bessel_forms.NEAR,
            low=(-bessel_forms.FAR, bessel_forms.i0e_far),
            high=(bessel_forms.FAR, bessel_forms.i0e_far),
        ), f64_error_ulp=16.0,
        symmetry="even",
        specials=((0.0, 1.0), (-0.0, 1.0), (_INF, 0.0), (-_INF, 0.0), (_NAN, _NAN)),
        results=(0.0, 1.0),
        builtin="jax.lax.bessel_i0e", primitive="bessel_i0e",
    ),
    Function(
        name="bessel_i1e", mp=exact.bessel_i1e, f64=fast.short_cut(
            fast.bessel_i1e, tiny=bessel_forms.i1e_near, near=bessel_forms.NEAR,
            low=(-bessel_forms.FAR, bessel_forms.i1e_far),
            high=(bessel_forms.FAR, bessel_forms.i1e_far),
        ), f64_error_ulp=16.0,
        symmetry="odd", specials=(*_ODD_ZERO, (_INF, 0.0), (-_INF, -0.0)), zeros=(0.0,),
        builtin="jax.lax.bessel_i1e", primitive="bessel_i1e",
    ),
    Function(
        name="gelu", mp=exact.gelu, f64=fast.short_cut(
            fast.gelu, tiny=lambda x: x * (0.5 + x * (0.25 * np.sqrt(2.0) * _TWO_BY_ROOT_PI)),
            low=(-60.0, fast.vanishing), high=(40.0, fast.itself),
        ), f64_error_ulp=16.0, specials=_ACTIVATION,
        zeros=(0.0,), builtin="jax.nn.gelu", builtin_arguments=(("approximate", False),),
    ),
    Function(
        name="gelu_tanh", mp=exact.gelu_tanh, f64=fast.short_cut(
            fast.gelu_tanh, tiny=lambda x: x * (0.5 + x * (0.25 * np.sqrt(2.0) * _TWO_BY_ROOT_PI)),
            low=(-60.0, fast.vanishing), high=(40.0, fast.itself),
        ), f64_error_ulp=16.0,
        specials=_ACTIVATION, zeros=(0.0,),
        builtin="jax.nn.gelu", builtin_arguments=(("approximate", True),),
    ),
    Function(
        name="silu", mp=exact.silu, f64=fast.short_cut(
            fast.silu, tiny=lambda x: x * (0.5 + 0.25 * x),
            low=(-800.0, fast.vanishing), high=(40.0, fast.itself),
        ), f64_error_ulp=8.0, specials=_ACTIVATION,
        zeros=(0.0,), builtin="jax.nn.silu",
    ),
    Function(
        name="softplus", mp=exact.softplus, f64=fast.short_cut(
            fast.softplus, tiny=lambda x: np.log(2.0) + x * (0.5 + 0.125 * x),
            low=(-800.0, fast.constant(0.0)), high=(40.0, fast.itself),
        ), f64_error_ulp=8.0, pair=pair.softplus,
        specials=((_INF, _INF), (-_INF, 0.0), (_NAN, _NAN)), results=(0.0, _INF),
        builtin="jax.nn.softplus",
    ),
    Function(
        name="mish", mp=exact.mish, f64=fast.short_cut(
            fast.mish, tiny=lambda x: x * (0.6 + 0.32 * x),
            low=(-800.0, fast.vanishing), high=(40.0, fast.itself),
        ), f64_error_ulp=10.0, specials=_ACTIVATION,
        zeros=(0.0,), builtin="jax.nn.mish",
    ),
    Function(
        name="log_sigmoid", mp=exact.log_sigmoid, f64=fast.short_cut(
            fast.log_sigmoid, tiny=lambda x: x * (0.5 - 0.125 * x) - np.log(2.0),
            low=(-40.0, fast.itself), high=(800.0, fast.constant(-0.0)),
        ), f64_error_ulp=8.0, pair=pair.log_sigmoid,
        specials=((_INF, -0.0), (-_INF, -_INF), (_NAN, _NAN)), builtin="jax.nn.log_sigmoid",
    ),
    Function(
        name="sinc", mp=exact.sinc,
        f64=fast.short_cut(
            fast.sinc, tiny=lambda x: 1.0 - (np.pi * np.pi / 6) * x * x,
            low=(-_INTEGERS_FROM, fast.constant(0.0)), high=(_INTEGERS_FROM, fast.constant(0.0)),
        ), f64_error_ulp=6.0, symmetry="even",
        specials=((0.0, 1.0), (-0.0, 1.0), (_INF, 0.0), (-_INF, 0.0), (_NAN, _NAN)),
        zeros=(1.0, -1.0, 2.0, -2.0, 3.0), builtin="jax.numpy.sinc",
    ),
)  # fmt: skip
