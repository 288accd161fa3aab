"""Cube root in float32 alone: at most 1 ULP.

It counts on the contraction of a*b + c; the form with float64 does not.
"""

from collections.abc import Callable

import mpmath as mp
import numpy as np
from expression import Value, sign_of, with_sign
from single_parts import Constants, polynomial

from xla_evo_lowering.dtypes import F32

_SHORT = 12
"""Low bits that are 0 in the estimate of the inverse root, whose square is then exact."""
_SLOPE = float(np.float32(-(2.0**-_SHORT) / 3))
_START = 2.0**23 + 0x54A00000 / 2**_SHORT
"""With the bits of a number as v, _SLOPE v + _START has those of the estimate in its lowest ones.

It decides where in the octaves of the result the residual is large, and so how well a polynomial of
five terms rounds.
"""
_BINS = 64


def cbrt_in_parts(x: Value, over: Callable[[Value], Value]) -> Value:
    """The sum of h = x z^2, rounded, and h e ``over``(e), e = 1 - h z, for z near 1 / cbrt(x).

    A third of what h lost is lost of the result. At 0 and infinity e is 1 and -infinity, and the
    result is h. ``over`` is ((1 - e)^(-2/3) - 1) / e.
    """
    size = abs(x)
    z = ((size.signed().to(F32) * _SLOPE + _START).signed() << _SHORT).floating()
    square = z * z
    near = size * square
    e = 1.0 - near * z
    head = with_sign(near, sign_of(x))
    lost = x * square - head
    y = head + ((head * e) * over(e) + lost * (1 / 3))
    return (abs(e) < 0.5).where(y, head)


def cbrt(x: Value, c: Constants) -> Value:
    """With a polynomial."""
    return cbrt_in_parts(x, lambda e: polynomial(e, c["beyond"]))


def residuals() -> tuple[np.ndarray, np.ndarray]:
    """What 1 - x z^3 may be, and the largest significand of a result next to it."""
    bits = np.arange(0x3F800000, 0x41000000, 301, dtype=np.int64)
    line = (bits.astype(np.float32).astype(np.float64) * _SLOPE + _START).astype(np.float32)
    z = (line.view(np.int32) << _SHORT).view(np.float32).astype(np.float64)
    x = bits.astype(np.int32).view(np.float32).astype(np.float64)
    found = 1.0 - x * z**3
    edges = np.linspace(found.min(), found.max(), _BINS + 1)
    places = np.clip(np.digitize(found, edges) - 1, 0, _BINS - 1)
    largest = [np.cbrt(x[places == place]).max(initial=1.0) for place in range(_BINS)]
    return edges, np.asarray(largest)


def beyond_one(e: mp.mpf) -> mp.mpf:
    """((1 - e)^(-2/3) - 1) / e."""
    return ((1 - e) ** (-mp.mpf(2) / 3) - 1) / e if abs(e) > 1e-9 else mp.mpf(2) / 3
