"""Fast float64 sine and cosine of float32 numbers of any size.

NumPy takes 60 ns for the sine of a large argument, and half of all float32 numbers are large. A
number of 24 significant bits m 2^e is reduced exactly: 2^e 2/pi mod 4 is kept per exponent in
parts of 28, 28 and 53 bits, whose products with m are exact where they must be. Sine and cosine
of the rest come from the tangent of its half, which NumPy has in vector form.
(Payne and Hanek, SIGNUM Newsletter 18(1), 1983, for the idea of reducing by bits of 2/pi.)
"""

from collections.abc import Callable

import mpmath as mp
import numpy as np

from xla_evo._numba import njit_with
from xla_evo.targets.double_double import two_sum
from xla_evo.targets.function import Array64

_EXPONENTS = 130
_FIRST_BIASED = 1022
_PART_BITS = 28
_SHORT_MASK = np.int64((1 << 29) - 1)
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_LIMIT_BITS = np.float64(2.0**128).view(np.int64)
_INFINITY_BITS = np.float64(np.inf).view(np.int64)
_QUARTER_PI = float(np.pi / 4)
_HALF_PI = float(np.pi / 2)


def _reduction_table() -> Array64:
    """Rows of three parts of 2^e 2/pi mod 4, for m 2^e with m of 24 bits."""
    rows: list[list[float]] = []
    with mp.workprec(500):
        for index in range(_EXPONENTS):
            rest = mp.fmod(mp.ldexp(2 / mp.pi, index + _FIRST_BIASED - 1023 - 23), 4)
            row: list[float] = []
            for _ in range(2):
                unit = mp.ldexp(1, int(mp.mag(rest)) - _PART_BITS)
                part = mp.floor(rest / unit) * unit
                row.append(float(part))
                rest -= part
            rows.append([*row, float(rest)])
    return np.asarray(rows)


_TABLE = _reduction_table()


@njit_with(nogil=True)
def _is_short(x: Array64) -> bool:
    """Whether all of x have at most 24 significant bits and are below 2^128, or are not finite."""
    bits = x.view(np.int64)
    long = np.int64(0)
    for i in range(len(bits)):
        size = bits[i] & _MAGNITUDE
        long |= np.int64((size >= _LIMIT_BITS) & (size < _INFINITY_BITS))
        long |= bits[i] & _SHORT_MASK & -np.int64(size < _INFINITY_BITS)
    return long == 0  # pyright: ignore[reportReturnType]


@njit_with(nogil=True)
def _reduce(half: Array64, quadrant: Array64, x: Array64) -> None:
    """Writes x - quadrant pi/2, halved, and the quadrant (any integer)."""
    bits = x.view(np.int64)
    for i in range(len(x)):
        size = abs(x[i])
        if size < _QUARTER_PI:
            half[i], quadrant[i] = 0.5 * x[i], 0.0
        elif size < np.inf:
            row = ((bits[i] & _MAGNITUDE) >> 52) - _FIRST_BIASED
            m = np.float64(((bits[i] >> 29) & 0x7FFFFF) | 0x800000)
            turns = m * _TABLE[row, 0]
            whole = np.rint(turns)
            s, e = two_sum(turns - whole, m * _TABLE[row, 1])
            more = np.rint(s)
            rest = (s - more) + (e + m * _TABLE[row, 2])
            whole += more
            sign = 1.0 if x[i] > 0.0 else -1.0
            half[i] = sign * rest * (0.5 * _HALF_PI)
            quadrant[i] = sign * whole
        else:
            half[i], quadrant[i] = np.nan, 0.0


@njit_with(nogil=True)
def _combine(out: Array64, tangent: Array64, quadrant: Array64, shift: int) -> None:
    """Writes the sine (shift 0) or cosine (shift 1) from the tangent of the halved rest."""
    for i in range(len(out)):
        t = tangent[i]
        q = (np.int64(quadrant[i]) + shift) & 3
        square = t * t
        top = 1.0 - square if q & 1 else 2.0 * t
        value = top / (1.0 + square)
        out[i] = -value if q & 2 else value


def _evaluate(x: Array64, shift: int, fallback: Callable[[Array64], Array64]) -> Array64:
    flat = np.ascontiguousarray(x, dtype=np.float64).ravel()
    with np.errstate(all="ignore"):
        if not _is_short(flat):
            return fallback(x)
        half, quadrant = np.empty_like(flat), np.empty_like(flat)
        _reduce(half, quadrant, flat)
        tangent = np.tan(half)
        _combine(half, tangent, quadrant, shift)
    return half.reshape(np.shape(x))


def sin(x: Array64) -> Array64:
    """Returns the sine; fast where all of x are float32 numbers."""
    return _evaluate(x, 0, np.sin)


def cos(x: Array64) -> Array64:
    """Returns the cosine; fast where all of x are float32 numbers."""
    return _evaluate(x, 1, np.cos)
