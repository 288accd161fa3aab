"""erfc, gelu and the inverse of erf with float64 inside, within 1 ULP: shorter than for 0.51.

The quotients have positive coefficients and need no variable of their own, so that their division
waits for nothing; limits are applied in float32, where they are one instruction each.
"""

import functools

import mpmath as mp
from cores import exp
from errors import erf_inv as erf_inv_of
from expression import Value, horner
from fit import Fit, fit
from octaves import at_most

from xla_evo_lowering.dtypes import F32, F64

_BITS = 25.0


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


def _times_power(a: Value, power: Value, found: Fit) -> Value:
    """P(a) / Q(a) times a power."""
    top = horner(a, found.numerator) * power
    return top / horner(a, (1.0, *found.denominator))


def erfc(x: Value) -> Value:
    """e^(-a^2) P(a) / Q(a), or 2 minus it."""
    a = at_most(abs(x), 9.35).to(F64)
    tail = _times_power(a, exp(a * -a, _BITS), erfcx_fit())
    return (x < 0.0).where(2.0 - tail, tail).to(F32)


def gelu(x: Value) -> Value:
    """max(x, 0) - |x| erfc(|x| / sqrt 2) / 2; nan at -inf, as JAX."""
    a = at_most(abs(x), 13.3).to(F64)
    tail = _times_power(a, exp((a * a) * -0.5, _BITS) * a, gelu_tail_fit())
    positive = (x < 0.0).where(x.constant(-0.0), x)
    y = (positive.to(F64) - tail).to(F32)
    return (x < -14.5).where(x * 0.0, y)


def erf_inv(x: Value) -> Value:
    """The form for 0.51 ULP with shorter polynomials."""
    return erf_inv_of(x, F64, _BITS)
