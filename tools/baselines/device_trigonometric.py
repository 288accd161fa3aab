"""Trigonometric functions and their inverses for TPUs: float32 and 32-bit integers alone.

Without division, roots and contraction: reciprocals and roots are estimates by the bits of the
input (Blinn 1997, "Floating-point tricks") and steps of Newton's method.
"""

import functools
import math

import mpmath as mp
import numpy as np
from cores import form
from device_turns import SMALL, Angle, finite, half_turn, quarter_rounded, quarter_turn, turns
from expression import Value, horner, sign_of, with_sign
from fit import Fit, fit
from inverses import inverse

from xla_evo_lowering.dtypes import F32, I32

_HIGH = float(np.float32(math.pi / 2))
_LOW = float(mp.pi / 2 - mp.mpf(_HIGH))


@functools.cache
def _sine_fit(count: int) -> tuple[float, ...]:
    """(sin(r) / r - 1) / r^2 in r^2 up to an eighth of a turn."""

    def beyond(z):
        r = mp.sqrt(z)
        return (mp.sin(r) / r - 1) / z

    found = fit(beyond, 1e-9, float((mp.pi / 4) ** 2), range(count), weight=lambda z: z)
    return found.numerator


@functools.cache
def _cosine_fit(count: int) -> tuple[float, ...]:
    """(cos(r) - 1 + r^2 / 2) / r^4 in r^2 up to an eighth of a turn."""

    def beyond(z):
        return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2

    found = fit(beyond, 1e-9, float((mp.pi / 4) ** 2), range(count), weight=lambda z: z * z)
    return found.numerator


def _less_half(z: Value) -> tuple[Value, Value]:
    """(1 - z / 2, what its rounding lost)."""
    half = z * 0.5
    near = 1.0 - half
    return near, (1.0 - near) - half


def _reduced(x: Value) -> tuple[Value, Value]:
    """(the bits of |x|, whether it is below 1 and the angle itself)."""
    size = x.unsigned() & 0x7FFFFFFF
    return size, size._bits(I32) < SMALL


def _in_quarters(x: Value) -> tuple[Value, Value, Angle, Value, Value]:
    """`_reduced`, what a nearest quarter of a turn leaves, and its two parts or |x| and 0."""
    size, small = _reduced(x)
    angle = quarter_turn(turns(size))
    head, rest = small.where(size.floating(), angle.head), small.where(0.0, angle.rest)
    return size, small, angle, head, rest


def cos_turns(x, hole, named):
    """The sine of a quarter of a turn more, less the nearest half turn."""
    size, small = _reduced(x)
    angle, flip = half_turn(turns(size, 1))
    r = small.where(math.pi / 2 - size.floating(), angle)
    z = named(r * r)
    return finite(size, r + (r * z) * hole, small.where(size.constant(0), flip))


def cos_quarters(x, hole, named):
    """1 - r^2 / 2 + r^4 hole, or a sine: r is what a quarter of a turn more leaves of quarters.

    What r and 1 - r^2 / 2 lost in rounding is added with what is small.
    """
    size, small = _reduced(x)
    angle = quarter_turn(turns(size, 1))
    both = angle.head + angle.rest
    lost = (angle.head - both) + angle.rest
    r = small.where(size.floating(), both)
    z = named(r * r)
    sine = angle.head + (angle.rest + (r * z) * horner(z, _sine_fit(3)))
    near, gone = _less_half(z)
    cosine = near + ((gone - small.where(0.0, r * lost)) + (z * z) * hole)
    y = (small | angle.odd).where(cosine, sine)
    return finite(size, y, small.where(size.constant(0), angle.flip))


def sin_quarters(x, hole, named):
    """R + r^3 hole or a cosine of what is left of quarters, as those of cos-quarters."""
    size, small, angle, head, rest = _in_quarters(x)
    r = head + rest
    lost = (head - r) + rest
    z = named(r * r)
    near, gone = _less_half(z)
    cosine = near + ((gone - r * lost) + (z * z) * horner(z, _cosine_fit(3)))
    y = (~small & angle.odd).where(cosine, head + (rest + (r * z) * hole))
    return finite(size, y, small.where(size.constant(0), angle.flip) ^ sign_of(x))


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


_LARGE = 2.0**100


def reciprocal(a: Value) -> tuple[Value, Value]:
    """(y, e): 1 / a is y (1 + e + e^2) to 1/60,000,000, and e from 0 to 1/390.

    The estimate comes from below: 1 less the product of a and y is so rounded to its last bits.
    """
    y = inverse(a, 2.0)
    return y, 1.0 - a * y


