"""log |gamma| and digamma in float64, accurate also near their zeros.

Where the reflection formula cancels (near the zeros between the negative integers) it is evaluated
in double-double. Near 1 and 2 the logarithm of gamma is a power series in the distance, near its
positive zero so is digamma.
Sources: DLMF 5.5.3-4 (reflection), 5.7.3 (series), 5.11.1-2 (asymptotic expansions), 5.5.2.
Coefficients are computed by mpmath when the module is imported.
"""

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets import exact_forms
from xla_evo.targets.float64_forms import power_series
from xla_evo.targets.function import Array64
from xla_evo.targets.reliable import MPMATH, Mp

NEAR_ZERO = 2.0**-9
"""Below this in size the forms about zero serve."""
_NEAR_ZERO_TERMS = 8
_SERIES_TERMS = 30
_DIGAMMA_TERMS = 46  # both even, for `_power_series_at`
_STIRLING_TERMS = 18
_STIRLING_FROM = 25.0
_SHORT_FROM = 10.0
_CANCELS = 1.0 / 8.0
_TINY = 2.0**-38
_NEXT_TO_ZERO = -1e-20
"""From here to zero the first term alone serves."""

with mp.workprec(300):
    _LGAMMA_2 = np.asarray(
        [0.0, float(1 - mp.euler)]
        + [float((-1) ** k * mp.zeta(k, 2) / k) for k in range(2, _SERIES_TERMS)]
    )
    _DIGAMMA_1 = np.asarray(
        [-float(mp.euler)] + [float((-1) ** k * mp.zeta(k)) for k in range(2, _NEAR_ZERO_TERMS + 1)]
    )
    _LGAMMA_1 = _DIGAMMA_1 / np.arange(1, _NEAR_ZERO_TERMS + 1)
    _ROOT = mp.findroot(mp.digamma, mp.mpf("1.4616321449683623"), tol=mp.mpf(10) ** -160)
    _ROOT_PAIR = dd.constant_pair(_ROOT)
    _DIGAMMA_ROOT = np.asarray(
        [0.0] + [float(mp.polygamma(k, _ROOT) / mp.factorial(k)) for k in range(1, _DIGAMMA_TERMS)]
    )
    _LGAMMA_STIRLING = dd.constant_pairs(
        [mp.bernoulli(2 * k) / (2 * k * (2 * k - 1)) for k in range(1, _STIRLING_TERMS)]
    )
    _DIGAMMA_STIRLING = dd.constant_pairs(
        [-mp.bernoulli(2 * k) / (2 * k) for k in range(1, _STIRLING_TERMS)]
    )
    _HALF_LOG_2_PI = dd.constant_pair(mp.log(2 * mp.pi) / 2)
    _LOG_PI = dd.constant_pair(mp.log(mp.pi))


@njit_with(nogil=True)
def _power_series_at(d: float, table: Array64) -> float:
    """Sum of table[k] d^k; even and odd powers by themselves wait half as long for each other."""
    square, even, odd = d * d, 0.0, 0.0
    for k in range(len(table) - 2, -1, -2):
        even = even * square + table[k]
        odd = odd * square + table[k + 1]
    return even + odd * d


@njit_with(nogil=True)
def _lgamma_at_2(d: float) -> float:
    """Log gamma(2 + d) for |d| <= 1/2, DLMF 5.7.3 without its logarithm."""
    return _power_series_at(d, _LGAMMA_2)


@njit_with(nogil=True)
def _lgamma_positive(x: float) -> float:
    if x < 0.5:
        return (_lgamma_at_2(x) - math.log1p(x)) - math.log(x)
    if x < 1.5:
        return _lgamma_at_2(x - 1.0) - math.log1p(x - 1.0)
    if x < _SHORT_FROM:
        product = 1.0
        while x >= 2.5:
            x -= 1.0
            product *= x
        return math.log(product) + _lgamma_at_2(x - 2.0)
    inverse = 1.0 / x
    square = inverse * inverse
    tail = 0.0
    if x < 1e9:
        for k in range(8, -1, -1):
            tail = tail * square + _LGAMMA_STIRLING[k, 0]
    return (x - 0.5) * (math.log(x) - 1.0) + (_HALF_LOG_2_PI[0] - 0.5 + tail * inverse)


@njit_with(nogil=True)
def _stirling(z: dd.Pair, table: Array64) -> dd.Pair:
    """Sum of table[k] / z^(2k)."""
    inverse = dd.divide((1.0, 0.0), z)
    square = dd.multiply(inverse, inverse)
    total = (0.0, 0.0)
    for k in range(_STIRLING_TERMS - 2, -1, -1):
        total = dd.add(dd.multiply(total, square), (table[k, 0], table[k, 1]))
    return total


@njit_with(nogil=True)
def _lgamma_pair(z: dd.Pair) -> dd.Pair:
    product = (1.0, 0.0)
    while z[0] < _STIRLING_FROM:
        product = dd.multiply(product, z)
        z = dd.add(z, (1.0, 0.0))
    log_z = dd.logarithm(z)
    total = dd.multiply(dd.add(z, (-0.5, 0.0)), log_z)
    total = dd.add(total, (-z[0], -z[1]))
    total = dd.add(total, _HALF_LOG_2_PI)
    total = dd.add(total, dd.divide(_stirling(z, _LGAMMA_STIRLING), z))
    log_product = dd.logarithm(product)
    return dd.add(total, (-log_product[0], -log_product[1]))


