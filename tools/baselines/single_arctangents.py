"""Arctangents in float32 alone: at most 1 ULP, from one quotient and one polynomial of it.

The result is a multiple of pi / 2 and atan t, |t| up to 1. What t joins the multiple with is h, so
that their sum is exact, and what the quotient has beyond h is a residual, which is exact by the
contraction of a*b + c. It counts by 1 / (1 + t^2), and whole where the sum is rounded: for atan a
factor between serves both, for atan2 the former does, whose t is small where the sum is rounded.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from expression import Value, estrin, sign_of, with_sign
from fit import Fit, fit, single
from octaves import at_least, at_most, by_pairs

_INF = math.inf
_HALF_PI = (float.fromhex("0x1.921fb6p+0"), float.fromhex("-0x1.777a5cp-25"))
"""Pi / 2 in two parts of float32; half of it has the halves of both."""
_LOST = _HALF_PI[1] / _HALF_PI[0]
"""What a multiple of pi / 2 in float32 lacks, relative to it."""
_SHARE = 0.65
"""The factor on a residual."""
_RECIPROCAL = 0x7EE00000
"""The same without a factor, or up to 1/8 less."""
_INFINITE = 0x7F800000
"""The bits of infinity, where numbers have their exponents."""
_CENTRE = 0.5
"""Of the polynomial's variable, so that its rounding shows half as much."""
_TERMS = 10


@functools.cache
def _beyond_fit(count: int) -> tuple[float, ...]:
    """Atan(t) / t - 1 in t^2 less the centre for |t| up to 1, relative to atan."""

    def beyond(u):
        z = u + mp.mpf(_CENTRE)
        t = mp.sqrt(abs(z))
        return mp.atan(t) / t - 1 if abs(z) > 1e-12 else -z / 3

    return single(
        beyond, -_CENTRE, 1.0001 - _CENTRE, count, weight=lambda u: 1 / (1 + beyond(u))
    )  # fmt: skip


def _polynomial(u: Value) -> Value:
    first, *others = _beyond_fit(_TERMS)
    return u * by_pairs(u, u * u, others) + first


def _joined(multiple: Value, t: Value) -> tuple[Value, Value]:
    """(multiple + t rounded, h), where h added to the multiple is exact."""
    total = (multiple + t).guard()
    return total, (total - multiple).guard()


def atan_in_parts(x: Value, beyond: Callable[[Value], Value]) -> Value:
    """Atan a, or pi / 2 + atan(-1 / a) where a is above 1.

    Args:
        x: the input.
        beyond: atan(t) / t - 1 of t^2 - 1/2.
    """
    a = at_most(abs(x), 2.0**100)
    far = a > 1.0
    t = far.where(-1.0 / a, a)
    multiple, lost = (far.where(t.constant(part), 0.0) for part in _HALF_PI)
    total, h = _joined(multiple, t)
    rest = (a * h + 1.0) * far.where(t * _SHARE, 0.0) + lost
    return with_sign(total + (beyond(t * t - _CENTRE) * t + rest), sign_of(x))


def atan(x: Value) -> Value:
    """With a polynomial of ten terms."""
    return atan_in_parts(x, _polynomial)


def atan2(y: Value, x: Value) -> Value:
    """A multiple of pi / 2 and t + t times a function of t^2, t the smaller over the larger."""
    above, beside = abs(y), abs(x)
    swapped, left = above > beside, x.signed() < 0
    larger, smaller = swapped.where(above, beside), swapped.where(beside, above)
    infinite = larger.equals(_INF)
    # A power of two that brings the larger from 2 to 4: no residual of a quotient that counts
    # vanishes, and no product with the quotient overflows.
    normal = at_least(larger, 2.0**-126)
    scale = (_INFINITE - (normal.signed() & _INFINITE)).floating()
    bottom = infinite.where(1.0, normal * scale)
    both = (smaller < _INF).where(0.0, at_most(smaller, 1.0))
    top = infinite.where(both, smaller * scale)
    top = (swapped ^ left).where(-top, top)
    t = top / bottom
    multiple = swapped.where(t.constant(_HALF_PI[0]), left.where(t.constant(2 * _HALF_PI[0]), 0.0))
    total, h = _joined(multiple, t)
    # Of the bottom times 1 + t^2.
    inverse = (_RECIPROCAL - (t * top + bottom).signed()).floating()
    rest = (top - h * bottom) * inverse + multiple * _LOST
    return with_sign(total + (_polynomial(t * t - _CENTRE) * t + rest), sign_of(y))


@functools.cache
def _arctangent_fit(count: int) -> Fit:
    """(atan(t) / t - 1) / t^2 in t^2 for |t| up to 1/2, relative to atan."""

    def quotient(z):
        t = mp.sqrt(z)
        return (mp.atan(t) / t - 1) / z if z > 1e-10 else mp.mpf(-1) / 3 + z / 5

    return fit(quotient, 0, 0.2501, range(count), weight=lambda z: z)


def _angle(base: Value, rest: Value, t: Value, residual: Value) -> Value:
    """Base + rest + atan(t + residual / (1 + t^2)) of a base that is 0 or above |t| <= 1/2."""
    z = t * t
    tail = z * (t * estrin(z, _arctangent_fit(6).numerator) - residual) + residual
    total = (base + t).guard()
    return total + (tail + (rest + (t - (total - base).guard())))


def _residual(top: Value, bottom: Value, t: Value, lost: Value | None = None) -> Value:
    """What the quotient t lacks of top / (bottom + lost), to three bits."""
    inverse = (_RECIPROCAL - bottom.signed()).floating()
    rest = top - t * bottom
    return (rest if lost is None else rest - t * lost) * inverse


def atan_folded(x: Value) -> Value:
    """Folds to (a - 1) / (a + 1) from 1/2 to 2, where pi / 4 is added, and to -1 / a beyond."""
    a = abs(x).min(2.0**100)
    far, middle = a > 2.0, a > 0.5
    one = a.constant(1.0)
    total = (a + 1.0).guard()
    near = middle.where(far.where(0.0, a - (total - 1.0)), 0.0)
    top = far.where(-one, middle.where(a - 1.0, a))
    bottom = far.where(a, middle.where(total, 1.0))
    t = top / bottom
    base, rest = (
        far.where(one.constant(part), middle.where(one.constant(part / 2), 0.0))
        for part in _HALF_PI
    )
    y = _angle(base, rest, t, _residual(top, bottom, t, near))
    return with_sign(y, sign_of(x))
