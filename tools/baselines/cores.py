"""Range reduction around small polynomials, in any working format: exp, log, sine of pi x.

Every core takes and gives a `Value` of its working format (float64 inside a float32 function,
float32 inside a 16-bit one) and an accuracy in bits, from which the lengths of the polynomials
follow. Exponents are split by magic-number rounding and integer arithmetic on the bits (Muller,
Elementary Functions, chapter 11); multiples of pi by products with chunks of 1/pi that are exact
(Payne and Hanek 1983, without the table).
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np
from expression import Value, estrin, horner
from fit import Fit, fit, shortest, single

from xla_evo_lowering.dtypes import F16, F64, DType

LN2 = float(mp.log(2))


@dataclass(frozen=True, slots=True)
class Format:
    """What the bit tricks need of a working format."""

    mantissa: int
    bias: int

    @property
    def magic(self) -> float:
        """Adding it rounds to an integer, which stands in the lowest bits of the sum."""
        return 1.5 * 2.0**self.mantissa

    @property
    def one(self) -> int:
        """Bits of 1.0."""
        return self.bias << self.mantissa


def form(dtype: DType) -> Format:
    """The row of float32 or float64."""
    return Format(52, 1023) if dtype is F64 else Format(23, 127)


def power_of_two(n: Value, dtype: DType) -> Value:
    """2^n of a signed integer in the exponent's range (or of the low bits of any)."""
    row = form(dtype)
    return ((n << row.mantissa) + row.one).floating(dtype)


def rounded(x: Value) -> tuple[Value, Value]:
    """(nearest integer as a float, the same in the low bits of a signed integer)."""
    row = form(x.dtype)
    shifted = (x + row.magic).guard()
    return shifted - row.magic, shifted.signed()


def split_ln2(x: Value, scale: float = 1.0) -> tuple[Value, Value]:
    """X * scale = n ln 2 + r: (r, low bits n)."""
    n, bits = rounded(x * (scale / LN2))
    return remainder_ln2(x if scale == 1.0 else x * scale, n), bits


def remainder_ln2(x: Value, n: Value) -> Value:
    """X - n ln 2, by a two-part constant in float32."""
    if x.dtype is F64:
        return n * -LN2 + x
    high = 0.693359375
    return n * -float(mp.log(2) - mp.mpf(high)) + (n * -high + x)


@functools.cache
def expm1_fit(bits: float) -> Fit:
    """(e^r - 1) / r on half an octave of r, relative to e^r."""
    return shortest(
        lambda r: mp.expm1(r) / r if r else mp.mpf(1), -LN2 / 2 * 1.0001, LN2 / 2 * 1.0001, bits,
        weight=lambda r: (abs(r) + mp.mpf(2) ** -12) / (1 + r),
    )  # fmt: skip


@functools.cache
def relative_expm1_fit(bits: float) -> Fit:
    """(e^r - 1) / r, accurate by itself."""
    return shortest(
        lambda r: mp.expm1(r) / r if r else mp.mpf(1), -LN2 / 2 * 1.0001, LN2 / 2 * 1.0001, bits
    )


def exp(x: Value, bits: float) -> Value:
    """e^x where e^x and every power of two on the way are normal numbers; nan stays."""
    r, n = split_ln2(x)
    value = horner(r, (1.0, *expm1_fit(bits).numerator))
    return value * power_of_two(n, x.dtype)


def in_range(
    power: Callable[[Value, float], Value], x: Value, bits: float, ends: tuple[float, float],
    half: float,
) -> Value:  # fmt: skip
    """``power`` of x limited to its range; in float32 the square of that of x / 2.

    Args:
        power: takes a value and bits; turns sums into products.
        x: argument in the working format.
        bits: accuracy.
        ends: of the arguments in float64.
        half: largest size of the arguments in float32.
    """
    if x.dtype is F64:
        return power(x.clamp(*ends), bits)
    y = power(x.clamp(-half, half) * 0.5, bits + 1)
    return y * y


def expm1_parts(x: Value, bits: float) -> tuple[Value, Value]:
    """(h, s) with e^x = s + h, s a power of two; h keeps its relative accuracy where s is 1."""
    r, n = split_ln2(x)
    scale = power_of_two(n, x.dtype)
    return r * horner(r, relative_expm1_fit(bits).numerator) * scale, scale


def cosh_sinh_parts(x: Value, bits: float) -> tuple[Value, Value, Value, Value]:
    """(C, S, 2^n, 2^-n) with x = n ln 2 + r, C = cosh r, S = sinh r."""
    r, n = split_ln2(x)
    square = r * r
    even = shortest(
        lambda z: mp.cosh(mp.sqrt(z)), 0, (LN2 / 2) ** 2 * 1.0001, bits, weight=lambda z: 1
    )
    odd = shortest(
        lambda z: mp.sinh(mp.sqrt(z)) / mp.sqrt(z) if z else mp.mpf(1), 0,
        (LN2 / 2) ** 2 * 1.0001, bits,
    )  # fmt: skip
    return (
        horner(square, even.numerator),
        r * horner(square, odd.numerator),
        power_of_two(n, x.dtype),
        power_of_two(-n, x.dtype),
    )


SQRT_HALF = 0.70710678


def split_exponent(x: Value, low: float = SQRT_HALF) -> tuple[Value, Value]:
    """(e as a float, m) with x = m 2^e and m in [low, 2 low), for a positive normal number."""
    row = form(x.dtype)
    offset = int(np.asarray(low, x.dtype.numpy).view(f"i{x.dtype.bits // 8}"))
    shifted = x.signed() - offset
    exponent = (shifted >> row.mantissa).to(x.dtype)
    fraction = ((shifted & ((1 << row.mantissa) - 1)) + offset).floating(x.dtype)
    return exponent, fraction