def atan_newton(x, hole, named):
    """T + t^3 hole, or pi / 2 less it where t is 1 / |x|."""
    size = abs(x)
    far = size > 1.0
    y, e = reciprocal(size.min(_LARGE))
    t = far.where(y + y * (e * e + e), size)
    z = named(t * t)
    angle = t + (t * z) * hole
    return with_sign(far.where(math.pi / 2 - angle, angle), sign_of(x))


_NEAR = 0.64


def atan_folded(x, hole, named):
    """A multiple of pi / 4 and t + t^3 hole, where t is |x| below 0.64, -1 / |x| from 1 / 0.64 on,
    and (|x| - 1) / (|x| + 1) between: in parts where it is a quotient.
    """  # noqa: D205
    size = abs(x)
    near, far = size < _NEAR, size > 1 / _NEAR
    limited = size.min(_LARGE)
    y, e = reciprocal(far.where(limited, limited + 1.0))
    quotient = far.where(-1.0, limited - 1.0) * y
    head = near.where(size, quotient)
    rest = near.where(0.0, quotient * (e * e + e))
    multiple = near.where(0.0, far.where(x.constant(_HIGH), _HIGH / 2))
    t = head + rest
    z = named(t * t)
    beyond = t * (z * hole)
    y = multiple + (head + ((beyond + rest) + multiple * (_LOW / _HIGH)))
    return with_sign(y, sign_of(x))


def _tangent_top(z: Value) -> Value:
    """The numerator of tan(r) / r, of two terms, where the denominator has three."""
    return z * _tangent_fit().numerator[1] + 1.0


@functools.cache
def _tangent_fit() -> Fit:
    """tan(r) / r in r^2 up to 1."""

    def over(z):
        r = mp.sqrt(z)
        return mp.tan(r) / r

    found = fit(over, 1e-9, 1, range(2), below=(1, 2), points=200)
    first = found.numerator[0]
    return Fit(tuple(c / first for c in found.numerator), found.denominator, found.error)


def tan_turns(x, hole, named):
    """R n(r^2) / hole of what is left of quarters, or its negative reciprocal."""
    size, small = _reduced(x)
    angle, parity = quarter_rounded(turns(size))
    r, odd = small.where(size.floating(), angle), small.where(size.constant(0), parity)
    swapped = ~odd.equals(0)
    z = named(r * r)
    above = r * _tangent_top(z)
    top, bottom = swapped.where(hole, above), swapped.where(above, hole)
    y, e = reciprocal(bottom)
    q = top * y
    quotient = (size._bits(I32) < form(F32).one - (12 << 23)).where(r, q + q * (e * e + e))
    return finite(size, quotient, odd ^ sign_of(x))


def tan_quarters(x, hole, named):
    """R + r^3 hole of what is left of quarters, an angle in two parts, or its negative inverse."""
    size, small, angle, head, rest = _in_quarters(x)
    r = head + rest
    z = named(r * r)
    beyond = rest + (r * z) * hole
    tangent = head + beyond
    y = inverse(tangent)
    e = (1.0 - head * y) - beyond * y
    swapped = ~small & angle.odd
    value = swapped.where(y + y * (e * e + e), tangent)
    flip = swapped.where(size.constant(1 << 31), 0)
    return finite(size, value, flip ^ sign_of(x))


_WHOLE = 2.0**23
"""From here on all numbers are integers; adding it rounds those below to one."""


def sinc_newton(x, hole, named):
    """The quotient of w = x - n by x, whose sign is that of (-1)^n, times 1 + w^2 hole."""
    size = abs(x).min(_WHOLE)
    shifted = (size + _WHOLE).guard()
    w = size - (shifted - _WHOLE)
    near = size < 0.5
    y, e = reciprocal(size)
    head = near.where(1.0, w * y)
    rest = near.where(0.0, (w * y) * (e * e + e))
    z = named(w * w)
    value = head + (rest + (head + rest) * (z * hole))
    return (value.unsigned() ^ (shifted.unsigned() << 31)).floating()


SCAFFOLD_FORMS = {
    "cos-turns": cos_turns, "cos-quarters": cos_quarters, "sin-quarters": sin_quarters,
    "asin-newton": asin_newton, "asin-residual": asin_residual, "acos-newton": acos_newton,
    "acos-residual": acos_residual, "atan-newton": atan_newton, "atan-folded": atan_folded,
    "tan-turns": tan_turns, "tan-quarters": tan_quarters, "sinc-newton": sinc_newton,
}  # fmt: skip
