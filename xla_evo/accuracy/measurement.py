"""The result of measuring a compiled function against its reference."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from xla_evo.accuracy.tally import HISTOGRAM_EDGES
from xla_evo.errors import TargetError


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstPoint:
    """One input with a large error.

    Attributes:
        input: the argument, or the pair of arguments.
        result: what the function gave.
        reference: exact value, rounded to float64.
        ulp: error in ULP, decided in mpmath.
    """

    input: float | tuple[float, ...]
    result: float
    reference: float
    ulp: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMeasurement:
    """How far a function was from its reference on a set of inputs.

    Attributes:
        max_ulp: largest error found, decided in mpmath; infinite where nan or an infinity is wrong.
        bound_ulp: no input of the set has an error above this: ``max_ulp``, or what an input that
            was not decided in mpmath may reach given the reference's own error, if that is more.
        worst_inputs: the largest errors in descending order.
        histogram: counts of inputs by error; bin i ends at ``HISTOGRAM_EDGES[i]`` (included), the
            last has no end. Errors here are against the float64 reference.
        not_correctly_rounded: inputs whose result is not the nearest number of the format.
        undecided: inputs whose correct rounding the float64 reference leaves open and that were
            more than was decided in mpmath.
        nan_mismatches: inputs where the result or the reference is nan, but not both.
        count: inputs measured.
        exhaustive: whether they were every input of the domain.
        reference_error_ulp: bound on the float64 reference's error, in ULP of the format; 0 where
            every reference was exact.
        seconds: wall time.
    """

    max_ulp: float
    bound_ulp: float
    worst_inputs: tuple[WorstPoint, ...]
    histogram: tuple[int, ...]
    not_correctly_rounded: int
    undecided: int
    nan_mismatches: int
    count: int
    exhaustive: bool
    reference_error_ulp: float
    seconds: float

    @property
    def worst_input(self) -> float | tuple[float, ...]:
        """The input with the largest error; nan where every error is 0."""
        return self.worst_inputs[0].input if self.worst_inputs else math.nan

    @property
    def worst_input_hex(self) -> str:
        """`worst_input` as a hexadecimal float."""
        worst = self.worst_input
        if isinstance(worst, tuple):
            return ", ".join(float(part).hex() for part in worst)
        return float(worst).hex()

    def bound(self) -> str:
        """Returns what may be claimed, in words: a bound if exhaustive, else what was found."""
        if self.exhaustive:
            return f"max {_rounded_up(self.bound_ulp)} ULP over all {self.count:,} inputs"
        return f"{_rounded_up(self.max_ulp)} ULP, sampled {self.count:,}"

    def to_json(self) -> dict[str, Any]:
        """Returns plain data, numbers that JSON lacks as strings; `from_json` undoes it."""
        return _encoded(asdict(self) | {"histogram_edges": HISTOGRAM_EDGES})

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "ErrorMeasurement":
        """Returns the measurement that `to_json` wrote.

        Raises:
            TargetError: a field is missing or unknown, or the histogram has other bins.
        """
        fields = {key: _decoded(value) for key, value in data.items()}
        if tuple(fields.pop("histogram_edges", ())) != HISTOGRAM_EDGES:
            raise TargetError("the error measurement was made with other histogram bins; redo it")
        try:
            fields["worst_inputs"] = tuple(WorstPoint(**p) for p in fields["worst_inputs"])
            return ErrorMeasurement(**fields)
        except (KeyError, TypeError) as error:
            raise TargetError(f"not an error measurement: {error}") from None


def _rounded_up(ulp: float) -> str:
    return f"{math.ceil(ulp * 1e4) / 1e4:g}" if math.isfinite(ulp) and ulp < 1e6 else f"{ulp:g}"


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encoded(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(_decoded(item) for item in value)
    return float(value) if value in ("inf", "-inf", "nan") else value
