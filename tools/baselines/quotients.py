"""Functions of 2^y as a quotient in float64, within 0.51 ULP: what is divided anyway.

y = n + r, and 2^r = (E + r) / (E - r), where E = r (2^r + 1) / (2^r - 1) is even: a polynomial of
degree 2 in r^2 in place of one of degree 6 in r (the form of Hart et al., Computer Approximations,
1968, and of fdlibm's exp). Limits are applied in float32, where they are one instruction each.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp
from cores import form
from expression import Value, horner
from fit import fit
from octaves import LOG2_E, at_least, at_most

from xla_evo_lowering.dtypes import F32, F64

_INF, _NAN = math.inf, math.nan
_NEARLY_ONE = 1 + 2.0**-30
"""On the factor that finds n: a product with two uses would be an instruction of its own."""
_GELU_LINEAR = 2 * mp.sqrt(2 / mp.pi) / mp.log(2)
"""Of the exponent of 2 in gelu by tanh; the cube has 0.044715 of it."""

Even = Callable[[Value], Value]


class Power(NamedTuple):
    """2^y as scale * up / down.

    Attributes:
        scale: 2^n.
        up: E + r.
        down: E - r, between 2.3 and 3.5.
    """

    scale: Value
    up: Value
    down: Value


@functools.cache
def even_fit(count: int) -> tuple[float, ...]:
    """E in r^2 for |r| up to 1/2, by what its error is in 2^r: to 2^-31 with three terms."""

    def even(z):
        r = mp.sqrt(z)
        return r * mp.coth(r * mp.log(2) / 2) if r else 2 / mp.log(2)

    def weight(z):
        r = mp.sqrt(z)
        return (2 * r + mp.mpf(2) ** -20) / (even(z) ** 2 - z)

    return fit(even, 0, 0.2501, range(count), weight=weight, points=200).numerator


def even_part(square: Value) -> Value:
    """E of r^2."""
    return horner(square, even_fit(3))


def longer_even_part(square: Value) -> Value:
    """E of r^2, near it where r is small too."""
    return horner(square, even_fit(4))


def exp2(x: Value, factor: float = 1.0, even: Even = even_part) -> Power:
    """2^(x factor) of float64, where it is a normal number; nan stays."""
    row = form(F64)
    magic = row.magic + row.bias
    shifted = (x * (factor * _NEARLY_ONE) + magic).guard()
    r = x * factor - (shifted - magic)
    e = even(r * r)
    return Power((shifted.signed() << row.mantissa).floating(), e + r, e - r)


def logistic(x: Value, even: Even = even_part) -> Value:
    """1 / (1 + 2^(-x log2 e))."""
    power = exp2(at_least(at_most(x, 40.0), -110.0).to(F64), -LOG2_E, even)
    return (power.down / (power.scale * power.up + power.down)).to(F32)


def silu(x: Value, even: Even = even_part) -> Value:
    """X / (1 + 2^(-x log2 e)); nan at -inf, as JAX."""
    power = exp2(at_most(x, 40.0).to(F64), -LOG2_E, even)
    y = (x.to(F64) * power.down) / (power.scale * power.up + power.down)
    return (x < -120.0).where(x - x, y.to(F32))


def gelu_tanh(x: Value, even: Even = even_part) -> Value:
    """X / (1 + 2^(-x (a + b x^2))); x above 6, nan at -inf, as JAX."""
    inside = at_least(at_most(x, 9.0), -11.5).to(F64)
    cubic = float(_GELU_LINEAR * mp.mpf("0.044715"))
    power = exp2(inside * ((inside * inside) * -cubic - float(_GELU_LINEAR)), even=even)
    y = ((inside * power.down) / (power.scale * power.up + power.down)).to(F32)
    return (x > -_INF).where((x > 6.0).where(x, y), _NAN)


def mish(x: Value, even: Even = even_part) -> Value:
    """X n / (n + 2) with n = e (e + 2), e = 2^(x log2 e); nan at -inf, as JAX."""
    limited = at_least(x, -104.0)
    power = exp2(at_most(limited, 44.0).to(F64), LOG2_E, even)
    top, bottom = power.scale * power.up, power.down
    n = top * (top + (bottom + bottom))
    y = ((limited.to(F64) * n) / (bottom * (bottom + bottom) + n)).to(F32)
    return (x > -_INF).where(y, x * 0.0)


def tanh(x: Value, even: Even = longer_even_part) -> Value:
    """(2^(2 x log2 e) - 1) / (2^(2 x log2 e) + 1); x where it is nearer."""
    power = exp2(at_least(at_most(x, 10.0), -10.0).to(F64), 2 * LOG2_E, even)
    top, bottom = power.scale * power.up - power.down, power.scale * power.up + power.down
    return (abs(x) < 2.0**-14).where(x, (top / bottom).to(F32))
