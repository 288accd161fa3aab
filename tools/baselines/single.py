"""Forms in float32, with float64 only where its bits are needed: at most 1 ULP, and faster.

A result is a sum of a large part and a small one that carries the roundings before it. Products
that feed one sum are contracted on this CPU, which makes the residual of a quotient exact; these
programs are for compilers that do so.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from cores import rounded, split_exponent
from expression import Value, build, estrin, horner, sign_of, with_sign
from fit import Fit, fit, single
from octaves import at_least, at_most, by_pairs
from power import log2_of_significand

from xla_evo_lowering.dtypes import F32, F64, I32

INF, NAN = math.inf, math.nan
_RECIPROCAL = 0x7EE00000
"""Less the bits of a positive number, this has those of its inverse, or up to 1/8 less of it."""


@functools.cache
def _arctangent_fit(count: int) -> Fit:
    """(atan(t) / t - 1) / t^2 in t^2 for |t| up to 1/2, relative to atan."""

    def quotient(z):
        t = mp.sqrt(z)
        return (mp.atan(t) / t - 1) / z if z > 1e-10 else mp.mpf(-1) / 3 + z / 5

    return fit(quotient, 0, 0.2501, range(count), weight=lambda z: z)


def _angle(base: Value, rest: Value, t: Value, residual: Value) -> Value:
    """Base + rest + atan(t + residual / (1 + t^2)) of a base that is 0 or above |t| <= 1/2."""
    z = t * t
    tail = z * (t * estrin(z, _arctangent_fit(6).numerator) - residual) + residual
    total = (base + t).guard()
    return total + (tail + (rest + (t - (total - base).guard())))


def _residual(top: Value, bottom: Value, t: Value, lost: Value | None = None) -> Value:
    """What the quotient t lacks of top / (bottom + lost), to three bits."""
    inverse = (_RECIPROCAL - bottom.signed()).floating()
    rest = top - t * bottom
    return (rest if lost is None else rest - t * lost) * inverse


_HALF_PI = (float.fromhex("0x1.921fb6p+0"), float.fromhex("-0x1.777a5cp-25"))
"""Pi / 2 in two parts of float32; half of it has the halves of both."""


def atan(x: Value) -> Value:
    """Folds to (a - 1) / (a + 1) from 1/2 to 2, where pi / 4 is added, and to -1 / a beyond."""
    a = abs(x).min(2.0**100)
    far, middle = a > 2.0, a > 0.5
    one = a.constant(1.0)
    total = (a + 1.0).guard()
    near = middle.where(far.where(0.0, a - (total - 1.0)), 0.0)
    top = far.where(-one, middle.where(a - 1.0, a))
    bottom = far.where(a, middle.where(total, 1.0))
    t = top / bottom
    base, rest = (
        far.where(one.constant(part), middle.where(one.constant(part / 2), 0.0))
        for part in _HALF_PI
    )
    y = _angle(base, rest, t, _residual(top, bottom, t, near))
    return with_sign(y, sign_of(x))


_CENTRE = 0.5
"""Of the variable of the next polynomial, so that its rounding shows half as much."""


@functools.cache
def _whole_arctangent_fit(count: int) -> tuple[float, ...]:
    """Atan(t) / t - 1 in t^2 less the centre for |t| up to 1, relative to atan."""

    def beyond(u):
        z = u + mp.mpf(_CENTRE)
        t = mp.sqrt(abs(z))
        return mp.atan(t) / t - 1 if abs(z) > 1e-12 else -z / 3

    return single(
        beyond, -_CENTRE, 1.0001 - _CENTRE, count, weight=lambda u: 1 / (1 + beyond(u))
    )  # fmt: skip


def atan2(y: Value, x: Value) -> Value:
    """A multiple of pi / 2 and t + t times a function of t^2, t the smaller over the larger.

    The quotient is corrected by its residual, whose divisor need only be right to three bits, and
    whose factor 1 / (1 + t^2) as much: 1 - t^2 / 2. What the sum of both loses is added to the
    small part.
    """
    above, beside = abs(y), abs(x)
    swapped, left = above > beside, x.signed() < 0
    larger, smaller = swapped.where(above, beside), swapped.where(beside, above)
    infinite = larger.equals(INF)
    # No residual of a quotient that counts vanishes, and no product with the quotient overflows.
    scale = (larger < 2.0**24).where(larger.constant(2.0**100), 2.0**-4)
    bottom = infinite.where(1.0, at_least(larger, 2.0**-126) * scale)
    both = (smaller < INF).where(0.0, at_most(smaller, 1.0))
    top = infinite.where(both, smaller * scale)
    top = (swapped ^ left).where(-top, top)
    t = top / bottom
    multiple = swapped.where(t.constant(_HALF_PI[0]), left.where(t.constant(2 * _HALF_PI[0]), 0.0))
    z = t * t
    residual = _residual(top, bottom, t) * (1.0 - z * 0.5)
    total = (multiple + t).guard()
    lost = (t - (total - multiple).guard()) + multiple * (_HALF_PI[1] / _HALF_PI[0])
    u = z - _CENTRE
    first, *others = _whole_arctangent_fit(10)
    beyond = u * by_pairs(u, u * u, others) + first
    return with_sign(total + (beyond * t + (residual + lost)), sign_of(y))


@functools.cache
def _exp2_fit(count: int) -> Fit:
    """(2^r - 1) / r for |r| up to 1/2, relative to 2^r."""
    return fit(
        lambda r: mp.expm1(r * mp.log(2)) / r if r else mp.log(2), -0.50001, 0.50001, range(count),
        weight=lambda r: abs(r),
    )  # fmt: skip


def power(x: Value, y: Value) -> Value:
    """2^(y log2 |x|) and the cases of IEEE 754-2019, 9.2.1.

    The exponent must be right to 2^-26 where it is 128, so that the logarithm and its product with
    y are in float64; all else is in float32, in vectors of half the size.
    """
    size = abs(x)
    exponent, m = split_exponent(size)
    exponent = (size < INF).where(exponent, size)
    exponent = size.equals(0.0).where(-INF, exponent)
    log = exponent.to(F64) + log2_of_significand(m.to(F64), 36.0)
    t = at_least(at_most(y, 2.0**60), -(2.0**60)).to(F64) * log
    n, wide_bits = rounded(t)
    value = horner((t - n).to(F32), (1.0, *_exp2_fit(7).numerator)).guard()
    value = (value.signed() + (wide_bits.to(I32) << 23)).floating()
    value = (t >= 128.0).where(INF, value)
    value = (t < -126.0).where(0.0, value)
    whole, half = y.nearest().equals(y), y * 0.5
    value = with_sign(value, (whole & ~half.nearest().equals(half)).where(sign_of(x), 0))
    value = ((x < 0.0) & (x > -INF) & ~whole).where(NAN, value)
    return (x.equals(1.0) | y.equals(0.0)).where(1.0, value)


_ROOT = 0x5F389B48
"""Less half the bits of a positive number, this has about those of its inverse root."""


@functools.cache
def _root_fit(count: int) -> Fit:
    """((1 - e)^(-1/2) - 1) / e where the estimate of the root may leave e."""

    def quotient(e):
        return ((1 - e) ** -mp.mpf("0.5") - 1) / e if abs(e) > 1e-9 else 0.5 + mp.mpf(3) / 8 * e

    significands = np.arange(0x3F800000, 0x40800000, 7, dtype=np.int32)
    x = significands.view(np.float32).astype(np.float64)
    y = (np.int32(_ROOT) - (significands >> 1)).view(np.float32)
    e = 1.0 - x * y * y
    return fit(quotient, 1.0001 * e.min(), 1.0001 * e.max(), range(count), weight=abs)


def rsqrt_by_residual(x: Value, correction: Callable[[Value], Value]) -> Value:
    """An estimate by integer arithmetic, made better by a function of its residual, once.

    The residual is wrong by the rounding of x * y alone, which is half an ULP of the result where
    it counts most; `_ROOT` is one of the few integers with which the result holds 1 ULP.
    """
    y = (_ROOT - (x.signed() >> 1)).floating()
    y = y + y * correction(1.0 - (x * y) * y)
    y = (x < INF).where(y, 0.0)
    zero = x.equals(0.0).where(with_sign(x.constant(INF), sign_of(x)), NAN)
    return (x > 0.0).where(y, zero)


def rsqrt(x: Value) -> Value:
    """With a polynomial of five terms."""
    return rsqrt_by_residual(x, lambda e: e * horner(e, _root_fit(5).numerator))


PROGRAMS = {
    "atan": lambda: build("atan", atan, F32),
    "atan2": lambda: build("atan2", atan2, F32, 2),
    "pow": lambda: build("pow", power, F32, 2),
    "rsqrt": lambda: build("rsqrt", rsqrt, F32),
}
"""Makers of programs by function."""
