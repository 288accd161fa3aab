"""Multiples of pi taken off any float32 number by two fused products in float64, without a branch.

An x of one of four ranges is an integer times a power of two, so that 1 / pi may lose the multiple
of another power of two that makes an even number of half turns of it (Payne and Hanek, SIGNUM
18(1), 1983). What is left of 1 / pi is two numbers of float64. X times the first is below 2^49: a
sum with 1.5 * 2^52 rounds it to an integer, and the product less the integer, fused, keeps all its
bits. These programs need the contraction of a*b + c; `turns` does without.
"""

import functools
from collections.abc import Callable

import mpmath as mp
from expression import Value, horner
from fit import fit
from trigonometric import flipped

from xla_evo_lowering.dtypes import F64

_MAGIC = 1.5 * 2.0**52
_LAST = 23
"""Places from the first bit of a float32 number to the last."""
_PLACES = (0, 27, 54, 79)
"""Of the powers of two: a range begins where the last bit of its numbers has that place.

They are where little more than half of a half turn is left, see `LARGEST`.
"""
LARGEST = 0.5222
"""The largest fraction: just below 2^50, where what is rounded is as wrong as 0.022."""
_TERMS, _TANGENT_TERMS = 5, 6
"""Of the polynomials in the square."""


@functools.cache
def _inverses() -> tuple[tuple[float, float], ...]:
    """1 / pi less the nearest multiple of 2^(1 - place), for each range, in two parts of one sign.

    The first is rounded towards zero: with parts of two signs the zero of -0 would lose its own.
    """
    found = []
    with mp.workprec(400):
        for place in _PLACES:
            scaled = mp.ldexp(1 / mp.pi, place)
            kept = mp.ldexp(scaled - 2 * mp.nint(scaled / 2), -place)
            high = mp.fsub(kept, 0, prec=F64.precision, rounding="d")
            found.append((float(high), float(kept - high)))
    return tuple(found)


def _chosen(x: Value) -> tuple[Value, Value]:
    """The parts of 1 / pi for a float32 number."""
    size = abs(x)
    parts = [(x.constant(high, F64), x.constant(low, F64)) for high, low in _inverses()]
    high, low = parts[0]
    for place, (next_high, next_low) in zip(_PLACES[1:], parts[1:], strict=True):
        beyond = size >= 2.0 ** (place + _LAST)
        high, low = beyond.where(next_high, high), beyond.where(next_low, low)
    return high, low


def _fraction(x: Value) -> tuple[Value, Value]:
    """X / pi less the nearest integer n, or one next to it, and n in the low bits of a number."""
    wide, low, head, total = _parts(x)
    return wide.fma(low, head), total.signed()


def _parts(x: Value) -> tuple[Value, Value, Value, Value]:
    """X, the second part of 1 / pi, the product with the first less n, and a number that ends in n.

    That product is not rounded.
    """
    high, low = _chosen(x)
    wide = x.to(F64)
    # What is rounded takes a sum that is `high`, or next to it, in its place: of one product that
    # is used twice neither use is fused.
    total = wide.fma(high + low, _MAGIC).guard()
    return wide, low, wide.fma(high, -(total - _MAGIC)), total


def _to_halves(wide: Value, low: Value, head: Value) -> tuple[Value, Value]:
    """1/2 less the fraction, and 1/2 more than it.

    Next to the zero of either its sum with the first part is exact, so that it is rounded once.
    """
    return wide.fma(-low, 0.5 - head), wide.fma(low, head + 0.5)


def from_multiple(x: Value) -> Value:
    """What is left of half turns for the sine: of zeros their own, of infinities nan."""
    return flipped(*_fraction(x))


def from_odd_multiple(x: Value) -> Value:
    """What is left of half turns for the cosine, counted from an odd quarter of a turn.

    The difference is exact. The fraction has a last bit of 2^-54 at most next to 1/2, where the
    cosine is small: float32 numbers come no nearer to a zero of it than 2^-31 of a half turn.
    """
    fraction, n = _fraction(x)
    return flipped(0.5 - abs(fraction), n)


def _sine(w: Value, end: float, terms: int = _TERMS) -> Value:
    """sin(pi w) for |w| up to an end."""
    found = fit(lambda z: mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z), 0, end**2, range(terms))
    return w * horner(w * w, found.numerator)


def sin(x: Value) -> Value:
    """Sine of what is left of half turns."""
    return _sine(from_multiple(x), LARGEST).to(x.dtype)


def cos(x: Value) -> Value:
    """The same from odd quarters of a turn."""
    return _sine(from_odd_multiple(x), 0.5).to(x.dtype)


def cos_near(x: Value) -> Value:
    """The same within 0.51 ULP: what is left next to a zero is rounded once, to its own bits."""
    wide, low, head, total = _parts(x)
    below, above = _to_halves(wide, low, head)
    w = flipped((below < above).where(below, above), total.signed())
    return _sine(w, 0.5, _TERMS + 1).to(x.dtype)


@functools.cache
def _tangent_fit(terms: int = _TANGENT_TERMS) -> tuple[float, ...]:
    """tan(pi f) (1/4 - f^2) / f in f^2: the pole at 1/2 is taken out, the next is at 3/2."""

    def without_pole(z):
        f = mp.sqrt(z)
        return mp.tan(mp.pi * f) / f * (mp.mpf(1) / 4 - z) if f else mp.pi / 4

    return fit(
        without_pole, 0, LARGEST**2, range(terms), weight=lambda z: 1 / without_pole(z)
    ).numerator


def tangent(x: Value, hole: Callable[[Value], Value]) -> Value:
    """Tangent of half turns as f hole(f^2) / (1/4 - f^2)."""
    f, _ = _fraction(x)
    z = f * f
    return ((f * hole(z)) / (0.25 - z)).to(x.dtype)


def tan(x: Value) -> Value:
    """`tangent` with a polynomial."""
    return tangent(x, lambda z: horner(z, _tangent_fit()))


def tan_near(x: Value) -> Value:
    """The same within 0.51 ULP: 1/4 - f^2 as the product of 1/2 - f and 1/2 + f."""
    wide, low, head, _ = _parts(x)
    f = wide.fma(low, head)
    below, above = _to_halves(wide, low, head)
    top = f * horner(f * f, _tangent_fit(_TANGENT_TERMS + 1))
    return (top / (below * above)).to(x.dtype)


def _tan_fused(x, hole, named):
    return tangent(x, lambda z: (named(z), hole)[1])


def _scaffold(reduction):
    def form(x, hole, named):
        named(reduction(x))
        return hole.to(x.dtype)

    return form


SCAFFOLD_FORMS = {
    "sin-fused": _scaffold(from_multiple),
    "cos-fused": _scaffold(from_odd_multiple),
    "tan-fused": _tan_fused,
}
