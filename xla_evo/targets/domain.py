"""Whether a function is real and bounded over an interval, by sampling and refinement.

Sampling cannot prove that there is no narrow pole; it finds those that a user's expression has in
practice, and says where.
"""

import math

import mpmath as mp
import numpy as np

from xla_evo.errors import TargetError
from xla_evo.targets.function import Function
from xla_evo.targets.reliable import MPMATH, Mp

_UNIFORM = 301
_GROWTH = 1e9
_LARGEST = 1e38


def check_domain(function: Function, low: float, high: float) -> None:
    """Checks that ``function`` has a finite real value at sampled points of [low, high].

    A catalogue function is only checked against its stated domain: its poles and special values
    are known. Any other is evaluated in mpmath at both ends, on a uniform and a geometric grid,
    and refined between neighbours where a pole may hide. Inputs with a finite value that
    the user declared are left out.

    Raises:
        TargetError: says at which input the function has a pole or is not real.
    """
    domain_low, domain_high = function.domain
    if low < domain_low or high > domain_high:
        raise TargetError(
            f"{function.name} is not real on all of [{low!r}, {high!r}];"
            f" choose a domain within [{domain_low!r}, {domain_high!r}]"
        )
    if function.expression is None or function.arity != 1:
        return
    declared = {x for x, y in function.declared_specials() if math.isfinite(y)}
    points = [point for point in _points(low, high) if point not in declared]
    with MPMATH, mp.workprec(80):
        values = [_value(function, point) for point in points]
        for position in range(1, len(points)):
            _check_between(function, points, values, position)


def _points(low: float, high: float) -> list[float]:
    low, high = max(low, -_LARGEST), min(high, _LARGEST)
    uniform = np.linspace(low, high, _UNIFORM)
    geometric = [s * 2.0**k for k in range(-126, 128, 3) for s in (1, -1)]
    inside = [p for p in (0.0, *geometric) if low <= p <= high]
    return sorted({*uniform.tolist(), *inside, low, high})


def _fail(function: Function, point: float, what: str) -> TargetError:
    return TargetError(
        f"{function.name!r} {what} at x = {point!r}; choose a domain without this point"
    )


def _value(function: Function, point: float) -> Mp:
    value = function.mp(mp.mpf(point))
    if not mp.isfinite(value):
        near = [function.mp(mp.mpf(p)) for p in (_step(point, 1), _step(point, -1))]
        finite = [v for v in near if mp.isfinite(v)]
        pole = len(finite) == 2 or any(abs(v) > 1e6 for v in finite)
        raise _fail(function, point, "has a pole" if pole else "is not a real number")
    return value


def _step(point: float, sign: int) -> float:
    return point + sign * max(abs(point) * 1e-12, 1e-12)


def _check_between(function: Function, points: list[float], values: list[Mp], i: int) -> None:
    """Looks for a pole between neighbours i-1 and i: a sign change that grows, or a sharp peak."""
    left, right = points[i - 1], points[i]
    before, after = values[i - 1], values[i]
    if before * after < 0:
        bound = _GROWTH * max(abs(before), abs(after))
        while (middle := (left + right) / 2) not in (left, right):
            value = _value(function, middle)
            if abs(value) > bound:
                raise _fail(function, float(middle), "has a pole")
            if value == 0:
                return
            left, right = (middle, right) if value * before > 0 else (left, middle)
        return
    if 1 < i < len(points) - 1:
        around = [abs(values[k]) for k in (i - 2, i - 1, i, i + 1)]
        if max(around[1:3]) > max(around[0], around[3]):
            _check_peak(function, points[i - 2], points[i + 1], min(around[0], around[3]))


def _check_peak(function: Function, left: float, right: float, height: Mp) -> None:
    """Climbs to the local maximum of |f| by ternary search and judges its height."""
    for _ in range(200):
        third = (right - left) / 3
        one, two = left + third, right - third
        if not (left < one < two < right):
            return
        f_one, f_two = abs(_value(function, one)), abs(_value(function, two))
        if max(f_one, f_two) > _GROWTH * height:
            raise _fail(function, float(one if f_one > f_two else two), "has a pole")
        left, right = (left, two) if f_one > f_two else (one, right)
        if math.isclose(left, right, rel_tol=1e-15):
            return
