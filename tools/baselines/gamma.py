"""log |gamma| and digamma in float64, for float32 results also next to every zero.

lgamma waits for results as much as for units: logarithms and quotient go side by side, each with a
division of its own, and the polynomials of the longest chain are trees.

Arguments below 1/2 are reflected (DLMF 5.5.3-4). From 5/2 on Stirling's form is used, whose rest
is a rational function of y^2 and needs no shift; what cancels at the zeros between the negative
integers is kept to the last bits of float64.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from cores import full_log_parts, full_logs
from expression import Value, estrin, horner, selected
from fit import Fit, fit
from wide_exponential import LN2_HIGH, LN2_LOW

from xla_evo_lowering.dtypes import F32, F64, DType

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


@functools.cache
def log_sine_fit(count: int) -> Fit:
    """Log(sin(pi f) / (pi f)) / f^2 in f^2 for |f| up to 1/2, relative to 1 / f^2."""

    def quotient(z):
        f = mp.sqrt(z)
        return mp.log(mp.sin(mp.pi * f) / (mp.pi * f)) / z if z > 1e-20 else -(mp.pi**2) / 6

    return fit(quotient, 0, 0.25, range(count), weight=lambda z: z)


def _mirrored(x: Value) -> tuple[Value, Value, Value, Value]:
    """(x < 1/2, whether y is below 5/2, y = 1 - x or x in float64, x less the nearest integer)."""
    single = x.to(F32)
    reflected = single < 0.5
    near = (single < _FAR) & (single > 1.0 - _FAR)
    wide = x.to(F64)
    limited = single.max(-(2.0**23))
    return reflected, near, reflected.where(1.0 - wide, wide), limited - limited.nearest()


def lgamma(x: Value, working: DType, bits: float) -> Value:
    """Two logarithms, one quotient of polynomials with selected coefficients.

    Log |sin(pi x) / pi| is the logarithm of the distance f to the nearest integer, an exact float32
    number, and a polynomial in f^2.
    """
    reflected, near, y, f = _mirrored(x)
    count = 6 if bits > 28 else 5
    capped = y.min(_HUGE)
    variable = near.where(y, capped * capped)
    inner = near_fit(count)
    top_far, bottom_far = _reversed(stirling_fit(count))
    bottom_near = (1.0, *inner.denominator)
    top = estrin(variable, selected(near, variable, inner.numerator, top_far))
    bottom = estrin(variable, selected(near, variable, bottom_near, bottom_far))
    quotient = top / (bottom * near.where(y.constant(1.0), capped))
    log_f, log_y = full_logs(abs(f), y)
    z = f.to(F64) * f.to(F64)
    log_sine = z * horner(z, log_sine_fit(13 if bits > 28 else 12).numerator) + log_f
    half_log = float(mp.log(2 * mp.pi) / 2 - mp.mpf(1) / 2)
    far = (y - 0.5) * (log_y - 1.0) + (quotient + half_log)
    g = near.where((y * (y - 3.0) + 2.0) * quotient, far)
    value = reflected.where(-log_sine - g, g).to(x.dtype)
    value = (reflected & f.equals(0.0)).where(INF, value)
    return (abs(x) < INF).where(value, abs(x))


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
    """Log y - 1 / (2 y) - D / y^2 from 5/2 on, two steps of the recurrence before it.

    The quotients go off the logarithm's large part first: at -66.795906 the result is -6.7e-9, a
    sum of numbers near 4.
    """
    reflected, near, y, f = _mirrored(x)
    # digamma(y) = digamma(y + 2) - (2 y + 1) / (y (y + 1))
    base = y + near.where(y.constant(2.0), 0.0)
    capped = base.min(_HUGE)
    square = capped * capped
    top, bottom = _reversed(digamma_fit(5))
    below = horner(square, bottom)
    # 1/(2Y) + D/Y^2
    tail_top = (capped * 0.5) * below + horner(square, top)
    tail_bottom = square * below
    step_top = near.where(y + y + 1.0, 0.0)
    step_bottom = near.where(y * (y + 1.0), 1.0)
    cot = cotangent_fit(6)
    wide = f.to(F64)
    z = wide * wide
    mirror_top = reflected.where(horner(z, cot.numerator), 0.0)
    mirror_bottom = reflected.where(wide * horner(z, (1.0, *cot.denominator)), 1.0)
    # The sum of the three quotients, with one division.
    side_top = step_top * mirror_bottom + mirror_top * step_bottom
    side_bottom = step_bottom * mirror_bottom
    quotient = (tail_top * side_bottom + side_top * tail_bottom) / (tail_bottom * side_bottom)
    exponent, rest = full_log_parts(base)
    value = (exponent * LN2_HIGH - quotient).guard() + (rest + exponent * LN2_LOW)
    value = value.to(x.dtype)
    value = (reflected & f.equals(0.0)).where(NAN, value)
    value = (x.equals(0.0)).where(-INF, value)
    return (x < INF).where(value, x)
