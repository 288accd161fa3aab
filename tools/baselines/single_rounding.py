"""Polynomials with float32 coefficients: rounded one by one, the others fitted anew each time.

The error that a rounded coefficient leaves is taken up by those after it (the idea of Brisebarre
and Chevillard's fpminimax, ARITH 2007, by a greedy walk in place of a lattice).
"""

from collections.abc import Callable

import mpmath as mp
import numpy as np
from fit import Extended, extended, solve

POINTS, ITERATIONS = 240, 40


def polynomial_fit(
    function: Callable, low: float, high: float, count: int, weight: Callable
) -> tuple[list[float], float]:
    """Coefficients, lowest first, and bits of the weighted error of the polynomial that they make.

    Args:
        function: of an mpmath number.
        low: end of the interval.
        high: end of the interval.
        count: of coefficients.
        weight: of an mpmath number, factor on the error.
    """
    with mp.workdps(40):
        middle, half = (mp.mpf(low) + mp.mpf(high)) / 2, (mp.mpf(high) - mp.mpf(low)) / 2
        places = [
            middle + half * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / POINTS) for k in range(POINTS)
        ]
        x, y, w = (
            np.asarray([extended(mp.mpf(v)) for v in values])
            for values in (places, map(function, places), map(weight, places))
        )
    rest, found = y, []
    for first in range(count):
        base = np.stack([x**p for p in range(first, count)], axis=1)
        solution = _minimax(base, rest, w)
        found.append(float(np.float32(solution[0])))
        rest = rest - Extended(found[-1]) * x**first
    return found, float(-np.log2(np.abs(rest * w).max()))


def _minimax(base, values, weight):
    """Coefficients of the least largest weighted error, by Lawson's weights."""
    lawson = np.ones(len(values), Extended) / len(values)
    best, least = None, np.inf
    for _ in range(ITERATIONS):
        factor = np.sqrt(lawson) * weight
        solution = solve(base * factor[:, None], values * factor)
        error = np.abs((base @ solution - values) * weight)
        if error.max() < least:
            best, least = solution, error.max()
        lawson = lawson * (error / error.max() + Extended(1e-6))
        lawson /= lawson.sum()
    return best
