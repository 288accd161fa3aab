"""The function and the error weight on points, from mpmath at 50 digits."""

from itertools import pairwise

import mpmath as mp
import numpy as np

from xla_evo.discovery.config import DiscoveryConfig, Measure
from xla_evo.discovery.encoding import MAX_OPS, NODES, Reals
from xla_evo.discovery.evolve import Grid
from xla_evo.discovery.fit import Problem
from xla_evo.errors import TargetError
from xla_evo.targets.function import Function, resolve
from xla_evo.targets.reliable import Mp

DIGITS = 50
"""Decimal digits of every reference value."""
GRID_POINTS = 126
STEEPEST = 4
"""Intervals between sampled points that are searched for a jump."""
EDGE = 1e-7
"""How far the outermost points of the grid lie inside the domain, as a part of its length."""


class Reference:
    """Values of the function and the weight at single points, remembered.

    Attributes:
        low: lower end of the domain.
        high: upper end of the domain.
    """

    def __init__(self, config: DiscoveryConfig) -> None:
        self.low, self.high = config.low, config.high
        self._function = config.target()
        self._measure = config.measure
        self._weight: Function | None = None
        if config.weight is not None:
            self._weight = resolve("", config.weight)
        self._known: dict[float, tuple[Mp, Mp]] = {}
        self._check()

    def at(self, x: float) -> tuple[Mp, Mp]:
        """Function value and weight at an exact float64, as mpf; the weight is inf where f is 0."""
        found = self._known.get(x)
        if found is None:
            with mp.workdps(DIGITS + 10):
                found = self.exact(mp.mpf(x))
            self._known[x] = found
        return found

    def exact(self, x: Mp) -> tuple[Mp, Mp]:
        """Function value and weight at any point, in the present precision of mpmath."""
        value = self._function.mp(x)
        if self._measure == "absolute":
            return value, mp.mpf(1)
        if self._weight is not None:
            return value, self._weight.mp(x)
        return value, 1 / abs(value) if value != 0 else mp.inf

    def arrays(self, x: Reals) -> tuple[Reals, Reals, Reals]:
        """High parts, low parts and weights at points, each of the shape of ``x``."""
        high, low, weight = np.empty(x.size), np.empty(x.size), np.empty(x.size)
        with mp.workdps(DIGITS):
            for i, point in enumerate(x):
                value, factor = self.at(float(point))
                high[i] = float(value)
                low[i] = float(value - mp.mpf(high[i]))
                weight[i] = float(factor)
        return high, low, weight

    def problem(self, x: Reals) -> Problem:
        """The function on nodes."""
        high, low, weight = self.arrays(x)
        return Problem(np.ascontiguousarray(x), high, low, weight)

    def grid(self, x: Reals) -> Grid:
        """The function on a grid, with memory for a program's values."""
        high, low, weight = self.arrays(x)
        values = np.zeros((MAX_OPS + 1, x.size))
        values[0] = x
        return Grid(x, high, low, weight, values, np.zeros((MAX_OPS + 1, x.size)))

    def _check(self) -> None:
        """Relative error cannot be bounded where the function changes its sign."""
        points = np.linspace(self.low, self.high, 201)
        values = [self.at(float(x))[0] for x in points]
        name = self._function.name
        if all(value == 0 for value in values):
            raise TargetError(f"{name} is zero on the domain; there is nothing to find")
        with mp.workdps(DIGITS):
            jump = _jump(self, points)
        if jump is not None:
            raise TargetError(
                f"{name} jumps at x = {jump:.9g}; choose a domain on one side of that point"
            )
        if self._measure == "absolute":
            return
        if self._weight is not None:
            for x in points[1:-1]:
                weight = self.at(float(x))[1]
                if not (mp.isfinite(weight) and weight > 0):
                    raise TargetError(f"the weight is not above zero at x = {float(x)!r}")
            return
        if _ends_near_zero(values):
            raise TargetError(
                f"{name} has a zero close to an end of the domain, at no float64, where relative"
                " error has no bound; choose the absolute error or another domain, or divide by"
                " the zero in an expression, as in cos(x)/(pi/2-x)"
            )
        for i in range(1, len(points)):
            zero = float(points[i]) if i < len(points) - 1 and values[i] == 0 else None
            if values[i - 1] * values[i] < 0:
                zero = self._zero_between(float(points[i - 1]), float(points[i]))
            if zero is not None:
                raise TargetError(
                    f"{name} changes its sign or is zero near x = {zero:.6g}, where"
                    " relative error has no bound; choose another domain, the absolute error, or"
                    " divide by the zero in an expression, as in sin(x)/x"
                )

    def _zero_between(self, low: float, high: float) -> float:
        """Where the function is zero between two points at which its signs differ."""
        with mp.workdps(DIGITS):
            zero = float(mp.findroot(
                lambda x: self.exact(x)[0], (low, high), solver="illinois", tol=mp.mpf(10) ** -12,
                verify=False,
            ))  # fmt: skip
        return zero if abs(zero) > 1e-9 * (high - low) else 0.0


def _ends_near_zero(values: list[Mp]) -> bool:
    """Whether an end is next to a zero that is no float64, as pi/2 is next to a zero of cos."""
    bound = max(abs(value) for value in values) * mp.mpf(10) ** -12
    return any(0 < abs(value) < bound for value in (values[0], values[-1]))


def _jump(reference: Reference, points: Reals) -> float | None:
    """A point where the function is not continuous: halving does not make the change smaller."""
    values = [reference.at(float(x))[0] for x in points]
    changes = [abs(b - a) for a, b in pairwise(values)]
    for i in sorted(range(len(changes)), key=lambda k: -changes[k])[:STEEPEST]:
        left, right = mp.mpf(float(points[i])), mp.mpf(float(points[i + 1]))
        f_left, f_right, change = values[i], values[i + 1], changes[i]
        for _ in range(60):
            middle = (left + right) / 2
            value = reference.exact(middle)[0]
            if abs(value - f_left) > abs(f_right - value):
                right, f_right = middle, value
            else:
                left, f_left = middle, value
        if abs(f_right - f_left) > change / 10 > 0:
            return float(right)
    return None


def default_measure(function: Function, low: float, high: float) -> Measure:
    """Relative error, or absolute where the domain ends next to a zero that is no float64."""
    with mp.workdps(DIGITS):
        points = np.linspace(low, high, 33)
        values = [function.mp(mp.mpf(float(x))) for x in points]
        return "absolute" if _ends_near_zero(values) else "relative"


def chebyshev(low: float, high: float, count: int) -> Reals:
    """Zeros of the Chebyshev polynomial of degree ``count``, moved to [low, high]."""
    angles = (2 * np.arange(count) + 1) * np.pi / (2 * count)
    return np.ascontiguousarray((low + high) / 2 - (high - low) / 2 * np.cos(angles))


def fitting_nodes(low: float, high: float) -> Reals:
    """Nodes of the fit during the search."""
    return chebyshev(low, high, NODES)


def checking_points(low: float, high: float) -> Reals:
    """Points of the check before a program enters a population; the last two are the ends."""
    edge = EDGE * (high - low)
    ends = [low + edge, high - edge, low, high]
    return np.concatenate([chebyshev(low, high, GRID_POINTS), ends])
