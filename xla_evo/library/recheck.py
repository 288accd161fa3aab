"""Holds shipped certificates against fresh measurements: all of each, or a rotating part.

Under the compiler that a proof was made with, the fresh numbers must be the very same; under
another one the bound must hold. Nothing is taken from the certificate but what it claims.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import numpy as np

from xla_evo._processors import usable
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.specials import check_specials
from xla_evo.accuracy.sweep import measure_exhaustive, measure_inputs
from xla_evo.errors import XlaEvoError
from xla_evo.library.branching import changed_by_branch
from xla_evo.library.certificate import Lowering, Proof, code_fingerprint
from xla_evo.library.certify import DOOR_SAMPLES, prove, sweep_together
from xla_evo.library.choice import best_proof
from xla_evo.library.contexts import changed_beside
from xla_evo.library.loader import Entry
from xla_evo.library.processes import shared_out
from xla_evo.library.same_bits import Beside, prove_other_form, prove_swept_form
from xla_evo.targets.ordering import number, ordinal
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.custom_call import as_custom_call
from xla_evo_lowering.stablehlo import as_function

QUICK_SECONDS = 50.0
PARTS = 256
"""The inputs of a format are cut into so many parts; a quick check sweeps one of each entry."""

_SAME_FIELDS = ("max_ulp", "count", "exhaustive")
"""What is decided in mpmath, so that it does not depend on the library of the fast references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What came of checking one proof of an entry.

    Attributes:
        entry: name of the entry.
        lowering: how the program was compiled.
        claimed_ulp: the certificate's bound.
        found_ulp: largest error met now; None where it came to no measurement.
        count: inputs met.
        exact_machine: whether the proof is of this very compiler.
        problem: what does not hold, empty when all does.
        seconds: wall time.
    """

    entry: str
    lowering: Lowering
    claimed_ulp: float
    found_ulp: float | None
    count: int
    exact_machine: bool
    problem: str
    seconds: float


def recheck_all(
    entries: Sequence[Entry],
    *,
    report: Callable[[Recheck], None] | None = None,
    processes: int | None = None,
) -> list[Recheck]:
    """Proves entries again in full, those of one function and format in one pass over its inputs.

    Functions are shared out over processes, one a processor: threads of one process would wait for
    each other at every block of inputs.

    Args:
        entries: what ships, those of one function and format beside each other.
        report: called with each outcome.
        processes: how many; one per processor when left out.

    Raises:
        XlaEvoError: a process ended before its work was done.
    """
    kinds = itertools.groupby(entries, key=lambda one: (one.function, one.dtype))
    # The longest first, so that no process is left alone with one at the end.
    groups = sorted((list(group) for _, group in kinds), key=len, reverse=True)
    count = min(processes or usable(), len(groups))
    alone = partial(_recheck_group, threads=1)
    found = shared_out(alone, groups, count) if count > 1 else map(_recheck_group, groups)
    done: list[Recheck] = []
    for outcomes in found:
        done += outcomes
        if report is not None:
            for outcome in outcomes:
                report(outcome)
    return done


def _recheck_group(members: Sequence[Entry], threads: int | None = None) -> list[Recheck]:
    """Proves entries of one function and format, with so many threads of a sweep."""
    inlined = [entry for entry in members if _proof(entry, "inline")[0] is not None]
    found = _swept(inlined, threads)
    done: list[Recheck] = []
    for entry in members:
        for lowering in get_args(Lowering):
            measurement, differs = found.get((entry.name, lowering), (None, None))
            outcome = recheck(
                entry, lowering, measurement=measurement, differs=differs, threads=threads
            )
            if outcome is not None:
                done.append(outcome)
    return done


def _swept(
    entries: Sequence[Entry], threads: int | None = None
) -> dict[tuple[str, Lowering], tuple[ErrorMeasurement, str | None]]:
    """Sweeps inlined forms of one function, and holds their custom calls against them.

    A custom call that was measured by itself is swept too, and held against itself.

    Returns:
        Name of an entry and lowering to the measurement, and of a custom call what it gives else,
        None where there is none; empty where inputs are too many, or something is wrong, which
        comes out when each is proven by itself.
    """
    if not entries:
        return {}
    calls = {entry.name: as_custom_call(entry.program) for entry in entries if _is_called(entry)}
    alone = {
        f"{entry.name} by itself": calls.pop(entry.name)
        for entry in entries
        if entry.name in calls and _measured_by_itself(entry)
    }
    beside = Beside(entries, calls, alone)
    try:
        found = sweep_together(
            entries, others=alone, threads=threads, watch=beside if calls or alone else None
        )
    except XlaEvoError:
        return {}
    differences = dict.fromkeys([*calls, *alone], "") | beside.differences
    swept: dict[tuple[str, Lowering], tuple[ErrorMeasurement, str | None]] = {}
    for entry in entries:
        if entry.name in found:
            swept[entry.name, "inline"] = found[entry.name], None
            own = f"{entry.name} by itself"
            name = own if own in alone else entry.name
            swept[entry.name, "custom_call"] = found[name], differences.get(name)
    return swept


def _measured_by_itself(entry: Entry) -> bool:
    """Whether its certificate says that its custom call has errors of its own, so other bits."""
    call, inlined = _proof(entry, "custom_call")[0], _proof(entry, "inline")[0]
    if call is None or inlined is None:
        return False
    return replace(call.measurement, seconds=0.0) != replace(inlined.measurement, seconds=0.0)


def recheck(
    entry: Entry,
    lowering: Lowering = "inline",
    *,
    measurement: ErrorMeasurement | None = None,
    differs: str | None = None,
    threads: int | None = None,
) -> Recheck | None:
    """Proves an entry again in full and compares it with its certificate.

    Args:
        entry: what ships.
        lowering: which of its proofs.
        measurement: over its whole domain, if it was made just now, of its inlined form, or of a
            custom call that its certificate measures by itself; its time is counted as that of
            this form. A custom call of the same bits has the same errors.
        differs: what `same_bits.Beside` found of its custom call, if it was held against the
            inlined form, or against itself, just now.
        threads: of a sweep; one per processor when left out.

    Returns:
        The outcome; None where the entry has no such proof that could be made anew here.
    """
    proof, exact = _proof(entry, lowering)
    if proof is None or (lowering == "custom_call" and not _is_called(entry)):
        return None
    alone = lowering == "custom_call" and _measured_by_itself(entry)
    earlier = measurement.seconds if measurement and (alone or lowering == "inline") else 0.0
    started = time.perf_counter() - earlier
    found: ErrorMeasurement | None = None
    try:
        if lowering == "custom_call":
            if measurement is None:
                swept = _swept([entry], threads)
                measurement, differs = swept.get((entry.name, lowering), (None, None))
            graph = as_custom_call(entry.program)
            if alone and measurement is not None:
                fresh = prove_swept_form(entry, lowering, graph, measurement, differs or "")
            else:
                fresh = prove_other_form(
                    entry, lowering, graph, time=False, measurement=measurement,
                    difference=differs, threads=threads,
                )  # fmt: skip
        else:
            target = make_target(entry.function, entry.dtype)
            graph = as_function(entry.program)
            fresh = prove(
                entry.program, target, lowering, graph, time=False, measurement=measurement,
                threads=threads,
            )  # fmt: skip
        found = fresh.measurement
        problem = difference(proof, fresh, exact=exact)
    except XlaEvoError as error:
        problem = str(error)
    return _outcome(entry, proof, found, problem, started, exact=exact)


def recheck_part(entry: Entry, part: int) -> Recheck | None:
    """Checks special values, the certificate's worst inputs, and one part of all inputs.

    A sample of inputs must give the same results beside a subtraction.

    Args:
        entry: what ships.
        part: which of `PARTS`; any integer, taken modulo.

    Returns:
        The outcome; None where the entry has no proof of its inlined form.
    """
    proof, exact = _proof(entry, "inline")
    if proof is None:
        return None
    started = time.perf_counter()
    target = make_target(entry.function, entry.dtype)
    run = Executable.of_program(entry.program)
    flush = backend("cpu").flushes(target.dtype)
    found: ErrorMeasurement | None = None
    problem = ""
    try:
        failures = check_specials(
            run, target.function, target.dtype, target.low, target.high, flush_to_zero=flush
        )
        problem = str(failures[0]) if failures else _worst_inputs(run, target, proof, exact=exact)
        if not problem and target.function.arity == 1:
            graph = as_function(entry.program)
            problem = changed_beside(graph, target) or changed_by_branch(
                entry.program, graph, target, samples=DOOR_SAMPLES
            )
        if not problem and target.function.arity == 1 and target.dtype.bits <= 32:
            found = measure_exhaustive(run, _slice(target, part), flush_to_zero=flush)
            if found.bound_ulp > proof.max_ulp:
                problem = (
                    f"{found.max_ulp:.6g} ULP at {found.worst_input_hex}, certified"
                    f" {proof.max_ulp:.6g}"
                )
    except XlaEvoError as error:
        problem = str(error)
    return _outcome(entry, proof, found, problem, started, exact=exact)


def recheck_rotating(
    entries: Sequence[Entry],
    turn: int,
    *,
    seconds: float = QUICK_SECONDS,
    report: Callable[[Recheck], None] | None = None,
) -> list[Recheck]:
    """Checks parts of entries until the time is spent, starting elsewhere at each turn.

    Args:
        entries: what ships.
        turn: decides with which entry to start, and which part of its inputs is swept.
        seconds: budget; the check that is running when it is spent is finished.
        report: called with each outcome.
    """
    started = time.perf_counter()
    done: list[Recheck] = []
    for step in range(len(entries)):
        if done and time.perf_counter() - started > seconds:
            break
        outcome = recheck_part(entries[(turn * 17 + step) % len(entries)], turn)
        if outcome is not None:
            done.append(outcome)
            if report is not None:
                report(outcome)
    return done


def _proof(entry: Entry, lowering: Lowering) -> tuple[Proof | None, bool]:
    return best_proof(entry, lowering, "cpu", fingerprint(backend("cpu")))


def _is_called(entry: Entry) -> bool:
    """Whether it has a custom call, an inlined form to hold it against, and a compiler for it."""
    live = fingerprint(backend("cpu"))
    if _proof(entry, "custom_call")[0] is None:
        return False
    code = code_fingerprint(entry.program, "custom_call", live)
    return best_proof(entry, "inline", "cpu", live)[1] and "native" in code


def _outcome(
    entry: Entry,
    proof: Proof,
    found: ErrorMeasurement | None,
    problem: str,
    started: float,
    *,
    exact: bool,
) -> Recheck:
    return Recheck(
        entry=entry.name,
        lowering=proof.lowering,
        claimed_ulp=proof.max_ulp,
        found_ulp=found.max_ulp if found else None,
        count=found.count if found else 0,
        exact_machine=exact,
        problem=problem,
        seconds=time.perf_counter() - started,
    )


def difference(proof: Proof, fresh: Proof, *, exact: bool) -> str:
    """What a fresh proof does not confirm; under the same compiler every number must recur."""
    old, new = proof.measurement, fresh.measurement
    if exact:
        for name in _SAME_FIELDS:
            was, now = getattr(old, name), getattr(new, name)
            if was != now:
                return f"the certificate says {name} {was}, measured {now}"
        # Which of very many near ties are decided depends on the threads; the rest are counted.
        least = max(old.not_correctly_rounded, new.not_correctly_rounded)
        if least > min(m.not_correctly_rounded + m.undecided for m in (old, new)):
            return (
                f"the certificate says not_correctly_rounded {old.not_correctly_rounded}, measured"
                f" {new.not_correctly_rounded}"
            )
    if fresh.max_ulp > proof.max_ulp:
        return f"{fresh.max_ulp:.6g} ULP, certified {proof.max_ulp:.6g}"
    return ""


def _worst_inputs(run: Executable, target: Target, proof: Proof, *, exact: bool) -> str:
    """The worst inputs of a certificate must have the errors that it says, or at most its bound."""
    points = proof.measurement.worst_inputs
    if not points:
        return ""
    rows = [p.input if isinstance(p.input, tuple) else (p.input,) for p in points]
    columns = tuple(
        np.asarray(column).astype(target.dtype.numpy) for column in zip(*rows, strict=True)
    )
    found = measure_inputs(
        run, target, columns, flush_to_zero=backend("cpu").flushes(target.dtype), exact=True
    )
    claimed = proof.measurement.max_ulp
    if found.max_ulp > claimed or (exact and found.max_ulp < claimed):
        return (
            f"{found.max_ulp:.6g} ULP at the worst inputs of the certificate, which says"
            f" {claimed:.6g}"
        )
    return ""


def _slice(target: Target, part: int) -> Target:
    """The target on one of `PARTS` equal runs of its inputs."""
    if target.dtype.bits <= 16:
        return target
    low, high = ordinal(target.low, target.dtype), ordinal(target.high, target.dtype)
    length = (high - low) // PARTS + 1
    first = low + (part * 101 % PARTS) * length
    last = min(first + length - 1, high)
    return make_target(
        target.function.name,
        target.dtype,
        number(first, target.dtype),
        number(last, target.dtype),
    )
