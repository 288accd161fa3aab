"""Exponential and hyperbolic functions of float64 to less than 1 ULP.

An exponential is 1 + r + r^2 q(r) with the roundings of 1 + r kept; a result is a large part whose
sum is exact and a small one that carries every rounding.
"""

import functools
import math

import mpmath as mp
from cores import LN2, expm1_fit, power_of_two, rounded
from expression import Value, estrin, horner, horner_over_tree, sign_of, with_sign
from fit import Fit, shortest
from octaves import at_least, at_most
from parts import FIT_BITS, Parts, any_sum, constant_parts, halves, ordered_sum, quotient

from xla_evo_lowering.dtypes import F64, DType

INF = math.inf
_END = LN2 / 2 * 1.0001
_LN2_BITS = 42
LN2_HIGH, LN2_LOW = constant_parts(lambda: mp.log(2), _LN2_BITS)
"""n LN2_HIGH is exact for the exponents n of float64."""
_LN2_HALVES = constant_parts(lambda: mp.log(2), 26)
LN2_REST = constant_parts(lambda: mp.log(2), 53)[1]
"""What LN2 lacks; x - n LN2 is exact where the product is contracted and the rest is below 1/2."""


def reduced(x: Value) -> tuple[Value, Value, Value]:
    """(r, what r lacks, low bits of n) with x = n ln 2 + r."""
    n, bits = rounded(x * (1.0 / LN2))
    top = (n * -LN2_HIGH + x).guard()
    tail = (n * -LN2_LOW).guard()
    r, low = ordered_sum(top, tail)
    return r, low, bits


@functools.cache
def exp_tail_fit() -> Fit:
    """(e^r - 1 - r) / r^2 on half an octave, relative to r / 2^6 + e^r."""
    end = mp.mpf(_END)
    return shortest(
        lambda r: (mp.expm1(r) - r) / (r * r) if abs(r) > 1e-9 else mp.mpf(1) / 2 + r / 6,
        -end, end, FIT_BITS, weight=lambda r: abs(r) + mp.mpf(2) ** -20, least=9,
    )  # fmt: skip


def exp_tail(r: Value, low: Value) -> Value:
    """E^(r + low) - 1 - r."""
    return r * r * horner_over_tree(r, exp_tail_fit().numerator, 1) + low


def reduced_once(x: Value, factor: float = 1.0) -> tuple[Value, Value]:
    """(r, low bits of n) with x = (n ln 2 + r) / factor, r rounded once."""
    n, bits = rounded(x * (factor / LN2))
    return n * (LN2_LOW / -factor) + (n * (LN2_HIGH / -factor) + x), bits


def exp_of_rest(r: Value, low: Value) -> Value:
    """E^(r + low), with what 1 + r rounds."""
    total, error = ordered_sum(r.constant(1.0), r)
    return total + (error + exp_tail(r, low))


_EXP_ENDS = -708.3964185322641, 709.7827128933841
"""Where e^x begins to be a normal number, and where it no longer is."""


def exp(x: Value, working: DType, bits: float) -> Value:
    """1 + r q(r) of r = x - n ln 2, rounded once."""
    r, n = reduced_once(at_least(at_most(x, 710.0), -709.0))
    y = r * horner_over_tree(r, expm1_fit(57.5).numerator, 2) + 1.0
    return _with_exponent(y, n, x, *_EXP_ENDS)


def exp_in_parts(x: Value, working: DType, bits: float) -> Value:
    """1 + r + r^2 q(r) with what 1 + r rounds: under contraction or without."""
    r, low, n = reduced(at_least(at_most(x, 710.0), -709.0))
    return _with_exponent(exp_of_rest(r, low), n, x, *_EXP_ENDS)


@functools.cache
def exp2_fit() -> Fit:
    """(2^f - 1) / f for |f| up to 1/2, relative to 2^f."""
    return shortest(
        lambda f: mp.expm1(f * mp.log(2)) / f if abs(f) > 1e-12 else mp.log(2),
        -0.50001, 0.50001, 57.5, weight=lambda f: (abs(f) + mp.mpf(2) ** -12) / mp.power(2, f),
        least=10,
    )  # fmt: skip


