"""Exponentially scaled modified Bessel functions I0 and I1 in float64, near zero and far from it.

Sources: DLMF 10.25.2 (power series), 10.40.1 (asymptotic expansion). Coefficients are computed by
mpmath when the module is imported.
"""

import mpmath as mp
import numpy as np

from xla_evo.targets.float64_forms import power_series
from xla_evo.targets.function import Array64

NEAR = 2.0**-9
"""Below this in size the forms about zero serve."""
FAR = 2.0**10
"""Above this in size the asymptotic forms serve."""
_NEAR_TERMS = 8
_FAR_TERMS = 6


def _expansion(order: int) -> Array64:
    """Coefficients of sqrt(2 pi x) exp(-x) I(x) in powers of 1/x."""
    factors = [mp.mpf((2 * k - 1) ** 2 - 4 * order**2) / (8 * k) for k in range(1, _FAR_TERMS)]
    return np.asarray([float(mp.fprod(factors[:k])) for k in range(_FAR_TERMS)])


with mp.workprec(300):
    _I0E = np.asarray([
        float(c) for c in mp.taylor(lambda x: mp.exp(-x) * mp.besseli(0, x), 0, _NEAR_TERMS - 1)
    ])  # fmt: skip
    _I1E = np.asarray([
        float(c) for c in mp.taylor(lambda x: mp.exp(-x) * mp.besseli(1, x), 0, _NEAR_TERMS)[1:]
    ])  # fmt: skip
    _I0E_FAR, _I1E_FAR = _expansion(0), _expansion(1)


def i0e_near(x: Array64) -> Array64:
    """Returns exp(-|x|) I0(x) for |x| < `NEAR`."""
    return power_series(np.abs(x), _I0E)


def i1e_near(x: Array64) -> Array64:
    """Returns exp(-|x|) I1(x) for |x| < `NEAR`."""
    return x * power_series(np.abs(x), _I1E)


def i0e_far(x: Array64) -> Array64:
    """Returns exp(-|x|) I0(x) for |x| > `FAR`."""
    return _far(x, _I0E_FAR)


def i1e_far(x: Array64) -> Array64:
    """Returns exp(-|x|) I1(x) for |x| > `FAR`."""
    return np.copysign(_far(x, _I1E_FAR), x)


def _far(x: Array64, table: Array64) -> Array64:
    size = np.abs(x)
    return power_series(1.0 / size, table) / np.sqrt(2.0 * np.pi * size)
