"""Holds certificates for devices against fresh ones: modelled again, or measured on the device."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby

from xla_evo.errors import BackendError, XlaEvoError
from xla_evo.library.certificate import StaticComparison
from xla_evo.library.loader import Entry, write_entry
from xla_evo.library.modelled import (
    Compiled,
    Known,
    certify_on_device,
    compile_modelled,
    device_proof,
    measure_models,
    prove_modelled,
)
from xla_evo.library.recheck import Recheck, difference
from xla_evo.library.tuned import user_library
from xla_evo.targets.target import make_target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import Backend, backend
from xla_evo_lowering.live import live_device

Report = Callable[[Recheck], None]


def device_row(name: str) -> tuple[Backend, bool]:
    """Returns the row that a name means, and whether its device is in this machine.

    Args:
        name: ``cuda`` or ``tpu`` for the device of this machine, or a row of the backend table.

    Raises:
        BackendError: there is no such row, or no such device and the name is not that of a row.
    """
    try:
        return live_device(name)[1], True
    except BackendError:
        if ":" not in name:
            raise
        return backend(name), False


def recheck_on_device(entries: Sequence[Entry], row: Backend, report: Report) -> list[Recheck]:
    """Measures entries on a device of this machine.

    What holds joins the user's library with a measured proof, which `use` follows from then on.
    """
    return [_recheck(entry, row, _on_device(row), report) for entry in entries]


def recheck_models(entries: Sequence[Entry], row: Backend, report: Report) -> list[Recheck]:
    """Models entries again for a backend that is not here.

    Raises:
        BackendError: the backend's plugin is missing or does not start.
    """
    found: list[Recheck] = []
    with AheadOfTime(row) as process:
        for _, group in groupby(entries, key=lambda entry: (entry.function, entry.dtype)):
            of_function = list(group)
            check = _by_model(of_function, process)
            found += [_recheck(entry, row, check, report) for entry in of_function]
    return found


_Check = Callable[[Entry], tuple[str, float, int]]


def _on_device(row: Backend) -> _Check:
    def check(entry: Entry) -> tuple[str, float, int]:
        made = certify_on_device(entry, row.name)
        write_entry(made, user_library())
        proof = device_proof(made, row)
        assert proof is not None  # certify_on_device has just added it
        return "", proof.measurement.max_ulp, proof.measurement.count

    return check


def _by_model(of_function: Sequence[Entry], process: AheadOfTime) -> _Check:
    """After one pass over all inputs for the programs of a function; what fails is told by each."""
    target, row = make_target(of_function[0].function, of_function[0].dtype), process.row
    compiled: dict[Entry, Compiled] = {}
    for entry in of_function:
        with suppress(XlaEvoError):
            compiled[entry] = compile_modelled(entry.program, target, process)
    known: Known = {}
    models = [model for _, model in compiled.values()]
    measure_models(models, target, known, flush_to_zero=row.flushes(target.dtype))

    def check(entry: Entry) -> tuple[str, float, int]:
        fresh = prove_modelled(
            entry.program, target, process, known=known, compiled=compiled.get(entry)
        )
        old = device_proof(entry, process.row)
        every = old is not None and old.measurement.exhaustive
        problem = difference(old, fresh, exact=every) if old else ""
        if old and old.cost and fresh.cost:
            problem = _other_cost(old.cost, fresh.cost) or problem
        return problem, fresh.measurement.max_ulp, fresh.measurement.count

    return check


def _other_cost(old: StaticComparison, fresh: StaticComparison) -> str:
    """What differs of two costs of a program; empty when nothing does."""
    if old.value != fresh.value:
        return f"the certificate says cost {old.value:.4g}, now {fresh.value:.4g}"
    if dict(old.builtins) != dict(fresh.builtins):
        return f"the certificate says built-ins cost {old.builtins}, now {fresh.builtins}"
    return ""


def _recheck(entry: Entry, row: Backend, check: _Check, report: Report) -> Recheck:
    started = time.perf_counter()
    proof = device_proof(entry, row)
    problem, found_ulp, count = "", None, 0
    try:
        problem, found_ulp, count = check(entry)
    except XlaEvoError as error:
        problem = str(error)
    claimed = proof or entry.proofs("inline", row.name)[0]
    outcome = Recheck(
        entry=entry.name, lowering="inline", claimed_ulp=claimed.max_ulp, found_ulp=found_ulp,
        count=count, exact_machine=proof is not None, problem=problem,
        seconds=time.perf_counter() - started,
    )  # fmt: skip
    report(outcome)
    return outcome
