"""Kernels over results and float64 references: the error of each.

The error is that of `xla_evo.accuracy.ulp`. A chunk in which everything is an ordinary number takes
branch-free loops, each small enough that it vectorises, and so does one that is flushed,
overflowed or nan throughout; any other takes a scalar loop. All of them release the GIL.

A reference a hair above a power of two may stand for a real value just below it, whose ULP is half
as large. ``slack`` float64 ULP are taken off before its exponent is read, so that an error is never
reported too small; the worst points are decided in mpmath afterwards.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xla_evo._numba import njit_with
from xla_evo_lowering.dtypes import DType

Floats = NDArray[Any]
Integers = NDArray[np.int64]
Integer = int | np.integer[Any]

CHUNK = 2048
MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_MAGNITUDE_32 = np.int32(0x7FFF_FFFF)
_INFINITY_32 = np.int32(0x7F80_0000)
_INFINITY_64 = np.int64(0x7FF0_0000_0000_0000)


class Format(NamedTuple):
    """What the kernels need of a format; made by `format_constants`."""

    precision: int
    emin: int
    emax: int
    slack: int
    flush_to_zero: bool
    least: float
    """2^emin."""
    top: float
    """2^emax."""
    infinity_units: float
    """2^p: where an infinity stands, in ULP of the top binade."""
    gap_units: float
    """2^(p-1) - 1: what flush-to-zero takes off a magnitude, in ULP at 2^emin."""
    least_bits_32: int
    """Pattern of 2^emin in float32."""
    least_bits: int
    """Pattern of 2^emin in float64."""
    overflow_bits: int
    """Pattern in float64 of the least magnitude that overflows."""


def format_constants(dtype: DType, *, flush_to_zero: bool, slack: int = 0) -> Format:
    """Returns the kernels' constants of a float format.

    Args:
        dtype: the format; results of the 16-bit ones are passed in float32.
        flush_to_zero: whether its subnormal numbers do not exist.
        slack: float64 ULP taken off |reference| before its exponent is read.
    """
    least = 2.0**dtype.emin
    return Format(
        precision=dtype.precision,
        emin=dtype.emin,
        emax=dtype.emax,
        slack=slack,
        flush_to_zero=flush_to_zero,
        least=least,
        top=2.0**dtype.emax,
        infinity_units=2.0**dtype.precision,
        gap_units=2.0 ** (dtype.precision - 1) - 1.0,
        least_bits_32=int(np.float32(least).view(np.int32)) if dtype.bits < 64 else 0,
        least_bits=int(np.float64(least).view(np.int64)),
        overflow_bits=int(_overflow_threshold(dtype).view(np.int64)),
    )


def _overflow_threshold(dtype: DType) -> np.float64:
    if dtype.bits == 64:
        return np.float64(np.inf)
    return np.float64(2.0 ** (dtype.emax + 1) - 2.0 ** (dtype.emax - dtype.precision))


@njit_with(nogil=True)
def element_error(y: float, r: float, form: Format) -> float:
    """Returns the error of one float64 result against one float64 reference in ULP."""
    if math.isnan(y) or math.isnan(r):
        return 0.0 if math.isnan(y) and math.isnan(r) else np.inf
    y_size, r_size = abs(y), abs(r)
    if form.flush_to_zero and y_size < form.least and r_size < form.least:
        return 0.0
    same_sign = math.copysign(1.0, y) == math.copysign(1.0, r)
    if r_size >= form.top:
        exponent = form.emax
    else:
        exponent = form.emin
        if r_size >= form.least:
            lowered = r_size - r_size * (form.slack * 2.0**-52)
            exponent = max(math.frexp(lowered)[1] - 1, form.emin)
    shift = form.precision - 1 - exponent
    r_units = form.infinity_units
    if r_size < np.inf:
        r_units = (
            min(math.ldexp(r_size, shift), r_units)
            if exponent == form.emax
            else (math.ldexp(r_size, shift))
        )
    if math.isinf(y):
        if r_size < form.top or not same_sign:
            return np.inf
        short = form.infinity_units - r_units
        return 0.0 if short <= 0.5 else short
    y_units = math.ldexp(y_size, shift)
    if form.flush_to_zero and (y_size < form.least or r_size < form.least or not same_sign):
        gap = math.ldexp(form.gap_units, form.emin - exponent)
        y_units, r_units = max(y_units - gap, 0.0), max(r_units - gap, 0.0)
    return abs(y_units - r_units) if same_sign else y_units + r_units


@njit_with(nogil=True)
def _ordinary_errors(out: Floats, y: Floats, r: Floats, form: Format) -> Integer:
    """Writes |y - r| / ulp(r), which are the errors where all is ordinary.

    Returns:
        The largest pattern of ``out``; -1 if any |r| leaves [2^emin, 2^emax), any |y| is below
        2^emin, infinite or nan, or any sign differs.
    """
    bits = r.view(np.int64)
    least, slack = np.int64(form.least_bits), np.int64(form.slack)
    span = np.int64(form.emax - form.emin) << 52
    top = np.int64(form.precision - 1 + 2 * 1023)
    farthest, y_least = np.uint64(0), _INFINITY_64
    signs, largest = np.int64(0), np.int64(0)
    for i in range(len(out)):
        wide = np.float64(y[i])
        y_bits = wide.view(np.int64)
        size = bits[i] & MAGNITUDE
        # Unsigned, so that what is below the least wraps around to what is too far.
        farthest = max(farthest, np.uint64(size - slack - least))
        y_least = min(y_least, y_bits & MAGNITUDE)
        signs |= y_bits ^ bits[i]
        scale = np.int64((top - ((size - slack) >> 52)) << 52).view(np.float64)
        error = np.float64(abs(wide - r[i]) * scale)
        out[i] = error
        largest = max(largest, error.view(np.int64))
    ordinary = farthest < np.uint64(span - slack) and y_least >= least and signs >= 0
    return largest if ordinary and largest < _INFINITY_64 else np.int64(-1)


@njit_with(nogil=True)
def _all_flushed(y: Floats, r: Floats, form: Format) -> "bool | np.bool_":
    """Whether flushing makes zeros of all of ``y`` and ``r``."""
    if not form.flush_to_zero:
        return False
    y_bits, bits = y.view(np.int32), r.view(np.int64)
    y_least, least = np.int32(form.least_bits_32), np.int64(form.least_bits)
    inside = np.int64(-1)
    for i in range(len(bits)):
        inside &= np.int64((y_bits[i] & _MAGNITUDE_32) - y_least) & ((bits[i] & MAGNITUDE) - least)
    return inside < 0


@njit_with(nogil=True)
def _all_overflowed(y: Floats, r: Floats, form: Format) -> "bool | np.bool_":
    """Whether each of ``y`` is the infinity to which its ``r`` overflows."""
    y_bits, bits, below = y.view(np.int32), r.view(np.int64), np.int64(form.overflow_bits - 1)
    inside, differs = np.int64(-1), np.int64(0)
    for i in range(len(bits)):
        size = bits[i] & MAGNITUDE
        inside &= below - size
        differs |= (_INFINITY_64 - size) | (np.int64(y_bits[i]) ^ bits[i])
        differs |= -np.int64((y_bits[i] & _MAGNITUDE_32) ^ _INFINITY_32)
    return inside < 0 <= differs


@njit_with(nogil=True)
def _all_nan(y: Floats, r: Floats) -> "bool | np.bool_":
    """Whether all of ``y`` and ``r`` are nan."""
    y_bits, bits = y.view(np.int32), r.view(np.int64)
    inside = np.int64(-1)
    for i in range(len(bits)):
        inside &= np.int64(_INFINITY_32 - (y_bits[i] & _MAGNITUDE_32))
        inside &= _INFINITY_64 - (bits[i] & MAGNITUDE)
    return inside < 0


@njit_with(nogil=True)
def has_below(x: Floats, least: float) -> "bool | np.bool_":
    """Whether any float64 number is below ``least`` in size; nan is not."""
    bits = x.view(np.int64)
    smallest = _INFINITY_64
    for i in range(len(bits)):
        smallest = min(smallest, bits[i] & MAGNITUDE)
    return smallest < np.float64(least).view(np.int64)


@njit_with(nogil=True)
def largest_pattern(patterns: Integers) -> Integer:
    """The greatest of some patterns, at least 0."""
    largest = np.int64(0)
    for i in range(len(patterns)):
        largest = max(largest, patterns[i])
    return largest


@njit_with(nogil=True)
def errors_into(out: Floats, y: Floats, r: Floats, form: Format) -> tuple[Integer, Integer]:
    """Writes the error in ULP of each ``y`` against ``r`` to ``out``.

    Args:
        out: float64 array that receives the errors.
        y: results; float32 for formats of at most 32 bits, else float64.
        r: float64 references.
        form: constants of the format.

    Returns:
        (how many elements are nan in one of ``y`` and ``r`` alone, the pattern of the largest
        error: errors are neither negative nor nan, so that their patterns are ordered as they are).
    """
    if form.precision <= 24:
        largest = _ordinary_errors(out, y, r, form)
        if largest >= 0:
            return np.int64(0), largest
        if _all_flushed(y, r, form) or _all_overflowed(y, r, form) or _all_nan(y, r):
            out[:] = 0.0
            return np.int64(0), np.int64(0)
    mismatches = np.int64(0)
    for i in range(len(out)):
        out[i] = element_error(np.float64(y[i]), r[i], form)
        mismatches += np.int64(math.isnan(y[i]) != math.isnan(r[i]))
    return mismatches, largest_pattern(out.view(np.int64))


@njit_with(nogil=True)
def pair_errors_into(out: Floats, y: Floats, high: Floats, rest: Floats, form: Format) -> int:
    """Writes the error in ULP of each float64 ``y`` against a number and its rest.

    Args:
        out: float64 array that receives the errors.
        y: float64 results.
        high: float64 references.
        rest: what the exact values have beyond them, in ULP of ``high``; left out of account where
            a value is subnormal, infinite or of another sign.
        form: constants of float64.

    Returns:
        How many elements are nan in one of ``y`` and ``high`` alone.
    """
    mismatches = 0
    for i in range(len(out)):
        size = abs(high[i])
        ordinary = form.least <= size < np.inf and form.least <= abs(y[i]) < np.inf
        if ordinary and math.copysign(1.0, y[i]) == math.copysign(1.0, high[i]):
            fraction, exponent = math.frexp(size)
            distance = math.ldexp(y[i] - high[i], form.precision - exponent)
            error = abs(distance - rest[i])
            # A power of two whose rest points to zero lies in the binade below.
            towards = rest[i] < 0.0 if high[i] > 0.0 else rest[i] > 0.0
            below = fraction == 0.5 and towards and size > form.least
            out[i] = 2.0 * error if below else error
        else:
            out[i] = element_error(y[i], high[i], form)
            mismatches += math.isnan(y[i]) != math.isnan(high[i])
    return mismatches


def compute_errors(
    result: NDArray[Any], reference: NDArray[np.float64], form: Format
) -> NDArray[np.float64]:
    """Returns the errors in ULP of float32 (or float64) results as an array."""
    out = np.empty(len(result), np.float64)
    for start in range(0, len(out), CHUNK):
        part = slice(start, start + CHUNK)
        errors_into(out[part], result[part], reference[part], form)
    return out
