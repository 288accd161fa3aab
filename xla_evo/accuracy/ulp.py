"""Error in units in the last place, as JAX's page "Numerical accuracy" defines it.

For a format with p significand bits and normal exponents emin..emax, and a real reference r,

    ulp(r) = 2^(clamp(floor(log2 |r|), emin, emax) - (p - 1)),    error(y) = |y - r| / ulp(r).

- Overflow: r at or beyond the rounding threshold 2^(emax+1) - ulp(largest)/2 overflows, and an
  infinite y of its sign has error 0. Otherwise an infinity stands at 2^(emax+1), one ULP beyond
  the largest number, whenever the other value has its sign and lies in the top binade or beyond;
  so does every r beyond it. An infinite y is infinitely wrong for any other r.
- Flush to zero: two values below 2^emin in magnitude do not differ, and the gap between 0 and
  2^emin, which then holds no number, is contracted to one ULP: |v| becomes
  max(|v| - (2^emin - 2^(emin-p+1)), 0) whenever the distance crosses it.
- nan: no error where both are nan, infinite error where one is.

Source: docs.jax.dev, ``accuracy.html``, "Methodology and terminology".
These forms are the reference; `xla_evo.accuracy.kernels` computes the same in one fast pass.
"""

import math
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from xla_evo.targets.ordering import number, ordinal
from xla_evo.targets.reliable import MPMATH, Mp
from xla_evo_lowering.dtypes import DType

Array64 = NDArray[np.float64]


def ulp_error(
    result: NDArray[Any],
    reference: Array64,
    dtype: DType,
    *,
    flush_to_zero: bool,
    reference_low: Array64 | None = None,
) -> Array64:
    """Returns the error of each result in ULP of ``dtype``.

    Args:
        result: values of ``dtype`` (any NumPy float array that holds them exactly).
        reference: real-valued references in float64; their own rounding is part of the answer.
        dtype: a float format.
        flush_to_zero: whether the format's subnormal numbers do not exist.
        reference_low: what ``reference`` lacks of the real value, for float64 results.

    Returns:
        Errors in float64, 0 to infinity, in the broadcast shape.
    """
    with np.errstate(all="ignore"):
        y, r = np.broadcast_arrays(
            np.asarray(result).astype(np.float64), np.asarray(reference, dtype=np.float64)
        )
        low = np.zeros_like(r) if reference_low is None else np.broadcast_to(reference_low, r.shape)
        fraction, exponent = np.frexp(np.where(np.isfinite(r), np.abs(r), 2.0**dtype.emax))
        # A power of two whose missing part points to zero lies in the binade below.
        exponent = exponent - 1 - ((fraction == 0.5) & (low * np.sign(r) < 0))
        exponent = np.where(r == 0, dtype.emin, np.clip(exponent, dtype.emin, dtype.emax))
        quantum = exponent - (dtype.precision - 1)
        # In units of ulp(r): exact, and free of overflow where the error is not.
        infinity = 2.0**dtype.precision
        in_top = np.abs(r) >= 2.0**dtype.emax
        y_units, r_units = np.ldexp(y, -quantum), np.ldexp(r, -quantum)
        r_units = np.where(in_top, np.clip(r_units, -infinity, infinity), r_units)
        error = np.abs((y_units - r_units) - np.ldexp(low, -quantum))
        if flush_to_zero:
            least = 2.0**dtype.emin
            y_small, r_small = np.abs(y) < least, np.abs(r) < least
            gap = np.ldexp(2.0 ** (dtype.precision - 1) - 1.0, dtype.emin - exponent)
            contracted = np.abs(_shrunk(y_units, gap) - _shrunk(r_units, gap))
            crosses = y_small | r_small | (np.sign(y) * np.sign(r) < 0)
            error = np.where(crosses, np.where(y_small & r_small, 0.0, contracted), error)
        short = infinity - np.abs(r_units)
        beyond = np.where(in_top & (np.signbit(y) == np.signbit(r)), short, np.inf)
        error = np.where(np.isinf(y), np.where(beyond <= 0.5, 0.0, beyond), error)
        nan_y, nan_r = np.isnan(y), np.isnan(r)
        return np.where(nan_y | nan_r, np.where(nan_y & nan_r, 0.0, np.inf), error)


def _shrunk(units: Array64, gap: Array64) -> Array64:
    return np.copysign(np.maximum(np.abs(units) - gap, 0.0), units)


def ulp_error_mp(result: float, reference: Mp, dtype: DType, *, flush_to_zero: bool) -> float:
    """Returns the error in ULP of one result against an mpmath reference.

    The same definition in exact arithmetic, written apart from `ulp_error` so that each can test
    the other.

    Args:
        result: a number of the format.
        reference: mpf; may be an infinity (taken as beyond overflow) or nan.
        dtype: a float format.
        flush_to_zero: whether the format's subnormal numbers do not exist.
    """
    if math.isnan(result) or mp.isnan(reference):
        return 0.0 if math.isnan(result) and mp.isnan(reference) else math.inf
    with MPMATH, mp.workprec(2300):
        p, infinity = dtype.precision, mp.ldexp(1, dtype.emax + 1)
        r, least = mp.mpf(reference), mp.ldexp(1, dtype.emin)
        in_top = abs(r) >= infinity / 2
        if in_top:
            r = mp.sign(r) * min(abs(r), infinity)
            exponent = dtype.emax
        else:
            exponent = max(int(mp.mag(r)) - 1, dtype.emin) if r else dtype.emin
        if math.isinf(result):
            if not in_top or (r > 0) != (result > 0):
                return math.inf
            if abs(r) >= infinity - mp.ldexp(1, dtype.emax - p):
                return 0.0
            y = mp.sign(r) * infinity
        else:
            y = mp.mpf(result)
        if flush_to_zero and (abs(y) < least or abs(r) < least or y * r < 0):
            if abs(y) < least and abs(r) < least:
                return 0.0
            gap = least - mp.ldexp(1, dtype.emin - p + 1)
            y, r = (mp.sign(v) * max(abs(v) - gap, 0) for v in (y, r))
        return float(mp.ldexp(abs(y - r), p - 1 - exponent))


def is_correctly_rounded(
    result: float, reference: Mp, dtype: DType, *, flush_to_zero: bool
) -> bool:
    """Returns whether ``result`` is the number of the format nearest to an exact reference.

    Ties go to the even pattern. With flush-to-zero anything below 2^emin is right for a reference
    below 2^emin. nan is right for nan.
    """
    error = ulp_error_mp(result, reference, dtype, flush_to_zero=flush_to_zero)
    if error == 0.0 or math.isinf(error):
        return error == 0.0
    position = ordinal(result, dtype)
    neighbours = [position - 1, position + 1]
    least = ordinal(2.0**dtype.emin, dtype)
    if flush_to_zero and abs(result) <= 2.0**dtype.emin:
        if abs(result) < 2.0**dtype.emin:
            neighbours = [-least - 1, least]
        else:
            neighbours = [0, least + 1] if result > 0 else [-least - 2, -1]
    for neighbour in neighbours:
        other = ulp_error_mp(
            number(neighbour, dtype), reference, dtype, flush_to_zero=flush_to_zero
        )
        if other < error or (other == error and _is_odd(position)):
            return False
    return True


def _is_odd(position: int) -> bool:
    return bool((position if position >= 0 else -position - 1) & 1)
