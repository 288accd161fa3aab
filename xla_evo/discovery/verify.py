"""Verification of a record in mpmath at 50 digits, and what float64 makes of it.

The error is measured at 20,000 points and more of the domain, both ends and the points where an
intermediate value is infinite among them, and refined at the greatest extrema. That is a measured
maximum, not a proved bound.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import mpmath as mp
import numpy as np

from xla_evo.discovery.encoding import DIV, RDIVC, Reals
from xla_evo.discovery.formula import Steps, compile_steps
from xla_evo.discovery.reference import DIGITS, Reference, chebyshev
from xla_evo.targets.reliable import Mp

POINTS = 20_001
REFINED = 24
"""Extrema that are refined."""
MOST_SINGULAR = 64
"""Singular points that are judged."""
NEAR = ("1e-12", "1e-20", "1e-40", "1e-60")
"""Distances from a singular point, in parts of the domain, at which the limit is looked for."""
BISECTIONS = 400
_OFFSET = mp.mpf(10) ** -18
Evaluate = Callable[[Any], list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Singularity:
    """A point of the domain where an intermediate value is infinite.

    Attributes:
        x: the point.
        step: 1-based number of the division by zero.
        removable: whether the result has its limit there.
        float64: what float64 arithmetic gives at the nearest float64: ``right``, ``wrong``, ``inf``
            or ``nan``.
    """

    x: float
    step: int
    removable: bool
    float64: Literal["right", "wrong", "inf", "nan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Float64Behaviour:
    """What IEEE float64 arithmetic gives, on the points of the verification and the singular ones.

    Attributes:
        error: greatest weighted error over the points with a finite result.
        points: number of points.
        not_finite: points with the result nan or infinite.
        where: up to four such points.
    """

    error: float
    points: int
    not_finite: int
    where: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Outcome of a verification.

    Attributes:
        error: greatest weighted error, measured; inf where the result has no limit.
        worst: input of it.
        points: points evaluated at 50 digits, refinement left out.
        finite: whether all intermediate values are finite on the domain, as far as the points tell.
        singularities: points where an intermediate value is infinite.
        float64: behaviour of float64 arithmetic.
    """

    error: float
    worst: float
    points: int
    finite: bool
    singularities: tuple[Singularity, ...]
    float64: Float64Behaviour


