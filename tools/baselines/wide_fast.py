"""Functions of float64 to a few ULP, for the built-in's error and faster than it.

The forms of `wide_exponential` and its kin without what keeps their roundings: each sum is rounded
as it comes, and arguments are reduced so that what that loses stays a few units.
"""

import functools
import math
from collections.abc import Sequence

import mpmath as mp
import numpy as np
from cores import (
    LN2,
    atanh_rest,
    full_atanh_fit,
    power_of_two,
    relative_expm1_fit,
    rounded,
    split_bits,
)
from expression import Value, estrin, horner, sign_of, with_sign
from fit import Fit, fit, shortest
from octaves import at_least, at_most
from parts import any_sum, halves
from wide_errors import (
    ERFC_END,
    NEAR,
    NEAR_MIDDLE,
    below_one,
    far_erf_inv_fit,
    near_erf_inv,
    scaled_erfc,
)
from wide_exponential import (
    LN2_HIGH,
    LN2_LOW,
    exp_of_rest,
    half_tanh_fit,
    itself_if_tiny,
    reduced,
    reduced_once,
    sinh_cosh_fits,
)

from xla_evo_lowering.dtypes import F64

INF, NAN = math.inf, math.nan
_BITS = 53.0
_DEGREE = 9
_CENTRE = 2.5
_HUGE = 2.0**28


def expm1(x: Value) -> Value:
    """2^n r p(r) + (2^n - 1), halved so that the largest do not overflow."""
    r, n = reduced_once(at_least(at_most(x, 710.0), -60.0))
    scale = power_of_two(n - 1, F64)
    y = (scale * r) * horner(r, relative_expm1_fit(_BITS).numerator) + (scale - 0.5)
    return itself_if_tiny(x, y + y, 2.0**-54)


def _hyperbolic(x: Value) -> tuple[Value, ...]:
    """(2^(n-2), 2^(-n-2), cosh r, sinh r) of |x| = n ln 2 + r."""
    r, n = reduced_once(at_most(abs(x), 710.6))
    even, odd = sinh_cosh_fits(_BITS)
    square = r * r
    exponent = n << 52
    up = (exponent + (1021 << 52)).floating(F64)
    down = ((1021 << 52) - exponent).max(0).floating(F64)
    cosh = square * horner(square, even.numerator) + 1.0
    sinh = (r * square) * horner(square, odd.numerator) + r
    return up, down, cosh, sinh


def sinh(x: Value) -> Value:
    """Sinh(n ln 2) cosh r + cosh(n ln 2) sinh r, halved until the end."""
    up, down, even, odd = _hyperbolic(x)
    y = (up - down) * even + (up + down) * odd
    return with_sign(itself_if_tiny(abs(x), y + y, 2.0**-30), sign_of(x))


def cosh(x: Value) -> Value:
    """Cosh(n ln 2) cosh r + sinh(n ln 2) sinh r, halved until the end."""
    up, down, even, odd = _hyperbolic(x)
    y = (up + down) * even + (up - down) * odd
    return y + y


def tanh(x: Value) -> Value:
    """T + s over 1 + T s, T and s the hyperbolic tangents of n ln 2 / 2 and of the rest of |x|."""
    a = at_most(abs(x), 19.5)
    h, low_bits = reduced_once(a, 2.0)
    square = h * h
    s = (h * square) * horner(square, half_tanh_fit(_BITS).numerator) + h
    u = power_of_two(-low_bits, F64)
    less, more = 1.0 - u, u + 1.0
    return with_sign((more * s + less) / (less * s + more), sign_of(x))


def _log1p(down: Value, f: Value) -> Value:
    """Log(1 + f) - n ln 2 by the inverse hyperbolic tangent of f / (2 + f).

    Args:
        down: n in the exponent's place of an integer.
        f: of sqrt(1/2) - 1 to sqrt(2) - 1.
    """
    n = (down >> 52).to(F64)
    s = f / (f + 2.0)
    z = s * s
    rest = s * (f - z * estrin(z, full_atanh_fit(7).numerator))
    return (f - (n * LN2_LOW + rest)) - n * LN2_HIGH


def _log_of_sum(u: Value, lost: Value, doubled: Value | None = None) -> Value:
    """The logarithm of u + lost, of twice that where a condition holds."""
    exponent, m = split_bits(u)
    down = -exponent
    f = lost * (down + (1023 << 52)).max(0).floating(F64) + (m - 1.0)
    return _log1p(down if doubled is None else doubled.where(down - (1 << 52), down), f)


def log1p(x: Value) -> Value:
    """The logarithm of 1 + x = 2^-n (1 + f), f with what the sum lost."""
    y = with_sign(_log_of_sum(*any_sum(x.constant(1.0), x)), sign_of(x))
    y = (x < INF).where(y, x)
    return (x > -1.0).where(y, (x.equals(-1.0)).where(x.constant(-INF), NAN))


def asinh(x: Value) -> Value:
    """log(1 + w), w = |x| + x^2 / (1 + sqrt(1 + x^2)), and log(2 |x|) from 2^28 on."""
    a = abs(x)
    huge = a > _HUGE
    square = a * a
    w = square / ((square + 1.0).sqrt() + 1.0) + a
    u, lost = any_sum(x.constant(1.0), w)
    y = _log_of_sum(huge.where(a, u), huge.where(0.0, lost), huge)
    y = (a < INF).where(y, a)
    return itself_if_tiny(x, with_sign(y, sign_of(x)), 2.0**-30)


