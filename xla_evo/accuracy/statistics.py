"""Running statistics of a measurement: what the kernels fill, merged over threads and finished.

The fast pass is against float64 references. `Statistics.finish` then decides the worst points and
the open roundings in mpmath.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from xla_evo.accuracy.kernels import Format, format_constants
from xla_evo.accuracy.measurement import ErrorMeasurement, WorstPoint
from xla_evo.accuracy.rounded import NOT_ROUNDED, Rounded
from xla_evo.accuracy.tally import HISTOGRAM_EDGES, WORST_KEPT, scan, scan_pairs
from xla_evo.accuracy.ulp import is_correctly_rounded, ulp_error_mp
from xla_evo.targets.function import Function
from xla_evo.targets.pair_forms import ERROR_ULP as PAIR_ERROR_ULP
from xla_evo.targets.reliable import MPMATH, Mp
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import F64

DECIDED_IN_MPMATH = 4096
"""At most so many open roundings are decided in mpmath; the rest are reported as undecided."""

_DIGITS = 60

Point = tuple[tuple[float, ...], float]
"""(arguments, result)."""


def reference_error_ulp(target: Target) -> float:
    """Returns the bound on the float64 reference's error, in ULP of the target's format."""
    if target.dtype is F64 and target.function.pair is not None:
        return PAIR_ERROR_ULP
    return target.function.f64_error_ulp * 2.0 ** (target.dtype.precision - 53)


def exact_reference(function: Function, arguments: tuple[float, ...]) -> Mp:
    """Returns the reference at one input: named special values first, mpmath elsewhere.

    Infinite arguments and those outside the domain take the value of the float64 form, which is
    exact there (an infinity, nan, or a limit).
    """
    output = named_value(function, arguments)
    if output is not None:
        # The one special value that no float is: atan2 of two zeros.
        return math.copysign(1.0, output) * mp.pi if abs(output) == math.pi else mp.mpf(output)
    low, high = function.domain
    wide = float(function.f64(*(np.asarray([a]) for a in arguments))[0])
    if not all(math.isfinite(a) and low <= a <= high for a in arguments):
        return mp.mpf(wide)
    value = function.mp(*(mp.mpf(a) for a in arguments))
    # mpmath has no -0, on which the sign of atan2 and pow depends.
    return -value if 0.0 in arguments and value * wide < 0 else value


def named_value(function: Function, arguments: tuple[float, ...]) -> float | None:
    """Returns the output that the function names for this very input (-0 is not +0), or None."""
    for key, output in function.specials:
        keys = key if isinstance(key, tuple) else (key,)
        if all(identical(a, k) for a, k in zip(arguments, keys, strict=True)):
            return output
    return None


def identical(one: float, two: float) -> bool:
    """Returns whether two floats are the same number with the same sign, or both nan."""
    if one != one or two != two:
        return one != one and two != two
    return one == two and math.copysign(1.0, one) == math.copysign(1.0, two)


def widened_results(results: NDArray[Any]) -> NDArray[Any]:
    """Returns results as the kernels take them: the 16-bit formats in float32."""
    with np.errstate(invalid="ignore"):
        return results if results.dtype.itemsize >= 4 else results.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What the kernels fill in one run: points worse than those that are kept, and open ones.

    A chunk is soon done, so these are not made anew for each.
    """

    errors: Any = field(default_factory=lambda: np.full(WORST_KEPT, -1.0))
    places: Any = field(default_factory=lambda: np.full(WORST_KEPT, -1, np.int64))
    undecided: Any = field(default_factory=lambda: np.empty(DECIDED_IN_MPMATH, np.int64))
    totals: Any = field(default_factory=lambda: np.zeros(4, np.int64))


