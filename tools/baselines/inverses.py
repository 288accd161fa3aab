"""Inverses without a division: an estimate by bits, and steps of Newton's method.

The bits of 1 / a are nearly a constant less those of a (Blinn 1997, "Floating-point tricks").
"""

from expression import Value

BITS = 0x7EF311C7
"""What the bits are taken from; with it a step from 2 leaves an error of one sign."""
EVEN = 2.00128
"""In place of 2 in that step it leaves half the error, of both signs."""


def short(value: Value, bits: int) -> Value:
    """The value with so many bits of its significand, towards zero."""
    return (value.signed() & -(1 << (24 - bits))).floating()


def inverse(a: Value, two: float = EVEN, bits: int = BITS) -> Value:
    """1 / a after one step, to 2^-8, or 2^-9 with `EVEN`."""
    y = (bits - a.signed()).floating()
    return y * (two - a * y)


def quotient(top: Value, bottom: Value, two: float = EVEN, bits: int = BITS) -> Value:
    """Top / bottom: `inverse` and a step of third order that takes in the product."""
    y = inverse(bottom, two, bits)
    e = 1.0 - bottom * y
    q = top * y
    return q + q * (e + e * e)
