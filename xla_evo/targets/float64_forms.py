"""Fast float64 forms of the catalogue's functions, where NumPy's or SciPy's own do not serve.

Each takes float64 arrays, keeps relative accuracy near zeros and in the tails, and never warns.
Their errors are stated in the catalogue and checked against mpmath by the tests.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import mpmath as mp
import numpy as np
from scipy import special

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets.function import Array64

_EXP_MINUS_700 = float(np.exp(-700.0))
_SQRT_HALF = float(np.sqrt(0.5))
with mp.workprec(300):
    _GELU_LINEAR = dd.constant_pair(2 * mp.sqrt(2 / mp.pi))
    _GELU_CUBIC = dd.constant_pair(mp.mpf(44715) / 1_000_000)


def quiet(form: Callable[..., Any]) -> Callable[..., Array64]:
    """Wraps a float64 form so that overflow, poles and nan make no warnings."""

    @wraps(form)
    def evaluate(*arguments: Array64) -> Array64:
        with np.errstate(all="ignore"):
            return form(*arguments)

    return evaluate


def saturating(
    form: Callable[..., Any], *, below: tuple[float, float], above: tuple[float, float]
) -> Callable[..., Array64]:
    """Wraps ``form`` to answer an array that is all overflow or underflow without computing.

    NumPy's vector forms take such elements one by one; half of all float32 numbers are such for
    the exponential.

    Args:
        form: the function.
        below: (bound, value): the value of every argument less than the bound.
        above: (bound, value): the value of every argument greater than the bound.
    """

    def evaluate(x: Array64) -> Array64:
        if np.size(x):
            if np.max(x) < below[0]:
                return np.full(np.shape(x), below[1])
            if np.min(x) > above[0]:
                return np.full(np.shape(x), above[1])
        with np.errstate(all="ignore"):
            return form(x)

    return evaluate


Series = Callable[[Array64], Array64]

_TINY = 2.0**-28


def short_cut(
    form: Callable[..., Any],
    *,
    tiny: Series | None = None,
    near: float = _TINY,
    low: tuple[float, Series] | None = None,
    high: tuple[float, Series] | None = None,
) -> Callable[..., Array64]:
    """Wraps ``form`` to answer an array that lies all at one end by a few terms of a series.

    Five sixths of all float32 numbers are below 2^-28 or above 128 in size, and a sweep meets them
    in order, so that this saves most of its time. The terms left out are below 2^-54 of the value.

    Args:
        form: the function.
        tiny: its first terms about 0.
        near: size below which they serve.
        low: (bound, value as a function of the argument) where every argument is less than it.
        high: the same where every argument is greater.
    """

    def evaluate(x: Array64) -> Array64:
        if np.size(x):
            least, greatest = np.min(x), np.max(x)
            with np.errstate(all="ignore"):
                if tiny is not None and max(-least, greatest) < near:
                    return tiny(x)
                if low is not None and greatest < low[0]:
                    return low[1](x)
                if high is not None and least > high[0]:
                    return high[1](x)
        return form(x)

    return evaluate


def power_series(x: Array64, table: Array64) -> Array64:
    """Returns the sum of table[k] x^k, without terms that are 2^-60 of the first for every x."""
    largest = max(-float(np.min(x)), float(np.max(x)))
    sizes = np.abs(table) * largest ** np.arange(len(table))
    last = int(np.flatnonzero(sizes > 2.0**-60 * sizes[0])[-1])
    total = np.full_like(x, table[last])
    for coefficient in table[:last][::-1]:
        total *= x
        total += coefficient
    return total


def constant(value: float) -> Series:
    """Returns a form that is a number everywhere."""
    return lambda x: np.full(np.shape(x), value)


def vanishing(x: Array64) -> Array64:
    """-0, and nan at -inf: the left end of the activations as JAX has them."""
    return np.where(x == -np.inf, np.nan, -0.0)


def itself(x: Array64) -> Array64:
    """X."""
    return np.array(x)


@quiet
def rsqrt(x: Array64) -> Array64:
    """1 / sqrt(x)."""
    return np.divide(1.0, np.sqrt(x))


@quiet
def logistic(x: Array64) -> Array64:
    """1 / (1 + exp(-x)) through exp(-|x|), so that the left tail keeps its digits."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


@quiet
def silu(x: Array64) -> Array64:
    """X logistic(x)."""
    e = np.exp(-np.abs(x))
    return _left_tail(x, x * np.where(x < 0, e, 1.0) / (1.0 + e))


def _left_tail(x: Array64, value: Array64) -> Array64:
    """``value``, but x exp(x) below -700, where exp(x) alone is subnormal before the product is."""
    if not np.any(x < -700.0):
        return value
    return np.where(x < -700.0, (x * np.exp(x + 700.0)) * _EXP_MINUS_700, value)