@dataclass(slots=True)
class Statistics:
    """What is known so far about the errors of one function.

    Attributes:
        target: what is measured.
        flush_to_zero: whether subnormal numbers of the format do not exist.
    """

    target: Target
    flush_to_zero: bool
    above: Any = field(default_factory=lambda: np.zeros(len(HISTOGRAM_EDGES), np.int64))
    totals: Any = field(default_factory=lambda: np.zeros(4, np.int64))
    worst: list[tuple[float, Point]] = field(default_factory=list)
    undecided: list[Point] = field(default_factory=list)
    form: Format = field(init=False)
    uncertainty: float = field(init=False)
    _fresh: _Fresh = field(default_factory=_Fresh)

    def __post_init__(self) -> None:
        slack = math.ceil(self.target.function.f64_error_ulp)
        self.form = format_constants(
            self.target.dtype, flush_to_zero=self.flush_to_zero, slack=slack
        )
        self.uncertainty = reference_error_ulp(self.target)

    @property
    def largest_ulp(self) -> float:
        """Largest error so far against the float64 reference."""
        return self.worst[0][0] if self.worst else 0.0

    def add(
        self,
        arguments: tuple[Any, ...],
        results: Any,
        references: Any,
        rests: Any = None,
        rounded: Rounded = NOT_ROUNDED,
    ) -> None:
        """Adds results of the format against float64 references, all 1-D and of one length.

        Args:
            arguments: one array for each argument.
            results: of the format.
            references: float64.
            rests: what the exact values have beyond the references in ULP of them, for float64
                results (`Function.pair`).
            rounded: the references again, where they were rounded for several functions.
        """
        fresh = self._fresh
        fresh.totals[:] = 0
        running = (
            0, self.form, self.uncertainty, self.above,
            fresh.errors, fresh.places, fresh.undecided, fresh.totals,
        )  # fmt: skip
        if rests is None:
            scan(widened_results(results), references, rounded, *running)
        else:
            scan_pairs(results, references, rests, *running)
        self.totals += fresh.totals

        def point(i: int) -> Point:
            return tuple(float(a[i]) for a in arguments), float(results[i])

        if fresh.places[0] >= 0:
            places = zip(fresh.errors.tolist(), fresh.places.tolist(), strict=True)
            self._keep([(e, point(i)) for e, i in places if i >= 0 and e > 0])
        if fresh.totals[2]:
            room = min(DECIDED_IN_MPMATH - len(self.undecided), int(fresh.totals[2]))
            self.undecided += [point(i) for i in fresh.undecided[: max(room, 0)].tolist()]

    def add_exactly(self, arguments: tuple[Any, ...], results: Any) -> None:
        """Adds results against mpmath references, one by one: some 10,000 a second."""
        self.uncertainty = 0.0
        rows = list(zip(*(a.tolist() for a in arguments), strict=True))
        points = [(row, float(y)) for row, y in zip(rows, results.tolist(), strict=True)]
        decided = [self._decided(point) for point in points]
        errors = np.asarray([d.ulp for d in decided])
        self.above += (errors[:, None] > np.asarray(HISTOGRAM_EDGES)).sum(axis=0)
        with MPMATH, mp.workdps(_DIGITS):
            wrong = sum(
                not self._is_nearest(point)
                for point, error in zip(points, errors.tolist(), strict=True)
                if error >= 0.5
            )
        mismatches = sum(math.isnan(d.result) != math.isnan(d.reference) for d in decided)
        self.totals += np.asarray([len(points), wrong, 0, mismatches])
        self._keep([(e, p) for e, p in zip(errors.tolist(), points, strict=True) if e > 0])

    def _keep(self, fresh: list[tuple[float, Point]]) -> None:
        merged = sorted(self.worst + fresh, key=lambda item: (-item[0], item[1]))
        self.worst = merged[:WORST_KEPT]
        self._fresh.errors[:] = self._least_kept() if len(self.worst) == WORST_KEPT else -1.0
        self._fresh.places[:] = -1

    def _least_kept(self) -> float:
        return self.worst[-1][0] if len(self.worst) == WORST_KEPT else 0.0

    def merge(self, other: "Statistics") -> None:
        """Adds what another run over other inputs of the same target found."""
        self.above += other.above
        self.totals += other.totals
        self._keep(other.worst)
        self.undecided = (self.undecided + other.undecided)[:DECIDED_IN_MPMATH]

    def decided_max_ulp(self) -> float:
        """Returns the largest error among the points kept, decided in mpmath."""
        return max((self._decided(point).ulp for _, point in self.worst), default=0.0)

    def finish(self, *, exhaustive: bool, seconds: float) -> ErrorMeasurement:
        """Decides what float64 leaves open and returns the measurement."""
        points = sorted((self._decided(p) for _, p in self.worst), key=lambda p: -p.ulp)
        largest = points[0].ulp if points else 0.0
        least_kept = self._least_kept()
        count, wrong, open_, mismatches = (int(n) for n in self.totals)
        with MPMATH, mp.workdps(_DIGITS):
            wrong += sum(not self._is_nearest(point) for point in self.undecided)
        above = [*self.above.tolist(), 0]
        return ErrorMeasurement(
            max_ulp=largest,
            bound_ulp=max(largest, least_kept + self.uncertainty if count else 0.0),
            worst_inputs=tuple(points),
            histogram=tuple(a - b for a, b in zip([count, *above], above, strict=False)),
            not_correctly_rounded=wrong,
            undecided=open_ - len(self.undecided),
            nan_mismatches=mismatches,
            count=count,
            exhaustive=exhaustive,
            reference_error_ulp=self.uncertainty,
            seconds=seconds,
        )

    def _references(self, arguments: tuple[float, ...]) -> list[Mp]:
        """Exact references at an input: with flush-to-zero also at the input flushed."""
        readings = [arguments]
        if self.flush_to_zero:
            least = self.form.least
            flushed = tuple(math.copysign(0.0, a) if abs(a) < least else a for a in arguments)
            readings += [flushed] if flushed != arguments else []
        return [exact_reference(self.target.function, reading) for reading in readings]

    def _is_nearest(self, point: Point) -> bool:
        arguments, result = point
        return any(
            is_correctly_rounded(
                result, reference, self.target.dtype, flush_to_zero=self.flush_to_zero
            )
            for reference in self._references(arguments)
        )

    def _decided(self, point: Point) -> WorstPoint:
        arguments, result = point
        with MPMATH, mp.workdps(_DIGITS):
            errors = [
                (
                    ulp_error_mp(result, r, self.target.dtype, flush_to_zero=self.flush_to_zero),
                    float(r),
                )
                for r in self._references(arguments)
            ]
        ulp, reference = min(errors, key=lambda item: item[0])
        return WorstPoint(
            input=arguments if self.target.function.arity > 1 else next(iter(arguments)),
            result=result,
            reference=reference,
            ulp=ulp,
        )
