"""Hyperbolic functions and expm1 in float32 alone: at most 1 ULP, or at most the built-in's.

They count on the contraction of a*b + c; the forms with float64 inside do not.
"""

import functools
from collections.abc import Callable

import mpmath as mp
import numpy as np
from expression import Value, horner, sign_of, with_sign
from fit import fit
from octaves import (
    LOG2_E,
    at_least,
    at_most,
    by_pairs,
    by_parity,
    octave,
    shifted,
)
from single_parts import Constants

_LEAST = 2.0**-60
"""Below it an odd function that is x next to 0 is x; halves of it are still normal numbers."""


def _twice(head: Value, last: Value) -> Value:
    """2 (head + last); the head, which is known first, is doubled before the sum."""
    return last * 2.0 + (head + head)


def expm1(x: Value) -> Value:
    """2^k (x - k HIGH) + (2^k - 1), exact, and the rest; halved, since there is no 2^128."""
    part = octave(at_least(at_most(x, 89.0), -25.0), shift=-1, terms=6)
    scale = part.scale
    less = (scale - 0.5).guard()
    linear = scale * part.first
    head = linear + less
    rest = ((less - head) + linear) + ((scale - less) - 0.5)
    return (abs(x) < _LEAST).where(x, _twice(head, scale * part.small + rest))


_COSH = (1 / 2, 1 / 24, 1 / 720)
"""(cosh r - 1) / r^2 in r^2."""
_SINH = (1 / 6, 1 / 120, 1 / 5040)
"""(sinh r - r) / r^3 in r^2."""


_SHIFT = -2
"""Of the exponent of e^x, which goes beyond 2^128."""


def _limited(size: Value) -> Value:
    return at_most(size, 89.45)


def sinh(x: Value) -> Value:
    """S cosh r + C sinh r, S and C of k log 2; the head is S + C (x - k HIGH) and what it lost."""
    size = abs(x)
    part = octave(_limited(size), shift=_SHIFT)
    up, first, r = part.scale, part.first, part.r
    inverse = 2 * (127 + _SHIFT) << 23
    down = (up.constant(inverse, up.signed().dtype) - up.signed()).max(0).floating()
    small, large = up - down, up + down
    square = r * r
    head = large * first + small
    # The size keeps the two products apart, which would not be contracted if they were one.
    rest = abs(large) * first + (small - head)
    odd = (large * (r * square)) * horner(square, _SINH) + (large * part.low + rest)
    y = _twice(head, (small * square) * horner(square, _COSH) + odd)
    return with_sign((size < _LEAST).where(size, y), sign_of(x))


def cosh(x: Value) -> Value:
    """Twice q, its rest and 1 / (16 q), q = e^|x| / 4.

    The quotient lacks what the rest would change of it: a quarter of a unit next to 0.
    """
    part = octave(_limited(abs(x)), shift=_SHIFT)
    e = part.first + part.small
    quarter = part.scale * e + part.scale
    rest = part.scale * part.small + (part.scale * part.first + (part.scale - quarter))
    return _twice(quarter, rest + 4.0**_SHIFT / quarter)


TANH_NEAR = 1.0
"""Up to here tanh is x - s x^3 / D(x^2), see `tanh_in_parts`."""


def tanh(x: Value, c: Constants) -> Value:
    """`tanh_in_parts` with a polynomial."""
    return tanh_in_parts(x, c, lambda square: horner(square, c["near"]))


def tanh_in_parts(x: Value, c: Constants, near: Callable[[Value], Value]) -> Value:
    """1 - s t / ((e^2x + 1) / 2) from 1 on, x - s x^3 / D(x^2) below it, with s t = 1.

    One quotient serves both parts. With s at 0.954 it comes to 1/4, and D to 4, only at 1, so that
    both round finely where the error is largest.
    """
    size = abs(x)
    limited = at_most(size, 9.02)
    factor = 2 * LOG2_E
    # The neighbouring constant keeps the two products apart, see `sinh`.
    scale, k = shifted(limited, float(np.nextafter(np.float32(factor), np.float32(9))), -1)
    r = limited * factor - k
    total = (scale * r) * by_pairs(r, r * r, c["far"]) + (scale + 0.5)
    square = limited * limited
    below = limited < TANH_NEAR
    share, inverse = c["share"]
    above, under = below.where(limited * square, inverse), below.where(near(square), total)
    return with_sign(below.where(limited, 1.0) - above / under * share, sign_of(x))


_END = 8.087974548339844
"""The quotient below is 1 here and may be above 1 beyond; tanh is 1 less 3.2 units of 2^-24."""


@functools.cache
def _tanh_numerator() -> tuple[float, ...]:
    """Of tanh x / x as a quotient in x^2, with a denominator of degree 5 that is 1 at 0."""
    return fit(
        lambda z: mp.tanh(mp.sqrt(z)) / mp.sqrt(z) if z > 1e-12 else mp.mpf(1), 0, 8.2**2,
        range(4), below=range(1, 6), iterations=80, points=300,
    ).numerator  # fmt: skip


def tanh_fast(x: Value, denominator: Callable[[Value], Value]) -> Value:
    """One quotient in x^2 of the limited x; by even and odd powers, which rounds least.

    Both sides are 1 at 0, so that small x is exact and its square does not underflow before its
    time. The division is last: a product would be contracted into a sum that follows, and 1 + tanh
    of a large negative x is 0.
    """
    limited = at_least(at_most(x, _END), -_END)
    square = limited * limited
    return (by_parity(square, _tanh_numerator()) * limited) / denominator(square)