@quiet
def softplus(x: Array64) -> Array64:
    """log(1 + exp(x))."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


@quiet
def log_sigmoid(x: Array64) -> Array64:
    """log(logistic(x)) = -softplus(-x)."""
    return np.minimum(x, -0.0) - np.log1p(np.exp(-np.abs(x)))


@quiet
def mish(x: Array64) -> Array64:
    """X tanh(softplus(x)) as a quotient in e = exp(-|x|)."""
    e = np.exp(-np.abs(x))
    negative = x < 0
    numerator = np.where(negative, e * (e + 2.0), 1.0 + 2.0 * e)
    denominator = numerator + np.where(negative, 2.0, 2.0 * e * e)
    return _left_tail(x, x * numerator / denominator)


@quiet
def sinc(x: Array64) -> Array64:
    """sin(pi x) / (pi x); x minus its nearest integer is exact, so zeros keep digits."""
    n = np.rint(x)
    s = np.sin(np.pi * (x - n))
    odd = n - 2.0 * np.floor(0.5 * n)
    value = np.where(odd != 0.0, -s, s) / (np.pi * x)
    return np.where(x == 0.0, 1.0, np.where(np.isinf(x), 0.0, value))


@njit_with(nogil=True)
def _square_parts(high: Array64, low: Array64, x: Array64) -> None:
    for i in range(len(x)):
        high[i], low[i] = dd.two_product(x[i], x[i])


def _exp_minus_square(x: Array64, factor: float) -> Array64:
    """exp(-factor x^2) for a factor that is a power of two, with x^2 kept to 106 bits."""
    high, low = np.empty_like(x), np.empty_like(x)
    _square_parts(high, low, x)
    e = np.exp(-factor * high)
    return np.where(e > 0.0, e - e * (factor * low), e)


@quiet
def erfc(x: Array64) -> Array64:
    """1 - erf(x), from 1/2 on as erfcx(x) exp(-x^2), which magnifies no error in x^2."""
    if not np.any(x > 0.5):
        return special.erfc(x)
    x = np.ascontiguousarray(x)
    tail = special.erfcx(x) * _exp_minus_square(np.minimum(np.abs(x), 40.0), 1.0)
    return np.where(x > 0.5, tail, special.erfc(x)) if np.any(~(x > 0.5)) else tail


@quiet
def erf_inv(x: Array64) -> Array64:
    """Inverse of erf; SciPy takes microseconds to refuse an argument beyond 1, so it gets none."""
    outside = ~(np.abs(x) <= 1.0)
    if not np.any(outside):
        return np.copysign(special.erfinv(x), x)
    return np.copysign(np.where(outside, np.nan, special.erfinv(np.where(outside, 0.0, x))), x)


@quiet
def bessel_i1e(x: Array64) -> Array64:
    """exp(-|x|) I1(x), with the sign of x also at -0 and -inf, where SciPy gives +0."""
    return np.copysign(special.i1e(x), x)


@quiet
def gelu(x: Array64) -> Array64:
    """X erfc(-x / sqrt 2) / 2, for negative x as in `erfc`."""
    negative = (x < 0.0) & (x > -np.inf)
    if not np.any(negative):
        return 0.5 * x * special.erfc(-x * _SQRT_HALF)
    x = np.ascontiguousarray(x)
    size = np.minimum(np.abs(x), 60.0)
    tail = 0.5 * x * special.erfcx(size * _SQRT_HALF) * _exp_minus_square(size, 0.5)
    if np.all(negative):
        return tail
    return np.where(negative, tail, 0.5 * x * special.erfc(-x * _SQRT_HALF))


@njit_with(nogil=True)
def _gelu_tanh_argument(high: Array64, low: Array64, x: Array64) -> None:
    """2 sqrt(2/pi) (x + 0.044715 x^3) in double-double, for |x| up to 1e6."""
    for i in range(len(x)):
        square = dd.two_product(x[i], x[i])
        bracket = dd.add(dd.multiply(square, _GELU_CUBIC), (1.0, 0.0))
        high[i], low[i] = dd.multiply(dd.multiply(bracket, _GELU_LINEAR), (x[i], 0.0))


@quiet
def gelu_tanh(x: Array64) -> Array64:
    """X logistic(2 sqrt(2/pi) (x + 0.044715 x^3)), which is the tanh form without cancellation."""
    high, low = np.empty(np.shape(x)), np.empty(np.shape(x))
    _gelu_tanh_argument(high, low, np.clip(x, -1e6, 1e6))
    e = np.exp(-np.abs(high))
    value = np.where(high < 0, e, 1.0) / (1.0 + e)
    return x * (value + value * (low * np.where(high < 0, 1.0, e) / (1.0 + e)))
