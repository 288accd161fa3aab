"""One-pass kernels over the errors of results: histogram, worst points, what float64 leaves open.

A chunk of errors stays in the nearest cache. All of the kernels release the GIL.
"""

import numpy as np

from xla_evo._numba import njit_with
from xla_evo.accuracy.kernels import (
    CHUNK,
    Floats,
    Format,
    Integer,
    Integers,
    errors_into,
    largest_pattern,
    pair_errors_into,
)
from xla_evo.accuracy.rounded import DELTA, FAR, Rounded, certainly_above, rounded_errors_into

HISTOGRAM_EDGES: tuple[float, ...] = (0.5, 0.51, 0.6, 0.75, 1.0, 1.5, 2.0, 4.0, 16.0)
"""Upper ends of the histogram's bins in ULP, each included; the last bin is what is above."""

WORST_KEPT = 16
_EDGES = np.asarray(HISTOGRAM_EDGES)
_EDGE_BITS = _EDGES.view(np.int64)


@njit_with(nogil=True)
def _count_above(patterns: Integers, limit: Integer) -> Integer:
    count = np.int64(0)
    for i in range(len(patterns)):
        count += np.int64(patterns[i] > limit)
    return count


@njit_with(nogil=True)
def _counts_above(patterns: Integers, one: Integer, two: Integer) -> tuple[Integer, Integer]:
    above_one, above_two = np.int64(0), np.int64(0)
    for i in range(len(patterns)):
        above_one += np.int64(patterns[i] > one)
        above_two += np.int64(patterns[i] > two)
    return above_one, above_two


@njit_with(nogil=True)
def _keep_worst(out: Floats, offset: int, worst_error: Floats, worst_index: Integers) -> None:
    last = len(worst_error) - 1
    for i in range(len(out)):
        if out[i] > worst_error[last]:
            place = last
            while place > 0 and worst_error[place - 1] < out[i]:
                worst_error[place] = worst_error[place - 1]
                worst_index[place] = worst_index[place - 1]
                place -= 1
            worst_error[place] = out[i]
            worst_index[place] = offset + i


@njit_with(nogil=True)
def scan(
    y: Floats,
    r: Floats,
    rounded: Rounded,
    offset: int,
    form: Format,
    uncertainty: float,
    above: Integers,
    worst_error: Floats,
    worst_index: Integers,
    undecided: Integers,
    totals: Integers,
) -> None:
    """Adds one run of results to running statistics.

    Args:
        y: results; float32 for formats of at most 32 bits, else float64.
        r: float64 references.
        rounded: the same, or `NOT_ROUNDED`.
        offset: position of the first of them, added to the indices that are kept.
        form: constants of the format.
        uncertainty: error of the references in ULP of the format; errors this near to 0.5 leave
            open whether the result is correctly rounded.
        above: int64, one per histogram edge; counts of errors above it.
        worst_error: float64, the largest errors so far in descending order, -1 where none is.
        worst_index: int64, where they are.
        undecided: int64, receives the positions of undecided results while there is room.
        totals: int64 of 4: results seen, certainly not correctly rounded, undecided, nan alone.
    """
    errors, short = np.empty(CHUNK, np.float64), np.empty(CHUNK, np.float32)
    counts = np.zeros(len(_EDGES), np.int64)
    for start in range(0, len(y), CHUNK):
        stop = min(start + CHUNK, len(y))
        # In float32 where that tells all: no nan, nothing to keep, nothing near an edge.
        if start < CHUNK * len(rounded.limits) and rounded.limits[start // CHUNK]:
            near = short[: stop - start]
            largest = rounded_errors_into(
                near, y[start:stop].view(np.int32), rounded.patterns[start:stop],
                rounded.rests[start:stop], rounded.limits[start // CHUNK],
            )  # fmt: skip
            if largest + DELTA <= worst_error[-1] and _counted(near, largest, uncertainty, counts):
                totals[0] += len(near)
                totals[1] += counts[0]
                above += counts
                continue
        out = errors[: stop - start]
        mismatches, pattern = errors_into(out, y[start:stop], r[start:stop], form)
        totals[3] += mismatches
        _tally(
            out, pattern, offset + start, uncertainty, above, worst_error, worst_index, undecided,
            totals,
        )  # fmt: skip


@njit_with(nogil=True)
def _counted(errors: Floats, largest: float, uncertainty: float, counts: Integers) -> bool:
    """Counts float32 errors above each edge; whether none is too near to one to tell."""
    counts[:] = 0
    if largest >= FAR:
        return False
    for edge in range(len(_EDGES)):
        within = DELTA + uncertainty if edge == 0 else DELTA
        if largest <= _EDGES[edge] - within:
            break
        counts[edge] = certainly_above(errors, _EDGES[edge], within)
        if counts[edge] < 0:
            return False
    return True


@njit_with(nogil=True)
def scan_pairs(
    y: Floats,
    high: Floats,
    rest: Floats,
    offset: int,
    form: Format,
    uncertainty: float,
    above: Integers,
    worst_error: Floats,
    worst_index: Integers,
    undecided: Integers,
    totals: Integers,
) -> None:
    """`scan` of float64 results against references with rests, see `pair_errors_into`."""
    errors = np.empty(CHUNK, np.float64)
    for start in range(0, len(y), CHUNK):
        stop = min(start + CHUNK, len(y))
        out = errors[: stop - start]
        totals[3] += pair_errors_into(out, y[start:stop], high[start:stop], rest[start:stop], form)
        pattern = largest_pattern(out.view(np.int64))
        _tally(
            out, pattern, offset + start, uncertainty, above, worst_error, worst_index, undecided,
            totals,
        )  # fmt: skip


@njit_with(nogil=True)
def _tally(
    out: Floats,
    largest: Integer,
    offset: int,
    uncertainty: float,
    above: Integers,
    worst_error: Floats,
    worst_index: Integers,
    undecided: Integers,
    totals: Integers,
) -> None:
    """Adds the errors of one chunk, ``largest`` the greatest pattern, to statistics, see `scan`."""
    bounds = np.array([0.5 - uncertainty, 0.5 + uncertainty])
    low, high = bounds[0], bounds[1]
    below_low, high_bits = bounds.view(np.int64)[0] - 1, bounds.view(np.int64)[1]
    totals[0] += len(out)
    patterns = out.view(np.int64)
    if largest > below_low:
        near, wrong = _counts_above(patterns, below_low, high_bits)
        totals[1] += wrong
        # Where nothing lies about 0.5, the first edge, what is above it is certainly above it.
        above[0] += wrong if near == wrong else _count_above(patterns, _EDGE_BITS[0])
        for edge in range(1, len(_EDGE_BITS)):
            if largest <= _EDGE_BITS[edge]:
                break
            above[edge] += _count_above(patterns, _EDGE_BITS[edge])
        if near > wrong:
            for i in range(len(out)):
                if low <= out[i] <= high:
                    if totals[2] < len(undecided):
                        undecided[totals[2]] = offset + i
                    totals[2] += 1
    if largest > max(worst_error.view(np.int64)[-1], 0):
        _keep_worst(out, offset, worst_error, worst_index)
