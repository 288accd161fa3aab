"""Neighbourhoods: a program is measured again beside the operations that users put around it.

XLA rewrites a program together with its neighbours (products merge, sums and products contract), so
a bound that was proven for the program alone is checked here inside small graphs. An operation
before the program rounds its result once or twice, or not at all where the compiler contracts it
into the program, so the best of these readings counts. What an operation after the program
does by itself (half a unit in the last place for its own rounding) is not held against the program.

Exact arguments and results are float64 numbers for formats of at most 32 bits. For float64 they are
extended ones (64 bits of significand on x86, so 2^-11 ULP), and a reference at such an argument is
that at the nearest float64 number and a step along the slope.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.references import references
from xla_evo.accuracy.ulp import ulp_error
from xla_evo.targets.target import Target
from xla_evo_lowering.arithmetic import fma
from xla_evo_lowering.compile import Executable, Function
from xla_evo_lowering.dtypes import F64, DType

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """An operation on the input.

    Attributes:
        name: for tables.
        graph: the program in its neighbourhood.
        arguments: inputs to what the program may be given, before the last rounding.
    """

    name: str
    graph: Callable[[Function, Any], Any]
    arguments: Callable[[Array], tuple[Array, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """An operation on the result, exact but for one rounding.

    Attributes:
        name: for tables.
        graph: the program in its neighbourhood.
        result: exact results of the function, and its format, to the exact result of the graph.
        slope: how much an error of the program grows in the graph, at least.
    """

    name: str
    graph: Callable[[Function, Any], Any]
    result: Callable[[Array, DType], Array]
    slope: float


def _softmax_weight(f: Function, x: Any) -> Any:
    """The numerators of a softmax whose greatest input is 0, kept beside their sum."""
    values = f(x - lax.stop_gradient(jnp.zeros((), x.dtype)))
    return jnp.where(jnp.isnan(jnp.sum(values)), values, values)


def _wide(values: Array) -> Array:
    return values.astype(np.longdouble if values.dtype.itemsize == 8 else np.float64)


def _scaled(x: Any, factor: float) -> Any:
    """X times a number of its own format."""
    return x * jnp.asarray(factor, x.dtype)


def _factor(kind: np.dtype[Any], factor: float) -> float:
    return float(np.asarray(factor, kind))


def _affine(x: Array) -> tuple[Array, ...]:
    """1.5 x - 0.25 unrounded, with one rounding (decided exactly) and with two."""
    exact, twice = _wide(x) * 1.5 - 0.25, _wide(x * np.asarray(1.5, x.dtype)) - 0.25
    if x.dtype.itemsize != 4:
        return exact, twice
    contracted = fma(x, np.full_like(x, 1.5), np.full_like(x, -0.25))
    return exact, _wide(contracted), twice


BEFORE: tuple[Before, ...] = (
    Before(name="f(2x)", graph=lambda f, x: f(x * 2), arguments=lambda x: (_wide(x) * 2,)),
    Before(name="f(0.7x)", graph=lambda f, x: f(_scaled(x, 0.7)),
           arguments=lambda x: (_wide(x) * _factor(x.dtype, 0.7),)),
    Before(name="f(x+1)", graph=lambda f, x: f(x + 1), arguments=lambda x: (_wide(x) + 1,)),
    Before(name="f(x/3)", graph=lambda f, x: f(x / 3),
           arguments=lambda x: (_wide(x) / 3, _wide(x) * _factor(x.dtype, 1 / 3))),
    Before(name="f(-x)", graph=lambda f, x: f(-x), arguments=lambda x: (-_wide(x),)),
    Before(name="f(1.5x-0.25)", graph=lambda f, x: f(_scaled(x, 1.5) - jnp.asarray(0.25, x.dtype)),
           arguments=_affine),
    Before(name="softmax", graph=_softmax_weight, arguments=lambda x: (_wide(x),)),
)  # fmt: skip
"""Operations on the input."""

AFTER: tuple[After, ...] = (
    After(name="2f(x)", graph=lambda f, x: f(x) * 2, result=lambda y, _: y * 2, slope=2.0),
    After(name="0.7f(x)", graph=lambda f, x: _scaled(f(x), 0.7),
          result=lambda y, kind: y * _factor(kind.numpy, 0.7), slope=0.69),
    After(name="f(x)+1", graph=lambda f, x: f(x) + 1, result=lambda y, _: y + 1, slope=1.0),
    After(name="1-f(x)", graph=lambda f, x: 1 - f(x), result=lambda y, _: 1 - y, slope=1.0),
    After(name="f(x)f(x)", graph=lambda f, x: f(x) * f(x), result=lambda y, _: y * y, slope=0.0),
)  # fmt: skip
"""Operations on the result; a slope of 0 stands for that of the square, 2 |f(x)|."""


def measure_contexts(
    function: Function,
    target: Target,
    *,
    flush_to_zero: bool,
    samples: int = 1 << 17,
    seed: int = 0,
) -> dict[str, float]:
    """Returns the largest error of a function in each neighbourhood, in ULP of its own result.

    Args:
        function: the program as a function of JAX arrays.
        target: what it computes, of one argument.
        flush_to_zero: whether subnormal numbers do not exist.
        samples: inputs of each.
        seed: of the inputs.

    Returns:
        Name of each of `BEFORE` and `AFTER` to an error; sampled.
    """
    inputs = sample_inputs(target, samples, seed)
    # How a subnormal input is read is a matter of the format, not of the neighbours.
    inputs = inputs[~(np.abs(inputs) < 2.0**target.dtype.emin) | (inputs == 0)]
    found = {
        row.name: _before(row, function, target, inputs, flush_to_zero=flush_to_zero)
        for row in BEFORE
    }
    wide = _results(target, inputs)
    for row in AFTER:
        found[row.name] = _after(row, function, target, inputs, wide)
    return found


def changed_beside(
    function: Function,
    target: Target,
    *,
    samples: int = 1 << 17,
    seed: int = 0,
    inputs: Array | None = None,
) -> str:
    """Says where a function's result beside a subtraction is not the one that it has alone.

    A product at the end of a program would be contracted into the subtraction, which then sees it
    unrounded, so that tanh(x) - 1, say, is not 0 where tanh(x) is 1.

    Args:
        function: the program as a function of JAX arrays.
        target: what it computes, of one argument.
        samples: how many inputs.
        seed: of the inputs.
        inputs: take these instead.

    Returns:
        The first difference, empty where there is none.
    """

    def rest(x: jax.Array, known: jax.Array) -> jax.Array:
        return function(x) - known

    inputs = sample_inputs(target, samples, seed) if inputs is None else inputs
    alone = Executable(function, [target.dtype])(inputs)
    differing = np.flatnonzero(
        (Executable(rest, [target.dtype] * 2)(inputs, alone) != 0) & np.isfinite(alone)
    )
    if not differing.size:
        return ""
    x, y = inputs[differing[0]], alone[differing[0]]
    return f"f({float(x)!r}) - {float(y)!r} is not 0, though f({float(x)!r}) is {float(y)!r} alone"


def _results(target: Target, inputs: Array) -> Array:
    """The function at inputs of the format, see the top of this file."""
    if target.function.pair is None or target.dtype is not F64:
        return references(target, (inputs,))
    high, rest = target.function.pair(inputs)
    return _wide(high) + _wide(rest) * _ulp(high, F64.precision)


_SLOPE_STEP = 2.0**-24


def _at(target: Target, argument: Array) -> tuple[Array, Array | None]:
    """The function at an exact argument: a float64 number, and what it lacks for float64."""
    pair = target.function.pair
    x = argument.astype(np.float64)
    if pair is None or target.dtype is not F64:
        return target.function.f64(x), None
    high, rest = pair(x)
    step = np.abs(x) * _SLOPE_STEP
    slope = (pair(x + step)[0] - pair(x - step)[0]) / (2.0 * step)
    beyond = (argument - x).astype(np.float64) * slope
    low = rest * _ulp(high, F64.precision) + np.where(np.isfinite(beyond), beyond, 0.0)
    return high, np.where(np.isfinite(low), low, 0.0)


def _compiled(row: Before | After, function: Function, target: Target) -> Callable[[Array], Array]:
    def graph(x: jax.Array) -> jax.Array:
        return row.graph(function, x)

    return Executable(graph, [target.dtype])


def _before(
    row: Before, function: Function, target: Target, inputs: Array, *, flush_to_zero: bool
) -> float:
    with np.errstate(all="ignore"):
        result = _compiled(row, function, target)(inputs)
        exact = row.arguments(inputs)
        rounded = [_wide(v) for argument in exact for v in _roundings(argument, inputs.dtype)]
        least = 2.0**target.dtype.emin
        # A 16-bit argument is flushed in float32, before it is rounded.
        zeroed = [np.where(np.abs(r) < least, 0.0 * r, r) for r in (*exact, *rounded)]
        errors = [
            ulp_error(
                result, reference, target.dtype, flush_to_zero=flush_to_zero, reference_low=low
            )
            for reference, low in (_at(target, v) for v in (*exact, *rounded, *zeroed))
        ]
        # Next to the ends of the domain the argument may round out of it.
        inside = (exact[0] >= target.low) & (exact[0] <= target.high) | np.isnan(exact[0])
        smallest = np.minimum.reduce(errors)
    return float(np.max(smallest[inside], initial=0.0))


_NEAR_TIE = 0.499


def _roundings(argument: Array, dtype: np.dtype[Any]) -> tuple[Array, ...]:
    """An exact argument in a format; for float64 also the neighbour where it is nearly a tie.

    An extended number was rounded before, so that the tie may not be where it seems to be.
    """
    nearest = argument.astype(dtype)
    if dtype.itemsize < 8:
        return (nearest,)
    rest = argument - nearest
    other = np.nextafter(nearest, np.where(rest > 0, np.inf, -np.inf))
    return nearest, np.where(np.abs(rest) > _NEAR_TIE * np.abs(other - nearest), other, nearest)


def _after(row: After, function: Function, target: Target, inputs: Array, wide: Array) -> float:
    dtype = target.dtype
    with np.errstate(all="ignore"):
        result = _wide(_compiled(row, function, target)(inputs))
        exact = row.result(wide, dtype)
        ordinary = (np.abs(wide) >= 2.0 ** (dtype.emin + 1)) & (
            np.abs(wide) < 2.0 ** (dtype.emax // 2)
        )
        ordinary &= np.abs(exact) >= 2.0**dtype.emin
        ordinary &= np.abs(exact) < 2.0**dtype.emax
        slope = row.slope if row.slope else 2 * np.abs(wide)
        own = 0.5 * _ulp(exact, dtype.precision)
        excess = np.maximum(np.abs(result - exact) - own, 0.0)
        error = np.where(ordinary, excess / (slope * _ulp(wide, dtype.precision)), 0.0)
        error = np.where(np.isnan(result) & ordinary, np.inf, error)
    return float(np.max(error, initial=0.0))


def _ulp(values: Array, precision: int) -> Array:
    _, exponent = np.frexp(values)
    return np.ldexp(values.dtype.type(1.0), exponent - precision)
