"""Searching the neighbouring float32 constants: a candidate's rounding errors are real.

After rounding, constants are moved by whole units in the last place, singly and in pairs, and a
move is kept when the largest error over the test points does not grow. Most moves are refused on
the few points that are worst at present, so that one costs microseconds.
"""

import numpy as np
import numpy.typing as npt

from xla_evo._numba import njit
from xla_evo._random import below, uniform
from xla_evo.search.kernels import BIG, forward, max_error

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

WATCHED = 48


@njit
def round_single(constants: Floats, free: Ints) -> None:
    """Rounds the free constants to float32 in place."""
    for k in range(free.size):
        constants[free[k]] = float(np.float32(constants[free[k]]))


@njit
def step_single(value: float, units: int) -> float:
    """The float32 number `units` places away, counted through zero; infinities are not entered."""
    bits = np.int64(np.float32(value).view(np.int32))
    place = bits if bits >= 0 else -(bits & 0x7FFFFFFF)
    place = min(max(place + units, -0x7F7FFFFF), 0x7F7FFFFF)
    bits = place if place >= 0 else -place | 0x80000000
    return float(np.uint32(bits).view(np.float32))


@njit
def _watch(result: Floats, reference: Floats, weight: Floats, best: float, out: Ints) -> int:
    """Collects up to `WATCHED` points whose errors are near the largest; returns how many."""
    count = 0
    share = 0.97
    while share > 0.3:
        count = 0
        for i in range(result.size):
            if abs(result[i] - reference[i]) * weight[i] >= share * best:
                out[count] = i
                count += 1
                if count == out.size:
                    return count
        if count >= out.size // 2:
            return count
        share *= 0.9
    return count


@njit
def _units(random: Words, reach: int) -> int:
    """A step of 1 to `reach` units, up or down."""
    size = 1 + below(random, reach)
    return size if uniform(random) < 0.5 else -size


@njit
def polish(
    code: Ints,
    operands: Ints,
    constants: Floats,
    free: Ints,
    values: Floats,
    reference: Floats,
    weight: Floats,
    tries: int,
    goal: float,
    random: Words,
) -> float:
    """Improves float32 constants by steps of units in the last place, in place.

    Args:
        code: operations of the contracted tape, shape (n,).
        operands: shape (n, 3).
        constants: shape (n,); the free ones are rounded and moved.
        free: indices of the constants that may move, shape (m,).
        values: scratch, shape (given + n, points), with what is given in the first rows.
        reference: shape (points,).
        weight: shape (points,).
        tries: moves to try.
        goal: stop when the largest error is at most this.
        random: state of the generator of moves, see `xla_evo._random`.

    Returns:
        The largest weighted error of the constants left in `constants`.
    """
    round_single(constants, free)
    forward(code, operands, constants, values, True)
    best = max_error(values[-1], reference, weight)
    if free.size == 0 or best >= BIG:
        return best
    watched = np.empty(WATCHED, np.int64)
    small = np.empty((values.shape[0], WATCHED))
    given = values.shape[0] - code.size
    few_reference = np.zeros(WATCHED)
    few_weight = np.zeros(WATCHED)
    fresh = True
    for _ in range(tries):
        if best <= goal:
            break
        if fresh:
            forward(code, operands, constants, values, True)
            count = _watch(values[-1], reference, weight, best, watched)
            for row in range(given):
                small[row, :] = values[row, 0]
            few_weight[:] = 0.0
            few_reference[:] = 0.0
            for i in range(count):
                for row in range(given):
                    small[row, i] = values[row, watched[i]]
                few_reference[i] = reference[watched[i]]
                few_weight[i] = weight[watched[i]]
            fresh = False
        first = free[below(random, free.size)]
        second = free[below(random, free.size)]
        reach = 1 << below(random, 7)
        old_first, old_second = float(constants[first]), float(constants[second])
        constants[first] = step_single(old_first, _units(random, reach))
        if second != first and uniform(random) < 0.6:
            constants[second] = step_single(old_second, _units(random, reach))
        forward(code, operands, constants, small, True)
        keep = max_error(small[-1], few_reference, few_weight) <= best
        if keep:
            forward(code, operands, constants, values, True)
            now = max_error(values[-1], reference, weight)
            keep = now <= best
            if keep:
                fresh = fresh or now < best
                best = now
        if not keep:
            constants[first] = old_first
            constants[second] = old_second
    return best