@njit_with(nogil=True)
def _lgamma(x: float) -> float:
    if not math.isfinite(x):
        return x * x
    if x > 0.0:
        return _lgamma_positive(x)
    n = np.rint(x)
    f = x - n
    if f == 0.0:
        return np.inf
    if x > _NEXT_TO_ZERO:
        return -math.log(-x)
    left = math.log(math.pi / abs(x * math.sin(math.pi * f)))
    right = _lgamma_positive(-x)
    value = left - right
    if abs(value) > _CANCELS * max(abs(left), abs(right), 1.0):
        return value
    sine, _ = dd.sine_and_cosine_of_pi(abs(f))
    log_sine = dd.logarithm(sine)
    total = dd.add(_LOG_PI, (-log_sine[0], -log_sine[1]))
    rest = _lgamma_pair(dd.two_sum(1.0, -x))
    return dd.add(total, (-rest[0], -rest[1]))[0]


@njit_with(nogil=True)
def _digamma_positive(x: float) -> float:
    shift = 0.0
    if x < _SHORT_FROM:
        while x > 2.0:
            x -= 1.0
            shift += 1.0 / x
        if x < 1.0:
            shift = -1.0 / x
            x += 1.0
            # Rounding x + 1 is harmless: 1/x is the larger term by far.
        d = (x - _ROOT_PAIR[0]) - _ROOT_PAIR[1]
        return _power_series_at(d, _DIGAMMA_ROOT) + shift
    inverse = 1.0 / x
    square = inverse * inverse
    tail = 0.0
    for k in range(8, -1, -1):
        tail = (tail + _DIGAMMA_STIRLING[k, 0]) * square
    return math.log(x) + (tail - 0.5 * inverse)


@njit_with(nogil=True)
def _digamma_pair(z: dd.Pair) -> dd.Pair:
    shift = (0.0, 0.0)
    while z[0] < _STIRLING_FROM:
        shift = dd.add(shift, dd.divide((-1.0, 0.0), z))
        z = dd.add(z, (1.0, 0.0))
    total = dd.add(dd.logarithm(z), shift)
    inverse = dd.divide((1.0, 0.0), z)
    total = dd.add(total, (-0.5 * inverse[0], -0.5 * inverse[1]))
    tail = dd.multiply(_stirling(z, _DIGAMMA_STIRLING), dd.multiply(inverse, inverse))
    return dd.add(total, tail)


@njit_with(nogil=True)
def _digamma(x: float) -> float:
    if x > 0.0:
        return _digamma_positive(x) if x < np.inf else x
    if x == 0.0:
        return -np.inf
    if x > _NEXT_TO_ZERO:
        return -1.0 / x
    n = np.rint(x)
    f = x - n
    if not math.isfinite(x) or f == 0.0:
        return np.nan
    cotangent = math.pi / math.tan(math.pi * f)
    rest = _digamma_positive(1.0 - x)
    value = rest - cotangent
    if abs(value) > _CANCELS * max(abs(rest), abs(cotangent), 1.0):
        return value
    sine, cosine = dd.sine_and_cosine_of_pi(f)
    quotient = dd.multiply(dd.PI, dd.divide(cosine, sine))
    total = _digamma_pair(dd.two_sum(1.0, -x))
    return dd.add(total, (-quotient[0], -quotient[1]))[0]


@njit_with(nogil=True)
def _lgamma_into(out: Array64, x: Array64) -> None:
    for i in range(len(x)):
        out[i] = _lgamma(x[i])


@njit_with(nogil=True)
def _digamma_into(out: Array64, x: Array64) -> None:
    for i in range(len(x)):
        out[i] = _digamma(x[i])


def lgamma_near_zero(x: Array64) -> Array64:
    """Returns log |gamma(x)| for |x| < `NEAR_ZERO`, by DLMF 5.7.3 and 5.5.1."""
    return x * power_series(x, _LGAMMA_1) - np.log(np.abs(x))


def digamma_near_zero(x: Array64) -> Array64:
    """Returns digamma for |x| < `NEAR_ZERO`, by DLMF 5.7.4 and 5.5.2."""
    return np.where(x == 0.0, -np.inf, power_series(x, _DIGAMMA_1) - 1.0 / x)


def lgamma(x: Array64) -> Array64:
    """Returns log |gamma(x)|; infinite at the poles and at both infinities."""
    return _filled(_lgamma_into, exact_forms.lgamma, x)


def digamma(x: Array64) -> Array64:
    """Returns the logarithmic derivative of gamma; -inf at zero, nan at its other poles, as JAX."""
    return _filled(_digamma_into, exact_forms.digamma, x)


def _filled(
    fill: Callable[[Array64, Array64], None], exact: Callable[[Mp], Mp], x: Array64
) -> Array64:
    flat = np.ascontiguousarray(x, dtype=np.float64).ravel()
    out = np.empty_like(flat)
    fill(out, flat)
    # So near a zero (no float32 is) double-double is not enough.
    for i in np.flatnonzero((np.abs(out) < _TINY) & (np.abs(flat) < 1e12)).tolist():
        with MPMATH, mp.workprec(90):
            out[i] = float(exact(mp.mpf(float(flat[i]))))
    return out.reshape(np.shape(x))
