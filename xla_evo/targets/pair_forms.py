"""References for float64: the nearest float64 number and what it lacks, in units of its last place.

A float64 reference says little of a float64 result, and mpmath would take days over 10^8 inputs.
These forms compute in double-double (106 bits) where a term reaches 2^-70 of the result and in
float64 elsewhere, so that they are within 2^-15 ULP of the exact value; the tests hold them against
mpmath. The rest is given in ULP because near 2^-1022 no float64 number could hold it.

Here are exponentials, logarithms and what is made of them, the others in `pair_inverses` and
`pair_errors`. Methods: table-driven exponential (Tang, ACM TOMS 15, 1989) with 64 steps an octave;
logarithms by one Newton step on a float64 value.
"""

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
from numba import njit
from numpy.typing import NDArray

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets.double_double import Pair
from xla_evo.targets.function import Array64

Table = NDArray[np.float64]
Settled = tuple[float, float]
"""(nearest float64 number or nearly, rest in ULP of it)."""

ERROR_ULP = 2.0**-15
"""Bound on the error of every form here, in float64 ULP."""

_STEPS = 64
_HALF_STEPS = _STEPS // 2
_EXACT_BITS = 35
TINY = 2.0**-80
"""Below it x stands for the function that begins with it."""
_FAR, _SHIFT = 2.0**500, 600


def _split_step() -> tuple[float, float]:
    """ln(2)/64 as a part of 35 bits and the rest."""
    exact = mp.log(2) / _STEPS
    unit = mp.ldexp(1, int(mp.mag(exact)) - _EXACT_BITS)
    first = mp.floor(exact / unit) * unit
    return float(first), float(exact - first)


with mp.workprec(400):
    _STEP_HIGH, _STEP_LOW = _split_step()
    _POWERS = dd.constant_pairs(
        [mp.power(2, mp.mpf(j) / _STEPS) for j in range(-_HALF_STEPS, _HALF_STEPS)]
    )
    _INVERSE_LN2, _INVERSE_LN10 = dd.constant_pair(1 / mp.ln2), dd.constant_pair(1 / mp.ln10)
    _EXP_TERMS = np.asarray([float(1 / mp.factorial(k)) for k in range(3, 10)])
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


@njit_with(nogil=True, inline="always")
def of_sign(x: float, value: Pair, exponent: int) -> Settled:
    """`settled`, with the sign of x."""
    high, rest = settled(value, exponent)
    return (high, rest) if x > 0.0 else (-high, -rest)


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
    if abs(x) < TINY or math.isnan(x):
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
def twice_sinh(y: float) -> Pair:
    """E^y - e^-y for y from 2^-80 to 80."""
    m, _ = expm1_pair(y)
    return dd.add(m, dd.divide(m, dd.add(m, (1.0, 0.0))))


@njit_with(nogil=True)
def sinh_at(x: float) -> Settled:
    """(e^x - e^-x) / 2, from e^x - 1 below 1."""
    a = abs(x)
    if a < TINY or math.isnan(x):
        return x, 0.0
    if a > 711.0:
        return math.copysign(math.inf, x), 0.0
    if a < 1.0:
        return of_sign(x, twice_sinh(a), -1)
    p, q, exponent = _exp_and_inverse(a)
    return of_sign(x, dd.add(p, dd.negative(q)), exponent - 1)


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
    if a < TINY or math.isnan(x):
        return x, 0.0
    m, _ = expm1_pair(2.0 * a)
    return of_sign(x, dd.divide(m, dd.add(m, (2.0, 0.0))), 0)


@njit_with(nogil=True)
def log_pair(a: Pair) -> Pair:
    """Log of a positive number; the largest and the least are scaled by a power of two."""
    if a[0] > _FAR:
        shift = _SHIFT
    elif a[0] < 1.0 / _FAR:
        shift = -_SHIFT
    else:
        shift = 0
    a = dd.scaled(a, math.ldexp(1.0, -shift))
    y = math.log(a[0])
    value, exponent = exp_pair((y, 0.0))
    rest = dd.add(dd.scaled(a, math.ldexp(1.0, -exponent)), dd.negative(value))
    d = dd.divide(rest, value)
    found = dd.add((y, 0.0), (d[0], d[1] - 0.5 * d[0] * d[0]))
    return dd.add(found, dd.multiply((float(shift), 0.0), dd.LN2))