def split_bits(x: Value) -> tuple[Value, Value]:
    """(e in the exponent's place of an integer, m) of x = m 2^e, m from sqrt(1/2) up to sqrt(2)."""
    row = form(x.dtype)
    low = int(np.asarray(SQRT_HALF, x.dtype.numpy).view(f"i{x.dtype.bits // 8}"))
    bits = x.signed()
    exponent = (bits - low) & (-1 << row.mantissa)
    return exponent, (bits - exponent).floating()


@functools.cache
def log1p_fit(bits: float) -> Fit:
    """log(1 + f) / f on [sqrt(1/2) - 1, sqrt(2) - 1]."""
    return shortest(
        lambda f: mp.log1p(f) / f if f else mp.mpf(1), SQRT_HALF - 1, 2 * SQRT_HALF - 1, bits
    )


@functools.cache
def log1p_rest_fit(low: float, high: float, count: int) -> tuple[float, ...]:
    """(log(1 + f) - f) / f^2 of float32, its error times f^2."""

    def rest(f):
        return (mp.log1p(f) - f) / f**2 if abs(f) > 1e-9 else f / 3 - mp.mpf(1) / 2

    return single(rest, low, high, count, weight=lambda f: f * f)


@functools.cache
def atanh_fit(bits: float, largest: float = 0.1716) -> Fit:
    """2 atanh(s) / s in s^2."""
    return shortest(
        lambda z: 2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) if z else mp.mpf(2), 0, largest**2, bits
    )


def log(x: Value, bits: float) -> Value:
    """Log x of a positive normal number, accurate also next to 1."""
    exponent, m = split_exponent(x)
    f = m - 1.0
    return exponent * LN2 + f * horner(f, log1p_fit(bits).numerator)


def log_ends(y: Value, x: Value) -> Value:
    """A logarithm ``y`` of x with its values at 0, below it and at infinity."""
    y = (x < math.inf).where(y, x)
    least = 2.0 ** {F16: -24, F64: -1022}.get(x.dtype, -126)
    ends = (x > -least).where(x.constant(-math.inf), math.nan)
    return (x < least).where(ends, y)


def log_ratio(above: tuple[float, float], x: Value, below: tuple[float, float], bits: float):
    """log((a0 + a1 x) / (b0 + b1 x)) with one division, exact where the quotient is 1.

    The exponent comes from the difference of the bits, so nothing is rounded before the quotient
    (N - D 2^e) / (N + D 2^e), whose atanh is half the logarithm.
    """
    (a0, a1), (b0, b1) = above, below
    row = form(x.dtype)
    numerator = (x * a1 + a0 if a1 else x.constant(a0)).guard()
    if b1:
        denominator = (x * b1 + b0).guard()
        difference = numerator.signed() - denominator.signed()
    else:
        difference = numerator.signed() - (row.one + (int(math.log2(b0)) << row.mantissa))
    e = (difference + (1 << (row.mantissa - 1))) >> row.mantissa
    # float32 has no 2^128; with 2^127 the quotient leaves the polynomial's interval by a little.
    e = e if x.dtype is F64 else e.min(row.bias)
    c = power_of_two(e, x.dtype)
    # N -+ D c = (a0 -+ b0 c) + x (a1 -+ b1 c)
    top_slope = c * -b1 + a1 if b1 else x.constant(a1)
    bottom_slope = c * b1 + a1 if b1 else x.constant(a1)
    s = (x * top_slope + (c * -b0 + a0)) / (x * bottom_slope + (c * b0 + a0))
    z = s * s
    return e.to(x.dtype) * LN2 + s * horner(z, atanh_fit(bits, 0.1813).numerator)


ATANH_END = mp.mpf("0.17158") ** 2
"""The largest s^2 of s = (m - 1) / (m + 1) with m between sqrt(1/2) and sqrt(2)."""


def atanh_rest(z: mp.mpf) -> mp.mpf:
    """(2 atanh(s) / s - 2) / s^2 of z = s^2."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z if z > 1e-9 else mp.mpf(2) / 3 + z * 2 / 5


@functools.cache
def full_atanh_fit(count: int) -> Fit:
    """(2 atanh(s) / s - 2) / s^2 in s^2."""
    return fit(atanh_rest, 0, ATANH_END, range(count))


def _atanh_log(s: Value, polynomial: Callable = horner) -> Value:
    """2 atanh(s) = log((1 + s) / (1 - s))."""
    z = s * s
    return (z * s) * polynomial(z, full_atanh_fit(7).numerator) + (s + s)


def full_log_parts(x: Value) -> tuple[Value, Value]:
    """(e, log m) in float64 of x = m 2^e, positive and normal, m between sqrt(1/2) and sqrt(2)."""
    exponent, m = split_exponent(x)
    return exponent.to(F64), _atanh_log((m.to(F64) - 1.0) / (m.to(F64) + 1.0))


def full_logs(x: Value, y: Value) -> tuple[Value, Value]:
    """(log x, log y) with one division."""
    (e, m), (f, n) = split_exponent(x), split_exponent(y)
    m, n = m.to(F64), n.to(F64)
    inverse = 1.0 / ((m + 1.0) * (n + 1.0))
    return (
        e.to(F64) * LN2 + _atanh_log((m - 1.0) * ((n + 1.0) * inverse), estrin),
        f.to(F64) * LN2 + _atanh_log((n - 1.0) * ((m + 1.0) * inverse), estrin),
    )
