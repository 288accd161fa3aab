"""Trigonometric functions for every argument, their inverses, sinc, and atan2."""

import functools
import math
from collections.abc import Callable

import mpmath as mp
import turns
from cores import rounded
from expression import Value, estrin, horner, odd, sign_of, with_sign
from fit import Fit, fit, shortest
from octaves import at_most

from xla_evo_lowering.dtypes import F16, F32, F64, I32, DType

_WINDOW = 26
_CHUNK = 29


@functools.cache
def windows(count: int = 4) -> tuple[tuple[float, float, float], ...]:
    """Three parts of 1/pi for arguments whose unit in the last place is 2^(26 j) or more.

    What such an argument makes of the bits left out is an even number of half turns. The first two
    parts have 29 bits, so their products with 24 bits are exact.
    """
    found = []
    with mp.workdps(120):
        inverse = 1 / mp.pi
        for j in range(count):
            drop = mp.mpf(2) ** (1 - _WINDOW * j)
            rest = inverse - mp.floor(inverse / drop) * drop if j else inverse
            parts, position = [], _WINDOW * j - 1
            for _ in range(2):
                position += _CHUNK
                part = mp.floor(rest * mp.mpf(2) ** position) / mp.mpf(2) ** position
                parts.append(float(part))
                rest -= part
            found.append((*parts, float(rest)))
    return tuple(found)


def half_turns(x: Value, start: float = 0.0, *, twice: bool = False) -> tuple[Value, Value]:
    """X / pi + start less the nearest integer n, and n in the lowest bit, for any finite float32.

    What is left of a float16 number is in float32, since the result has few bits.

    Args:
        x: the argument.
        start: added to the quotient.
        twice: take 2 x in place of x.
    """
    if x.dtype is F16:
        total = (x.to(F32).to(F64) * ((1 + twice) / math.pi) + start).guard()
        n, parity = rounded(total)
        return (total - n).to(F32), parity.to(I32)
    size = abs(x)
    wide = x.to(F64)
    first = 23 if twice else 24
    wide = wide + wide if twice else wide
    parts = [wide.constant(v) for v in windows()[0]]
    for j in range(1, len(windows())):
        above = size >= 2.0 ** (first + _WINDOW * j)
        parts = [above.where(v, part) for v, part in zip(windows()[j], parts, strict=True)]
    high, middle, low = (wide * part for part in parts)
    if start:
        high = (high + start).guard()
    (n, first_bits), (k, second_bits) = rounded(high), rounded(middle)
    total = (high - n) + (middle - k) + low
    n, bits = rounded(total)
    return total - n, first_bits ^ second_bits ^ bits


@functools.cache
def sine_fit(bits: float) -> Fit:
    """sin(pi w) / w in w^2 for |w| up to 1/2."""
    return shortest(
        lambda z: mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z) if z else mp.pi, 0, 0.2501, bits
    )


def sine_of_half_turns(w: Value, bits: float) -> Value:
    """sin(pi w) for |w| up to 1/2."""
    return w * estrin(w * w, sine_fit(bits).numerator)


def flipped(y: Value, parity: Value) -> Value:
    """``y``, or -y where an integer is odd."""
    return (y.signed() ^ (parity << (y.dtype.bits - 1))).floating(y.dtype)


def float32_sine(x: Value, bits: float, quarters: int) -> Value:
    """sin(|x| + quarters pi / 2) of a float32 number.

    The last three terms are summed apart: that is a shorter chain, and the sums are infinities of
    opposite signs at infinity, where the result is nan.
    """
    w, sign = turns.half_turns(x, quarters)
    scaled = [c * turns.UNIT ** (2 * k + 1) for k, c in enumerate(sine_fit(bits).numerator)]
    square = w * w
    power = square
    for _ in scaled[:-4]:
        power = power * square
    y = w * (horner(square, scaled[:-3]) + power * horner(square, scaled[-3:]))
    return (y.unsigned() ^ sign).floating().to(x.dtype)


def sin(x: Value, working: DType, bits: float) -> Value:
    """Sine of pi w, by w the nearest half turn less."""
    if x.dtype is F32:
        y = float32_sine(x, bits, 0)
        return (y.unsigned() ^ sign_of(x)).floating()
    w, parity = half_turns(x)
    y = flipped(sine_of_half_turns(w, bits), parity)
    return with_sign_of_zero(y.to(x.dtype), x)


def with_sign_of_zero(y: Value, x: Value) -> Value:
    """``y``, or the zero that x is, whose sign the windows lose; float16 has none."""
    return y if x.dtype is F16 else (x.equals(0.0)).where(x, y)


def cos(x: Value, working: DType, bits: float) -> Value:
    """sin(pi (x / pi + 1/2))."""
    if x.dtype is F32:
        return float32_sine(x, bits, 1)
    w, parity = half_turns(x, 0.5)
    return flipped(sine_of_half_turns(w, bits), parity).to(x.dtype)


@functools.cache
def tangent_fit(bits: float) -> Fit:
    """tan(pi w / 2) / w as a rational function of w^2 for |w| up to 1/2."""

    def quotient(z):
        w = mp.sqrt(z)
        return mp.tan(mp.pi * w / 2) / w if w else mp.pi / 2

    for count in range(2, 7):
        found = fit(quotient, 0, 0.2501, range(count), below=range(1, count), points=200)
        if found.bits >= bits:
            return found
    raise ValueError(bits)


