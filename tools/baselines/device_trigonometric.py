"""Trigonometric functions and their inverses for TPUs: float32 and 32-bit integers alone.

Without division, roots and contraction. What is common to sine, cosine and tangent is the fraction
of a turn for every input (`turns`), a shorter form of that of `device_scaffolds.sin_words`.
"""

import functools
import math
from dataclasses import dataclass

import mpmath as mp
import numpy as np
from cores import form
from expression import Value, horner, sign_of, with_sign
from fit import fit

from xla_evo_lowering.dtypes import F32, I32, U32

_MAGIC = 1.5 * 2.0 ** (23 + 32)
"""Adding it rounds to a multiple of 2^32, which stands in the lowest bits of the sum."""
_MAGIC_BITS = 0x5B400000
_DIGIT = 30
"""Bits that the second of three parts of 1/(2 pi) has."""


def _word(place: int) -> int:
    """The 32 bits of 1/(2 pi) from the one of weight 1/2 times 2^(23 + place)."""
    with mp.workdps(120):
        return int(mp.floor(mp.mpf(2) ** (9 + place) / (2 * mp.pi))) & 0xFFFFFFFF


def right(value: Value, amount: Value | int) -> Value:
    """Shifted with zeros coming in."""
    return value._two("shr_logical", amount)


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
    the last 32 bits, and a product of floats, whose error is below a quarter of 2^32, the others.
    """
    above = size._bits(I32) - form(F32).one
    place = above._bits(U32)
    s = right(place, 23) & 31
    back = size.constant(32) - s
    far, odd = above >= (64 << 23), (place & (32 << 23)).equals(0)

    def pair(first: int) -> list[Value]:
        words = [size.constant(_word(first + 32 * i)) for i in range(5)]
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
_HIGH = float(np.float32(math.pi / 2))
_LOW = float(mp.pi / 2 - mp.mpf(_HIGH))
_HALF_PI = 1.5703125
"""Eight bits of pi / 2: a product with 16 bits is exact."""
_HEAD = 0xFFFFFF00
"""The bits of an integer that a float has, and of a float the first 16 of its significand."""
_SMALL = form(F32).one
"""Bits from which on numbers are reduced."""


def half_turn(w: Turns) -> tuple[Value, Value]:
    """The angle less the nearest half turn, which three roundings show in, and the parity of that
    as a sign bit.
    """  # noqa: D205
    half = (w.high << 1)._bits(I32).to(F32)
    angle = (half + w.tail * 2.0**-29) * (math.pi * _UNIT)
    return angle, (w.high + (1 << 30)) & (1 << 31)


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


def quarter_turn(w: Turns) -> Angle:
    """The angle less the nearest quarter of a turn."""
    quarter = w.high << 2
    coarse = (quarter & _HEAD)._bits(I32).to(F32)
    fine = (quarter & 0xFF)._bits(I32).to(F32)
    tail = w.tail * 2.0**-28
    total = coarse + (fine + tail)
    first = (total.unsigned() & _HEAD).floating()
    second = ((coarse - first) + fine) + tail
    low = float(mp.pi / 2 - _HALF_PI)
    head = first * (_HALF_PI * _UNIT)
    rest = first * (low * _UNIT) + second * (math.pi / 2 * _UNIT)
    n = w.high + (1 << 29)
    return Angle(head, rest, (n & (1 << 30)).equals(1 << 30), n & (1 << 31))


def finite(size: Value, y: Value, flip: Value) -> Value:
    """Y, or -y where `flip` has the sign bit, for the size of a finite number; else nan."""
    y = (y.unsigned() ^ flip).floating()
    return (size._bits(I32) < form(F32).one + (128 << 23)).where(y, math.nan)


@functools.cache
def _sine_fit(count: int) -> tuple[float, ...]:
    """(sin(r) / r - 1) / r^2 in r^2 up to an eighth of a turn."""

    def beyond(z):
        r = mp.sqrt(z)
        return (mp.sin(r) / r - 1) / z

    found = fit(beyond, 1e-9, float((mp.pi / 4) ** 2), range(count), weight=lambda z: z)
    return found.numerator


def cos_turns(x, hole, named):
    """The sine of a quarter of a turn more, less the nearest half turn."""
    size = x.unsigned() & 0x7FFFFFFF
    small = size._bits(I32) < _SMALL
    angle, flip = half_turn(turns(size, 1))
    r = small.where(math.pi / 2 - size.floating(), angle)
    z = named(r * r)
    return finite(size, r + (r * z) * hole, small.where(size.constant(0), flip))


def cos_quarters(x, hole, named):
    """1 - r^2 / 2 + r^4 hole, or a sine: r is what a quarter of a turn more leaves of quarters.

    What r and 1 - r^2 / 2 lost in rounding is added with what is small.
    """
    size = x.unsigned() & 0x7FFFFFFF
    small = size._bits(I32) < _SMALL
    angle = quarter_turn(turns(size, 1))
    both = angle.head + angle.rest
    lost = (angle.head - both) + angle.rest
    r = small.where(size.floating(), both)
    z = named(r * r)
    sine = angle.head + (angle.rest + (r * z) * horner(z, _sine_fit(3)))
    half = z * 0.5
    near = 1.0 - half
    rest = ((1.0 - near) - half) - small.where(0.0, r * lost)
    cosine = near + (rest + (z * z) * hole)
    y = (small | angle.odd).where(cosine, sine)
    return finite(size, y, small.where(size.constant(0), angle.flip))


_ROOT = 0x5F375A86
"""Less half the bits of a positive number, this has about those of its inverse root."""


@functools.cache
def _estimates() -> np.ndarray:
    """Z y^2 of the estimates y of 1 / sqrt(z)."""
    bits = np.arange(0x3F800000, 0x40800000, 7, dtype=np.int32)
    y = (np.int32(_ROOT) - (bits >> 1)).view(np.float32).astype(np.float64)
    return bits.view(np.float32).astype(np.float64) * y * y


def _estimate(z: Value, sign: Value | None) -> tuple[Value, Value]:
    """(1 / sqrt(z) to a thirtieth of it, z times its square); with a sign if there is one."""
    bits = _ROOT - (z.signed() >> 1)
    y = (bits if sign is None else bits.unsigned() ^ sign).floating()
    return y, (z * y) * y


@functools.cache
def _second_order_fit() -> tuple[float, ...]:
    """(2 / sqrt(1 - e / 4) - 2) / e of what a step of Newton's method leaves."""

    def over(e):
        e = mp.mpf(e) / 4
        return ((1 - e) ** (-mp.mpf(1) / 2) - 1) / e / 4 if e else mp.mpf(1) / 8

    product = _estimates()
    largest = (4 - product * (3 - product) ** 2).max()
    return fit(over, 0, float(largest), range(2), weight=abs).numerator