def verification_points(low: float, high: float, count: int = POINTS) -> Reals:
    """Even and Chebyshev points, both ends, and points close to the ends and to the middle."""
    even = np.linspace(low, high, count // 2 + 1)
    length = high - low
    close = length * 2.0 ** -np.arange(2.0, 50.0, 4.0)
    extra = np.concatenate([low + close, high - close, (low + high) / 2 + close])
    points = np.concatenate([even, chebyshev(low, high, count // 2), extra])
    return np.unique(np.clip(points, low, high))


class Verifier:
    """Verifies records of one run; reference values are shared.

    Attributes:
        points: the points, ascending.
    """

    def __init__(self, reference: Reference, *, count: int = POINTS) -> None:
        self._reference = reference
        self._verified: dict[Steps, Verified] = {}
        self.points = verification_points(reference.low, reference.high, count)

    def verify(self, steps: Steps) -> Verified:
        """Measures a program; what was measured before is remembered."""
        found = self._verified.get(steps)
        if found is None:
            found = self._verified[steps] = self._measure(steps)
        return found

    def _measure(self, steps: Steps) -> Verified:
        with mp.workdps(DIGITS):
            exact = compile_steps(steps, mp.mpf)
            singular = self._singular(steps)
            error, where = self._greatest(exact)
        behaviour = self._float64(steps, [float(x) for x, _ in singular])
        found = tuple(self._describe(steps, x, step) for x, step in singular)
        if not all(item.removable for item in found):
            error = math.inf
        return Verified(
            error=error, worst=where, points=len(self.points), finite=not found,
            singularities=found, float64=behaviour,
        )  # fmt: skip

    def _greatest(self, exact: Evaluate) -> tuple[float, float]:
        sizes = np.array([self._error(exact, float(x)) for x in self.points])
        worst = int(np.argmax(sizes))
        error, where = float(sizes[worst]), float(self.points[worst])
        if math.isfinite(error):
            return self._refine(exact, sizes, error, where)
        return error, where

    def _error_exact(self, exact: Evaluate, x: Mp, value: Mp, weight: Mp) -> Mp:
        try:
            result = exact(x)[-1]
        except ZeroDivisionError:
            result = self._limit(exact, x)
        if not mp.isfinite(weight):
            return mp.mpf(0) if result == value else mp.inf
        return abs(result - value) * weight

    def _limit(self, exact: Evaluate, x: Mp) -> Mp:
        """Value a hair's breadth inside the domain, where it differs from the limit by 1e-17."""
        step = _OFFSET * max(abs(x), mp.mpf(self._reference.high - self._reference.low))
        near = x + step if x + step <= self._reference.high else x - step
        with mp.workdps(3 * DIGITS):
            for factor in (mp.mpf(10) ** -30, 3 * mp.mpf(10) ** -30):
                try:
                    return exact(x + (near - x) * factor)[-1]
                except ZeroDivisionError:
                    continue
        return mp.inf

    def _error(self, exact: Evaluate, x: float) -> float:
        value, weight = self._reference.at(x)
        return float(self._error_exact(exact, mp.mpf(x), value, weight))

    def _refine(
        self, exact: Evaluate, sizes: Reals, error: float, where: float
    ) -> tuple[float, float]:
        """Golden section search around the greatest local maxima."""
        inner = np.flatnonzero((sizes[1:-1] >= sizes[:-2]) & (sizes[1:-1] >= sizes[2:])) + 1
        order = inner[np.argsort(-sizes[inner])][:REFINED]
        ratio = (mp.sqrt(5) - 1) / 2
        for place in order:
            if sizes[place] < 0.9 * error:
                continue
            left, right = mp.mpf(self.points[place - 1]), mp.mpf(self.points[place + 1])
            for _ in range(24):
                one, two = right - ratio * (right - left), left + ratio * (right - left)
                at_one, at_two = (
                    self._error_exact(exact, x, *self._reference.exact(x)) for x in (one, two)
                )
                if mp.isfinite(at_one) and float(max(at_one, at_two)) > error:
                    error = float(max(at_one, at_two))
                    where = float(one if at_one > at_two else two)
                left, right = (left, two) if at_one > at_two else (one, right)
        return error, where

    def _singular(self, steps: Steps) -> list[tuple[Mp, int]]:
        """Zeros of the denominators: where one is 0 or changes its sign between two points."""
        found: list[tuple[Mp, int]] = []
        with np.errstate(all="ignore"):
            values = compile_steps(steps, float)(self.points)
        with mp.workdps(3 * DIGITS):
            exact = compile_steps(steps, mp.mpf)
        last = len(self.points) - 1
        for number, step in enumerate(steps, 1):
            if step.code not in (DIV, RDIVC):
                continue
            place = step.b if step.code == DIV else step.a
            bottom = np.asarray(values[place]) * np.ones_like(self.points)
            at_points = set(np.flatnonzero(bottom == 0).tolist())
            for i in at_points:
                around = self.points[max(i - 1, 0)], self.points[min(i + 1, last)]
                x = _zero(exact, place, float(around[0]), float(around[1]))
                found.append((mp.mpf(float(self.points[i])) if x is None else x, number))
            for i in np.flatnonzero(bottom[:-1] * bottom[1:] < 0):
                x = _zero(exact, place, float(self.points[i]), float(self.points[i + 1]))
                if x is not None:
                    found.append((x, number))
        unique: dict[float, tuple[Mp, int]] = {}
        for x, number in sorted(found):
            unique.setdefault(float(x), (x, number))
        return list(unique.values())[:MOST_SINGULAR]

    def _describe(self, steps: Steps, zero: Mp, step: int) -> Singularity:
        """Tells the limit from values on both sides, and what float64 gives."""
        reference = self._reference
        x = float(zero)
        with mp.workdps(3 * DIGITS):
            exact = compile_steps(steps, mp.mpf)
            length = mp.mpf(reference.high) - reference.low
            good = True
            for side in (-1, 1):
                for distance in NEAR:
                    point = zero + side * length * mp.mpf(distance)
                    if not reference.low <= point <= reference.high:
                        continue
                    try:
                        result = exact(point)[-1]
                    except ZeroDivisionError:
                        continue
                    value, weight = reference.exact(point)
                    good = good and bool(abs(result - value) * weight < 1e-2)
        with np.errstate(all="ignore"):
            got = float(compile_steps(steps, np.float64)(np.float64(x))[-1])
        value, weight = reference.at(x)
        if math.isnan(got):
            state = "nan"
        elif math.isinf(got):
            state = "inf"
        else:
            distance = abs(mp.mpf(got) - value)
            near = distance == 0 or distance * weight < 1e-2
            state = "right" if near else "wrong"
        return Singularity(x=x, step=step, removable=good, float64=state)

    def _float64(self, steps: Steps, singular: list[float]) -> Float64Behaviour:
        near = [y for x in singular for y in (x, np.nextafter(x, -np.inf), np.nextafter(x, np.inf))]
        inside = [y for y in near if self._reference.low <= y <= self._reference.high]
        points = np.concatenate([self.points, np.array(inside)])
        with np.errstate(all="ignore"):
            got = np.asarray(compile_steps(steps, float)(points)[-1]) * np.ones_like(points)
            high, low, weight = self._reference.arrays(points)
            error = np.abs((got - high) - low) * weight
        bad = ~np.isfinite(got)
        fine = ~bad & np.isfinite(weight)
        return Float64Behaviour(
            error=float(error[fine].max()) if fine.any() else math.inf,
            points=points.size,
            not_finite=int(bad.sum()),
            where=tuple(float(x) for x in points[bad][:4]),
        )


def _zero(exact: Evaluate, place: int, left: float, right: float) -> Mp | None:
    """A zero of a value between two points, by bisection; None for a pole and without a change."""
    with mp.workdps(3 * DIGITS):
        a, b = mp.mpf(left), mp.mpf(right)
        hair = (b - a) * mp.mpf(NEAR[-1])
        try:
            at_a, at_b = _value(exact, place, a, hair), _value(exact, place, b, -hair)
            if at_a == 0 or at_b == 0:
                return a if at_a == 0 else b
            if (at_a > 0) == (at_b > 0):
                return None
            middle, size = a, max(abs(at_a), abs(at_b))
            for _ in range(BISECTIONS):
                middle = (a + b) / 2
                value = exact(middle)[place]
                if value == 0:
                    return middle
                if (value > 0) == (at_a > 0):
                    a = middle
                else:
                    b = middle
            return middle if abs(exact(middle)[place]) <= size else None
        except ZeroDivisionError:
            return None


def _value(exact: Evaluate, place: int, x: Mp, hair: Mp) -> Mp:
    """A value at a point, or a hair's breadth beside it where an earlier one is infinite."""
    try:
        return exact(x)[place]
    except ZeroDivisionError:
        return exact(x + hair)[place]
