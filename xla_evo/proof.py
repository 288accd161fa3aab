"""Proof of one program for one target: every input, special inputs by name, every array length.

`sweep` measures the plainly compiled program on every input of the domain; `examine` checks what a
sweep over one array cannot: signs of zero, and that remainder loops compute as vector bodies do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xla_evo.accuracy.lengths import check_length_invariance
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.specials import check_specials
from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.targets.target import Target
from xla_evo_lowering.backends import backend
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.live import live_device
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found besides errors in units in the last place.

    Attributes:
        specials: special inputs with a wrong result, one line each.
        lengths: an input whose bits depend on the array's length or its place in it, or None.
    """

    specials: tuple[str, ...]
    lengths: str | None

    @property
    def holds(self) -> bool:
        """True when nothing was found."""
        return not self.specials and self.lengths is None


def executable(
    function: Program | Callable[..., Any], target: Target, backend_name: str = "cpu"
) -> Executable:
    """Returns a program or a JAX function compiled as a user's call of it would be.

    Raises:
        BackendError: this machine has no device of that backend.
    """
    device, _ = live_device(backend_name)
    callable_ = as_function(function) if isinstance(function, Program) else function
    return Executable(callable_, [target.dtype] * target.function.arity, device=device)


def sweep(
    function: Program | Callable[..., Any],
    target: Target,
    *,
    limit_ulp: float | None = None,
    backend_name: str = "cpu",
    report: Report | None = None,
) -> ErrorMeasurement:
    """Measures on every input of the domain; ends early when an error is above `limit_ulp`.

    Args:
        function: a program, or a function of JAX arrays such as the built-in.
        target: what it should compute, in a format of at most 32 bits.
        limit_ulp: the bound to hold.
        backend_name: a row of the backend table whose device is in this machine.
        report: receives inputs done and inputs in all.

    Raises:
        BackendError: this machine has no device of that backend.
        CompileError: XLA refused it.
        TargetError: the target has too many inputs.
    """
    flush = backend(backend_name).flushes(target.dtype)
    return measure_exhaustive(
        executable(function, target, backend_name), target, flush_to_zero=flush,
        limit_ulp=limit_ulp, progress=report,
    )  # fmt: skip


def examine(
    function: Program | Callable[..., Any],
    target: Target,
    *,
    max_ulp: float,
    backend_name: str = "cpu",
) -> Examination:
    """Checks special inputs of the domain, and lengths 1 to 129 and some long ones bit by bit."""
    run = executable(function, target, backend_name)
    failures = _failed_specials(run, target, max_ulp, backend_name)
    violation = check_length_invariance(run, target, each=run.each)
    return Examination(specials=failures, lengths=None if violation is None else str(violation))


def failed_specials(
    function: Program | Callable[..., Any],
    target: Target,
    *,
    max_ulp: float,
    backend_name: str = "cpu",
) -> tuple[str, ...]:
    """Checks special inputs of the domain alone, which takes milliseconds; a line for each wrong.

    Raises:
        BackendError: this machine has no device of that backend.
        CompileError: XLA refused it.
    """
    return _failed_specials(
        executable(function, target, backend_name), target, max_ulp, backend_name
    )


def _failed_specials(
    run: Executable, target: Target, max_ulp: float, backend_name: str
) -> tuple[str, ...]:
    failures = check_specials(
        _in_blocks(run, target), target.function, target.dtype, target.low, target.high,
        flush_to_zero=backend(backend_name).flushes(target.dtype), max_ulp=max_ulp,
    )  # fmt: skip
    return tuple(map(str, failures))


def examine_model(
    model: Callable[..., Any], target: Target, *, max_ulp: float, backend_name: str
) -> Examination:
    """Checks special inputs of a model, which has the same bits at every array length."""
    failures = check_specials(
        model, target.function, target.dtype, target.low, target.high,
        flush_to_zero=backend(backend_name).flushes(target.dtype), max_ulp=max_ulp,
    )  # fmt: skip
    return Examination(specials=tuple(map(str, failures)), lengths=None)


def _in_blocks(run: Executable, target: Target) -> Callable[..., Any]:
    """Pads arrays to one length, so that a few special inputs cost one compilation."""

    def call(*arrays: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        size = arrays[0].size
        block = max(128, 1 << (size - 1).bit_length())
        padded = [np.resize(array, block).astype(target.dtype.numpy) for array in arrays]
        return run(*padded)[:size]

    return call
