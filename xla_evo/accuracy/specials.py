"""Special inputs, one by one and by name: what sweeps with a stride never meet.

Signed zeros, infinities, nan, the ends of the subnormal and normal range, and the inputs around
which the result overflows or underflows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import mpmath as mp
import numpy as np

from xla_evo.accuracy.statistics import exact_reference, identical, named_value
from xla_evo.accuracy.ulp import ulp_error_mp
from xla_evo.targets.function import Function
from xla_evo.targets.ordering import number, ordinal
from xla_evo.targets.reliable import MPMATH, Mp
from xla_evo_lowering.dtypes import DType

_EDGE_NEIGHBOURS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A special input with a wrong result.

    Attributes:
        input: the argument, or the pair of arguments.
        got: what the compiled function gave.
        expected: the special value, or the exact value rounded to float64.
    """

    input: float | tuple[float, ...]
    got: float
    expected: float

    def __str__(self) -> str:
        return f"f({self.input!r}) is {self.got!r}, should be {self.expected!r}"


def check_specials(
    evaluate: Callable[..., Any],
    function: Function,
    dtype: DType,
    low: float,
    high: float,
    *,
    flush_to_zero: bool,
    max_ulp: float = math.inf,
) -> list[Failure]:
    """Checks the special inputs that lie in [low, high]; nan, -0 and +0 count as inside with 0.

    An input that the function names must give its value: any nan for nan, else the same number with
    the same sign, also of zero. At any other the result must be nan only where the reference is,
    have the reference's sign unless either is zero, be infinite only by overflow, and have an error
    of at most ``max_ulp``.

    Args:
        evaluate: the compiled function on 1-D arrays of the format.
        function: gives the values.
        dtype: the format.
        low: least input of the domain.
        high: greatest input of the domain.
        flush_to_zero: whether subnormal numbers of the format do not exist; such an input may then
            be read as a zero, and such a result be one.
        max_ulp: error allowed at the inputs that are not named.

    Returns:
        The failures in the order of the inputs; empty when all hold.
    """
    inputs = special_inputs(function, dtype, low, high)
    if not inputs:
        return []
    columns = [np.asarray(column).astype(dtype.numpy) for column in zip(*inputs, strict=True)]
    with np.errstate(invalid="ignore"):  # a signalling nan becomes a quiet one
        results = np.asarray(evaluate(*columns)).astype(np.float64).tolist()
    failures: list[Failure] = []
    with MPMATH, mp.workdps(40):
        for arguments, got in zip(inputs, results, strict=True):
            expected = _expected(function, arguments)
            right = any(
                _agrees(got, value, named, dtype, flush_to_zero=flush_to_zero, max_ulp=max_ulp)
                for value, named in _readings(function, arguments, dtype, flush_to_zero)
            )
            if not right:
                shown = arguments if function.arity > 1 else arguments[0]
                failures.append(Failure(input=shown, got=got, expected=expected))
    return failures


def special_inputs(
    function: Function, dtype: DType, low: float, high: float
) -> list[tuple[float, ...]]:
    """Returns the arguments that `check_specials` tries, each once, all numbers of the format."""
    tiny, least = number(1, dtype), 2.0**dtype.emin
    largest = number(ordinal(math.inf, dtype) - 1, dtype)
    below = number(ordinal(least, dtype) - 1, dtype)
    plain = [0.0, tiny, below, least, 1.0, largest, math.inf]
    signed = [s * value for value in plain for s in (1.0, -1.0)]
    named = [key if isinstance(key, tuple) else (key,) for key, _ in function.specials]
    if function.arity == 1:
        edges = _range_edges(function, dtype, low, high)
        found = [*named, *((v,) for v in (*signed, low, high, *edges, math.nan))]
    else:
        each = (*signed, math.nan)
        found = [*named, *((a, b) for a in each for b in each)]
    kept: dict[tuple[int, ...], tuple[float, ...]] = {}
    for arguments in found:
        rounded = tuple(number(ordinal(a, dtype), dtype) for a in arguments)
        if all(a != a or low <= a <= high for a in rounded):
            kept.setdefault(tuple(ordinal(a, dtype) for a in rounded), rounded)
    return list(kept.values())


def _range_edges(function: Function, dtype: DType, low: float, high: float) -> list[float]:
    """Inputs around which |f| crosses the ends of the normal and subnormal range, by bisection."""
    thresholds = [
        2.0**dtype.emin,
        2.0 ** (dtype.emin - dtype.precision),
        math.nextafter(2.0, 1.0) * 2.0**dtype.emax,
    ]
    finite = number(ordinal(math.inf, dtype) - 1, dtype)
    ends = [v for v in (-finite, -1.0, 1.0, finite) if low <= v <= high]
    ends = sorted({max(low, -finite), *ends, min(high, finite)})
    edges: list[float] = []
    for left, right in pairwise(ends):
        for threshold in thresholds:
            edges += _crossing(function, dtype, left, right, threshold)
    return edges


def _crossing(
    function: Function, dtype: DType, left: float, right: float, threshold: float
) -> list[float]:
    def above(position: int) -> bool:
        value = function.f64(np.asarray([number(position, dtype)]))[0]
        return bool(abs(value) >= threshold)

    low, high = ordinal(left, dtype), ordinal(right, dtype)
    at_low = above(low)
    if at_low == above(high):
        return []
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if above(middle) == at_low else (low, middle)
    return [number(low + step, dtype) for step in range(-_EDGE_NEIGHBOURS, _EDGE_NEIGHBOURS + 2)]


def _expected(function: Function, arguments: tuple[float, ...]) -> float:
    output = named_value(function, arguments)
    return float(exact_reference(function, arguments)) if output is None else output


def _readings(
    function: Function, arguments: tuple[float, ...], dtype: DType, flush_to_zero: bool
) -> list[tuple[Mp, float | None]]:
    readings = [arguments]
    if flush_to_zero:
        least = 2.0**dtype.emin
        flushed = tuple(math.copysign(0.0, a) if abs(a) < least else a for a in arguments)
        readings += [flushed] if flushed != arguments else []
    return [(exact_reference(function, r), named_value(function, r)) for r in readings]


def _agrees(
    got: float,
    reference: Mp,
    named: float | None,
    dtype: DType,
    *,
    flush_to_zero: bool,
    max_ulp: float,
) -> bool:
    if named is not None:
        # A named value is exact in every format; one that is not, such as 0.1, is rounded.
        return identical(got, number(ordinal(named, dtype), dtype))
    error = ulp_error_mp(got, reference, dtype, flush_to_zero=flush_to_zero)
    if error == 0.0:
        return True
    wrong_sign = got * float(mp.sign(reference)) < 0.0
    return math.isfinite(error) and error <= max_ulp and not wrong_sign
