"""Logarithms of float64 in two parts, and log1p to less than 1 ULP."""

import functools
import math

import mpmath as mp
from cores import power_of_two, split_exponent
from expression import Value, horner_over_tree
from fit import Fit, shortest
from parts import FIT_BITS, Parts, any_sum, halves, ordered_sum
from wide_exponential import LN2_HIGH, LN2_LOW, itself_if_tiny

from xla_evo_lowering.dtypes import F64, I64, DType

INF, NAN = math.inf, math.nan


@functools.cache
def log_tail_fit() -> Fit:
    """(log(1 + f) - f + f^2 / 2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1]."""

    def value(f):
        with mp.workdps(70):
            rest = mp.log1p(f) - f + f * f / 2
            return rest / f**3 if abs(f) > 1e-12 else mp.mpf(1) / 3 - f / 4

    return shortest(
        value, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1, FIT_BITS,
        weight=lambda f: f * f + mp.mpf(2) ** -20, least=18,
    )  # fmt: skip


def log_parts(exponent: Value, f: Value) -> Parts:
    """(large, small) parts of exponent ln 2 + log(1 + f); f^2 / 2 belongs to the large one."""
    large, first = ordered_sum(exponent * LN2_HIGH, f)
    f_first, f_rest = halves(f)
    large, second = ordered_sum(large, (f_first * f_first) * -0.5)
    cube = (f * f) * (f * horner_over_tree(f, log_tail_fit().numerator, 1))
    tail = cube + (f + f_first) * f_rest * -0.5
    return large, (first + second + exponent * LN2_LOW) + tail


def log1p(x: Value, working: DType, bits: float) -> Value:
    """The logarithm of 1 + x in two parts; x itself is the fraction where the exponent is 0."""
    u, rest = any_sum(x.constant(1.0), x)
    e, m = split_exponent(u)
    inside = e.equals(0.0)
    down = power_of_two(-(e.to(I64).min(1000)), F64)
    f = inside.where(x, m - 1.0)
    lost = inside.where(0.0, rest * down)
    large, small = log_parts(e, f)
    # lost / (1 + f); it is a unit in the last place at most.
    y = large + (small + lost * ((1.0 - f) * (f * f + 1.0)))
    y = itself_if_tiny(x, y, 2.0**-54)
    y = (x < INF).where(y, x)
    return (x > -1.0).where(y, (x.equals(-1.0)).where(x.constant(-INF), NAN))
