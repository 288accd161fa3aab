"""e^x in float32 as 2^k (1 + e), with what one rounding of e would lose.

x = k ln 2 + r, with ln 2 in two parts (Cody and Waite 1980): `first` = x - k HIGH is exact, k LOW
is far smaller, and r^2 p(r) is under 0.07. Their sum is e; a form that needs more than its rounding
adds them to what is left of the head of its own sum. Powers of two come from the low bits of the
magic number's sum, so a product with one is exact however the compiler contracts it.

Polynomials are by pairs (Estrin 1960): these loops wait for their results, not for the pipes.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import mpmath as mp
from expression import Value, horner
from fit import single

LOG2_E = 1.4426950408889634
HIGH = 0.693359375
LOW = float(mp.log(2) - mp.mpf(HIGH))
_MANTISSA, _BIAS = 23, 127
_MAGIC = 1.5 * 2.0**_MANTISSA
_HALF = math.log(2) / 2 * 1.001
_RECIPROCAL = 0x7EF311C7


@dataclass(frozen=True, slots=True)
class Octave:
    """Parts of e^x = 2^-shift scale (1 + r + tail), see `octave`.

    Attributes:
        scale: 2^(k + shift).
        first: x - k HIGH, exact.
        low: -k LOW.
        r: first + low, rounded.
        square: r^2.
        quotient: p(r) = (e^r - 1 - r) / r^2.
    """

    scale: Value
    first: Value
    low: Value
    r: Value
    square: Value
    quotient: Value

    @property
    def tail(self) -> Value:
        """e^r - 1 - r."""
        return self.square * self.quotient

    @property
    def small(self) -> Value:
        """e^r - 1 - first: what belongs to the exact part."""
        return self.square * self.quotient + self.low


def shifted(x: Value, factor: float, shift: int = 0) -> tuple[Value, Value]:
    """(2^(k + shift), k) of the integer k nearest to x times a factor."""
    magic = _MAGIC + _BIAS + shift
    total = (x * factor + magic).guard()
    return (total.signed() << _MANTISSA).floating(), total - magic


@functools.cache
def quotient(terms: int) -> tuple[float, ...]:
    """(e^r - 1 - r) / r^2, to 2^-28 of e^r with five terms, 2^-33 with six."""
    return single(
        lambda r: (mp.expm1(r) - r) / r**2 if r else mp.mpf(1) / 2, -_HALF, _HALF, terms,
        weight=lambda r: r * r + mp.mpf(2) ** -30, fixed={0: 0.5},
    )  # fmt: skip


def by_pairs(x: Value, square: Value, coefficients: Sequence[float]) -> Value:
    """A polynomial in x as one in its square, of pairs; lowest coefficient first."""
    pairs: list[Value | float] = [
        x * high + low for low, high in zip(coefficients[0::2], coefficients[1::2], strict=False)
    ]
    if len(coefficients) % 2:
        pairs.append(coefficients[-1])
    total = pairs[-1]
    for pair in pairs[-2::-1]:
        total = square * total + pair
    return total


def reduced(
    x: Value, *, shift: int = 0, negative: bool = False
) -> tuple[Value, Value, Value, Value]:
    """(scale, first, low, r) of x, or -x, see `Octave`; 2^(k + shift) is a normal number."""
    scale, k = shifted(x, -LOG2_E if negative else LOG2_E, shift)
    first = k * -HIGH - x if negative else k * -HIGH + x
    low = k * -LOW
    return scale, first, low, first + low


def octave(x: Value, *, shift: int = 0, negative: bool = False, terms: int = 5) -> Octave:
    """Reduces x, or -x, which lies where 2^(k + shift) is a normal number."""
    scale, first, low, r = reduced(x, shift=shift, negative=negative)
    square = r * r
    return Octave(scale, first, low, r, square, by_pairs(r, square, quotient(terms)))


def by_parity(x: Value, coefficients: Sequence[float]) -> Value:
    """A polynomial in x as x times one in x^2, and another; lowest coefficient first."""
    square = x * x
    return horner(square, coefficients[1::2]) * x + horner(square, coefficients[0::2])


def at_most(x: Value, bound: float) -> Value:
    """The smaller; nan stays. Compiles to one instruction, where ``min`` takes three."""
    return (x > bound).where(bound, x)


def at_least(x: Value, bound: float) -> Value:
    """The larger; nan stays."""
    return (x < bound).where(bound, x)


def one_plus(scale: Value, r: Value, tail: Value, one: float) -> tuple[Value, Value]:
    """One + scale (1 + r + tail): (rounded, what that lost).

    The larger of `one` and the scale is the head; both are powers of two, and the differences are
    exact.
    """
    total = scale * (r + tail) + (scale + one)
    rest = (at_least(scale, one) - total) + at_most(scale, one)
    return total, scale * tail + (scale * r + rest)


def one_plus_rounded(scale: Value, e: Value, one: float) -> tuple[Value, Value]:
    """One + scale (1 + e): (rounded, what that lost), for an e that is rounded before.

    The two differences are exact while the powers of two are within 2^24 of each other; beyond,
    they lose less than half a unit of the sum.
    """
    total = scale * e + (scale + one)
    return total, scale * e + ((scale - total) + one)


def rough_reciprocal(x: Value, exponent: int = 0) -> Value:
    """2^exponent / x to an eighth by its bits, for a term that needs no more."""
    return (_RECIPROCAL + (exponent << _MANTISSA) - x.signed()).floating()
