"""Float32 results against references that were rounded once for many functions.

A result in the binade of its rounded reference is off by the difference of their patterns, in ULP,
less what the rounding left. Half as many bits as in `xla_evo.accuracy.kernels` tell it to `DELTA`;
where that leaves anything open, `xla_evo.accuracy.tally` takes a chunk in float64.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xla_evo._numba import njit_with
from xla_evo.accuracy.kernels import CHUNK, MAGNITUDE, Floats, Format, Integer

DELTA = 2.0**-21
"""No error below `FAR` is off by as much in ULP: a rest is by 2^-26, the difference by 2^-23, and
an edge that it is compared with by 2^-23."""
FAR = 4.0
"""Errors from here on are not told."""

_SIGN = np.int32(-(1 << 31))


class Rounded(NamedTuple):
    """Float64 references, rounded to float32."""

    patterns: NDArray[np.int32]
    rests: Floats
    """float32: what the references have beyond, in their ULP."""
    limits: NDArray[np.uint32]
    """A chunk's results have errors here if they differ from their references in bits below this:
    2^23; 1 where a reference is in the binade below its rounded one; 0 where any is not normal."""


NOT_ROUNDED = Rounded(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.uint32))
"""Where references were not rounded: no chunks."""


@njit_with(nogil=True)
def rounded(r: Floats, form: Format) -> Rounded:
    """Rounds float64 references; ``form`` is float32."""
    patterns, rests = np.empty(len(r), np.int32), np.empty(len(r), np.float32)
    limits = np.zeros((len(r) + CHUNK - 1) // CHUNK, np.uint32)
    for chunk in range(len(limits)):
        part = slice(chunk * CHUNK, min((chunk + 1) * CHUNK, len(r)))
        if _all_normal(r[part], form):
            limits[chunk] = _round(patterns[part], rests[part], r[part], form)
    return Rounded(patterns, rests, limits)


@njit_with(nogil=True)
def _all_normal(r: Floats, form: Format) -> "bool | np.bool_":
    """Whether all |r| lie in [2^emin, 2^emax)."""
    bits, least = r.view(np.int64), np.int64(form.least_bits) + np.int64(form.slack)
    span, farthest = np.int64(form.emax - form.emin) << 52, np.uint64(0)
    for i in range(len(r)):
        # Unsigned, so that what is below the least wraps around to what is too far.
        farthest = max(farthest, np.uint64((bits[i] & MAGNITUDE) - least))
    return farthest < np.uint64(span - form.slack)


@njit_with(nogil=True)
def _round(patterns: Any, rests: Floats, r: Floats, form: Format) -> Integer:
    bits, values = r.view(np.int64), patterns.view(np.float32)
    slack, top = np.int64(form.slack), np.int64(form.precision - 1 + 2 * 1023)
    binades = np.int64(0)
    for i in range(len(r)):
        size = (bits[i] & MAGNITUDE) - slack
        scale = np.int64((top - (size >> 52)) << 52).view(np.float64)
        nearest = np.float32(r[i])
        values[i] = nearest
        wide = np.float64(abs(np.float64(nearest)))
        rests[i] = np.float32((abs(r[i]) - wide) * scale)
        binades |= size ^ wide.view(np.int64)
    return np.int64(1 << 23) if binades < np.int64(1) << 52 else np.int64(1)


def negated(references: Rounded) -> Rounded:
    """What `rounded` gives for the negatives of references."""
    return references._replace(patterns=references.patterns ^ _SIGN)


@njit_with(nogil=True)
def rounded_errors_into(out: Floats, y: Any, patterns: Any, rests: Floats, limit: Any) -> Any:
    """Writes the errors in ULP of float32 results, up to `DELTA`, to a float32 array.

    Args:
        out: receives them.
        y: the results' patterns.
        patterns: of the rounded references, an ordinary chunk.
        rests: what the references have beyond.
        limit: of the chunk, see `Rounded`.

    Returns:
        The largest of them; infinity if the errors are not these.
    """
    differing, largest = np.int32(0), np.int32(0)
    for i in range(len(out)):
        differing = np.int32(differing | (y[i] ^ patterns[i]))
        error = abs(np.float32(np.int32(y[i] - patterns[i])) - rests[i])
        out[i] = error
        largest = np.int32(max(largest, np.float32(error).view(np.int32)))
    if np.uint32(differing) >= limit:
        return np.float32(np.inf)
    return np.int32(largest).view(np.float32)


@njit_with(nogil=True)
def certainly_above(errors: Floats, edge: float, within: float) -> Integer:
    """How many float32 errors are above an edge; -1 if any lies ``within`` of it."""
    low, high = np.float32(edge - within), np.float32(edge + within)
    above_low, above_high = np.int32(0), np.int32(0)
    for i in range(len(errors)):
        above_low = np.int32(above_low + np.int32(errors[i] > low))
        above_high = np.int32(above_high + np.int32(errors[i] > high))
    return np.int64(above_low) if above_low == above_high else np.int64(-1)
