"""The error functions: erfc and gelu by one quotient variable, erf, the inverse of erf."""

import functools
import math

import mpmath as mp
from cores import exp, log
from exponential import _nan_at_minus_infinity
from expression import Value, horner, sign_of, with_sign
from fit import Fit, fit, shortest

from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan
_CENTRE = 3.0


@functools.cache
def scaled_erfc_fit(bits: float, scale: float) -> Fit:
    """(a + k) e^(a^2) erfc(a) / scale in (a - k) / (a + k) (Shepherd and Laframboise 1981)."""

    def quotient(t):
        a = _CENTRE * (1 + t) / (1 - t)
        with mp.workdps(70):
            return mp.exp(a * a) * mp.erfc(a) * (a + _CENTRE) * scale

    return shortest(quotient, -1, (11.0 - _CENTRE) / (11.0 + _CENTRE), bits)


def erfc_parts(
    a: Value, minus_square: Value, bits: float, scale: float = 1.0
) -> tuple[Value, Value]:
    """Two factors of scale * erfc(a) for a in [0, 11], given -a^2; the second is e^(-a^2)."""
    inverse = 1.0 / (a + _CENTRE)
    t = (a - _CENTRE) * inverse
    first = inverse * horner(t, scaled_erfc_fit(bits, scale).numerator)
    # float64 reaches to e^-121, the least that is asked for.
    power = minus_square if a.dtype is F64 else minus_square.max(-88.0)
    return first, exp(power, bits)


def erfc(x: Value, working: DType, bits: float) -> Value:
    """E^(-a^2) times a polynomial in (a - 3) / (a + 3), or 2 minus it."""
    a = abs(x.to(working)).min(11.0)
    first, second = erfc_parts(a, -(a * a), bits)
    tail = first * second
    return (x < 0.0).where(2.0 - tail, tail).to(x.dtype)


def gelu(x: Value, working: DType, bits: float) -> Value:
    """X erfc(-x / sqrt 2) / 2; nan at -inf, as JAX."""
    wide = x.to(working)
    a = abs(wide).min(15.5)
    first, second = erfc_parts(a * math.sqrt(0.5), (a * a) * -0.5, bits, 0.5)
    left = (wide.max(-16.0) * first) * second
    y = (x <= 0.0).where(left, wide * (1.0 - first * second))
    y = y.to(x.dtype)
    if x.dtype is working:  # the half of a number near 2^-126 must not come out a hair less
        y = (abs(x) < 2.0**-20).where(x * 0.5, y)
    return _nan_at_minus_infinity(x, y)


def erf(x: Value, working: DType, bits: float) -> Value:
    """X times a polynomial in x^2, or 1 - erfc from 0.75 on."""
    a = abs(x.to(working)).min(6.0)
    square = a * a
    first, second = erfc_parts(a, -square, bits - 2)
    far = 1.0 - first * second
    near = shortest(
        lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) if z else 2 / mp.sqrt(mp.pi), 0, 0.5626, bits
    )
    y = (a < 0.75).where(a * horner(square, near.numerator), far)
    return with_sign(y.to(x.dtype), sign_of(x))


@functools.cache
def erf_inv_fit(count: int) -> Fit:
    """erf_inv(x) / x in w = -log(1 - x^2) up to the largest float32, after Giles 2012."""
    largest = -mp.log(mp.mpf(2) ** -23 * (1 - mp.mpf(2) ** -25))

    def quotient(w):
        if w == 0:
            return mp.sqrt(mp.pi) / 2
        x = mp.sqrt(-mp.expm1(-w))
        return CATALOGUE["erf_inv"].mp(x) / x

    return fit(quotient, 0, largest, range(count), below=range(1, count), points=200, iterations=80)


def erf_inv(x: Value, working: DType, bits: float) -> Value:
    """X times a rational function of log(1 - x^2)."""
    wide = x.to(working)
    w = -log(1.0 - wide * wide, bits)
    found = erf_inv_fit(7 if bits > 30 else 6 if bits > 19 else 5)
    quotient = horner(w, found.numerator) / horner(w, (1.0, *found.denominator))
    y = (wide * quotient).to(x.dtype)
    a = abs(x)
    return (a < 1.0).where(y, (a.equals(1.0)).where(with_sign(x.constant(INF), sign_of(x)), NAN))
