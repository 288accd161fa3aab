"""Functions for TPUs within 1 ULP by pairs of float32: quotients with their residuals.

A product of two numbers of 12 bits is exact, so that what a quotient of 12 bits leaves is known to
the last bit though nothing is contracted (Dekker 1971).
"""

import functools
import math
from collections.abc import Sequence

import mpmath as mp
from cores import form
from device_turns import SMALL, finite, quarter_turn, turns
from expression import Value, build, horner, sign_of, with_sign
from fit import fit, single
from inverses import inverse, short

from xla_evo_lowering.dtypes import F32, I32, U32


def _coarse(a: Value) -> Value:
    return short(a, 12)


_WHOLE = 2.0**23
_LEAST = 2.0**-60


def sinc_residual(x, hole, named):
    """The quotient of w = x - n by x, whose sign is that of (-1)^n, times 1 - w^2 + w^2 hole.

    Both are in two parts, of which the first have 12 bits.
    """
    size = abs(x).clamp(_LEAST, _WHOLE)
    shifted = (size + _WHOLE).guard()
    w = size - (shifted - _WHOLE)
    y = inverse(size)
    y = y * (2.0 - size * y)
    head, size_head = _coarse(w * y), _coarse(size)
    rest = ((w - size_head * head) - (size - size_head) * head) * y
    z = named(w * w)
    tail = z * hole
    sine = (1.0 - z) + tail
    sine_head = _coarse(sine)
    sine_rest = ((1.0 - sine_head) - z) + tail
    value = head * sine_head + (head * sine_rest + rest * sine)
    return (value.unsigned() ^ (shifted.unsigned() << 31)).floating()


_HIGH = float.fromhex("0x1.921fb6p+0")
_LOW = float(mp.pi / 2 - _HIGH)
_SCALE, _SCALED = 1.125, 1.75
"""Of the angle, and of a quarter of a turn in three bits."""
_SHORT = 0xFFFE0000
"""The first 7 bits of a significand."""
_EVEN = 2.00153
"""For an inverse of which the last bits are cut off, see `inverses.EVEN`."""
_CENTRE = 0.412619024515152
"""The square of the scaled angle that is its tangent."""


def tan_pairs(x, hole, named):
    """R + r (u / 4 + u hole) of r = 1.125 times what is left of quarters, or its negative inverse.

    U is r^2 less that of the r that is the tangent. Angle, tangent and inverse have first parts of
    12 bits or less. Without the guard u would be multiplied by a rounded 1/4 + hole.
    """
    size = x.unsigned() & 0x7FFFFFFF
    small = size._bits(I32) < SMALL
    angle = quarter_turn(turns(size), _SCALE, _SCALED, _SHORT)
    above = size.floating() > math.pi / 4
    near = size.floating() - above.where(size.constant(_HIGH, F32), 0.0)
    short = (near.unsigned() & _SHORT).floating()
    lost = above.where(size.constant(-_LOW * _SCALE, F32), 0.0)
    head = small.where(short * _SCALE, angle.head)
    rest = small.where((near - short) * _SCALE + lost, angle.rest)
    r = head + rest
    u = named((head * head - _CENTRE) + (head + r) * rest)
    beyond = rest + r * ((u * 0.25).guard() + u * hole)
    tangent = head + beyond
    first = _coarse(tangent)
    second = (head - first) + beyond
    y = _coarse(inverse(tangent, _EVEN))
    e = (1.0 - first * y) - second * y
    swapped = (small & above) | (~small & angle.odd)
    value = swapped.where(y + y * (e * e + e), tangent)
    value = (size._bits(I32) < SMALL - (12 << 23)).where(size.floating(), value)
    flip = swapped.where(size.constant(1 << 31), 0)
    return finite(size, value, flip ^ sign_of(x))


_UP = 24
"""Of the power of two that keeps the last bits of small quotients in the normal range."""
_EXPONENT = 0x7F800000


