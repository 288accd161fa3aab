"""Fractions of a turn of any float32 number from 1 on, in 32-bit integers, for TPUs.

A shorter form of the reduction of `device_scaffolds.sin_words` (Payne and Hanek, ACM SIGNUM 18(1),
1983), and the angles that it leaves of half turns and of quarters.
"""

import math
from dataclasses import dataclass

import mpmath as mp
from cores import form
from expression import Value

from xla_evo_lowering.dtypes import F32, I32, U32

_MAGIC = 1.5 * 2.0 ** (23 + 32)
"""Adding it rounds to a multiple of 2^32, which stands in the lowest bits of the sum."""
_MAGIC_BITS = 0x5B400000
_DIGIT = 30
"""Bits that the second of three parts of 1/(2 pi) has."""


def inverse_word(place: int) -> int:
    """The 32 bits of 1/(2 pi) from the one of weight 1/2 times 2^(23 + place)."""
    with mp.workdps(120):
        return int(mp.floor(mp.mpf(2) ** (9 + place) / (2 * mp.pi))) & 0xFFFFFFFF


def right(value: Value, amount: Value | int) -> Value:
    """Shifted with zeros coming in."""
    return value.shifted_down(amount)


@dataclass(frozen=True, slots=True)
class Turns:
    """A fraction of a turn: high 2^-32 + tail 2^-62, modulo 1; the tail is below 2^31."""

    high: Value
    tail: Value


def turns(size: Value, quarters: int = 0) -> Turns:
    """Of x / (2 pi) + quarters / 4, for x from 1 on.

    Args:
        size: the bits of x.
        quarters: of a turn to add.

    X is m 2^(s + 32 k - 23), m an integer of 24 bits. Of 2^(s + 32 k - 23) / (2 pi) `one` has the
    bits down to 2^-32, `two` the next 30, `three` the next 24. Of m `two` an integer product has
    the last 32 bits, and a product of floats, whose error is below 3/8 of 2^32, the others.
    """
    above = size._bits(I32) - form(F32).one
    place = above._bits(U32)
    s = right(place, 23) & 31
    back = size.constant(32) - s
    far, odd = above >= (64 << 23), (place & (32 << 23)).equals(0)

    def pair(first: int) -> list[Value]:
        words = [size.constant(inverse_word(first + 32 * i)) for i in range(5)]
        three = [far.where(words[i + 2], words[i]) for i in range(3)]
        return [odd.where(three[i], three[i + 1]) for i in range(2)]

    (a, b), (c, d) = pair(0), pair(32 + _DIGIT)
    m = (size & 0x7FFFFF) | 0x800000
    one = (a << s) | right(b, back)
    # The first two bits of c are the last of b, of which the shift by 1 leaves one too many.
    two = (right(b << s, 32 - _DIGIT) | right(c, back)) & ((1 << _DIGIT) - 1)
    three = right((c << s) | right(d, back), 8)
    count = m._bits(I32).to(F32)
    low = (m * two)._bits(I32).to(F32)
    rounded = (count * two._bits(I32).to(F32) - low) + _MAGIC
    start = (quarters << 30) - (_MAGIC_BITS << (32 - _DIGIT))
    high = m * one + ((rounded.unsigned() << (32 - _DIGIT)) + start % 2**32)
    return Turns(high, low + count * three._bits(I32).to(F32) * 2**-24)


_UNIT = 2.0**-32
_HALF_PI = 1.5703125
"""Eight bits of pi / 2: a product with 16 bits is exact."""
_HEAD = 0xFFFFFF00
"""The bits of an integer that a float has, and of a float the first 16 of its significand."""
SMALL = form(F32).one
"""Bits from which on numbers are reduced."""


def half_turn(w: Turns) -> tuple[Value, Value]:
    """The angle less the nearest half turn, which three roundings show in, and the parity of that
    as a sign bit.
    """  # noqa: D205
    half = (w.high << 1)._bits(I32).to(F32)
    angle = (half + w.tail * 2.0**-29) * (math.pi * _UNIT)
    return angle, (w.high + (1 << 30)) & (1 << 31)


def quarter_rounded(w: Turns) -> tuple[Value, Value]:
    """The angle less the nearest quarter of a turn, rounded as often; the parity of those, also."""
    quarter = (w.high << 2)._bits(I32).to(F32)
    angle = (quarter + w.tail * 2.0**-28) * (math.pi / 2 * _UNIT)
    return angle, ((w.high + (1 << 29)) << 1) & (1 << 31)


@dataclass(frozen=True, slots=True)
class Angle:
    """An angle of up to an eighth of a turn.

    Attributes:
        head: its first part, exact.
        rest: what is to be added, rounded; 2^-11 of it or less.
        odd: whether an odd number of quarters was taken off.
        flip: the parity of half that number as a sign bit.
    """

    head: Value
    rest: Value
    odd: Value
    flip: Value


def quarter_turn(w: Turns, scale: float = 1.0, high: float = _HALF_PI, mask: int = _HEAD) -> Angle:
    """The angle less the nearest quarter of a turn.

    Args:
        w: the angle.
        scale: a factor on it.
        high: of that and pi / 2, in few bits.
        mask: of the bits of a float that its product with `high` takes, which is exact.
    """
    quarter = w.high << 2
    coarse = (quarter & _HEAD)._bits(I32).to(F32)
    fine = (quarter & 0xFF)._bits(I32).to(F32)
    tail = w.tail * 2.0**-28
    total = coarse + (fine + tail)
    first = (total.unsigned() & mask).floating()
    second = ((coarse - first) + fine) + tail
    unit = mp.pi / 2 * scale
    head = first * (high * _UNIT)
    rest = first * (float(unit - high) * _UNIT) + second * (float(unit) * _UNIT)
    n = w.high + (1 << 29)
    return Angle(head, rest, (n & (1 << 30)).equals(1 << 30), n & (1 << 31))


def finite(size: Value, y: Value, flip: Value) -> Value:
    """Y, or -y where `flip` has the sign bit, for the size of a finite number; else nan."""
    y = (y.unsigned() ^ flip).floating()
    return (size._bits(I32) < form(F32).one + (128 << 23)).where(y, math.nan)