@njit_with(nogil=True)
def _log1p_pair(a: Pair) -> Pair:
    """log(1 + a) for a from -1/2 to 1, relative to a next to 0."""
    y = math.log1p(a[0])
    m, _ = expm1_pair(y)
    d = dd.divide(dd.add(a, dd.negative(m)), dd.add(m, (1.0, 0.0)))
    return dd.add((y, 0.0), (d[0], d[1] - 0.5 * d[0] * d[0]))


@njit_with(nogil=True)
def log1p_at(x: float) -> Settled:
    """log(1 + x)."""
    if abs(x) < TINY or math.isnan(x) or x == math.inf:
        return x, 0.0
    if x <= -1.0:
        return (-math.inf if x == -1.0 else math.nan), 0.0
    return settled(_log1p_pair((x, 0.0)) if abs(x) < 0.5 else log_pair(dd.two_sum(1.0, x)), 0)


@njit_with(nogil=True, inline="always")
def _log_end(x: float) -> float:
    """The logarithm where it is no number or infinite."""
    if x < 0.0:
        return math.nan
    return -math.inf if x == 0.0 else x


@njit_with(nogil=True)
def log_at(x: float) -> Settled:
    """log(x)."""
    return settled(log_pair((x, 0.0)), 0) if 0.0 < x < math.inf else (_log_end(x), 0.0)


@njit_with(nogil=True)
def log2_at(x: float) -> Settled:
    """log2(x), from that of a significand from 3/4 to 3/2."""
    if not 0.0 < x < math.inf:
        return _log_end(x), 0.0
    m, n = math.frexp(x)
    if m < 0.75:
        m, n = 2.0 * m, n - 1
    value = dd.multiply(log_pair((m, 0.0)), _INVERSE_LN2)
    return settled(dd.add((float(n), 0.0), value), 0)


@njit_with(nogil=True)
def log10_at(x: float) -> Settled:
    """log10(x)."""
    if not 0.0 < x < math.inf:
        return _log_end(x), 0.0
    return settled(dd.multiply(log_pair((x, 0.0)), _INVERSE_LN10), 0)


@njit_with(nogil=True)
def exp_at(x: float) -> Settled:
    """E^x."""
    if not x < 720.0:
        return (x if math.isnan(x) else math.inf), 0.0
    if x < -800.0:
        return 0.0, 0.0
    value, exponent = exp_pair((x, 0.0))
    return settled(value, exponent)


@njit_with(nogil=True)
def logistic_at(x: float) -> Settled:
    """1 / (1 + e^-x)."""
    if math.isnan(x):
        return x, 0.0
    if abs(x) > 800.0:
        return (1.0 if x > 0.0 else 0.0), 0.0
    value, exponent = exp_pair((-abs(x), 0.0))
    if x < 0.0 and exponent < -120:
        return settled(value, exponent)
    e = dd.scaled(value, math.ldexp(1.0, exponent))
    return settled(dd.divide(e if x < 0.0 else (1.0, 0.0), dd.add(e, (1.0, 0.0))), 0)


@njit_with(nogil=True)
def softplus_at(x: float) -> Settled:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    if math.isnan(x) or x > 800.0:
        return x, 0.0
    if x < -800.0:
        return 0.0, 0.0
    value, exponent = exp_pair((-abs(x), 0.0))
    if x < 0.0 and exponent < -70:
        return settled(value, exponent)
    e = dd.scaled(value, math.ldexp(1.0, exponent))
    return settled(dd.add(_log1p_pair(e), (max(x, 0.0), 0.0)), 0)


@njit_with(nogil=True)
def log_sigmoid_at(x: float) -> Settled:
    """-log(1 + e^-x)."""
    high, rest = softplus_at(-x)
    return -high, -rest


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
log = arrays(log_at)
log2 = arrays(log2_at)
log10 = arrays(log10_at)
exp = arrays(exp_at)
logistic = arrays(logistic_at)
softplus = arrays(softplus_at)
log_sigmoid = arrays(log_sigmoid_at)