_RATIO_SQUARE, _RATIO = 0.41360896825790405, 0.888671875
"""Of t, and atan(t) / t there, which has 9 bits."""


def _scaled_quotient(least: Value, most: Value, sign: Value) -> tuple[Value, Value]:
    """(head, rest) of 2^`_UP` least / most, with a sign; of two infinities the quotient is 1."""
    bits = most.max(2.0**-126).unsigned()
    scale = (_EXPONENT - (bits & _EXPONENT)).floating()
    bottom = ((bits & 0x7FFFFF) | (128 << 23)).floating()
    top = least.equals(math.inf).where(2.0 ** (_UP + 1), (least * scale) * 2.0**_UP)
    top = (top.unsigned() ^ sign).floating()
    y = inverse(bottom)
    y = y * (2.0 - bottom * y)
    head, first = _coarse(top * y), _coarse(bottom)
    return head, ((top - first * head) - (bottom - first) * head) * y


@functools.cache
def _arctangent_fit() -> tuple[float, ...]:
    """(atan(t) / t - `_RATIO`) / u + 1/4 in u = t^2 - `_RATIO_SQUARE`."""

    def ratio(u):
        t = mp.sqrt(abs(u + _RATIO_SQUARE))
        return mp.atan(t) / t if t > 1e-9 else mp.mpf(1)

    return single(
        lambda u: (ratio(u) - _RATIO) / u + 0.25, -_RATIO_SQUARE, 1.0001 - _RATIO_SQUARE, 9,
        weight=lambda u: abs(u) / ratio(u),
    )  # fmt: skip


def atan2(y: Value, x: Value) -> Value:
    """A multiple of pi / 2 and t (c + u (p - 1/4)), u = t^2 - d.

    T is the smaller over the larger, in two parts.
    """
    above, beside = abs(y), abs(x)
    swapped, left = above > beside, sign_of(x)
    sign = swapped.where(left.constant(1 << 31), 0) ^ left
    head, rest = _scaled_quotient(above.min(beside), above.max(beside), sign)
    scale = 2.0**_UP
    turned = left.equals(0).where(0.0, head.constant(2 * _HIGH * scale))
    multiple = swapped.where(_HIGH * scale, turned)
    t = head + rest
    square = (head * head - _RATIO_SQUARE * scale**2) + (head + t) * rest
    u = square * 2.0 ** (-2 * _UP)
    first = head * _RATIO
    total = multiple + first
    lost = (multiple - total) + first
    tail = rest * _RATIO + (lost + multiple * (_LOW / _HIGH))
    value = total + (t * (u * horner(u, _arctangent_fit()) - u * 0.25) + tail)
    return with_sign(value * 2.0**-_UP, sign_of(y))


_FROM = 0x3F4566CF
"""Bits of the least significand, 0.771."""
_CENTRES = (0.84375, 1.0, 1.1875, 1.40625)
_BETWEEN = (0.917, 1.09, 1.2968)
"""Of each significand one is within a tenth, and its logarithm is added."""
_GRID = 2.0**-15
"""That of first parts of logarithms, whose sums with exponents are exact."""
_SLOPE = float(mp.floor(2 / mp.log(2) * 1024) / 1024)
"""Of 2 / log(2), 12 bits."""
_LN2 = float(mp.floor(mp.log(2) * 4096) / 4096)


def _chosen(m: Value, values: Sequence[float]) -> Value:
    """The value of the centre that is next to m."""
    first, second, third, fourth = (m.constant(value) for value in values)
    low, middle, high = _BETWEEN
    above = (m < high).where(third, fourth)
    return (m < low).where(first, (m < middle).where(second, above))


@functools.cache
def _centre_logs() -> tuple[tuple[float, ...], tuple[float, ...]]:
    logs = [mp.log(c, 2) for c in _CENTRES]
    heads = [mp.nint(log / _GRID) * _GRID for log in logs]
    rests = (log - head for log, head in zip(logs, heads, strict=True))
    return tuple(map(float, heads)), tuple(map(float, rests))


