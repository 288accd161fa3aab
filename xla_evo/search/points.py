"""Where candidates are compared with the function: points to fit at and points to test at.

Errors are weighted by one over the unit in the last place of the reference, so that a weighted
error is in ULP for fitting, testing and polishing alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.errors import TargetError
from xla_evo.targets.ordering import from_ordinal, ordinal
from xla_evo.targets.target import Target

Floats = npt.NDArray[np.float64]

FIT_POINTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSize:
    """How many inputs candidates meet before a sweep.

    Attributes:
        uniform_rows: rows of the sample that a compiled program meets, uniform in value, beside the
            two that are timed.
        hard_rows: those uniform in every binade.
        near_rows: rows of inputs next to the worst of the sample, which it meets as well.
        near_most: of these at most so many differ.
        fresh: inputs of a set that polishing meets.
    """

    uniform_rows: int
    hard_rows: int
    near_rows: int
    near_most: int
    fresh: int


_MANY = SampleSize(uniform_rows=44, hard_rows=20, near_rows=4, near_most=1 << 17, fresh=1 << 17)
"""About a million inputs, so that few candidates pass here and fail the sweep."""
_FEW = SampleSize(uniform_rows=0, hard_rows=1, near_rows=1, near_most=1 << 10, fresh=1 << 12)
"""Where mpmath takes minutes for a million: sweeps find what these do not."""


def sample_size(target: Target) -> SampleSize:
    """Returns how many inputs candidates for a target meet."""
    return _FEW if target.function.pointwise else _MANY


_NEAR_ZERO = 12
_FEWEST, _BY_BINADE = FIT_POINTS // 2, 1024
"""With fewer points to fit at, so many inputs, as many of each binade, tell where to look."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Inputs with references and weights, all of shape (points,) and float64.

    Attributes:
        x: inputs.
        reference: the function's values.
        weight: one over the error that counts as one unit.
        rows: what a tape is given there, shape (given, points); the inputs alone by default.
    """

    x: Floats
    reference: Floats
    weight: Floats
    rows: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        if not self.rows.size:
            object.__setattr__(self, "rows", np.ascontiguousarray(self.x[None]))

    def take(self, chosen: npt.NDArray[Any]) -> "Points":
        """Returns the points at indices, or where a mask is true."""
        rows = np.ascontiguousarray(self.rows[:, chosen])
        return Points(self.x[chosen], self.reference[chosen], self.weight[chosen], rows)

    def join(self, other: "Points") -> "Points":
        """Returns these points and then the other ones."""
        if not other.x.size:  # its rows would be those of a function without a scaffold
            return self
        return Points(
            np.concatenate([self.x, other.x]),
            np.concatenate([self.reference, other.reference]),
            np.concatenate([self.weight, other.weight]),
            np.concatenate([self.rows, other.rows], axis=1),
        )


def _weights(target: Target, reference: Floats) -> Floats:
    _, exponent = np.frexp(reference)
    place = np.clip(exponent - 1, target.dtype.emin, target.dtype.emax)
    return np.ldexp(1.0, target.dtype.precision - 1 - place)


def make_points(target: Target, x: npt.NDArray[Any]) -> Points:
    """Returns the points at some inputs.

    Raises:
        TargetError: the function is not finite at one of them.
    """
    x = np.asarray(x, np.float64)
    reference = np.asarray(target.function.f64(x), np.float64)
    if not np.isfinite(reference).all():
        where = float(x[~np.isfinite(reference)][0])
        raise TargetError(
            f"{target.function.name}({where!r}) is not finite; give a domain where it is,"
            " with --domain LOW HIGH"
        )
    return Points(x, reference, _weights(target, reference))


def fit_points(target: Target) -> Points:
    """Chebyshev nodes of the domain, and points that approach zeros of the input and the output.

    Floating-point numbers crowd at 0, and where the function vanishes a relative error counts: both
    places need points that a grid of even spacing does not have. An output of exactly 0 is left to
    the test points, since there no error but 0 is allowed, and so is one that is not normal. Where
    such outputs are nearly all, as in a long tail, the nodes are of the part with the others, and
    each binade of it gives some.

    Raises:
        TargetError: the domain is not finite, or the function is not finite on it.
    """
    low, high = target.low, target.high
    if not np.isfinite([low, high]).all():
        whole = "" if target.function.expression else ", or --scaffold NAME for the whole range"
        raise TargetError(
            f"the domain of {target.function.name} is not finite; give one with --domain LOW HIGH"
            f"{whole}"
        )
    points = _nodes(target, low, high)
    if points.x.size < _FEWEST:
        first, last = ordinal(low, target.dtype), ordinal(high, target.dtype)
        places = np.unique(np.linspace(first, last, _BY_BINADE).astype(np.int64))
        wide = _normal(target, from_ordinal(places, target.dtype).astype(np.float64))
        if wide.x.size:
            some = wide.take(np.arange(0, wide.x.size, -(-wide.x.size // FIT_POINTS)))
            points = _nodes(target, float(wide.x[0]), float(wide.x[-1])).join(some)
    return points


def _nodes(target: Target, low: float, high: float) -> Points:
    """Chebyshev nodes of an interval, and points that approach zeros, see `fit_points`."""
    angles = (np.arange(FIT_POINTS) + 0.5) / FIT_POINTS * np.pi
    x = (low + high) / 2 - (high - low) / 2 * np.cos(angles)
    ends = target.function.f64(np.array([low, high]))
    centres = [end for end, value in zip((low, high), ends, strict=True) if value == 0]
    centres += [zero for zero in (0.0, *target.function.zeros) if low <= zero <= high]
    steps = (high - low) * 0.5 ** np.arange(4, 4 + _NEAR_ZERO)
    for centre in sorted(set(centres)):
        near = np.concatenate([centre + steps, centre - steps])
        x = np.concatenate([x, near[(near >= low) & (near <= high)]])
    return _normal(target, np.unique(x))


def _normal(target: Target, x: npt.NDArray[Any]) -> Points:
    """The points at some inputs whose references are normal numbers of the format."""
    points = make_points(target, x)
    return points.take(np.abs(points.reference) >= 2.0**target.dtype.emin)


def around(worst: npt.NDArray[Any], count: int, target: Target) -> npt.NDArray[Any]:
    """The numbers of the format next to some inputs, `count` in all, in the target's domain.

    Where errors are large they are large in a neighbourhood, and which of its inputs is the worst
    is chance: looking there finds more than looking everywhere.

    Args:
        worst: inputs of the target's format, shape (n,).
        count: shape of the result.
        target: whose domain they stay in; subnormal numbers and what is outside is left out.
    """
    bits = worst.view(f"i{worst.dtype.itemsize}")
    reach = -(-count // max(1, worst.size))
    near = (bits[:, None] + np.arange(reach) - reach // 2).reshape(-1).astype(bits.dtype)
    x = near.view(worst.dtype)
    normal = (np.abs(x) >= 2.0**target.dtype.emin) & (x >= target.low) & (x <= target.high)
    return np.resize(x[normal] if normal.any() else worst, count)


def format_points(target: Target, count: int, seed: int, near: Iterable[float] = ()) -> Points:
    """Inputs of the target's own format: edges, binades, a uniform part, and known hard points."""
    known = np.fromiter(near, np.float64)
    inputs = np.union1d(sample_inputs(target, count, seed).astype(np.float64), known)
    normal = (np.abs(inputs) >= 2.0**target.dtype.emin) | (inputs == 0)
    return make_points(target, inputs[normal])
