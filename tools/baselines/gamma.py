"""log |gamma| and digamma in float64, for float32 results also next to every zero.

Arguments below 1/2 are reflected (DLMF 5.5.3-4). From 5/2 on Stirling's form is used, whose rest
is a rational function of y^2 and needs no shift; what cancels at the zeros between the negative
integers is kept to the last bits of float64.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from cores import full_log_and_quotient, full_logs_and_quotient, rounded
from expression import Value, horner, selected_horner
from fit import Fit, fit
from trigonometric import sine_of_half_turns

from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan
_FAR = 2.5
_HUGE = 1e15


def _reversed(found: Fit) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Numerator and denominator of the same quotient in the inverse of its variable."""
    return found.numerator[::-1], (1.0, *found.denominator)[::-1]


def _rest_fit(rest: Callable, series: Callable, weight: Callable, count: int) -> Fit:
    """``rest`` of y in 1 / y^2 from 5/2 on, by its series where it cancels."""

    def value(z):
        if z < 1e-6:
            return series(z)
        y = 1 / mp.sqrt(z)
        with mp.workdps(60):
            return rest(y, z)

    return fit(
        value, 0, mp.mpf(_FAR) ** -2, range(count), below=range(1, count), points=200,
        weight=weight,
    )  # fmt: skip


@functools.cache
def stirling_fit(count: int) -> Fit:
    """Y (lgamma(y) - (y - 1/2) log y + y - log(2 pi) / 2) in 1 / y^2."""

    def rest(y, _):
        main = (y - mp.mpf(1) / 2) * mp.log(y) - y + mp.log(2 * mp.pi) / 2
        return (mp.loggamma(y) - main) * y

    return _rest_fit(
        rest, lambda z: mp.mpf(1) / 12 - z / 360 + z * z / 1260 - z**3 / 1680,
        lambda z: mp.sqrt(z) + mp.mpf(2) ** -20, count,
    )  # fmt: skip


@functools.cache
def near_fit(count: int) -> Fit:
    """Lgamma(y) / ((y - 1)(y - 2)) on [1/2, 5/2]."""

    def quotient(y):
        d = (y - 1) * (y - 2)
        return mp.loggamma(y) / d if abs(d) > 1e-12 else -mp.euler

    return fit(quotient, 0.5, _FAR, range(count), below=range(1, count), points=200)


def lgamma(x: Value, working: DType, bits: float) -> Value:
    """Two logarithms, one quotient of polynomials with selected coefficients, and a sine."""
    wide = x.to(F64)
    reflected = wide < 0.5
    y = reflected.where(1.0 - wide, wide)
    near = y < _FAR
    capped = y.min(_HUGE)
    variable = near.where(y, capped * capped)
    inner = near_fit(6)
    top_far, bottom_far = _reversed(stirling_fit(6))
    top_near, bottom_near = inner.numerator, (1.0, *inner.denominator)
    top = selected_horner(near, variable, top_near, top_far)
    bottom = selected_horner(near, variable, bottom_near, bottom_far)
    bottom = bottom * near.where(y.constant(1.0), capped)
    limited = wide.max(-(2.0**50))
    n, _ = rounded(limited)
    sine = abs(sine_of_half_turns(limited - n, 54.0)) * (1 / math.pi)
    log_y, log_sine, quotient = full_logs_and_quotient(y, sine, top, bottom)
    half_log = float(mp.log(2 * mp.pi) / 2 - mp.mpf(1) / 2)
    far = (y - 0.5) * (log_y - 1.0) + (quotient + half_log)
    g = near.where((y * (y - 3.0) + 2.0) * quotient, far)
    mirrored = -log_sine - g
    value = reflected.where(mirrored, g)
    value = (sine.equals(0.0)).where(reflected.where(INF, value), value)
    value = (abs(wide) < INF).where(value, abs(wide))
    return value.to(x.dtype)


@functools.cache
def digamma_fit(count: int) -> Fit:
    """Y^2 (log y - 1 / (2 y) - digamma(y)) in 1 / y^2."""
    return _rest_fit(
        lambda y, z: (mp.log(y) - 1 / (2 * y) - mp.digamma(y)) / z,
        lambda z: mp.mpf(1) / 12 - z / 120 + z * z / 252 - z**3 / 240,
        lambda z: z + mp.mpf(2) ** -20, count,
    )  # fmt: skip


@functools.cache
def cotangent_fit(count: int) -> Fit:
    """Pi f cot(pi f) in f^2 for |f| up to 1/2."""

    def quotient(z):
        f = mp.sqrt(z)
        return mp.pi * f * mp.cot(mp.pi * f) if f else mp.mpf(1)

    return fit(
        quotient, 0, 0.25, range(count), below=range(1, count), points=200, weight=lambda z: 1
    )


def digamma(x: Value, working: DType, bits: float) -> Value:
    """Log y - 1 / (2 y) - D / y^2 from 5/2 on, two steps of the recurrence before it."""
    wide = x.to(F64)
    reflected = wide < 0.5
    y = reflected.where(1.0 - wide, wide)
    near = y < _FAR
    # digamma(y) = digamma(y + 2) - (2 y + 1) / (y (y + 1))
    base = near.where(y + 2.0, y)
    capped = base.min(_HUGE)
    square = capped * capped
    top, bottom = _reversed(digamma_fit(5))
    # 1/(2Y) + D/Y^2
    tail_top = (capped * horner(square, bottom)) * 0.5 + horner(square, top)
    tail_bottom = square * horner(square, bottom)
    step_top = near.where(y + y + 1.0, 0.0)
    step_bottom = near.where(y * (y + 1.0), 1.0)
    cot = cotangent_fit(5)
    limited = wide.max(-(2.0**50))
    n, _ = rounded(limited)
    f = limited - n
    z = f * f
    mirror_top = reflected.where(horner(z, cot.numerator), 0.0)
    mirror_bottom = reflected.where(f * horner(z, (1.0, *cot.denominator)), 1.0)
    # The sum of the three quotients, with one division.
    two_top = tail_top * step_bottom + step_top * tail_bottom
    two_bottom = tail_bottom * step_bottom
    top = two_top * mirror_bottom + mirror_top * two_bottom
    log, quotient = full_log_and_quotient(base, top, two_bottom * mirror_bottom)
    value = log - quotient
    value = (f.equals(0.0)).where(reflected.where(NAN, value), value)
    value = (wide.equals(0.0)).where(-INF, value)
    value = (wide < INF).where(value, wide)
    return (wide > -INF).where(value, NAN).to(x.dtype)
