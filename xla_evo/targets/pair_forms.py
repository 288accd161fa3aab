"""References for float64: the nearest float64 number and what it lacks, in units of its last place.

A float64 reference says little of a float64 result, and mpmath would take days over 10^8 inputs.
These forms compute in double-double (106 bits) where a term reaches 2^-70 of the result and in
float64 elsewhere, so that they are within 2^-15 ULP of the exact value; the tests hold them against
mpmath. The rest is given in ULP because near 2^-1022 no float64 number could hold it.

Methods: table-driven exponential (Tang, ACM TOMS 15, 1989) with 64 steps an octave; logarithm and
inverse error function by one Newton step on a float64 value; error functions by Taylor's series
about the nearest of equally spaced centres, whose coefficients follow from the differential
equations f' = 2 x f - 2/sqrt(pi) of erfcx and f'' = -2 x f' of erf.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import special

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets.double_double import Pair
from xla_evo.targets.function import Array64
from xla_evo.targets.reliable import MPMATH, Mp

Table = NDArray[np.float64]
Settled = tuple[float, float]
"""(nearest float64 number or nearly, rest in ULP of it)."""

ERROR_ULP = 2.0**-15
"""Bound on the error of every form here, in float64 ULP."""

_STEPS = 64
_HALF_STEPS = _STEPS // 2
_EXACT_BITS = 35
_TINY = 2.0**-80
_TAYLOR = 16
_PAIRED = 4
_SPACING = 1.0 / 16.0
_ERFCX_END = 28.0
_ERF_END = 1.0


def _split_step() -> tuple[float, float]:
    """ln(2)/64 as a part of 35 bits and the rest."""
    exact = mp.log(2) / _STEPS
    unit = mp.ldexp(1, int(mp.mag(exact)) - _EXACT_BITS)
    first = mp.floor(exact / unit) * unit
    return float(first), float(exact - first)


def _erfcx_series(centre: Mp) -> list[Mp]:
    """Taylor coefficients of e^(x^2) erfc(x) about a point."""
    slope = 2 / mp.sqrt(mp.pi)
    terms = [mp.exp(centre * centre) * mp.erfc(centre)]
    terms.append(2 * centre * terms[0] - slope)
    for k in range(1, _TAYLOR - 1):
        terms.append((2 * centre * terms[k] + 2 * terms[k - 1]) / (k + 1))
    return terms


def _erf_series(centre: Mp) -> list[Mp]:
    """Taylor coefficients of erf about a point."""
    slopes = [2 / mp.sqrt(mp.pi) * mp.exp(-centre * centre)]
    slopes.append(-2 * centre * slopes[0])
    for k in range(1, _TAYLOR - 1):
        slopes.append((-2 * centre * slopes[k] - 2 * slopes[k - 1]) / (k + 1))
    return [mp.erf(centre), *(slope / (k + 1) for k, slope in enumerate(slopes[:-1]))]


def _series_table(series: Callable[[Mp], list[Mp]], end: float) -> Table:
    """Coefficients in double-double, shape (centres, terms, 2)."""
    with MPMATH, mp.workprec(400):
        centres = [mp.mpf(_SPACING) * k for k in range(int(end / _SPACING) + 2)]
        return np.asarray([dd.constant_pairs(series(centre)) for centre in centres])


@functools.cache
def _erfcx_table() -> tuple[Table]:
    """Made when first asked for: it takes a third of a second."""
    return (_series_table(_erfcx_series, _ERFCX_END),)


@functools.cache
def _both_tables() -> tuple[Table, Table]:
    return _erfcx_table()[0], _series_table(_erf_series, _ERF_END)


with mp.workprec(400):
    _STEP_HIGH, _STEP_LOW = _split_step()
    _POWERS = dd.constant_pairs(
        [mp.power(2, mp.mpf(j) / _STEPS) for j in range(-_HALF_STEPS, _HALF_STEPS)]
    )
    _EXP_TERMS = np.asarray([float(1 / mp.factorial(k)) for k in range(3, 10)])
    _HALF_ROOT_PI = dd.constant_pair(mp.sqrt(mp.pi) / 2)
    _PI_BY_TWELVE = float(mp.pi / 12)
_LN2_64 = (64.0 * dd.LN2[0], 64.0 * dd.LN2[1])
_LN2_BY_STEPS = math.log(2.0) / _STEPS


@njit_with(nogil=True, inline="always")
def settled(value: Pair, exponent: int) -> Settled:
    """The pair times 2^exponent, as a number and a rest in its ULP; the rest is 0 where it is 0."""
    high = value[0] + value[1]
    if high == 0.0 or not math.isfinite(high):
        return high, 0.0
    low = (value[0] - high) + value[1]
    rest = math.ldexp(low, 53 - math.frexp(high)[1])
    scaled = math.ldexp(high, exponent)
    if abs(scaled) < 2.0**-1022 or math.isinf(scaled):
        return scaled, 0.0
    return scaled, rest


@njit_with(nogil=True)
def _small_expm1(r: Pair) -> Pair:
    """E^r - 1 for |r| up to 0.0055."""
    tail = 0.0
    for k in range(len(_EXP_TERMS) - 1, -1, -1):
        tail = tail * r[0] + _EXP_TERMS[k]
    square = dd.multiply(r, r)
    tail *= square[0] * r[0]
    half = (0.5 * square[0], 0.5 * square[1])
    return dd.add(r, dd.add(half, (tail, 0.0)))


@njit_with(nogil=True)
def _assembled(m: int, p: Pair) -> tuple[Pair, int]:
    """2^(m/64) (1 + p) as (pair, exponent of two)."""
    j = ((m + _HALF_STEPS) & (_STEPS - 1)) - _HALF_STEPS
    power = _POWERS[j + _HALF_STEPS, 0], _POWERS[j + _HALF_STEPS, 1]
    return dd.add(power, dd.multiply(power, p)), (m - j) // _STEPS


@njit_with(nogil=True)
def _reduced(x: Pair) -> tuple[int, Pair]:
    """X = m ln(2)/64 + r, for |x| up to 1000."""
    m = np.rint(x[0] / _LN2_BY_STEPS)
    r = dd.two_sum(x[0], -m * _STEP_HIGH)
    r = dd.add(r, (x[1], 0.0))
    p, e = dd.two_product(-m, _STEP_LOW)
    return int(m), dd.add(r, (p, e))


@njit_with(nogil=True)
def exp_pair(x: Pair) -> tuple[Pair, int]:
    """E^x as (pair in [0.7, 1.5], exponent of two)."""
    m, r = _reduced(x)
    return _assembled(m, _small_expm1(r))


@njit_with(nogil=True)
def expm1_pair(x: float) -> tuple[Pair, int]:
    """E^x - 1 as (pair, exponent of two), to its own last bits next to 0."""
    m, r = _reduced((x, 0.0))
    p = _small_expm1(r)
    if m == 0:
        return p, 0
    value, exponent = _assembled(m, p)
    if exponent > 120:
        return value, exponent
    scale = math.ldexp(1.0, exponent)
    return dd.add((value[0] * scale, value[1] * scale), (-1.0, 0.0)), 0


@njit_with(nogil=True)
def exp2_at(x: float) -> Settled:
    """2^x."""
    if not x < 1025.0:
        return (x if math.isnan(x) else math.inf), 0.0
    if x < -1080.0:
        return 0.0, 0.0
    m = np.rint(x * _STEPS)
    p, e = dd.two_product(x - m / _STEPS, dd.LN2[0])
    r = dd.two_sum(p, e + (x - m / _STEPS) * dd.LN2[1])
    value, exponent = _assembled(int(m), _small_expm1(r))
    return settled(value, exponent)


@njit_with(nogil=True)
def expm1_at(x: float) -> Settled:
    """E^x - 1."""
    if abs(x) < _TINY or math.isnan(x):
        return x, 0.0
    if x > 710.0:
        return math.inf, 0.0
    if x < -800.0:
        return -1.0, 0.0
    value, exponent = expm1_pair(x)
    return settled(value, exponent)


@njit_with(nogil=True)
def _exp_and_inverse(a: float) -> tuple[Pair, Pair, int]:
    """E^a = p 2^k and e^-a = q 2^k."""
    value, exponent = exp_pair((a, 0.0))
    inverse = dd.divide((1.0, 0.0), value)
    factor = math.ldexp(1.0, max(-2 * exponent, -300))
    return value, (inverse[0] * factor, inverse[1] * factor), exponent


@njit_with(nogil=True)
def sinh_at(x: float) -> Settled:
    """(e^x - e^-x) / 2, from e^x - 1 below 1."""
    a = abs(x)
    if a < _TINY or math.isnan(x):
        return x, 0.0
    if a > 711.0:
        return math.copysign(math.inf, x), 0.0
    if a < 1.0:
        m, _ = expm1_pair(a)
        value = dd.add(m, dd.divide(m, dd.add(m, (1.0, 0.0))))
        exponent = -1
    else:
        p, q, exponent = _exp_and_inverse(a)
        value = dd.add(p, (-q[0], -q[1]))
        exponent -= 1
    high, rest = settled(value, exponent)
    return (high, rest) if x > 0.0 else (-high, -rest)


@njit_with(nogil=True)
def cosh_at(x: float) -> Settled:
    """(e^x + e^-x) / 2."""
    a = abs(x)
    if math.isnan(x):
        return x, 0.0
    if a > 711.0:
        return math.inf, 0.0
    p, q, exponent = _exp_and_inverse(a)
    return settled(dd.add(p, q), exponent - 1)


@njit_with(nogil=True)
def tanh_at(x: float) -> Settled:
    """(e^2x - 1) / (e^2x + 1)."""
    a = min(abs(x), 40.0)
    if a < _TINY or math.isnan(x):
        return x, 0.0
    m, _ = expm1_pair(2.0 * a)
    high, rest = settled(dd.divide(m, dd.add(m, (2.0, 0.0))), 0)
    return (high, rest) if x > 0.0 else (-high, -rest)


@njit_with(nogil=True)
def log_pair(a: Pair) -> Pair:
    """Log of a positive number from e^-700 to e^700."""
    y = math.log(a[0])
    value, exponent = exp_pair((y, 0.0))
    scale = math.ldexp(1.0, -exponent)
    rest = dd.add((a[0] * scale, a[1] * scale), (-value[0], -value[1]))
    d = dd.divide(rest, value)
    return dd.add((y, 0.0), (d[0], d[1] - 0.5 * d[0] * d[0]))


@njit_with(nogil=True)
def log1p_at(x: float) -> Settled:
    """log(1 + x)."""
    if abs(x) < _TINY or math.isnan(x) or x == math.inf:
        return x, 0.0
    if x <= -1.0:
        return (-math.inf if x == -1.0 else math.nan), 0.0
    if abs(x) < 0.5:
        y = math.log1p(x)
        m, _ = expm1_pair(y)
        rest = dd.add((x, 0.0), (-m[0], -m[1]))
        d = dd.divide(rest, dd.add(m, (1.0, 0.0)))
        value = dd.add((y, 0.0), (d[0], d[1] - 0.5 * d[0] * d[0]))
    elif x < 1e200:
        value = log_pair(dd.two_sum(1.0, x))
    else:
        value = dd.add(log_pair((x * 2.0**-64, 0.0)), _LN2_64)
    return settled(value, 0)


@njit_with(nogil=True)
def _taylor(table: Table, x: float) -> Pair:
    """The series about the nearest centre, its first terms in double-double."""
    place = int(np.rint(x / _SPACING))
    row, h = table[place], x - place * _SPACING
    tail = row[_TAYLOR - 1, 0]
    for k in range(_TAYLOR - 2, _PAIRED - 1, -1):
        tail = tail * h + row[k, 0]
    total = (tail, 0.0)
    for k in range(_PAIRED - 1, -1, -1):
        total = dd.add(dd.multiply(total, (h, 0.0)), (row[k, 0], row[k, 1]))
    return total


@njit_with(nogil=True)
def _erfc_positive(a: float, erfcx: Table) -> tuple[Pair, int]:
    """Erfc for a from 0 to 28, as (pair, exponent of two)."""
    scaled = _taylor(erfcx, a)
    square = dd.two_product(a, a)
    value, exponent = exp_pair((-square[0], -square[1]))
    return dd.multiply(value, scaled), exponent


@njit_with(nogil=True)
def erfc_at(x: float, erfcx: Table) -> Settled:
    """1 - erf(x)."""
    if math.isnan(x):
        return x, 0.0
    if x >= 0.0:
        if x > 27.5:
            return 0.0, 0.0
        value, exponent = _erfc_positive(x, erfcx)
        return settled(value, exponent)
    if x < -7.0:
        return 2.0, 0.0
    value, exponent = _erfc_positive(-x, erfcx)
    scale = math.ldexp(1.0, exponent)
    return settled(dd.add((2.0, 0.0), (-value[0] * scale, -value[1] * scale)), 0)


@njit_with(nogil=True)
def erf_at(x: float, erfcx: Table, erf: Table) -> Settled:
    """The error function, 1 - erfc(x) from 1 on."""
    a = abs(x)
    if not a > 0.0:
        return x, 0.0
    if a < 2.0**-30:
        fraction, exponent = math.frexp(a)
        value = dd.divide((fraction, 0.0), _HALF_ROOT_PI)
        value = dd.add(value, (-value[0] * (a * a / 3.0), 0.0))
        high, rest = settled(value, exponent)
    elif a < 1.0:
        high, rest = settled(_taylor(erf, a), 0)
    elif a < 7.0:
        value, exponent = _erfc_positive(a, erfcx)
        scale = math.ldexp(1.0, exponent)
        high, rest = settled(dd.add((1.0, 0.0), (-value[0] * scale, -value[1] * scale)), 0)
    else:
        high, rest = 1.0, 0.0
    return (high, rest) if x > 0.0 else (-high, -rest)


@njit_with(nogil=True)
def erf_inv_at(x: float, y: float, erfcx: Table, erf: Table) -> Settled:
    """The inverse of erf, given a float64 value of it."""
    a = abs(x)
    if not a < 1.0 or a == 0.0:
        return (x if math.isnan(x) or a == 0.0 else y), 0.0
    if a < 2.0**-30:
        fraction, exponent = math.frexp(a)
        value = dd.multiply((fraction, 0.0), _HALF_ROOT_PI)
        value = dd.add(value, (value[0] * (_PI_BY_TWELVE * a * a), 0.0))
        high, rest = settled(value, exponent)
    else:
        y = abs(y)
        slope = _HALF_ROOT_PI[0] * math.exp(y * y)
        if a < 0.5:
            found = _taylor(erf, y)
            residual = dd.add((a, 0.0), (-found[0], -found[1]))
        else:
            value, exponent = _erfc_positive(y, erfcx)
            scale = math.ldexp(1.0, exponent)
            residual = dd.add((value[0] * scale, value[1] * scale), (a - 1.0, 0.0))
        step = residual[0] * slope
        high, rest = settled(dd.two_sum(y, step + y * step * step), 0)
    return (high, rest) if x > 0.0 else (-high, -rest)


def arrays(
    form: Callable[..., Settled], tables: Callable[[], tuple[Table, ...]] = tuple
) -> Callable[..., tuple[Array64, Array64]]:
    """A form over an array; it receives the tables after its argument."""

    @njit(nogil=True)
    def fill(high: Array64, rest: Array64, x: Array64, *tables: Table) -> None:
        for i in range(len(x)):
            high[i], rest[i] = form(x[i], *tables)

    def evaluate(x: Array64) -> tuple[Array64, Array64]:
        flat = np.ascontiguousarray(x, dtype=np.float64).ravel()
        high, rest = np.empty_like(flat), np.empty_like(flat)
        fill(high, rest, flat, *tables())
        return high.reshape(np.shape(x)), rest.reshape(np.shape(x))

    evaluate.__doc__ = form.__doc__
    return evaluate


exp2 = arrays(exp2_at)
expm1 = arrays(expm1_at)
sinh = arrays(sinh_at)
cosh = arrays(cosh_at)
tanh = arrays(tanh_at)
log1p = arrays(log1p_at)
erfc = arrays(erfc_at, _erfcx_table)
erf = arrays(erf_at, _both_tables)


@njit_with(nogil=True)
def _erf_inv_into(
    high: Array64, rest: Array64, x: Array64, first: Array64, erfcx: Table, erf: Table
) -> None:
    for i in range(len(x)):
        high[i], rest[i] = erf_inv_at(x[i], first[i], erfcx, erf)


def erf_inv(x: Array64) -> tuple[Array64, Array64]:
    """The inverse of erf."""
    flat = np.ascontiguousarray(x, dtype=np.float64).ravel()
    with np.errstate(all="ignore"):
        first = np.asarray(special.erfinv(flat))
    high, rest = np.empty_like(flat), np.empty_like(flat)
    _erf_inv_into(high, rest, flat, first, *_both_tables())
    return high.reshape(np.shape(x)), rest.reshape(np.shape(x))
