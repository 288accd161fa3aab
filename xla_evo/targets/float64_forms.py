"""Fast float64 forms of the catalogue's functions, where NumPy's or SciPy's own do not serve.

Each takes float64 arrays, keeps relative accuracy near zeros and in the tails, and never warns.
Their errors are stated in the catalogue and checked against mpmath by the tests.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from scipy import special

from xla_evo.targets.function import Array64

_SQRT_HALF = float(np.sqrt(0.5))
_SQRT_2_OVER_PI = float(np.sqrt(2 / np.pi))


def quiet(form: Callable[..., Any]) -> Callable[..., Array64]:
    """Wraps a float64 form so that overflow, poles and nan make no warnings."""

    @wraps(form)
    def evaluate(*arguments: Array64) -> Array64:
        with np.errstate(all="ignore"):
            return form(*arguments)

    return evaluate


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
    return x * np.where(x < 0, e, 1.0) / (1.0 + e)


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
    return x * numerator / denominator


@quiet
def sinc(x: Array64) -> Array64:
    """sin(pi x) / (pi x); x minus its nearest integer is exact, so zeros keep digits."""
    n = np.rint(x)
    s = np.sin(np.pi * (x - n))
    odd = n - 2.0 * np.floor(0.5 * n)
    value = np.where(odd != 0.0, -s, s) / (np.pi * x)
    return np.where(x == 0.0, 1.0, value)


@quiet
def gelu(x: Array64) -> Array64:
    """X erfc(-x / sqrt 2) / 2."""
    return 0.5 * x * special.erfc(-x * _SQRT_HALF)


@quiet
def gelu_tanh(x: Array64) -> Array64:
    """X logistic(2 sqrt(2/pi) (x + 0.044715 x^3)), which is the tanh form without cancellation."""
    u = 2.0 * _SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x))
    e = np.exp(-np.abs(u))
    return x * np.where(u < 0, e, 1.0) / (1.0 + e)


@quiet
def lgamma(x: Array64) -> Array64:
    """Log |gamma(x)|."""
    return np.where(x == -np.inf, np.inf, special.gammaln(x))


@quiet
def digamma(x: Array64) -> Array64:
    """Logarithmic derivative of gamma; nan at its poles as in JAX."""
    pole = (x <= 0) & (np.floor(x) == x)
    return np.where(pole, np.nan, special.psi(x))
