"""Records and fronts: what a discovery hands over, and their JSON."""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.constants import Explanation, explain
from xla_evo.discovery.formula import (
    Step,
    Steps,
    formula,
    graph,
    python_source,
    structure,
    to_program,
)  # fmt: skip
from xla_evo.discovery.verify import Float64Behaviour, Singularity, Verified
from xla_evo.errors import RunError
from xla_evo_lowering.dtypes import REAL, DType
from xla_evo_lowering.dtypes import dtype as dtype_named
from xla_evo_lowering.program import Program

Policy = Literal["removable", "finite"]
EXACT_BELOW = 1e-8
"""Error of a record below which its source carries constants beyond float64."""
POLICIES: tuple[Policy, ...] = ("removable", "finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The best program of one number of operations under one policy on singularities.

    Attributes:
        steps: the program; its constants have the fewest digits that keep the error within 1%.
        error: greatest error on a dense grid in extended precision.
        verified: measured at 50 digits; its error is the one to quote.
        full: the program with all digits of its constants, before they were shortened.
        full_error: its greatest error on the dense grid in extended precision.
        policy: ``removable``: an intermediate value may be infinite at single points; ``finite``:
            none is.
    """

    steps: Steps
    error: float
    verified: Verified
    full: Steps
    full_error: float
    policy: Policy

    @property
    def operations(self) -> int:
        """Number of operations."""
        return len(self.steps)

    @property
    def python(self) -> str:
        """Source of the function in Python, for floats, NumPy arrays and mpmath numbers alike."""
        return python_source(self.steps, exact=self.verified.error < EXACT_BELOW)

    def program(self, *, name: str = "discovered", dtype: "str | DType" = REAL) -> Program:
        """The program in a format of numbers, constants rounded to it."""
        return to_program(self.steps, name=name, dtype=dtype_named(dtype))

    def explain(self, config: DiscoveryConfig) -> Explanation:
        """Says which parameters are redundant."""
        return explain(self.steps, config.low, config.high)

    def to_json(self) -> dict[str, Any]:
        """Everything about the record; errors are plain numbers."""
        return {
            "operations": self.operations,
            "policy": self.policy,
            "error": self.error,
            "verified_error": self.verified.error,
            "verified": asdict(self.verified),
            "formula": formula(self.steps),
            "structure": structure(self.steps),
            "constants": [step.constant for step in self.steps if step.constant],
            "python": self.python,
            "graph": graph(self.steps),
            "steps": [asdict(step) for step in self.steps],
            "full_error": self.full_error,
            "full_constants": [step.constant for step in self.full if step.constant],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Record":
        """Returns the record that `to_json` wrote.

        Raises:
            RunError: a field is missing or of a wrong type.
        """
        try:
            verified = dict(data["verified"])
            behaviour = dict(verified["float64"])
            behaviour["where"] = tuple(behaviour["where"])
            verified["float64"] = Float64Behaviour(**behaviour)
            verified["singularities"] = tuple(
                Singularity(**item) for item in verified["singularities"]
            )
            steps = tuple(Step(**step) for step in data["steps"])
            places = [i for i, step in enumerate(steps) if step.constant]
            full = list(steps)
            for place, text in zip(places, data["full_constants"], strict=True):
                full[place] = replace(steps[place], constant=text)
            return Record(
                steps=steps, error=data["error"], verified=Verified(**verified),
                full=tuple(full), full_error=data["full_error"], policy=data["policy"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"not a record of a discovery: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The outcome of a discovery.

    Attributes:
        config: what was asked.
        records: by policy and number of operations.
        candidates: candidates fitted.
        seconds: wall-clock time of the search, compilation and finish left out.
        baselines: by method and number of operations, the error without search.
        out: run directory, None where nothing was written.
    """

    config: DiscoveryConfig
    records: dict[Policy, dict[int, Record]]
    candidates: int
    seconds: float
    baselines: dict[str, dict[int, float]] = field(default_factory=dict)
    out: Path | None = None

    def record(self, operations: int, policy: Policy | None = None) -> Record:
        """The record of a number of operations, of the searched policy where none is named.

        Raises:
            RunError: there is none.
        """
        wanted = policy or ("finite" if self.config.finite else "removable")
        found = self.records.get(wanted, {}).get(operations)
        if found is None:
            have = ", ".join(map(str, sorted(self.records.get(wanted, {})))) or "none"
            raise RunError(f"no {wanted} record of {operations} operations; there are: {have}")
        return found

    @property
    def rate(self) -> float:
        """Candidates fitted a second."""
        return self.candidates / self.seconds if self.seconds > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain data; records are lists in ascending number of operations."""
        return {
            "kind": "discovery",
            "format": 1,
            "config": self.config.to_json(),
            "title": self.config.title,
            "candidates": self.candidates,
            "seconds": self.seconds,
            "candidates_per_second": self.rate,
            "records": {
                policy: [table[n].to_json() for n in sorted(table)]
                for policy, table in self.records.items()
            },
            "baselines": {
                name: {str(n): error for n, error in row.items() if math.isfinite(error)}
                for name, row in self.baselines.items()
            },
        }

    @staticmethod
    def from_json(data: dict[str, Any], out: Path | None = None) -> "Front":
        """Returns the front that `to_json` wrote.

        Raises:
            RunError: it is not one.
        """
        try:
            records: dict[Policy, dict[int, Record]] = {}
            for policy in POLICIES:
                table = [Record.from_json(item) for item in data["records"].get(policy, [])]
                records[policy] = {record.operations: record for record in table}
            known = {
                name: {int(n): float(error) for n, error in row.items()}
                for name, row in data["baselines"].items()
            }
            return Front(
                config=DiscoveryConfig.from_json(data["config"]), records=records,
                candidates=data["candidates"], seconds=data["seconds"],
                baselines=known, out=out,
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"not the front of a discovery: {error}") from None
