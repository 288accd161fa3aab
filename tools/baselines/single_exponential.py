"""exp in float32 with as few operations as the built-in's error leaves room for."""

import functools
import math

import mpmath as mp
import numpy as np
from expression import Value, horner
from fit import single
from octaves import LOG2_E

_MAGIC = 1.5 * 2.0**23
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
    total = x.fma(LOG2_E, _MAGIC).guard()
    r = (total - _MAGIC).fma(-_LN2, x)
    y = horner(r, (1.0, *_terms()))
    y = (y.signed() + (total.signed() << 23)).floating()
    y = (x <= _MOST).where(y, x + math.inf)
    return (x < _LEAST).where(0.0, y)
