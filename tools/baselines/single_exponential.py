"""exp in float32 alone: to 0.8 ULP, and with as few operations as the built-in's error allows."""

import functools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from expression import Value, horner
from fit import single
from octaves import HIGH, LOG2_E, LOW, by_pairs
from single_parts import MAGIC, MANTISSA, Constants

_LN2 = float(np.float32(math.log(2)))
_LEAST, _MOST = -87.33654, 88.72283
"""The ends of the normal numbers of e^x."""
_ERROR_ULP, _ROUNDINGS_ULP = 4.85, 0.62
"""What the whole and its last roundings may have."""


@functools.cache
def _terms() -> tuple[float, ...]:
    """(e^r - 1) / r, as near as the error of up to 128 times ln 2 leaves room for.

    That is of one size relative to e^r, most of all in ULP just under a power of two.
    """
    end = float(mp.log(2)) / 2 * 1.0005

    def weight(r):
        y = mp.exp(r)
        ulp = mp.mpf(2) ** (-24 if r < 0 else -23) / y
        room = (_ERROR_ULP - _ROUNDINGS_ULP) * ulp - 128 * abs(_LN2 - mp.log(2))
        return abs(r) / y / room

    return single(lambda r: mp.expm1(r) / r if r else mp.mpf(1), -end, end, 5, weight=weight)


def exp_fast(x: Value) -> Value:
    """2^n p(x - n ln 2) with ln 2 in one part, n added to the exponent of the polynomial."""
    total = x.fma(LOG2_E, MAGIC).guard()
    r = (total - MAGIC).fma(-_LN2, x)
    return _raised(x, total, horner(r, (1.0, *_terms())))


_LESS = 1.0 - 2.0**-24


def exp(x: Value, c: Constants) -> Value:
    """`exp_in_parts` with a polynomial."""
    return exp_in_parts(x, lambda r: by_pairs(r, r * r, c["tail"]))


def exp_in_parts(x: Value, tail: Callable[[Value], Value]) -> Value:
    """2^n (1 + (r + r^2 tail)) with the inner sum made less by 2^-24 of it.

    That sum is rounded to half a unit of the result or less. Without the factor every other result
    would be of a tie, which may go the way the sum was rounded; the polynomial makes up for it.
    """
    total = (x * LOG2_E + MAGIC).guard()
    k = total - MAGIC
    r = k * -LOW + (k * -HIGH + x)
    return _raised(x, total, ((r * r) * tail(r) + r) * _LESS + 1.0)


def _raised(x: Value, total: Value, y: Value) -> Value:
    """2^n times a number next to 1, n the lowest bits of a total, and the ends of e^x."""
    y = (y.signed() + (total.signed() << MANTISSA)).floating()
    y = (x <= _MOST).where(y, x + math.inf)
    return (x < _LEAST).where(0.0, y)
