"""The two calls behind the commands `evolve` and `verify`, for use from Python."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.budget import Budget, parse_budget
from xla_evo.proof import Examination, Report, examine, examine_model, sweep
from xla_evo.search.config import SearchConfig
from xla_evo.search.run import Observer, Outcome, default_folder
from xla_evo.search.run import evolve as evolve_run
from xla_evo.targets.target import Target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.backends import processor
from xla_evo_lowering.costs import cost_and_model
from xla_evo_lowering.live import live_device
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `verify` found.

    Attributes:
        max_ulp: the bound that was asked.
        error: errors over every input of the domain.
        examination: special inputs and array lengths.
        backend: name of the row of the backend table.
        device: what was measured on; empty when the backend's arithmetic was modelled on this CPU.
    """

    max_ulp: float
    error: ErrorMeasurement
    examination: Examination
    backend: str = "cpu"
    device: str = ""

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
    backend: str = "cpu",
    report: Report | None = None,
) -> Verification:
    """Proves a program, or any elementwise JAX function, over every input of a target's domain.

    Args:
        program: what is compiled for a device of this machine and swept on it.
        target: what it should compute, in a format of at most 32 bits.
        max_ulp: the bound to hold.
        backend: ``cpu``, ``cuda``, ``tpu``, or a row of the backend table that the device must be.
        report: receives inputs done and inputs in all.

    Raises:
        BackendError: this machine has no such device.
        CompileError: XLA refused it.
        TargetError: the target has too many inputs.
    """
    device, row = live_device(backend)
    error = sweep(program, target, backend_name=row.name, report=report)
    examination = examine(program, target, max_ulp=max_ulp, backend_name=row.name)
    return Verification(
        max_ulp=max_ulp, error=error, examination=examination, backend=row.name,
        device=processor() if row.live else str(device.device_kind),
    )  # fmt: skip


def verify_model(
    program: Program,
    target: Target,
    *,
    backend: str,
    max_ulp: float = 1.0,
    report: Report | None = None,
) -> Verification:
    """Models a program for a backend that is not here, over every input of a target's domain.

    Args:
        program: what is compiled for the backend; its arithmetic is evaluated on this CPU.
        target: what it should compute, in a format of at most 32 bits.
        backend: a row of the backend table.
        max_ulp: the bound to hold.
        report: receives inputs done and inputs in all.

    Returns:
        A verification without a device: what it says is modelled, not proven.

    Raises:
        BackendError: the backend does not start, or the program has no model.
        CompileError: the compiler refused it.
        TargetError: the target has too many inputs.
    """
    row = backend_row(backend)
    with AheadOfTime(row) as process:
        _, model = cost_and_model(row, as_function(program), (target.dtype,), process)
    run = generated(model)
    flush = row.flushes(target.dtype)
    error = measure_exhaustive(run, target, flush_to_zero=flush, progress=report)
    found = examine_model(run, target, max_ulp=max_ulp, backend_name=row.name)
    return Verification(max_ulp=max_ulp, error=error, examination=found, backend=row.name)
