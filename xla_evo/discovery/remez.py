"""The minimax polynomial of a degree, by Remez's exchange in mpmath at 50 digits.

E. Ya. Remez, "Sur la determination des polynomes d'approximation de degre donnee", 1934; here with
a weight, and with all extrema exchanged at once on a grid of Chebyshev points.
"""

from collections.abc import Sequence

import mpmath as mp
import numpy as np

from xla_evo.discovery.reference import DIGITS, Reference, chebyshev
from xla_evo.targets.reliable import Mp

GRID = 801
ITERATIONS = 15


def _grid(reference: Reference) -> list[float]:
    inner = chebyshev(reference.low, reference.high, GRID)
    return [float(x) for x in inner if mp.isfinite(reference.at(float(x))[1])]


def remez(reference: Reference, powers: Sequence[int]) -> list[Mp]:
    """Returns the best polynomial of these powers of x under the error weight.

    Powers of one parity alone are sought on a domain that zero does not divide, where they are a
    Chebyshev system.

    Returns:
        the coefficients, constant first, zero where a power is not asked for.
    """
    with mp.workdps(DIGITS):
        grid = _grid(reference)
        count = len(powers) + 1
        angles = np.cos(np.pi * np.arange(count) / (count - 1))
        wanted = (reference.low + reference.high) / 2 - (
            reference.high - reference.low
        ) / 2 * angles
        chosen = [int(np.argmin(np.abs(np.array(grid) - x))) for x in wanted]
        coefficients: list[Mp] = []
        for _ in range(ITERATIONS):
            coefficients, level = _solve(reference, [grid[i] for i in chosen], powers)
            errors = [_error(reference, coefficients, x) for x in grid]
            following = _exchange(errors, count)
            worst = max(abs(error) for error in errors)
            if following is None or following == chosen or worst < abs(level) * (1 + 1e-6):
                break
            chosen = following
        return coefficients


def horner(coefficients: list[Mp], x: Mp) -> Mp:
    """Value of a polynomial, constant first."""
    value = mp.mpf(0)
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def _error(reference: Reference, coefficients: list[Mp], x: float) -> Mp:
    value, weight = reference.at(x)
    return (horner(coefficients, mp.mpf(x)) - value) * weight


def _solve(reference: Reference, points: list[float], powers: Sequence[int]) -> tuple[list[Mp], Mp]:
    """The polynomial whose weighted errors at the points alternate in sign and agree in size."""
    count = len(powers) + 1
    matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
    for row, x in enumerate(points):
        value, weight = reference.at(x)
        for column, power in enumerate(powers):
            matrix[row, column] = mp.mpf(x) ** power
        matrix[row, count - 1] = (-1) ** row / weight
        right[row] = value
    found = mp.lu_solve(matrix, right)
    coefficients = [mp.mpf(0)] * (max(powers) + 1)
    for column, power in enumerate(powers):
        coefficients[power] = found[column]
    return coefficients, found[count - 1]


def _exchange(errors: list[Mp], count: int) -> list[int] | None:
    """Places of ``count`` extrema of alternating sign, the greatest error among them."""
    places: list[int] = []
    for i, error in enumerate(errors):
        if places and (errors[places[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    while len(places) > count:
        ends = (abs(errors[places[0]]), abs(errors[places[-1]]))
        if len(places) == count + 1 or min(ends) < min(abs(errors[i]) for i in places[1:-1]):
            places.pop(0 if ends[0] < ends[1] else -1)
            continue
        least = min(range(1, len(places) - 1), key=lambda k: abs(errors[places[k]]))
        del places[least : least + 2]
    return places if len(places) == count else None


def polynomial_error(reference: Reference, coefficients: list[Mp]) -> float:
    """Greatest weighted error on the grid."""
    with mp.workdps(DIGITS):
        return float(max(abs(_error(reference, coefficients, x)) for x in _grid(reference)))