def exp2(x: Value, working: DType, bits: float) -> Value:
    """1 + f q(f), which is within 1 ULP where the product is contracted into the sum."""
    n, low_bits = rounded(x.clamp(-1022.0, 1024.0))
    f = x - n
    return _with_exponent(f * horner_over_tree(f, exp2_fit().numerator, 3) + 1.0, low_bits, x)


def exp2_in_parts(x: Value, working: DType, bits: float) -> Value:
    """1 + r + r^2 q(r), r the fraction times ln 2, in two parts: under contraction or without."""
    n, low_bits = rounded(x.clamp(-1022.0, 1024.0))
    f = x - n
    high, low = halves(f)
    r, rest = ordered_sum(high * _LN2_HALVES[0], high * _LN2_HALVES[1] + low * LN2)
    return _with_exponent(exp_of_rest(r, rest), low_bits, x)


def _with_exponent(
    y: Value, n: Value, x: Value, least: float = -1022.0, end: float = 1024.0
) -> Value:
    """Y 2^n by the bits, for an exponential of x; 0 below the least x, infinite from an end on."""
    y = (y.signed() + (n << 52)).floating(F64)
    y = (x >= least).where(y, 0.0)
    return (x < end).where(y, x + INF)


def itself_if_tiny(x: Value, y: Value, bound: float) -> Value:
    """X itself next to 0, with its sign everywhere."""
    return (abs(x) < bound).where(x, y)


def _offset_sum(scale: Value, linear: Value, tail: Value, offset: float) -> Parts:
    """(large, small) parts of scale + offset + linear + tail."""
    first, lost = ordered_sum(scale, scale.constant(offset))
    total, error = ordered_sum(first, linear)
    return total, (error + lost) + tail


@functools.cache
def exp_cube_fit() -> Fit:
    """(e^r - 1 - r - r^2 / 2) / r^3 on half an octave."""

    def value(r):
        with mp.workdps(70):
            rest = mp.expm1(r) - r - r * r / 2
            return rest / r**3 if abs(r) > 1e-12 else mp.mpf(1) / 6 + r / 24

    end = mp.mpf(_END)
    return shortest(value, -end, end, FIT_BITS, weight=lambda r: r * r + mp.mpf(2) ** -20, least=8)


def expm1(x: Value, working: DType, bits: float) -> Value:
    """(2^n - 1) + 2^n (r + r^2 / 2 + r^3 q(r)), halved so that the largest do not overflow.

    Where 1 and 2^n r nearly cancel the rounding of r^2 would show: its half joins the large part.
    """
    r, low, n = reduced(x.clamp(-60.0, 710.0))
    first, rest = halves(r)
    scale = power_of_two(n - 1, F64)
    cube = (r * r) * (r * horner_over_tree(r, exp_cube_fit().numerator, 1))
    tail = cube + ((r + first) * rest * 0.5 + low)
    large, small = _offset_sum(scale, scale * r, scale * tail, -0.5)
    large, error = ordered_sum(large, (first * first) * (scale * 0.5))
    y = large + (error + small)
    return itself_if_tiny(x, y + y, 2.0**-54)


@functools.cache
def sinh_cosh_fits(bits: float) -> tuple[Fit, Fit]:
    """((cosh r - 1) / r^2, (sinh r - r) / r^3) in r^2."""
    end = mp.mpf(_END) ** 2

    def even(z):
        return (mp.cosh(mp.sqrt(z)) - 1) / z if z > 1e-9 else mp.mpf(1) / 2 + z / 24

    def odd(z):
        r = mp.sqrt(z)
        return (mp.sinh(r) / r - 1) / z if z > 1e-9 else mp.mpf(1) / 6 + z / 120

    with mp.workdps(60):
        return (
            shortest(even, 0, end, bits, weight=lambda z: z + mp.mpf(2) ** -20),
            shortest(odd, 0, end, bits, weight=lambda z: z + mp.mpf(2) ** -20),
        )