def acosh(x: Value) -> Value:
    """log(1 + w), w = d + sqrt(d (d + 2)), d = x - 1, and log(2 x) from 2^28 on."""
    huge = x > _HUGE
    d = x - 1.0
    w = (d * (d + 2.0)).sqrt() + d
    u, lost = any_sum(x.constant(1.0), w)
    y = _log_of_sum(huge.where(x, u), huge.where(0.0, lost), huge)
    return (x < INF).where(y, x)


@functools.cache
def _softplus_fit() -> Fit:
    """(2 atanh(s) / s - 2) / s^2 in s^2 up to 1/9."""
    return shortest(atanh_rest, 0, mp.mpf("0.11112"), _BITS, weight=lambda z: z + mp.mpf(2) ** -20)


def _log1p_of_exp(x: Value) -> Value:
    """log(1 + e^x) for x up to 0, by the inverse hyperbolic tangent of e^x / (2 + e^x)."""
    r, low, n = reduced(at_least(x, -709.0))
    e = exp_of_rest(r, low) * power_of_two(n, F64)
    s = e / (e + 2.0)
    z = s * s
    return e - s * (e - z * estrin(z, _softplus_fit().numerator))


def softplus(x: Value) -> Value:
    """max(x, 0) + log(1 + e^-|x|)."""
    return at_least(x, 0.0) + _log1p_of_exp(-abs(x))


def log_sigmoid(x: Value) -> Value:
    """min(x, -0) - log(1 + e^-|x|)."""
    return at_most(x, -0.0) - _log1p_of_exp(-abs(x))


@functools.cache
def _erfc_fit() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """e^(a^2) erfc(a) as a quotient of polynomials in a, of which both begin with 1.

    It is fitted times a + k in (a - k) / (a + k), which is one interval for all a.
    """
    k = mp.mpf(_CENTRE)
    scaled = functools.partial(scaled_erfc, k=k)
    ends = mp.mpf(-1), (ERFC_END - k) / (ERFC_END + k)
    powers = range(_DEGREE + 1)
    found = fit(scaled, *ends, powers, below=powers[1:], weight=lambda w: 1 / scaled(w))
    top = _expanded(found.numerator, k)
    bottom = _expanded((1.0, *found.denominator), k)
    bottom = [k * low + high for low, high in zip([*bottom, 0], [0, *bottom], strict=True)]
    bottom[0] = top[0]
    return tuple(tuple(float(c / top[0]) for c in terms) for terms in (top, bottom))


def _expanded(coefficients: Sequence[float], k: mp.mpf) -> list[mp.mpf]:
    """A polynomial in (a - k) / (a + k), times a power of a + k, as one in a."""
    degree = len(coefficients) - 1
    total = np.zeros(degree + 1, object)
    for power, coefficient in enumerate(coefficients):
        term = np.array([mp.mpf(coefficient)], object)
        for sign in [-1] * power + [1] * (degree - power):
            term = np.convolve(term, np.array([sign * k, mp.mpf(1)], object))
        total = total + term
    return list(total)


def erfc(x: Value) -> Value:
    """E^(-a^2) p(a) / q(a); of the square what is rounded counts."""
    a = at_most(abs(x), 27.0)
    first, rest = halves(a)
    square = first * first
    n, low_bits = rounded(square * (-1.0 / LN2))
    r = (n * -LN2_HIGH - square) + (n * -LN2_LOW - (a + first) * rest)
    power = r * horner(r, relative_expm1_fit(_BITS).numerator) + 1.0
    top, bottom = _erfc_fit()
    return below_one(x, power * (estrin(a, top) / estrin(a, bottom)), low_bits)


@functools.cache
def _near_fit() -> Fit:
    """`near_erf_inv` without a line apart."""
    middle = mp.mpf(NEAR_MIDDLE)
    return shortest(near_erf_inv, -middle, middle, 55.0, weight=lambda v: 1, least=12)


def erf_inv(x: Value) -> Value:
    """X times a polynomial of -log(1 - x^2), or s + p with s^2 = -log(1 - x) from erf(1) on."""
    a = abs(x)
    near, rest = a < NEAR, 1.0 - a
    exponent, m = split_bits(near.where(rest * (a + 1.0), rest))
    w = -_log1p(-exponent, m - 1.0)
    inner = a * estrin(w - NEAR_MIDDLE, _near_fit().numerator)
    s = w.sqrt()
    outer = s + estrin((s - 2.0) / (s + 2.0), far_erf_inv_fit(_BITS - 2).numerator)
    y = with_sign(near.where(inner, outer), sign_of(x))
    return (a < 1.0).where(y, (a.equals(1.0)).where(with_sign(x.constant(INF), sign_of(x)), NAN))


FORMS = {
    "expm1": expm1, "log1p": log1p, "sinh": sinh, "cosh": cosh, "tanh": tanh, "erfc": erfc,
    "erf_inv": erf_inv, "asinh": asinh, "acosh": acosh, "softplus": softplus,
    "log_sigmoid": log_sigmoid,
}  # fmt: skip
"""Forms by function."""
