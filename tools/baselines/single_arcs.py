"""Arc cosine in float32 alone: at most 1 ULP.

It counts on the contraction of a*b + c; the form with float64 inside does not.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from expression import Value, horner, sign_of, with_sign
from fit import single
from octaves import rough_reciprocal

_PI = float(np.float32(math.pi))
_LOST = float(mp.pi / mp.mpf(_PI) - 1)
"""What a multiple of pi in float32 lacks, relative to it."""


@functools.cache
def _arcsine_fit(count: int) -> tuple[float, ...]:
    """(asin(s) / s - 1) / s^2 in s^2 for |s| up to 1/2, relative to asin."""

    def rest(z):
        s = mp.sqrt(z)
        return (mp.asin(s) / s - 1) / z if z > 1e-10 else mp.mpf(1) / 6 + z * 3 / 40

    return single(rest, 0, 0.2501, count, weight=lambda z: z)


def acos_in_parts(x: Value, beyond: Callable[[Value], Value]) -> Value:
    """A multiple of pi / 2 and asin of -x; above 1/2, twice that of the root of (1 - |x|) / 2.

    The multiple is 0 or at least three times as large as what is added to it, whose rounding shows
    little then. The root is corrected by its residual.
    """
    size = abs(x)
    far = size > 0.5
    multiple = far.where((x < 0.0).where(x.constant(_PI), 0.0), _PI / 2)
    square = far.where(0.5 - size * 0.5, x * x)
    root = square.sqrt()
    t = far.where(with_sign(root + root, sign_of(x)), -x)
    residual = far.where((square - root * root) * rough_reciprocal(t, 1), 0.0)
    return multiple + (t + ((beyond(square) * t + multiple * _LOST) + residual))


def acos(x: Value) -> Value:
    """With a polynomial of five terms."""
    return acos_in_parts(x, lambda z: z * horner(z, _arcsine_fit(5)))
