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
from fit import Fit, fit
from octaves import at_least, at_most
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


def _residual(top: Value, bottom: Value, lost: Value, t: Value) -> Value:
    """What the quotient t lacks of top / (bottom + lost), to three bits."""
    inverse = (_RECIPROCAL - bottom.signed()).floating()
    return ((top - t * bottom) - t * lost) * inverse


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
    y = _angle(base, rest, t, _residual(top, bottom, near, t))
    return with_sign(y, sign_of(x))


def atan2(y: Value, x: Value) -> Value:
    """A multiple of pi / 4 and atan(t); t is min / max or (min - max) / (min + max), at most 1/2.

    The quotient is corrected by its residual, whose divisor need only be right to three bits. The
    sum of both is exact in two parts.
    """
    above, beside = abs(y), abs(x)
    larger, smaller = above.max(beside), above.min(beside)
    infinite = larger.equals(INF)
    larger = larger.max(2.0**-126)
    # Neither the sum of both overflows, nor does the residual of a quotient that counts vanish.
    scale = (larger < 2.0**24).where(larger.constant(2.0**100), 2.0**-4)
    larger, smaller = larger * scale, smaller * scale
    middle = smaller >= larger * 0.5
    part = middle.where(smaller, 0.0)
    top = infinite.where(0.0, smaller - middle.where(larger, 0.0))
    bottom = (larger + part).guard()
    lost = infinite.where(0.0, part - (bottom - larger))
    bottom = infinite.where(1.0, bottom)
    swapped, left = above > beside, x.signed() < 0
    eighths = middle.where(top.constant(1.0), 0.0)
    eighths = swapped.where(2.0 - eighths, eighths)
    eighths = left.where(4.0 - eighths, eighths)
    top = (swapped ^ left).where(-top, top)
    t = top / bottom
    high = float(mp.floor(mp.pi * 2**18) / 2**20)
    base, rest = eighths * high, eighths * float(mp.pi / 4 - high)
    angle = _angle(base, rest, t, _residual(top, bottom, lost, t))
    return with_sign(angle, sign_of(y))


@functools.cache
def _exp2_fit(count: int) -> Fit:
    """(2^r - 1) / r for |r| up to 1/2, relative to 2^r."""
    return fit(
        lambda r: mp.expm1(r * mp.log(2)) / r if r else mp.log(2), -0.50001, 0.50001, range(count),
        weight=lambda r: abs(r),
    )  # fmt: skip


def power(x: Value, y: Value) -> Value:
    """`power_in_parts` with a polynomial of eight terms."""
    found = (1.0, *_exp2_fit(7).numerator)
    return power_in_parts(x, y, lambda r: horner(r, found))


def power_in_parts(x: Value, y: Value, exp2: Callable[[Value], Value]) -> Value:
    """2^(y log2 |x|) and the cases of IEEE 754-2019, 9.2.1.

    The exponent must be right to 2^-26 where it is 128, so that the logarithm and its product with
    y are in float64; all else is in float32, whose conversions, limits and comparisons take half
    the time.
    """
    size = abs(x)
    exponent, m = split_exponent(size)
    exponent = (size < INF).where(exponent, size)
    exponent = size.equals(0.0).where(-INF, exponent)
    log = exponent.to(F64) + log2_of_significand(m.to(F64), 36.0)
    t = at_least(at_most(y, 2.0**60), -(2.0**60)).to(F64) * log
    n, wide_bits = rounded(t)
    value = exp2((t - n).to(F32)).guard()
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
