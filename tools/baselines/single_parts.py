"""What forms in float32 alone share: polynomials by parts, powers of two.

A result is a sum of a large exact part and a small one that carries the roundings. The forms count
on the contraction of a*b + c; those with float64 inside do not. They take their constants as data
(`single.json`): those of `single_fits`, moved by units in the last place (`single_climb`).
"""

import math
from collections.abc import Mapping, Sequence

from expression import Value

INF, NAN = math.inf, math.nan
ONE = 0x3F800000
MANTISSA = 23
MAGIC = 1.5 * 2.0**23

Constant = Value | float
Constants = Mapping[str, Sequence[Constant]]


def polynomial(x: Value, coefficients: Sequence[Constant]) -> Value:
    """Nested form, lowest coefficient first."""
    total = coefficients[-1]
    total = total if isinstance(total, Value) else x.constant(total)
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def even_odd(x: Value, coefficients: Sequence[Constant]) -> Value:
    """The same by its even and odd parts: half the latency for one product more."""
    if len(coefficients) < 4:
        return polynomial(x, coefficients)
    square = x * x
    odd, even = polynomial(square, coefficients[1::2]), polynomial(square, coefficients[0::2])
    return odd * x + even


def nested_even_odd(x: Value, coefficients: Sequence[Constant]) -> Value:
    """The same, with the lowest coefficient, whose rounding shows most, added last."""
    return even_odd(x, coefficients[1:]) * x + coefficients[0]


def at_most(x: Value, bound: float) -> Value:
    """The smaller; nan stays. A selection by a comparison is one instruction, ``min`` is three."""
    return (x > bound).where(bound, x)


def scaled(x: Value, exponent: Value) -> Value:
    """X * 2^n by its bits, for an n already moved to the place of the exponent."""
    return (x.signed() + exponent).floating()


def power_of_two(exponent: Value) -> Value:
    """2^n, for an n already moved to the place of the exponent."""
    return (exponent + ONE).floating()