def tan(x: Value, working: DType, bits: float) -> Value:
    """P / Q, or -Q / P in odd quadrants; the quadrant is the parity of 2 x / pi."""
    w, parity = half_turns(x, twice=True)
    found = tangent_fit(bits)
    z = w * w
    top = w * horner(z, found.numerator)
    bottom = horner(z, (1.0, *found.denominator))
    odd = (parity & 1).equals(1)
    y = odd.where(-bottom, top) / odd.where(top, bottom)
    return with_sign_of_zero(y.to(x.dtype), x)


def sinc(x: Value, working: DType, bits: float) -> Value:
    """sin(pi x) / (pi x) by (-1)^n sin(pi w); the distance w to the nearest integer n is exact."""
    a = abs(x).to(working).min(2.0**30 if working is F64 else 2.0**22)
    n, parity = rounded(a)
    y = flipped(sine_of_half_turns(a - n, bits), parity) * (1.0 / (a * math.pi))
    return (a.equals(0.0)).where(1.0, y).to(x.dtype)


def sinc_in_parts(x: Value, over: Callable[[Value], Value]) -> Value:
    """Of float32 in float64 the same; ``over`` is sin(pi w) / (pi w) of w^2."""
    a = at_most(abs(x), 2.0**30).to(F64)
    n, parity = rounded(a)
    w = a - n
    y = over(w * w) * (flipped(w, parity) * (1.0 / a))
    return (x.equals(0.0)).where(1.0, y.to(x.dtype))


@functools.cache
def _half_turn_fit(count: int) -> tuple[float, ...]:
    """sin(pi w) / (pi w) in w^2 for |w| up to 1/2."""
    return fit(
        lambda z: mp.sincpi(mp.sqrt(z)) if z else mp.mpf(1), 0, 0.2501, range(count)
    ).numerator  # fmt: skip


def sinc_one(x: Value) -> Value:
    """With five terms."""
    return sinc_in_parts(x, lambda z: horner(z, _half_turn_fit(5)))


def sinc_near(x: Value) -> Value:
    """With six."""
    return sinc_in_parts(x, lambda z: horner(z, _half_turn_fit(6)))


@functools.cache
def arctangent_fit(bits: float) -> Fit:
    """atan(t) / t in t^2 for |t| up to 1."""
    return shortest(
        lambda z: mp.atan(mp.sqrt(z)) / mp.sqrt(z) if z else mp.mpf(1), 0, 1, bits
    )  # fmt: skip


def atan(x: Value, working: DType, bits: float) -> Value:
    """T times a polynomial in t^2; t = -1/x beyond 1."""
    a = abs(x.to(working))
    far = a > 1.0
    t = far.where(-1.0 / a, a).guard()
    y = t * horner(t * t, arctangent_fit(bits).numerator) + far.where(a.constant(math.pi / 2), 0.0)
    return odd(y, x)


def atan2(y: Value, x: Value, working: DType, bits: float) -> Value:
    """The arctangent of the smaller over the larger, turned into its octant."""
    above, beside = abs(y.to(working)), abs(x.to(working))
    larger = above.max(beside)
    t = above.min(beside) / larger
    t = (above.equals(beside)).where(1.0, t)
    t = (larger.equals(0.0)).where(0.0, t)
    angle = t * horner(t * t, arctangent_fit(bits).numerator)
    if x.dtype is working:  # the least of them is a normal number that its product with 1 is not
        angle = (t < 2.0**-20).where(t, angle)
    angle = (above > beside).where(math.pi / 2 - angle, angle)
    angle = (x.signed() < 0).where(math.pi - angle, angle)
    return with_sign(angle.to(x.dtype), sign_of(y))


@functools.cache
def arcsine_fit(bits: float) -> Fit:
    """asin(s) / s in s^2 for |s| up to 1/2."""
    return shortest(
        lambda z: mp.asin(mp.sqrt(z)) / mp.sqrt(z) if z else mp.mpf(1), 0, 0.25001, bits
    )


ArcSine = Callable[[Value, Value], Value]
"""The arc sine of a number up to 1/2, which comes second, its square first."""


def _arcsine(bits: float) -> ArcSine:
    return lambda z, s: s * horner(z, arcsine_fit(bits).numerator)


def _arcsine_parts(x: Value, working: DType, arcsine: ArcSine) -> tuple[Value, Value]:
    """(whether |x| is above 1/2, asin of |x| or of sqrt((1 - |x|) / 2))."""
    a = abs(x.to(working))
    far = a > 0.5
    z = far.where(0.5 - a * 0.5, a * a)
    return far, arcsine(z, far.where(z.sqrt(), a))


def asin_in_parts(x: Value, working: DType, arcsine: ArcSine) -> Value:
    """Folded at 1/2: pi/2 less twice the arc sine of sqrt((1 - a) / 2)."""
    far, y = _arcsine_parts(x, working, arcsine)
    return odd(far.where(math.pi / 2 - (y + y), y), x)


def asin(x: Value, working: DType, bits: float) -> Value:
    """`asin_in_parts` with a polynomial."""
    return asin_in_parts(x, working, _arcsine(bits))


def acos(x: Value, working: DType, bits: float) -> Value:
    """The same from the other end."""
    far, y = _arcsine_parts(x, working, _arcsine(bits))
    negative = x < 0.0
    beyond = negative.where(math.pi - (y + y), y + y)
    inside = negative.where(math.pi / 2 + y, math.pi / 2 - y)
    return far.where(beyond, inside).to(x.dtype)
