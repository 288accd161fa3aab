"""Constants of the hand-made programs: minimax fits over the reals, by Lawson's iteration.

Least squares with weights that grow where the error is large (Lawson 1961; Ellacott and Williams
1976 for the linearised rational form), at Chebyshev points in extended precision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mpmath as mp
import numpy as np

Extended = np.longdouble
_POINTS = 600
_ITERATIONS = 40
_MOST = 30


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients, lowest first, and the largest weighted error."""

    numerator: tuple[float, ...]
    denominator: tuple[float, ...]
    error: float

    @property
    def bits(self) -> float:
        """Accuracy in bits."""
        return float(-np.log2(self.error))


def extended(value) -> np.longdouble:
    """An mpmath number as an extended float."""
    high = float(value)
    return Extended(high) + Extended(float(value - mp.mpf(high)))


def solve(matrix, right):
    """Least squares, refined to extended precision."""
    scale = np.abs(matrix).max(axis=0)
    scaled = matrix / scale
    q, r = np.linalg.qr(scaled.astype(np.float64))
    solution = np.zeros(matrix.shape[1], Extended)
    for _ in range(6):
        rest = (right - scaled @ solution).astype(np.float64)
        solution = solution + np.linalg.solve(r, q.T @ rest)
    return solution / scale


def fit(
    function: Callable,
    low: float,
    high: float,
    powers: Sequence[int],
    *,
    below: Sequence[int] = (),
    weight: Callable | None = None,
    fixed: Mapping[int, float] | None = None,
    points: int = _POINTS,
    also: Sequence[mp.mpf] = (),
    iterations: int = _ITERATIONS,
) -> Fit:
    """The polynomial or rational function nearest to a function in the weighted maximum norm.

    Args:
        function: of an mpmath number.
        low: end of the interval.
        high: end of the interval.
        powers: of the numerator.
        below: powers of the denominator beside the 1.
        weight: of an mpmath number, factor on the error; 1/|function| when left out.
        fixed: coefficients of a polynomial that are given, by their powers.
        points: Chebyshev points.
        also: further points.
        iterations: of Lawson's weights.
    """
    with mp.workdps(40):
        middle, half = (mp.mpf(low) + mp.mpf(high)) / 2, (mp.mpf(high) - mp.mpf(low)) / 2
        places = [
            middle + half * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / points) for k in range(points)
        ]
        places += also
        values = [function(v) for v in places]
        scales = [
            1 / abs(y) if weight is None else weight(v) for v, y in zip(places, values, strict=True)
        ]
        x = np.asarray([extended(v) for v in places])
        y = np.asarray([extended(v) for v in values])
        w = np.asarray([extended(mp.mpf(v)) for v in scales])
    y = y - sum((Extended(c) * x**p for p, c in (fixed or {}).items()), Extended(0) * x)
    count = len(powers)
    columns = [x**p for p in powers] + [-y * x**p for p in below]
    base = np.stack(columns, axis=1)
    lawson = np.ones(len(places), Extended) / len(places)
    quotient = np.ones(len(places), Extended)
    best: Fit | None = None
    for _ in range(iterations):
        factor = np.sqrt(lawson) * w / quotient
        solution = solve(base * factor[:, None], y * factor)
        top = sum(c * x**p for c, p in zip(solution[:count], powers, strict=True))
        terms = zip(solution[count:], below, strict=True)
        bottom = 1 + sum((c * x**p for c, p in terms), Extended(0) * x)
        error = np.abs((top / bottom - y) * w)
        largest = float(error.max())
        if best is None or largest < best.error:
            best = Fit(
                tuple(map(float, solution[:count])), tuple(map(float, solution[count:])), largest
            )
        quotient = bottom if below else quotient
        lawson = lawson * (error / error.max() + Extended(1e-6))
        lawson /= lawson.sum()
    return best


def shortest(
    function: Callable,
    low: float,
    high: float,
    bits: float,
    *,
    weight: Callable | None = None,
    least: int = 2,
) -> Fit:
    """The shortest polynomial, of at least ``least`` terms, that is accurate to ``bits``."""
    for count in range(least, _MOST):
        found = fit(function, low, high, range(count), weight=weight)
        if found.bits >= bits:
            return found
    raise ValueError(f"{_MOST - 1} terms give {found.bits:.1f} bits, not {bits}")


def single(
    function: Callable, low: float, high: float, count: int, *, weight: Callable | None = None,
    fixed: Mapping[int, float] | None = None,
) -> tuple[float, ...]:  # fmt: skip
    """A polynomial of float32 coefficients: each is rounded in turn, and the later ones make up.

    Args:
        function: as for `fit`.
        low: end of the interval.
        high: end of the interval.
        count: of coefficients.
        weight: as for `fit`.
        fixed: coefficients that are given, by their powers.
    """
    known = dict(fixed or {})
    for power in range(count):
        if power not in known:
            free = [p for p in range(count) if p not in known]
            found = fit(function, low, high, free, weight=weight, fixed=known, points=300)
            known[power] = float(np.float32(found.numerator[0]))
    return tuple(known[power] for power in range(count))