def _hyperbolic(x: Value) -> tuple[Value, ...]:
    """(2^(n-2), 2^(-n-2), r, cosh r - 1, sinh r - r) of |x| = n ln 2 + r."""
    r, low, n = reduced(abs(x).min(710.6))
    n = (n << 51) >> 51
    even, odd = sinh_cosh_fits(FIT_BITS)
    square = r * r
    up, down = power_of_two(n - 2, F64), power_of_two(-(n.min(600)) - 2, F64)
    cosh_tail = r * (r * horner(square, even.numerator) + low)
    sinh_tail = (r * square) * horner(square, odd.numerator) + low
    return up, down, r, cosh_tail, sinh_tail


def sinh(x: Value, working: DType, bits: float) -> Value:
    """Sinh(n ln 2) cosh r + cosh(n ln 2) sinh r, halved until the end."""
    up, down, r, cosh_tail, sinh_tail = _hyperbolic(x)
    a, a_low = ordered_sum(up, -down)
    h, first = ordered_sum(a, up * r)
    h, second = any_sum(h, down * r)
    small = (first + second + a_low) + (a * cosh_tail + (up + down) * sinh_tail)
    y = h + small
    return with_sign(itself_if_tiny(abs(x), y + y, 2.0**-30), sign_of(x))


def cosh(x: Value, working: DType, bits: float) -> Value:
    """Cosh(n ln 2) cosh r + sinh(n ln 2) sinh r, halved until the end."""
    up, down, r, cosh_tail, sinh_tail = _hyperbolic(x)
    b, b_low = ordered_sum(up, down)
    h, error = ordered_sum(b, up * r)
    small = (error + b_low - down * r) + (b * cosh_tail + (up - down) * sinh_tail)
    y = h + small
    return y + y


@functools.cache
def half_tanh_fit(bits: float) -> Fit:
    """(tanh(h) - h) / h^3 in h^2 for half of half an octave."""

    def value(z):
        h = mp.sqrt(z)
        with mp.workdps(60):
            return (mp.tanh(h) - h) / (h * z) if z > 1e-20 else z * 2 / 15 - mp.mpf(1) / 3

    end = mp.mpf(_END) / 2
    return shortest(value, 0, end * end, bits, weight=lambda z: z + mp.mpf(2) ** -22, least=5)


def tanh(x: Value, working: DType, bits: float) -> Value:
    """T + s over 1 + T s, T and s the hyperbolic tangents of n ln 2 / 2 and of the rest of |x|.

    Both times 1 + u for u = 2^-n, as T is (1 - u) / (1 + u). Each sum keeps its rounding; the
    quotient's is a product contracted into a sum, and h is exact where its product is contracted.
    """
    a = abs(x).min(19.5)
    n, low_bits = rounded(a * (2 / LN2))
    h = (n * (LN2 / -2) + a).guard()
    square = h * h
    rest = (h * square) * estrin(square, half_tanh_fit(56.0).numerator) + n * (LN2_REST / -2)
    u = power_of_two(-low_bits, F64)
    less, more = 1.0 - u, u + 1.0
    # Where n is 53 or more these are 1; a unit in the last place of the result shows it.
    lost = (more - less) - u * 2.0
    first, error = ordered_sum(less, h)
    top = (more * h + less).guard()
    top_rest = (error + lost) + ((first - top).guard() + h * u) + more * rest
    s = (h + rest).guard()
    bottom = (less * s + more).guard()
    bottom_rest = ((more - bottom).guard() + s) - s * u
    inverse = 1.0 / bottom
    q = (top * inverse).guard()
    y = ((top - q * bottom) + (top_rest - q * bottom_rest)) * inverse + q
    return with_sign(y, sign_of(x))


def tanh_in_parts(x: Value, working: DType, bits: float) -> Value:
    """(e^2a - 1) / (e^2a + 1), both in two parts: under contraction or without."""
    a = abs(x).min(19.5)
    r, low, n = reduced(a + a)
    scale = power_of_two(n, F64)
    tail, linear = scale * exp_tail(r, low), scale * r
    parts = [ordered_sum(*_offset_sum(scale, linear, tail, offset)) for offset in (-1.0, 1.0)]
    large, small = quotient(*parts)
    return with_sign(itself_if_tiny(abs(x), large + small, 2.0**-30), sign_of(x))
