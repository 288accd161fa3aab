"""log |gamma| of float32 at 1 ULP, with a branch: negative inputs are marked as unlikely.

A positive input needs one logarithm of its own bits and two short polynomials: that of
(x - 1) (x - 2) (DLMF 5.7.3 around 2, divided by both zeros) up to 5/2, with the recurrence below
5/4 (DLMF 5.5.1), and Stirling's form from there on (DLMF 5.11.1). Negative ones take the
reciprocal of gamma or reflection, as in `gamma_one`. Sums are in float64, polynomials in float32.
"""

import functools
import math

import mpmath as mp
from cores import LN2, SQRT_HALF, split_bits
from expression import Value, horner
from fit import single
from gamma_one import factors, log_sine, reciprocal_fit, stirling_fit
from octaves import by_parity

from xla_evo_lowering.dtypes import BOOL, F32, F64

_FAR, _UP, _FIRST = 2.5, 1.25, -9.5
"""Stirling's form from the first on; x + 1 instead of x below the second; reflection below the
third, from which on no float32 number is next to a zero."""
_HALF_LOG = float(mp.log(2 * mp.pi) / 2) - 0.5
_AT_TWO = float(1 - mp.euler)


@functools.cache
def _rest_fit(count: int) -> tuple[float, ...]:
    """(lgamma(2 + t) / (t (t + 1)) - (1 - Euler's constant)) / t for t from -1 to 1/2."""

    def quotient(t):
        t = t if min(abs(t), abs(t + 1)) > 1e-12 else t + mp.mpf(10) ** -12
        return t, mp.loggamma(2 + t) / (t * (t + 1))

    def rest(t):
        with mp.workdps(50):
            t, value = quotient(mp.mpf(t))
            return (value - _AT_TWO) / t

    def weight(t):
        with mp.workdps(50):
            return abs(t) / quotient(mp.mpf(t))[1]

    return single(rest, -1, _FAR - 2, count, weight=weight)


@functools.cache
def _log_fit(count: int) -> tuple[float, ...]:
    """(log(1 + f) - f) / f^2, its error times f: the logarithm is relative to f next to 1."""

    def rest(f):
        return (mp.log1p(f) - f) / f**2 if abs(f) > 1e-9 else f / 3 - mp.mpf(1) / 2

    return single(rest, SQRT_HALF - 1, 2 * SQRT_HALF - 1, count, weight=abs)


def _by_parity_after_one(x: Value, coefficients: tuple[float, ...]) -> Value:
    """The last step of the nested form, whose rounding shows, over two chains of the rest."""
    return by_parity(x, coefficients[1:]) * x + coefficients[0]


def lgamma(x: Value) -> Value:
    """A L + W (C + T K) with a logarithm L of x, or of what stands for it."""
    is_negative = (x < 0.0).unlikely()
    size = is_negative.where(-x, x)
    nearest = x.nearest()
    f = x - nearest
    near = is_negative & (x > _FIRST)
    reflected = is_negative & (x <= _FIRST)
    wide, r = size.to(F64), f.to(F64)

    inside = abs(factors(x, x.to(F64), r, nearest) * by_parity(r, reciprocal_fit(10)))
    octaves, m = split_bits(size)
    near_octaves, near_m = split_bits(inside)
    d, near_d = m - 1.0, near_m - 1.0
    rest = _by_parity_after_one(near.where(near_d.to(F32), d), _log_fit(9)).to(F64)
    d = near.where(near_d, d.to(F64))
    # Both exponents as multiples of 2^23.
    octaves = near.where((near_octaves >> 29).to(F64), octaves.to(F64))

    is_far = near.where(x.constant(0, BOOL), size >= _FAR)
    is_up = near.where(x.constant(1, BOOL), size < _UP)
    less = is_far.where(wide.constant(-1.0), 0.0)
    logarithm = (rest * d + 1.0) * d + octaves.fma(LN2 * 2.0**-23, less)
    inverse = 1.0 / size
    t = is_up.where(size - 1.0, size - 2.0)
    stirling = horner(inverse * inverse, stirling_fit(3))
    k = is_far.where(stirling, _by_parity_after_one(t, _rest_fit(11))).to(F64)
    t = is_far.where(inverse, t).to(F64)

    near_factor = is_up.where(wide.constant(-1.0), 0.0)
    factor = is_far.where(wide + reflected.where(wide.constant(0.5), -0.5), near_factor)
    weight = is_far.where(wide.constant(1.0), near.where(wide.constant(0.0), (t + 1.0) * t))
    half_log = reflected.where(wide.constant(_HALF_LOG + 1.0), _HALF_LOG)
    y = weight * (k * t + is_far.where(half_log, _AT_TWO)) + logarithm * factor

    sine_octaves, sine = log_sine(f)
    sine = sine_octaves.to(F64).fma(LN2 * 2.0**-23, sine.to(F64))
    y = reflected.where(-(y + sine), y).to(F32)
    y = is_negative.where(f.equals(0.0), x < 2.0**-126).where(math.inf, y)
    return (abs(x) < math.inf).where(y, abs(x))