@functools.cache
def _third_order_fit() -> tuple[float, ...]:
    """1 / sqrt(v) where the estimates leave v."""
    product = _estimates()
    low, high = float(product.min()), float(product.max())
    return fit(lambda v: 1 / mp.sqrt(v), low, high, range(3)).numerator


def double_root(z: Value, sign: Value | None = None) -> tuple[Value, Value]:
    """2 sqrt(z) as a sum of two, the second at most 1/500 of the first.

    A step of Newton's method makes the estimate one of 2 / sqrt(z), from below: 4 less the product
    of h = z y and y is so rounded to its last bits.
    """
    y, product = _estimate(z, sign)
    y = y * (3.0 - product)
    h = z * y
    e = 4.0 - h * y
    return h, (h * e) * horner(e, _second_order_fit())


def double_root_by_residual(z: Value, sign: Value | None = None) -> tuple[Value, Value]:
    """The same, the second at most 1/10000 of the first: of what is rounded the square of a root
    of 23 bits shows alone.
    """  # noqa: D205
    y, product = _estimate(z, sign)
    y = y * horner(product, _third_order_fit())
    h = z * y
    return h + h, (z - h * h) * y


def _folded(x: Value) -> tuple[Value, Value, Value]:
    """(|x|, whether it is above 1/2, the square of what the arc sine is taken of)."""
    size = abs(x)
    far = size > 0.5
    return size, far, far.where(0.5 - size * 0.5, x * x)


def asin_newton(x, hole, named):
    """Pi / 2 - t - t^3 hole from 1/2 on, t = 2 sqrt((1 - |x|) / 2); below it |x| is t."""
    size, far, z = _folded(x)
    root, rest = double_root(z)
    named(z)
    t = far.where(root + rest, size)
    y = t + (t * z) * hole
    y = with_sign(far.where(math.pi / 2 - y, y), sign_of(x))
    return (size > 1.0).where(math.nan, y)


def asin_residual(x, hole, named):
    """The same with what is rounded next to pi / 2 and in the root."""
    size, far, z = _folded(x)
    root, rest = double_root_by_residual(z)
    named(z)
    t = far.where(root + rest, size)
    head = _HIGH - root
    lost = ((_HIGH - head) - root) + _LOW
    beyond = t * (z * hole)
    y = with_sign(far.where(head - ((rest - lost) + beyond), size + beyond), sign_of(x))
    return (size > 1.0).where(math.nan, y)


def _multiple(x: Value, far: Value) -> Value:
    """The multiple of pi / 2 that the arc sine is taken off."""
    return far.where((x < 0.0).where(x.constant(2 * _HIGH), 0.0), _HIGH)


def acos_newton(x, hole, named):
    """A multiple of pi / 2, less t + t^3 hole; t is x or a root with the sign of -x."""
    size, far, z = _folded(x)
    root, rest = double_root(z, ~x.unsigned() & (1 << 31))
    named(z)
    t = far.where(root + rest, x)
    y = _multiple(x, far) - (t + (t * z) * hole)
    return (size > 1.0).where(math.nan, y)


def acos_residual(x, hole, named):
    """The same with what is rounded in the multiple and in the root."""
    size, far, z = _folded(x)
    root, rest = double_root_by_residual(z, ~x.unsigned() & (1 << 31))
    named(z)
    head, rest = far.where(root, x), far.where(rest, 0.0)
    multiple = _multiple(x, far)
    beyond = (head + rest) * (z * hole)
    y = multiple - (head + ((beyond + rest) - multiple * (_LOW / _HIGH)))
    return (size > 1.0).where(math.nan, y)


SCAFFOLD_FORMS = {
    "cos-turns": cos_turns, "cos-quarters": cos_quarters, "asin-newton": asin_newton,
    "asin-residual": asin_residual, "acos-newton": acos_newton, "acos-residual": acos_residual,
}  # fmt: skip
