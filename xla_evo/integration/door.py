"""The check at the door: a program proven under another compiler is tried here before it is used.

Special values, the ends of the domain, the worst inputs of its certificate and about a million
samples, in under a second; an inlined program has to give beside another operation what it gives
alone, too, since each compiler contracts in its own way. The verdict is kept in the store, so a
machine checks a program once; that a program could not be checked (no compiler, a full disk) is
none, and the next process tries.
"""

import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import jax
from jax.errors import JaxRuntimeError

from xla_evo.accuracy.specials import check_specials
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.errors import StoreError, XlaEvoError
from xla_evo.library.branching import changed_by_branch
from xla_evo.library.certificate import Lowering, code_fingerprint, machine_identity
from xla_evo.library.certify import DOOR_SAMPLES
from xla_evo.library.choice import Choice
from xla_evo.library.contexts import changed_beside
from xla_evo.store import Key, Store
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.backends import fingerprint
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.stablehlo import as_function

_ROUND_OFF = 1.001
_CHECKS = "2"
"""Of what is tried; another number finds no older verdict."""

_verdicts: dict[tuple[str, str], str] = {}
_lock = threading.RLock()


class RefusedEntryWarning(UserWarning):
    """A program does not keep its certificate on this machine; the built-in stays."""


def admitted(choice: Choice, lowering: Lowering) -> bool:
    """Returns whether a chosen program may be used here, checking it when it has to."""
    return choice.entry is not None and not refusal(choice, lowering)


def refusal(choice: Choice, lowering: Lowering) -> str:
    """Returns why a chosen program may not be used here, an empty text when it may.

    It is checked when it has to. A program that is refused is warned of once, and the built-in
    stays.
    """
    if choice.exact_machine or choice.entry is None or choice.proof is None:
        return ""
    key = (choice.entry.certificate.program_hash, lowering)
    with _lock:
        if key not in _verdicts:
            try:
                _verdicts[key] = _remembered(choice, lowering)
            except (XlaEvoError, JaxRuntimeError) as error:
                _verdicts[key] = f"it could not be checked in this process: {error}"
            if _verdicts[key]:
                warnings.warn(
                    f"{choice.entry.name} is refused here, the built-in stays: {_verdicts[key]}",
                    RefusedEntryWarning,
                    stacklevel=2,
                )
        return _verdicts[key]


def _remembered(choice: Choice, lowering: Lowering) -> str:
    """The verdict from the store, or a fresh one that is put there; empty when it passes."""
    if choice.entry is None or choice.proof is None:
        return ""
    row = backend_row(choice.proof.fingerprint["backend"])
    live = code_fingerprint(choice.entry.program, lowering, fingerprint(row))
    key = Key.of(
        "door",
        checks=_CHECKS,
        program=choice.entry.certificate.program_hash,
        function=choice.function,
        lowering=lowering,
        max_ulp=repr(choice.proof.max_ulp),
        machine=repr(machine_identity(live)),
        device=live.get("device", ""),
    )
    try:
        with Store.open() as store:
            kept = store.get(key)
            if kept is not None:
                return str(kept.value["problem"])
            problem = check(choice, lowering)
            if not store.read_only:
                store.put(key, {"problem": problem})
            return problem
    except StoreError:
        return check(choice, lowering)


@contextmanager
def _settings_of_its_own() -> Generator[None]:
    """What a user set for debugging is not for the check, which tries nan and infinities."""
    with (
        jax.debug_nans(False),
        jax.debug_infs(False),
        jax.disable_jit(False),
        jax.transfer_guard("allow"),
    ):
        yield


@_settings_of_its_own()
def check(choice: Choice, lowering: Lowering = "inline", *, samples: int = DOOR_SAMPLES) -> str:
    """Measures a chosen program on the live backend; returns what is wrong, or an empty text.

    Args:
        choice: with an entry and a proof.
        lowering: how the program is put into the compiled code.
        samples: how many inputs.

    Raises:
        CompileError: it could not be compiled here, which says nothing of its results.
    """
    if choice.entry is None or choice.proof is None:
        raise XlaEvoError("there is no program to check: the built-in was chosen")
    program, proof = choice.entry.program, choice.proof
    if not backend_row(proof.fingerprint["backend"]).live:
        return f"it was proven under another compiler for {proof.fingerprint['backend']}"
    target = make_target(choice.function, choice.dtype)
    graph = as_function(program)
    if lowering == "custom_call":
        from xla_evo_lowering.custom_call import as_custom_call

        graph = as_custom_call(program)
    run = Executable(graph, [parameter.dtype for parameter in program.parameters])
    flush = backend_row(proof.fingerprint["backend"]).flushes(target.dtype)
    failures = check_specials(
        run, target.function, target.dtype, target.low, target.high, flush_to_zero=flush
    )
    if failures:
        return str(failures[0])
    near = [p.input for p in proof.measurement.worst_inputs if isinstance(p.input, float)]
    found = measure_sampled(run, target, flush_to_zero=flush, samples=samples, near=near)
    if found.max_ulp > proof.max_ulp * _ROUND_OFF:
        return f"{found.max_ulp:.4g} ULP at {found.worst_input_hex}, certified {proof.max_ulp:.4g}"
    if lowering == "inline" and target.function.arity == 1:
        return changed_beside(graph, target) or changed_by_branch(
            program, graph, target, samples=samples
        )
    return ""
