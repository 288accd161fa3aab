"""References for float64 results of the error functions, see `xla_evo.targets.pair_forms`.

Taylor's series about the nearest of equally spaced centres, whose coefficients follow from the
differential equations f' = 2 x f - 2/sqrt(pi) of erfcx and f'' = -2 x f' of erf; the inverse by one
Newton step on a float64 value.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from scipy import special

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets.double_double import Pair
from xla_evo.targets.function import Array64
from xla_evo.targets.pair_forms import Settled, Table, arrays, exp_pair, of_sign, settled
from xla_evo.targets.reliable import MPMATH, Mp

_TAYLOR = 16
_PAIRED = 4
_SPACING = 1.0 / 16.0
_ERFCX_END = 28.0
_ERF_END = 1.0
with mp.workprec(400):
    _HALF_ROOT_PI = dd.constant_pair(mp.sqrt(mp.pi) / 2)
    _PI_BY_TWELVE = float(mp.pi / 12)


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
    a, exponent = abs(x), 0
    if not a > 0.0:
        return x, 0.0
    if a < 2.0**-30:
        fraction, exponent = math.frexp(a)
        value = dd.divide((fraction, 0.0), _HALF_ROOT_PI)
        value = dd.add(value, (-value[0] * (a * a / 3.0), 0.0))
    elif a < 1.0:
        value = _taylor(erf, a)
    elif a < 7.0:
        rest, power = _erfc_positive(a, erfcx)
        value = dd.add((1.0, 0.0), dd.scaled(rest, -math.ldexp(1.0, power)))
    else:
        value = (1.0, 0.0)
    return of_sign(x, value, exponent)


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
