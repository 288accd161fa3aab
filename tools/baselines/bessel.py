"""Exponentially scaled modified Bessel functions: one quotient of polynomials, two sets of them."""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from expression import Value, estrin, horner, selected, sign_of, with_sign
from fit import Fit, fit

from xla_evo_lowering.dtypes import F64, DType

INF = math.inf
_CUT = 5.0


_PARTS = 4.5
"""Where `in_parts` goes from one quotient to the other."""


@functools.cache
def near_fit(order: int, above: int, below: int, end: float = _CUT) -> Fit:
    """E^-a I_order(a) / a^order on [0, end], by so many terms above and below."""

    def value(a):
        scaled = mp.besseli(order, a) * mp.exp(-a)
        return scaled / a**order if a else mp.mpf(1) / 2**order

    return fit(value, 0, end, range(above), below=range(1, below), points=200)


@functools.cache
def far_fit(order: int, above: int, below: int, start: float = _CUT) -> Fit:
    """Sqrt(a) e^-a I_order(a) in 1 / a, from ``start`` on, by so many terms above and below."""

    def value(u):
        if u < 1e-12:
            return 1 / mp.sqrt(2 * mp.pi)
        return mp.besseli(order, 1 / u) * mp.exp(-1 / u) / mp.sqrt(u)

    return fit(value, 0, 1 / start, range(above), below=range(1, below), points=200)


def _bessel(x: Value, working: DType, bits: float, order: int, *, wide_root: bool = False) -> Value:
    a = abs(x.to(working))
    near = a < _CUT
    count = 7 if bits > 28 else 6 if bits > 22 else 5
    inner, outer = near_fit(order, count, count), far_fit(order, count, count)

    # Where float32 would overflow, the quotient has long been constant.
    variable = a.min(2.0**14) if x.dtype is working else a
    top = estrin(variable, selected(near, variable, inner.numerator, outer.numerator[::-1]))
    below = (1.0, *inner.denominator), (1.0, *outer.denominator)[::-1]
    bottom = estrin(variable, selected(near, variable, *below))
    root = a.sqrt() if wide_root else abs(x).sqrt()
    return _scaled(x, a, root, near, (top, bottom), order)


def _scaled(
    x: Value, a: Value, root: Value, near: Value, quotient: tuple[Value, Value], order: int
) -> Value:
    """A quotient over sqrt(a) where it is far; near 0 times a, if the function is odd."""
    top, bottom = quotient
    if a.dtype is F64:
        # sqrt(a) is (a + s^2) / (2 s) where s is near it: no float64 root, no further quotient.
        s = near.where(0.5, root).to(F64)
        y = (top * (s + s)) / (bottom * near.where(1.0, s * s + a))
    else:
        y = top / (bottom * near.where(1.0, a.sqrt()))
    if order:
        y = y * near.where(a, 1.0)
        if x.dtype is a.dtype:  # the half of a number near 2^-126 must not come out a hair less
            y = (a < 2.0**-20).where(a * 0.5, y)
    y = y.to(x.dtype)
    size = abs(x)
    y = (size.equals(INF)).where(0.0, y)
    return with_sign(y, sign_of(x)) if order else y


def i0e(x: Value, working: DType, bits: float) -> Value:
    """P(a) / Q(a), from 5 on divided by sqrt(a)."""
    return _bessel(x, working, bits, 0)


def i1e(x: Value, working: DType, bits: float) -> Value:
    """The same, times a below 5."""
    return _bessel(x, working, bits, 1)


def i1e_rooted(x: Value) -> Value:
    """I1e of a float32 with the root in float64."""
    return _bessel(x, F64, 33.0, 1, wide_root=True)


_ABOVE = (7, 6)
"""Terms of the numerator near 0, by order."""


def in_parts(x: Value, order: int, near: Callable[[Value], Value]) -> Value:
    """Float32 in float64 at 1 ULP: as `_bessel`, but ``near`` is the numerator below 4.5 alone.

    Over five terms there are seven (six of order 1), and four from 4.5 on, where the quotient is
    times sqrt(a), (a + s^2) / (2 s) as in `_scaled`. A numerator more takes no more operations
    than the choice between the coefficients of two.
    """
    size = abs(x)
    a, small = size.to(F64), size < _PARTS
    inner, outer = near_fit(order, _ABOVE[order], 5, _PARTS), far_fit(order, 4, 5, _PARTS)
    top = small.where(near(a), horner(a, outer.numerator[::-1]))
    below = (1.0, *inner.denominator), (1.0, *outer.denominator)[::-1]
    bottom = horner(a, selected(small, a, *below))
    s = small.where(0.0 if order else 0.5, size.sqrt()).to(F64)
    if order:
        y = (top * (s * s + a)) / (bottom * small.where(1.0, s + s))
    else:
        y = (top * small.where(1.0, s * s + a)) / (bottom * (s + s))
    y = (size.equals(INF)).where(0.0, y.to(x.dtype))
    return with_sign(y, sign_of(x)) if order else y


def _with_polynomial(order: int) -> Callable[[Value], Value]:
    return lambda x: in_parts(
        x, order, lambda a: horner(a, near_fit(order, _ABOVE[order], 5, _PARTS).numerator)
    )


i0e_one, i1e_one = _with_polynomial(0), _with_polynomial(1)
