"""References for float64 results of sine, cosine and tangent, see `xla_evo.targets.pair_forms`.

A number of 53 significant bits m 2^e is reduced exactly: 2^e 2/pi mod 4 is kept per exponent in
four float64 numbers, whose products with m are exact as pairs (Payne and Hanek, SIGNUM Newsletter
18(1), 1983, for the idea of reducing by bits of 2/pi). Then Taylor's series, its first terms in
double-double.
"""

import functools
import math

import mpmath as mp
import numpy as np

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets.double_double import Pair
from xla_evo.targets.pair_forms import TINY, Settled, Table, arrays, of_sign, settled
from xla_evo.targets.reliable import MPMATH

_QUARTER_PI = math.pi / 4
_LEAST_EXPONENT, _EXPONENTS = -53, 1025
"""Of m 2^e from pi/4 on, and how many there are."""
_PARTS = 4
_TERMS, _PAIRED = 28, 14
"""Powers of Taylor's series, and of them those in double-double."""

with mp.workprec(400):
    _HALF_PI = dd.constant_pair(mp.pi / 2)
    _COEFFICIENTS = dd.constant_pairs([(-1) ** (k // 2) / mp.factorial(k) for k in range(_TERMS)])


@functools.cache
def _reduction_table() -> tuple[Table]:
    """Rows of four parts of 2^e 2/pi mod 4; made when first asked for."""
    rows: list[list[float]] = []
    with MPMATH, mp.workprec(1400):
        for index in range(_EXPONENTS):
            rest = mp.fmod(mp.ldexp(2 / mp.pi, index + _LEAST_EXPONENT), 4)
            row: list[float] = []
            for _ in range(_PARTS):
                row.append(float(rest))
                rest -= mp.mpf(row[-1])
            rows.append(row)
    return (np.asarray(rows),)


@njit_with(nogil=True)
def _reduced(a: float, table: Table) -> tuple[int, Pair]:
    """(n mod 4, a - n pi/2) of a positive number, the rest at most pi/4 in size."""
    if a < _QUARTER_PI:
        return 0, (a, 0.0)
    fraction, exponent = math.frexp(a)
    m = math.ldexp(fraction, 53)
    row = exponent - 53 - _LEAST_EXPONENT
    whole = 0.0
    high, low, lowest = 0.0, 0.0, 0.0
    for k in range(_PARTS):
        p, e = dd.two_product(m, table[row, k])
        for term in (p, e):
            n = np.rint(term)
            whole += n - 4.0 * np.rint(0.25 * n)
            high, carried = dd.two_sum(high, term - n)
            low, rest = dd.two_sum(low, carried)
            lowest += rest
    n = np.rint(high)
    whole += n
    total = dd.add((high - n, 0.0), dd.add((low, 0.0), (lowest, 0.0)))
    n = np.rint(total[0])
    total = dd.add(total, (-n, 0.0))
    return int(whole + n) & 3, dd.multiply(total, _HALF_PI)


@njit_with(nogil=True)
def _series(r: Pair, first: int) -> Pair:
    """Taylor's series of the sine from its first power, 1, or of the cosine from 0."""
    square = dd.multiply(r, r)
    tail = 0.0
    for k in range(_TERMS - 2 + first, _PAIRED - 1, -2):
        tail = tail * square[0] + _COEFFICIENTS[k, 0]
    total = (tail, 0.0)
    for k in range(_PAIRED - 2 + first, -1, -2):
        term = _COEFFICIENTS[k, 0], _COEFFICIENTS[k, 1]
        total = dd.add(dd.multiply(total, square), term)
    return dd.multiply(total, r) if first else total


@njit_with(nogil=True)
def _sine_of_turned(x: float, quarters: int, table: Table) -> Pair:
    """The sine of |x| + quarters pi/2."""
    n, r = _reduced(abs(x), table)
    n = (n + quarters) & 3
    value = _series(r, 1 - (n & 1))
    return dd.negative(value) if n & 2 else value


@njit_with(nogil=True)
def sin_at(x: float, table: Table) -> Settled:
    """sin(x)."""
    if not math.isfinite(x):
        return math.nan, 0.0
    if abs(x) < TINY:
        return x, 0.0
    return of_sign(x, _sine_of_turned(x, 0, table), 0)


@njit_with(nogil=True)
def cos_at(x: float, table: Table) -> Settled:
    """cos(x)."""
    if not math.isfinite(x):
        return math.nan, 0.0
    return settled(_sine_of_turned(x, 1, table), 0)


@njit_with(nogil=True)
def tan_at(x: float, table: Table) -> Settled:
    """tan(x)."""
    if not math.isfinite(x):
        return math.nan, 0.0
    if abs(x) < TINY:
        return x, 0.0
    n, r = _reduced(abs(x), table)
    sine, cosine = _series(r, 1), _series(r, 0)
    value = dd.divide(dd.negative(cosine), sine) if n & 1 else dd.divide(sine, cosine)
    return of_sign(x, value, 0)


sin = arrays(sin_at, _reduction_table)
cos = arrays(cos_at, _reduction_table)
tan = arrays(tan_at, _reduction_table)
