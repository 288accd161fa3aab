"""Inverse hyperbolic sine and cosine in float32 alone: at most 1 ULP.

Far from 0, or from 1, the result is log(2 x) and a function of 1 / x^2, which is small beside it.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from cores import log1p_rest_fit
from expression import Value, horner, sign_of, with_sign
from fit import single
from octaves import by_pairs
from single_logarithms import LN2_HIGH, LN2_LOW, TWO_THIRDS, split

_INF = math.inf
_TINY = mp.mpf(10) ** -9
_SINE_FAR, _COSINE_FAR = 1.18, 2.0
"""Where the logarithms begin."""
_CENTRE = 0.75
"""Of the variable of the polynomial next to 0, so that its rounding shows less."""


@functools.cache
def _sine_near_fit(count: int) -> tuple[float, ...]:
    """(asinh(a) / a - 1) / a^2 in a^2 less the centre, relative to asinh(a) / a."""

    def over(z):
        a = mp.sqrt(abs(z))
        return mp.asinh(a) / a if z > _TINY else mp.mpf(1)

    def rest(v):
        z = v + mp.mpf(_CENTRE)
        return (over(z) - 1) / z if z > _TINY else z * 3 / 40 - mp.mpf(1) / 6

    def weight(v):
        z = v + mp.mpf(_CENTRE)
        return (abs(z) + _TINY) / over(z)

    return single(rest, -_CENTRE, _SINE_FAR**2 - _CENTRE, count, weight=weight)


@functools.cache
def _cosine_near_fit(count: int) -> tuple[float, ...]:
    """(acosh(1 + d)^2 - 2 d) / d^2, relative to the square."""

    def square(d):
        return mp.acosh(1 + d) ** 2

    def rest(d):
        return (square(d) - 2 * d) / d**2 if d > _TINY else d * 4 / 45 - mp.mpf(1) / 3

    return single(
        rest, 0, _COSINE_FAR - 1, count,
        weight=lambda d: d**2 / square(d) if d > _TINY else _TINY,
    )  # fmt: skip


@functools.cache
def _far_fit(sign: int, start: float, count: int) -> tuple[float, ...]:
    """Log((1 + sqrt(1 + sign u)) / 2) / u in u = 1 / x^2, relative to the function of x."""
    function = mp.asinh if sign > 0 else mp.acosh

    def over(u):
        small = sign * mp.mpf(1) / 4 - u * 3 / 32
        return mp.log((1 + mp.sqrt(1 + sign * u)) / 2) / u if u > _TINY else small

    return single(
        over, 0, start**-2, count,
        weight=lambda u: u / function(1 / mp.sqrt(u)) if u > _TINY else _TINY,
    )  # fmt: skip


def _by_pairs(x: Value, coefficients: tuple[float, ...]) -> Value:
    return by_pairs(x, x * x, coefficients)


def _log_of_twice(x: Value, more: Value) -> Value:
    """log(2 x) + more, where more is small."""
    k, f = split(x, TWO_THIRDS, 1)
    t = (f * f) * horner(f, log1p_rest_fit(-1 / 3, 1 / 3, 8)) + (k * LN2_LOW + more)
    return k * LN2_HIGH + (f + t)


def asinh_in_parts(x: Value, beyond: Callable[[Value], Value]) -> Value:
    """A and a times a function of a^2; above 1.18 log(2 a) and u times a polynomial in u = 1 / a^2.

    Args:
        x: the input.
        beyond: asinh(a) / a - 1 of a^2.
    """
    a = abs(x)
    z = a * a
    near = a * beyond(z) + a
    u = 1.0 / z
    far = _log_of_twice(a, u * _by_pairs(u, _far_fit(1, _SINE_FAR, 7)))
    y = (a > _SINE_FAR).where(far, near)
    y = (a < _INF).where(y, a)
    return with_sign(y, sign_of(x))


def asinh(x: Value) -> Value:
    """With nine terms next to 0."""
    return asinh_in_parts(x, lambda z: z * _by_pairs(z - _CENTRE, _sine_near_fit(9)))


def acosh_in_parts(x: Value, rest: Callable[[Value], Value]) -> Value:
    """The root of 2 d + d^2 times a function of d = x - 1; above 2 as asinh.

    The root halves what its square lost, and 2 d + ... is rounded once, by contraction.

    Args:
        x: the input.
        rest: (acosh(1 + d)^2 - 2 d) / d^2 of d.
    """
    d = x - 1.0
    near = ((d * d) * rest(d) + (d + d)).sqrt()
    u = 1.0 / (x * x)
    far = _log_of_twice(x, u * _by_pairs(u, _far_fit(-1, _COSINE_FAR, 5)))
    y = (x > _COSINE_FAR).where(far, near)
    return (x < _INF).where(y, x)


def acosh(x: Value) -> Value:
    """With six terms next to 1."""
    return acosh_in_parts(x, lambda d: _by_pairs(d, _cosine_near_fit(6)))
