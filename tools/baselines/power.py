"""Powers: exp2, log2, pow by the logarithm to 2 in float64, 1 / sqrt."""

import functools
import math

import mpmath as mp
from cores import atanh_fit, in_range, log_ends, power_of_two, rounded, split_exponent
from expression import Value, horner, sign_of, with_sign
from fit import Fit, shortest

from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan


@functools.cache
def exp2_fit(bits: float) -> Fit:
    """2^r for |r| up to 1/2."""
    return shortest(lambda r: mp.power(2, r), -0.5001, 0.5001, bits)


def exp2_slope(r: mp.mpf) -> mp.mpf:
    """(2^r - 1) / r."""
    return mp.expm1(r * mp.log(2)) / r if abs(r) > 1e-9 else mp.log(2)


@functools.cache
def short_exp2_fit(bits: float) -> Fit:
    """(2^r - 1) / r for |r| up to 1/2, relative to 2^r."""
    return shortest(
        exp2_slope, -0.5001, 0.5001, bits,
        weight=lambda r: (abs(r) + mp.mpf(2) ** -12) / mp.power(2, r),
    )  # fmt: skip


def exp2_of(x: Value, bits: float) -> Value:
    """2^x where it is a normal number of the working format; in few bits exact at the integers."""
    n, low = rounded(x)
    exact = x.dtype is F64
    found = exp2_fit(bits).numerator if exact else (1.0, *short_exp2_fit(bits).numerator)
    return horner(x - n, found) * power_of_two(low, x.dtype)


def exp2(x: Value, working: DType, bits: float) -> Value:
    """Exact at the integers, where the polynomial is its constant, 1."""
    return in_range(exp2_of, x.to(working), bits, (-200.0, 200.0), 160.0).to(x.dtype)


def log2_of_significand(m: Value, bits: float) -> Value:
    """log2 of a number from sqrt(1/2) to sqrt(2), with one division."""
    s = (m - 1.0) / (m + 1.0)
    found = atanh_fit(bits).numerator
    scaled = [float(mp.mpf(c) / mp.log(2)) for c in found]
    return s * horner(s * s, scaled)


def log2_of(x: Value, bits: float) -> Value:
    """log2 of a positive normal number."""
    exponent, m = split_exponent(x)
    return exponent + log2_of_significand(m, bits)


def log2(x: Value, working: DType, bits: float) -> Value:
    """log2 with its ends."""
    return log_ends(log2_of(x.to(working), bits).to(x.dtype), x)


def power(x: Value, y: Value, working: DType, bits: float) -> Value:
    """2^(y log2 |x|) and the cases of IEEE 754-2019, 9.2.1."""
    a, exponent = abs(x.to(working)), y.to(working)
    huge = 1e30 if working is F64 else 1e5
    limited = exponent.clamp(-huge, huge)
    log = log2_of(a, 43.0 if working is F64 else 25.0)
    log = (a < INF).where((a.equals(0.0)).where(-INF, log), a)
    size = in_range(exp2_of, limited * log, bits, (-300.0, 300.0), 160.0)
    near = exponent.clamp(-(2.0**20), 2.0**20) if working is not F64 else exponent.clamp(
        -(2.0**40), 2.0**40
    )  # fmt: skip
    n, low = rounded(near)
    whole = n.equals(near)
    sign = (whole & (low & 1).equals(1)).where(sign_of(x), 0)
    value = with_sign(size.to(x.dtype), sign)
    fractional = (x < 0.0) & (x > -INF) & ~whole
    value = fractional.where(NAN, value)
    return (x.equals(1.0) | exponent.equals(0.0)).where(1.0, value)


def cbrt(x: Value, working: DType, bits: float) -> Value:
    """2^(log2(a) / 3)."""
    a = abs(x.to(working))
    y = exp2_of(log2_of(a, bits + 8) * (1 / 3), bits)
    y = (a.equals(0.0)).where(0.0, y)
    y = (a < INF).where(y, a)
    return with_sign(y.to(x.dtype), sign_of(x))


def rsqrt(x: Value, working: DType, bits: float) -> Value:
    """1 / sqrt(x); in float32 with one step of Newton's method in float64."""
    if working is not F64:
        return (1.0 / x.to(working).sqrt()).to(x.dtype)
    first = 1.0 / x.sqrt()
    wide, y = x.to(F64), first.to(F64)
    better = y + (y * 0.5) * (1.0 - (wide * y) * y)
    return ((x >= 2.0**-126) & (x < INF)).where(better.to(x.dtype), first)
