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


@functools.cache
def _sine_fit() -> tuple[float, ...]:
    """sin(pi f) / f in f^2."""

    def odd(z):
        return mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z)

    return fit(odd, 0, LARGEST**2, range(_TERMS)).numerator


@functools.cache
def _cosine_fit(terms: int = _TERMS) -> tuple[float, ...]:
    """cos(pi f) / p in p = 1/4 - f^2: the zeros at 1/2 are taken out, the next are at 3/2."""

    def without_zero(p):
        return mp.cos(mp.pi * mp.sqrt(mp.mpf(1) / 4 - p)) / p if p else mp.pi

    return fit(
        without_zero, 0.25 - LARGEST**2, 0.25, range(terms), weight=lambda p: 1 / without_zero(p)
    ).numerator


@functools.cache
def _tangent_fit(terms: int = _TANGENT_TERMS) -> tuple[float, ...]:
    """tan(pi f) p / f in p = 1/4 - f^2: the pole at 1/2 is taken out, the next is at 3/2."""

    def without_pole(p):
        f = mp.sqrt(mp.mpf(1) / 4 - p)
        if not f:
            return mp.pi / 4
        return mp.tan(mp.pi * f) / f * p if p else 2 / mp.pi

    return fit(
        without_pole, 0.25 - LARGEST**2, 0.25, range(terms), weight=lambda p: 1 / without_pole(p)
    ).numerator


def sine(x: Value, hole: Callable[[Value], Value]) -> Value:
    """Sine of half turns as f hole(f^2): of zeros their own, of infinities nan."""
    f, n = _fraction(x)
    return (flipped(f, n) * hole(f * f)).to(x.dtype)


def cosine(x: Value, hole: Callable[[Value], Value]) -> Value:
    """Cosine of half turns as p hole(p), p = 1/4 - f^2.

    P is rounded once. The fraction has a last bit of 2^-54 at most next to 1/2, where the cosine
    is small: float32 numbers come no nearer to a zero of it than 2^-31 of a half turn.
    """
    f, n = _fraction(x)
    p = f.fma(-f, 0.25)
    return (flipped(p, n) * hole(p)).to(x.dtype)


def tangent(x: Value, hole: Callable[[Value], Value]) -> Value:
    """Tangent of half turns as f hole(p) / p."""
    f, _ = _fraction(x)
    p = f.fma(-f, 0.25)
    return ((f * hole(p)) / p).to(x.dtype)


def cosine_near(x: Value, hole: Callable[[Value], Value]) -> Value:
    """The same within 0.51 ULP: 1/4 - f^2 as the product of 1/2 - f and 1/2 + f.

    Next to a zero what is left is so rounded once, to its own bits.
    """
    wide, low, head, total = _parts(x)
    below, above = _to_halves(wide, low, head)
    p = below * above
    return (flipped(p, total.signed()) * hole(p)).to(x.dtype)


def tangent_near(x: Value, hole: Callable[[Value], Value]) -> Value:
    """The same within 0.51 ULP, with that product."""
    wide, low, head, _ = _parts(x)
    below, above = _to_halves(wide, low, head)
    p = below * above
    return ((wide.fma(low, head) * hole(p)) / p).to(x.dtype)


def sin(x: Value) -> Value:
    """`sine` with a polynomial."""
    return sine(x, lambda z: horner(z, _sine_fit()))


def cos(x: Value) -> Value:
    """`cosine` with a polynomial."""
    return cosine(x, lambda p: horner(p, _cosine_fit()))


def tan(x: Value) -> Value:
    """`tangent` with a polynomial."""
    return tangent(x, lambda p: horner(p, _tangent_fit()))


def cos_near(x: Value) -> Value:
    """`cosine_near` with a longer one."""
    return cosine_near(x, lambda p: horner(p, _cosine_fit(_TERMS + 1)))


def tan_near(x: Value) -> Value:
    """`tangent_near` with a longer one."""
    return tangent_near(x, lambda p: horner(p, _tangent_fit(_TANGENT_TERMS + 1)))


def _scaffold(form: Callable[[Value, Callable[[Value], Value]], Value]):
    def with_hole(x, hole, named):
        return form(x, lambda value: (named(value), hole)[1])

    return with_hole


SCAFFOLD_FORMS = {
    "sin-fused": _scaffold(sine),
    "cos-fused": _scaffold(cosine),
    "tan-fused": _scaffold(tangent),
    "cos-near": _scaffold(cosine_near),
    "tan-near": _scaffold(tangent_near),
}
