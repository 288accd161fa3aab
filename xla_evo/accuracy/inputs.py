"""Which inputs a function is measured on: all of a domain in order, or a sample that looks hard.

A sample takes every binade alike, because a float function is as likely to fail at 1e-30 as at 1;
adds the places where programs fail (ends, zeros, poles, powers of two, earlier worst points) with
their neighbours; and a share that is uniform in value.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo._numba import njit_with
from xla_evo.targets.function import Function
from xla_evo.targets.ordering import from_ordinal, number, ordinal, to_ordinal
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import DType

Values = NDArray[Any]
"""A 1-D array of a target's format."""

_NEAR = 16
_UNIFORM_SHARE = 0.25
_UNIFORM_REACH = 128.0


def write_values(out: Values, first: int, dtype: DType) -> None:
    """Writes the numbers with ordinals ``first``, ``first`` + 1, ... to ``out`` (of ``dtype``)."""
    unsigned = np.dtype(f"uint{dtype.bits}")
    bits = out.view(unsigned)
    negative = min(max(-first, 0), len(out))
    _write_steps(bits[:negative], (1 << (dtype.bits - 1)) - first - 1, -1)
    _write_steps(bits[negative:], max(first, 0), 1)


@njit_with(nogil=True)
def _write_steps(out: Values, first: int, step: int) -> None:
    for i in range(len(out)):
        out[i] = first + step * i


def special_places(function: Function, dtype: DType) -> list[float]:
    """Returns inputs of interest by name: zero, poles, ends of the format, named special values."""
    ends = (
        2.0**dtype.emin,
        2.0 ** (dtype.emin - dtype.precision + 1),
        number(_largest(dtype), dtype),
    )
    named = [value for key, _ in function.specials for value in np.atleast_1d(key).tolist()]
    places = [0.0, 1.0, *ends, *function.zeros, *function.poles, *named]
    return [v for place in places if place == place for v in (float(place), -float(place))]


def _largest(dtype: DType) -> int:
    return ordinal(np.inf, dtype) - 1


def sample_inputs(target: Target, count: int, seed: int = 0, near: Iterable[float] = ()) -> Values:
    """Returns distinct inputs of the domain in ascending order, the same for the same arguments.

    Args:
        target: gives the domain and the format.
        count: how many; fewer only where the domain has fewer, more only where the places named
            below are more.
        seed: of the random part.
        near: points whose neighbourhoods are to be in the sample, such as earlier worst inputs.

    Returns:
        1-D array of the format: the ends, zeros, poles, special values, powers of two and ``near``
        with 16 neighbours to each side; a quarter uniform in value over [-128, 128]; the rest
        uniform in every binade alike.
    """
    dtype = target.dtype
    low, high = ordinal(target.low, dtype), ordinal(target.high, dtype)
    if high - low + 1 <= count:
        return from_ordinal(np.arange(low, high + 1), dtype)
    random = np.random.default_rng(seed)
    centres = [low, high]
    centres += [ordinal(p, dtype) for p in (*special_places(target.function, dtype), *near)]
    spread = np.arange(-_NEAR, _NEAR + 1)
    powers = _powers_of_two(dtype)
    chosen = np.concatenate(
        [(np.asarray(centres, dtype=np.int64)[:, None] + spread).ravel(), powers - 1, powers]
    )
    chosen = _distinct(chosen[(chosen >= low) & (chosen <= high)])
    chosen = _add(chosen, _uniform(target, int(_UNIFORM_SHARE * count), random), count)
    while len(chosen) < count:
        drawn = _by_binade(low, high, count - len(chosen), dtype, random)
        chosen = _add(chosen, drawn, count)
    return from_ordinal(chosen, dtype)


def _add(chosen: NDArray[np.int64], drawn: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """``chosen``, ascending and distinct, with the least of ``drawn`` that are not in it."""
    drawn = _distinct(drawn)
    place = np.minimum(np.searchsorted(chosen, drawn), len(chosen) - 1)
    fresh = drawn[chosen[place] != drawn]
    return np.sort(np.concatenate([chosen, fresh[: max(count - len(chosen), 0)]]))


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending, each once; `numpy.unique` hashes, which takes 20 times as long."""
    values = np.sort(values)
    first = np.ones(len(values), np.bool_)
    first[1:] = values[1:] != values[:-1]
    return values[first]


def _powers_of_two(dtype: DType) -> NDArray[np.int64]:
    step = 1 << dtype.mantissa_bits
    positive = np.arange(step, ordinal(np.inf, dtype), step, dtype=np.int64)
    subnormal = np.int64(1) << np.arange(dtype.mantissa_bits, dtype=np.int64)
    powers = np.concatenate([subnormal, positive])
    return np.concatenate([powers, -powers - 1])


def _uniform(target: Target, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    low, high = max(target.low, -_UNIFORM_REACH), min(target.high, _UNIFORM_REACH)
    if not low < high:
        return np.empty(0, np.int64)
    values = random.uniform(low, high, count).astype(target.dtype.numpy)
    ordinals = to_ordinal(values, target.dtype)
    ends = ordinal(target.low, target.dtype), ordinal(target.high, target.dtype)
    return random.permutation(_distinct(ordinals[(ordinals >= ends[0]) & (ordinals <= ends[1])]))


def _by_binade(
    low: int, high: int, count: int, dtype: DType, random: np.random.Generator
) -> NDArray[np.int64]:
    """Draws ordinals, as many from each part-binade of [low, high] as from any other."""
    low, high = max(low, -_largest(dtype) - 1), min(high, _largest(dtype))
    shift = dtype.mantissa_bits
    binades = np.arange(low >> shift, (high >> shift) + 1, dtype=np.int64)
    first = np.maximum(binades << shift, low)
    last = np.minimum(((binades + 1) << shift) - 1, high)
    which = random.permutation(np.arange(count, dtype=np.int64) % len(binades))
    which = which if count >= len(binades) else random.integers(0, len(binades), count)
    return random.integers(first[which], last[which], endpoint=True)
