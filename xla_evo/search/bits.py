"""Operations on bits and integers, compiled, also where a float is not rounded to float32.

The bits of a real number between two float32 numbers are an integer and a fraction: the number's
place between the two. So a function that takes the bits of a result apart (adding an exponent to
them, copying a sign into them) is over the reals what it is meant to be, and not a staircase of
units in the last place; the difference of both modes is the rounding error alone. Float32 numbers
have no fraction, so in the float32 mode nothing changes.
"""

import numpy as np
import numpy.typing as npt

from xla_evo._numba import njit

Floats = npt.NDArray[np.float64]


@njit
def _integer(value: float) -> int:
    """A float64-held 32-bit integer, without its fraction, as int64, wrapped to 32 bits."""
    wide = int(np.floor(value)) & 0xFFFFFFFF
    return wide - 0x100000000 if wide >= 0x80000000 else wide


@njit
def _wrap(value: int) -> float:
    wide = value & 0xFFFFFFFF
    return float(wide - 0x100000000 if wide >= 0x80000000 else wide)


@njit
def _to_int(value: float) -> float:
    if value != value:
        return 0.0
    return float(np.trunc(min(max(value, -2147483648.0), 2147483647.0)))


@njit
def _shift(code: int, value: int, amount: int) -> float:
    inside = 0 <= amount < 32
    if code == 23:
        return _wrap(value << amount) if inside else 0.0
    if code == 24:
        return _wrap((value & 0xFFFFFFFF) >> amount) if inside else 0.0
    return float(value >> amount) if inside else (-1.0 if value < 0 else 0.0)


@njit
def _single(bits: int) -> float:
    return float(np.int32(bits).view(np.float32))


@njit
def _as_int(value: float) -> float:
    """The bits of the float32 number towards zero, and how far the value is to the next one."""
    nearest = np.float32(value)
    bits = int(nearest.view(np.int32))
    if float(nearest) == value or not np.isfinite(nearest):
        return float(bits)
    if abs(float(nearest)) > abs(value):
        bits -= 1  # signs and magnitudes: one place nearer to zero for either sign
    low, high = abs(_single(bits)), abs(_single(bits + 1))
    return float(bits) + (abs(value) - low) / (high - low)


@njit
def _as_float(value: float) -> float:
    """The float32 number of some bits, or that far on the way to the next one."""
    bits = _integer(value)
    low = _single(bits)
    part = value - np.floor(value)
    if part == 0.0 or not np.isfinite(low):
        return low
    return low + part * (_single(bits + 1) - low)


@njit
def _part(value: float) -> float:
    return value - np.floor(value)


@njit
def bit_row(code: int, a: Floats, b: Floats, out: Floats) -> None:
    """One operation at all points; one loop each would not pay, they are rare.

    A fraction of an operand goes through sums and bitwise operations, where these keep the last
    bit.
    """
    for i in range(out.size):
        if code == 13:
            out[i] = _to_int(a[i])
        elif code == 14:
            out[i] = a[i]
        elif code == 15:
            out[i] = _as_int(a[i])
        elif code == 16:
            out[i] = _as_float(a[i])
        elif code == 17:
            out[i] = _wrap(_integer(a[i]) + _integer(b[i])) + _part(a[i]) + _part(b[i])
        elif code == 18:
            out[i] = _wrap(_integer(a[i]) - _integer(b[i])) + _part(a[i]) - _part(b[i])
        elif code == 19:
            out[i] = _wrap(_integer(a[i]) * _integer(b[i]))
        elif code == 20:
            kept = (_integer(b[i]) & 1) * _part(a[i]) + (_integer(a[i]) & 1) * _part(b[i])
            out[i] = _wrap(_integer(a[i]) & _integer(b[i])) + kept
        elif code == 21:
            out[i] = _wrap(_integer(a[i]) | _integer(b[i])) + _part(a[i]) + _part(b[i])
        elif code == 22:
            out[i] = _wrap(_integer(a[i]) ^ _integer(b[i])) + _part(a[i]) + _part(b[i])
        else:
            out[i] = _shift(code, _integer(a[i]), _integer(b[i]))
