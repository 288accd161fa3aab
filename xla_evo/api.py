"""The two calls behind the commands `evolve` and `verify`, for use from Python."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.budget import Budget, parse_budget
from xla_evo.proof import Examination, Report, examine, sweep
from xla_evo.search.config import SearchConfig
from xla_evo.search.run import Observer, Outcome, default_folder
from xla_evo.search.run import evolve as evolve_run
from xla_evo.targets.target import Target
from xla_evo_lowering.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found.

    Attributes:
        max_ulp: the bound that was asked.
        error: errors over every input of the domain.
        examination: special inputs and array lengths.
    """

    max_ulp: float
    error: ErrorMeasurement
    examination: Examination

    @property
    def holds(self) -> bool:
        """True when the bound holds on every input and nothing else was found."""
        bounded = self.error.exhaustive and self.error.bound_ulp <= self.max_ulp
        return bounded and self.examination.holds


def evolve(
    target: Target,
    config: SearchConfig | None = None,
    *,
    max_ulp: float = 1.0,
    budget: Budget | str = "3m",
    seed: int = 0,
    out: Path | str | None = None,
    observer: Observer | None = None,
) -> Outcome:
    """Evolves a program for a target from nothing and proves it over every input.

    Args:
        target: function, format and domain, see `xla_evo.targets.target.make_target`.
        config: all settings; the ones below are for when it is left out.
        max_ulp: error bound in units in the last place.
        budget: time (``"3m"``) or candidates (``"200000c"``).
        seed: of every random choice.
        out: folder of the run; a new one under ``runs`` when left out.
        observer: is told about progress.

    Returns:
        The outcome; ``outcome.winner`` is None when no program held the bound on every input.

    Raises:
        ConfigError, TargetError: a setting or the domain does not fit.
        RunError, StoreError: a folder cannot be used.
    """
    if config is None:
        limit = parse_budget(budget) if isinstance(budget, str) else budget
        config = SearchConfig(target=target, max_ulp=max_ulp, budget=limit, seed=seed)
    folder = default_folder(config) if out is None else Path(out)
    return evolve_run(config, folder, observer=observer)


def verify(
    program: Program | Callable[..., Any],
    target: Target,
    *,
    max_ulp: float = 1.0,
    report: Report | None = None,
) -> Verification:
    """Proves a program, or any elementwise JAX function, over every input of a target's domain.

    Args:
        program: what is compiled, by this machine's CPU backend, and swept.
        target: what it should compute, in a format of at most 32 bits.
        max_ulp: the bound to hold.
        report: receives inputs done and inputs in all.

    Raises:
        CompileError: XLA refused it.
        TargetError: the target has too many inputs.
    """
    error = sweep(program, target, report=report)
    examination = examine(program, target, max_ulp=max_ulp)
    return Verification(max_ulp=max_ulp, error=error, examination=examination)