@functools.cache
def _atanh_fit() -> tuple[float, ...]:
    """(atanh(s) / s - 1) / s^2 in s^2, times 2 / log(2)."""

    def beyond(z):
        s = mp.sqrt(z)
        return (mp.atanh(s) / s - 1) / z * 2 / mp.log(2)

    return fit(beyond, 1e-12, 0.0022, range(3), weight=lambda z: z).numerator


@functools.cache
def _power_fit() -> tuple[float, ...]:
    """(2^r - 1 - r log(2)) / r^2."""

    def beyond(r):
        return (mp.mpf(2) ** r - 1 - r * mp.log(2)) / r**2

    return single(beyond, -0.50003, 0.5, 5, weight=lambda r: r * r / mp.mpf(2) ** r)


def _log2_parts(a: Value) -> tuple[Value, Value]:
    """The logarithm of a positive number as the sum of 12 bits and a rest."""
    bits = a.signed()
    exponent = (bits - _FROM) & -0x800000
    m = (bits - exponent).floating()
    centre = _chosen(m, _CENTRES)
    top, bottom = m - centre, (m + centre).guard()
    lost = m - (bottom - centre)
    y = inverse(bottom)
    y = y * (2.0 - bottom * y)
    y = y * (2.0 - bottom * y)
    head, first = _coarse(top * y), _coarse(bottom)
    left = (top - first * head) - ((bottom - first) + lost) * head
    rest = left * y
    s = head + rest
    z = s * s
    exact = head * _SLOPE
    heads, rests = _centre_logs()
    whole = exponent.to(F32) * 2.0**-23 + _chosen(m, heads)
    total = whole + exact
    tail = s * (z * horner(z, _atanh_fit()))
    tail = tail + (rest * (2 / math.log(2)) + head * float(2 / mp.log(2) - _SLOPE))
    tail = ((whole - total) + exact) + (tail + _chosen(m, rests))
    log = _coarse(total + tail)
    return log, (total - log) + tail


def power(x: Value, y: Value) -> Value:
    """2^(y log2 |x|), the logarithm, its product with y and the power in two parts each."""
    size = abs(x)
    log, less = _log2_parts(size)
    limited = y.clamp(-(2.0**33), 2.0**33)
    first = _coarse(limited)
    rest = (limited - first) * log + limited * less
    log = size.equals(0.0).where(-math.inf, (size < math.inf).where(log, size))
    head = first * log
    total = head + rest
    shifted = (total + form(F32).magic).guard()
    fraction = head - (shifted - form(F32).magic)
    r = fraction + rest
    short = _coarse(r)
    long = (fraction - short) + rest
    tail = (r * r) * horner(r, _power_fit()) + (
        long * math.log(2) + short * float(mp.log(2) - _LN2)
    )
    value = 1.0 + (short * _LN2 + tail)
    value = (value.signed() + (shifted.signed() << 23)).floating()
    value = (total < 128.0).where(value, total + math.inf)
    value = (total < -126.0).where(0.0, value)
    near = y.clamp(-(2.0**25), 2.0**25)
    count = near.to(I32)
    whole = near.equals(count.to(F32))
    odd = whole.where(count << 31, 0)._bits(U32)
    value = (value.unsigned() | (odd & sign_of(x))).floating()
    value = ((x < 0.0) & (x > -math.inf) & ~whole).where(math.nan, value)
    return (x.equals(1.0) | y.equals(0.0)).where(1.0, value)


SCAFFOLD_FORMS = {"sinc-residual": sinc_residual, "tan-pairs": tan_pairs}

PROGRAMS = {
    "atan2-pairs": lambda: build("atan2", atan2, F32, arity=2),
    "pow-pairs": lambda: build("pow", power, F32, arity=2),
}
