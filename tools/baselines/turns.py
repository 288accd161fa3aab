"""Multiples of pi taken off any float32 number with one 64-bit integer product, without a branch.

A number m 2^e with m of 24 bits is M 2^p with p one of four exponents 32 apart and M of at most 56
bits. The product of M with the 64 bits of 1 / (2 pi) that start at 2^-p, modulo 2^64, is the
fraction of a turn; what those bits leave out is added in float64, to 2^-60 of a turn. (Payne and
Hanek, SIGNUM 18(1), 1983; the least distance of a float32 number from a multiple of pi / 2 is
1.6e-9.) Numbers below 1 skip the integers.
"""

import functools
import math

import mpmath as mp
from expression import Value

from xla_evo_lowering.dtypes import F64, I64

_WIDTH = 32
_FIRST = -23
_SCALE = 2.0**64
UNIT = 2.0**-64
"""What `half_turns` counts in; powers of it go into the coefficients of a polynomial."""


@functools.cache
def _windows(count: int = 4) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """64 bits of 1 / (2 pi) for each window, and what they leave out, in `UNIT` of a turn."""
    words, rests = [], []
    with mp.workprec(400):
        for start in range(_FIRST, _FIRST + _WIDTH * count, _WIDTH):
            turns = mp.ldexp(1 / (2 * mp.pi), start)
            scaled = (turns - mp.floor(turns)) * _SCALE
            word = int(mp.nint(scaled))
            words.append(word % 2**64)
            rests.append(float(mp.ldexp(scaled - word, -start)))
    return tuple(words), tuple(rests)


def _chosen(conditions: list[Value], values: list[float], like: Value) -> Value:
    """The first of the values whose condition holds, else the last."""
    found = like.constant(values[-1])
    for condition, value in zip(conditions[::-1], values[-2::-1], strict=True):
        found = condition.where(value, found)
    return found


def turns(x: Value, parts: int) -> tuple[Value, Value]:
    """Of |x|: (the fraction of a turn as an unsigned integer of 64 bits, the rest of it).

    Args:
        x: a float32 number.
        parts: of a turn, in `UNIT` of which the rest is given, in float64. Below 1 the rest is all
            there is; it is infinite where x is.
    """
    size = abs(x)
    bits = size.signed()
    small = size < 1.0
    windows = [size < 2.0 ** (_WIDTH * j) for j in (1, 2, 3)]
    words, rests = _windows()
    # Below 1 the count is far above 63, and a shift by it leaves nothing.
    shift = (((bits >> 23) - 127) & -(2**31 - _WIDTH + 1)).unsigned()
    significand = (bits & 0x7FFFFF) | 0x800000
    whole = (significand.to(I64) << shift.to(I64)).unsigned()
    wide = size.to(F64)
    factors = [parts * v for v in (_SCALE / (2 * math.pi), *rests)]
    rest = _chosen([small, *windows], factors, wide)
    return whole * _chosen(windows, list(words), whole), wide * rest


def half_turns(x: Value, quarters: int = 0) -> tuple[Value, Value]:
    """|x| / pi + quarters / 2 less the nearest integer n, in `UNIT`, and n's parity as a sign bit.

    Args:
        x: a float32 number.
        quarters: quarters of a turn to add, 0 or 1.
    """
    fraction, rest = turns(x, 2)
    fraction = fraction + (quarters << 62) if quarters else fraction
    doubled = fraction << 1
    w = rest + doubled.signed().to(F64)
    return w, (fraction ^ doubled) & (1 << 63)
