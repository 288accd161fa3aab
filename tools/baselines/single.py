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
import single_arctangents
from cores import rounded, split_exponent
from expression import Value, build, horner, sign_of, with_sign
from fit import Fit, fit, single
from octaves import at_most
from power import exp2_slope, log2_of_significand

from xla_evo_lowering.dtypes import F32, F64, I32

INF, NAN = math.inf, math.nan


@functools.cache
def _exp2_fit() -> tuple[float, ...]:
    """(2^r - 1) / r of float32 for |r| up to 1/2, its error times r."""
    return single(exp2_slope, -0.5001, 0.5001, 6, weight=lambda r: abs(r) + mp.mpf(2) ** -12)


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
    # From 128 on the bits are those of infinity, at x = -1 with y infinite they are 1's.
    t = at_most(y.to(F64) * log, 128.0)
    n, wide_bits = rounded(t)
    value = horner((t - n).to(F32), (1.0, *_exp2_fit())).guard()
    value = (value.signed() + (wide_bits.to(I32) << 23)).floating()
    value = (t < -126.0).where(0.0, value)
    value = (size.equals(1.0) | y.equals(0.0)).where(1.0, value)
    whole, half = y.nearest().equals(y), y * 0.5
    value = with_sign(value, (whole & ~half.nearest().equals(half)).where(sign_of(x), 0))
    return ((x < 0.0) & (x > -INF) & ~whole).where(NAN, value)


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


def rsqrt_by_slope(x: Value, slope: Callable[[Value], Value]) -> Value:
    """The same by the correction over the residual: their product with the estimate waits for none.

    The sign over all its bits makes it a nan, so that fewer results are chosen.
    """
    bits = x.signed()
    y = (_ROOT - (bits >> 1)).floating()
    e = 1.0 - (x * y) * y
    product = ((y * e).signed() | (bits >> 31)).floating()
    y = product * slope(e) + y
    y = x.equals(INF).where(0.0, y)
    return x.equals(0.0).where(with_sign(x.constant(INF), sign_of(x)), y)


def rsqrt(x: Value) -> Value:
    """With a polynomial of five terms."""
    return rsqrt_by_residual(x, lambda e: e * horner(e, _root_fit(5).numerator))


PROGRAMS = {
    "atan": lambda: build("atan", single_arctangents.atan, F32),
    "atan2": lambda: build("atan2", single_arctangents.atan2, F32, 2),
    "pow": lambda: build("pow", power, F32, 2),
    "rsqrt": lambda: build("rsqrt", rsqrt, F32),
}
"""Makers of programs by function."""
