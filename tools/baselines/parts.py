"""Sums and products in two parts for float64 forms, exact under contraction or without.

XLA contracts what it likes, so products that must be exact are made of halves of 26 bits (Dekker
1971, without his reliance on the order of operations); sums keep their roundings by guards (Knuth,
TAOCP 2, 4.2.2). Those named so count on contraction and are shorter (Ogita, Rump, Oishi 2005).
"""

import mpmath as mp
from expression import Value

from xla_evo_lowering.dtypes import F64

Parts = tuple[Value, Value]
"""A number as (large, small) parts."""

FIT_BITS = 60.0
_HALF_MASK = -(1 << 27)


def constant_parts(value, bits: int) -> tuple[float, float]:
    """A number as its first bits and the rest."""
    with mp.workprec(300):
        exact = mp.mpf(value) if not callable(value) else value()
        unit = mp.ldexp(1, int(mp.mag(exact)) - bits)
        high = mp.nint(exact / unit) * unit
        return float(high), float(exact - high)


def halves(x: Value) -> Parts:
    """(the first 26 bits, the rest), by masking."""
    high = (x.signed() & _HALF_MASK).floating(F64)
    return high, x - high


def ordered_sum(large: Value, small: Value) -> Parts:
    """(sum, its rounding error), where the first is 0 or at least as large as the second."""
    total = (large + small).guard()
    return total, small - (total - large).guard()


def any_sum(a: Value, b: Value) -> Parts:
    """(sum, its rounding error) for any two."""
    total = (a + b).guard()
    from_b = (total - a).guard()
    return total, (a - (total - from_b).guard()) + (b - from_b)


def contracted_product(a: Value, b: Value) -> Parts:
    """(product, its rounding error), where XLA contracts the second into a sum.

    The second is of doubled and halved factors, so that it is not taken for the first.
    """
    product = (a * b).guard()
    return product, (a + a) * (b * 0.5) - product


def contracted_sum(a: Value, b: Value | float, c: float) -> Parts:
    """(a b + c, its rounding error) under contraction; c has few bits: c less the sum is exact."""
    total = (a * b + c).guard()
    return total, (a + a) * (b * 0.5) + (c - total).guard()


def short_product(a: Parts, b: Parts) -> Parts:
    """(exact product of the first parts, the rest), of sums whose first parts have 26 bits."""
    return a[0] * b[0], a[0] * b[1] + a[1] * (b[0] + b[1])


def shortened(large: Value, small: Value) -> Parts:
    """The same sum with a first part of 26 bits."""
    total, error = ordered_sum(large, small)
    first, rest = halves(total)
    return first, rest + error


def short_reciprocal(d: Value, d_low: Value) -> Parts:
    """(first 26 bits, rest) of 1 / (d + d_low): the residual of 26 bits is exact."""
    inverse = 1.0 / d
    short, _ = halves(inverse)
    d_first, d_rest = halves(d)
    residual = ((1.0 - short * d_first) - short * d_rest) - short * d_low
    return short, residual * inverse


def quotient(top: Parts, bottom: Parts) -> Parts:
    """(large, small) parts of a quotient of two sums, with one division.

    The residual of the rounded quotient is exact by halves, so it needs no fused operation.
    """
    inverse = 1.0 / bottom[0]
    q = (top[0] * inverse).guard()
    q_high, q_low = halves(q)
    b_high, b_low = halves(bottom[0])
    rest = ((top[0] - q_high * b_high) - q_high * b_low) - q_low * bottom[0]
    return q, (rest + (top[1] - q * bottom[1])) * inverse
