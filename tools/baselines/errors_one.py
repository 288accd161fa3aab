"""erfc, gelu and the inverse of erf with float64 inside, within 1 ULP: shorter than for 0.51.

The quotients have positive coefficients and need no variable of their own, and that of 2^y is one
with theirs; limits are applied in float32, where they are one instruction each.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from cores import SQRT_HALF, split_bits
from errors import erf_inv_fit
from expression import Value, horner
from fit import Fit, fit, single
from octaves import LOG2_E, at_most, by_pairs
from quotients import Even, even_part, exp2

from xla_evo_lowering.dtypes import F32, F64

_MANTISSA = 23


def _quotient_fit(function, end: float) -> Fit:
    return fit(function, 0, end, range(5), below=range(1, 6), iterations=60, points=300)


@functools.cache
def erfcx_fit() -> Fit:
    """e^(a^2) erfc(a)."""
    return _quotient_fit(lambda a: mp.exp(a * a) * mp.erfc(a), 9.35)


@functools.cache
def gelu_tail_fit() -> Fit:
    """e^(a^2 / 2) erfc(a / sqrt 2) / 2."""
    return _quotient_fit(lambda a: mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2, 13.3)


def erfc(x: Value, even: Even = even_part) -> Value:
    """e^(-a^2) P(a) / Q(a), or 2 minus it."""
    a = at_most(abs(x), 9.35).to(F64)
    found, power = erfcx_fit(), exp2(a * a, -LOG2_E, even)
    top = (horner(a, found.numerator) * power.scale) * power.up
    tail = top / (horner(a, (1.0, *found.denominator)) * power.down)
    return (x < 0.0).where(2.0 - tail, tail).to(F32)


def gelu(x: Value, even: Even = even_part) -> Value:
    """max(x, 0) - |x| erfc(|x| / sqrt 2) / 2; nan at -inf, as JAX."""
    a = at_most(abs(x), 13.3).to(F64)
    found, power = gelu_tail_fit(), exp2(a * a, -LOG2_E / 2, even)
    top = ((horner(a, found.numerator) * a) * power.scale) * power.up
    tail = top / (horner(a, (1.0, *found.denominator)) * power.down)
    positive = (x < 0.0).where(x.constant(-0.0), x)
    y = (positive.to(F64) - tail).to(F32)
    return (x < -14.5).where(x * 0.0, y)


@functools.cache
def _log2_fit(count: int) -> tuple[float, ...]:
    """log2(1 + f) / f of float32 for 1 + f between sqrt(1/2) and sqrt(2), its error times f."""

    def over(f):
        return mp.log(1 + f, 2) / f if abs(f) > 1e-9 else (1 - f / 2) / mp.log(2)

    return single(
        over, SQRT_HALF - 1, 2 * SQRT_HALF - 1, count, weight=lambda f: abs(f) + mp.mpf(2) ** -12
    )


def erf_inv_in_parts(x: Value, over: Callable[[Value], Value]) -> Value:
    """X times a rational function of w = log2(1 - x^2), in float64 with a fraction of float32.

    An error of w is less than a fifth as large in the result, relative to it. 1 - x^2 is rounded
    once, by contraction.

    Args:
        x: the input.
        over: log2(1 + f) / f.
    """
    wide, p = x.to(F64), 1.0 - x * x
    exponent, m = split_bits(p)
    f = m - 1.0
    w = (exponent >> _MANTISSA).to(F64) + (f * over(f)).to(F64)
    found = erf_inv_fit(6)
    top, bottom = (
        [c * (-math.log(2)) ** j for j, c in enumerate(part)]
        for part in (found.numerator, (1.0, *found.denominator))
    )
    y = (wide * (horner(w, top) / horner(w, bottom))).to(F32)
    return (p > 0.0).where(y, (p.equals(0.0)).where(x * math.inf, math.nan))


def erf_inv(x: Value) -> Value:
    """With a polynomial of eight terms by pairs."""
    return erf_inv_in_parts(x, lambda f: by_pairs(f, f * f, _log2_fit(8)))
