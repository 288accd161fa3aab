"""Error functions in float32 alone at the built-in's error: short forms, rounded as they come.

They count on the contraction of a*b + c. The forms of `single_errors` are within 1 ULP.
"""

import functools

import mpmath as mp
import numpy as np
from expression import Value, horner, sign_of, with_sign
from fit import fit, single
from octaves import HIGH, LOG2_E, LOW, at_most, by_pairs, quotient, shifted
from single_errors import short

Rational = tuple[tuple[float, ...], tuple[float, ...]]

_NEAR = 1.1
"""Erf is a P(a^2) up to here, and 1 - p(a)^8 beyond."""
_ERF_END = 3.95


@functools.cache
def _erf_near() -> tuple[float, ...]:
    """erf(a) / a in a^2."""

    def function(z):
        return mp.erf(mp.sqrt(z)) / mp.sqrt(z) if z > 1e-12 else 2 / mp.sqrt(mp.pi)

    return single(function, 0, _NEAR**2, 6, weight=lambda z: 1 / function(z))


@functools.cache
def _erf_far() -> tuple[float, ...]:
    """The eighth root of erfc(a), relative to erf(a)."""

    def root(a):
        return mp.erfc(a) ** (mp.mpf(1) / 8)

    return single(root, _NEAR, _ERF_END, 6, weight=lambda a: 8 * root(a) ** 7 / mp.erf(a))


def erf(x: Value) -> Value:
    """A P(a^2), or from 1.1 on 1 - p(a)^8: a root of erfc needs few terms."""
    a = at_most(abs(x), _ERF_END)
    square = a * a
    near = a * horner(square, _erf_near())
    second = by_pairs(a, square, _erf_far())
    second = second * second
    fourth = second * second
    return with_sign((a < _NEAR).where(near, 1.0 - fourth * fourth), sign_of(x))


def _rational(function, end: float, above: int, below: int) -> Rational:
    """Numerator and denominator of positive coefficients, which lose nothing as they are added."""
    value = function(mp.mpf(0))
    found = fit(
        function, 0, end, range(above + 1), below=range(1, below + 1), iterations=60, points=300
    )
    return (float(np.float32(value)), *found.numerator[1:]), (1.0, *found.denominator)


@functools.cache
def _erfcx() -> Rational:
    """e^(a^2) erfc(a)."""
    return _rational(lambda a: mp.exp(a * a) * mp.erfc(a), 9.35, 4, 4)


@functools.cache
def _gelu_tail() -> Rational:
    """e^(a^2 / 2) erfc(a / sqrt 2) / 2."""
    return _rational(lambda a: mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2, 13.25, 4, 4)


def _over_power(a: Value, half: bool, top: Value, below: tuple[float, ...]) -> Value:
    """Top e^(-a^2), or e^(-a^2 / 2), over a polynomial in a.

    a^2 is the square of twelve bits, which is exact, and a rest: (a - h)(a + h).
    """
    factor = 0.5 if half else 1.0
    high = short(a)
    scale, k = shifted(a * a, -factor * LOG2_E)
    r = (high * -factor) * high + k * -HIGH
    r = ((a - high) * (a + high)) * -factor + (k * -LOW + r)
    power = by_pairs(r, r * r, (1.0, 1.0, *quotient(5)))
    return ((top * power) / horner(a, below)) * scale


def erfc(x: Value) -> Value:
    """e^(-a^2) P(a) / Q(a), or 2 minus it."""
    above, below = _erfcx()
    a = at_most(abs(x), 9.35)
    tail = _over_power(a, False, horner(a, above), below)
    return (x < 0.0).where(2.0 - tail, tail)


def gelu(x: Value) -> Value:
    """max(x, 0) - |x| erfc(|x| / sqrt 2) / 2; nan at -inf, as JAX."""
    above, below = _gelu_tail()
    a = at_most(abs(x), 13.25)
    tail = _over_power(a, True, horner(a, above) * a, below)
    y = (x < 0.0).where(-0.0, x) - tail
    y = (a < 2.0**-40).where(x * 0.5, y)
    return (x < -14.5).where(x * 0.0, y)
