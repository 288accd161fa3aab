"""The end of a search: time the best again, prove the fastest, compare with the built-in.

Whatever the search believed, the winner is a program that was swept over every input of the domain,
gives the same bits at every array length, and was timed once more in turn with the built-in.
"""

import json
import time
from dataclasses import dataclass

from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.proof import Examination
from xla_evo.search.engine import Report, Search
from xla_evo.search.evaluator import relative_time
from xla_evo.search.population import Measured, fastest
from xla_evo.search.tasks import Timed
from xla_evo.search.worker import Failure, Job, Pool
from xla_evo.store import Key, Store
from xla_evo_lowering.backends import backend, fingerprint

_LIMIT_S = 3600.0
_RETIMED, _ROUNDS = 12, 41
_LATE, _GRACE_S = 2, 120.0
"""Sweeps that may begin after the deadline where nothing is proven yet, and in how many seconds."""
OUT_OF_TIME = "not swept in time"
"""What candidates are counted under that hold on the sample when a run has no time to prove them,
where something is proven those that are faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """The fastest program that holds the bound everywhere.

    Attributes:
        text: program text.
        program: its content hash.
        error: its sweep over every input.
        examination: special inputs and array lengths.
        timed: samples in turn with the built-in.
        builtin: the built-in's own sweep; None where JAX has no such function.
        provenance: one line on which part was evolved.
    """

    text: str
    program: str
    error: ErrorMeasurement
    examination: Examination
    timed: Timed
    builtin: ErrorMeasurement | None
    provenance: str = ""

    @property
    def speedup(self) -> float:
        """Built-in over winner, the ratio of their least samples."""
        return 1.0 / relative_time(self.timed)


def finish(
    search: Search,
    store: Store,
    pool: Pool,
    deadline: float,
    *,
    report: Report | None = None,
) -> Winner | None:
    """Proves and compares; returns None when no program holds.

    Args:
        search: a search whose generations are over.
        store: keeps the built-in's sweep.
        pool: its workers.
        deadline: `time.monotonic` after which nothing more is proven, unless nothing is yet.
        report: progress of sweeps.
    """
    counters = search.state.counters
    counters.failures.pop(OUT_OF_TIME, None)
    refused: set[str] = set()
    late = 0
    # A static cost does not vary, so there is nothing to repeat.
    timings = {} if search.config.modelled else _retime(search)
    while (choice := _next(search, timings, refused)) is not None:
        over = time.monotonic() > deadline
        if over and not choice.proven:
            within = _left(search, refused)
            proven = [item for item in within if item.proven]
            if proven:
                choice = proven[0]
                if faster := within.index(choice):
                    counters.failures[OUT_OF_TIME] = faster
            elif late >= _LATE or time.monotonic() > deadline + _GRACE_S:
                counters.failures[OUT_OF_TIME] = len(within)
                return None
        if choice.program not in search.sweeps:
            search.phase = "proving"
            before = counters.proofs
            search.prove(choice, report)
            late += over and counters.proofs > before
        winner = None
        if choice.program in search.sweeps:
            error = search.sweeps[choice.program]
            winner = _compare(search, store, pool, choice, error, report)
        if winner is not None:
            return winner
        refused.add(choice.program)
    return None


def _retime(search: Search) -> dict[str, Timed]:
    """Longer timings of the fastest candidates that hold, all in turn, so that they compare.

    None where one of them, or the machine, takes too long: each is timed once more by itself.
    """
    search.phase = "timing the best again"
    items = fastest(search.population.front, search.config.max_ulp)[:_RETIMED]
    if not items:
        return {}
    answer = search.evaluator.race({item.program: search.text(item) for item in items}, _ROUNDS)
    if isinstance(answer, Failure):
        search.state.counters.fail(answer.reason)
        return {}
    for item in items:
        item.time = relative_time(answer[item.program])
    return answer


def _next(search: Search, timings: dict[str, Timed], refused: set[str]) -> Measured | None:
    """The fastest candidate by the longer timings; others only when none of those is left."""
    within = _left(search, refused)
    retimed = [item for item in within if item.program in timings]
    return (retimed or within or [None])[0]


def _left(search: Search, refused: set[str]) -> list[Measured]:
    """Candidates that hold the bound as far as is known, the fastest first."""
    within = fastest(search.population.front, search.config.max_ulp)
    return [item for item in within if item.program not in refused]


def _compare(
    search: Search, store: Store, pool: Pool, item: Measured, error: ErrorMeasurement,
    report: Report | None,
) -> Winner | None:  # fmt: skip
    search.phase = "checking special inputs and array lengths"
    text = search.text(item)
    answer, _ = pool.run([Job("examine", (text, search.config.max_ulp), _LIMIT_S)])[0]
    if isinstance(answer, Failure) or not answer.holds:
        reason = answer.reason if isinstance(answer, Failure) else "bits"
        search.state.counters.fail(f"examination {reason}")
        if not isinstance(answer, Failure):
            item.failed = next(iter(answer.specials), answer.lengths or "")
        return None
    search.phase = "comparing with the built-in"
    builtin = _builtin_error(search, store, pool, report)
    timed = search.evaluator.race({item.program: text}, _ROUNDS)
    if isinstance(timed, Failure):
        search.state.counters.fail(timed.reason)
        return None
    return Winner(
        text=text, program=item.program, error=error, examination=answer,
        timed=timed[item.program], builtin=builtin,
        provenance=search.config.provenance(item.rounded),
    )  # fmt: skip


def _builtin_error(
    search: Search, store: Store, pool: Pool, report: Report | None
) -> ErrorMeasurement | None:
    target = search.config.target
    if search.config.modelled or not target.function.builtin:
        return None
    machine = fingerprint(backend(search.config.backend))
    key = Key.of(
        "accuracy", program=target.function.builtin,
        target=json.dumps(target.to_json(), sort_keys=True), **machine,
    )  # fmt: skip
    entry = store.get(key)
    if entry is not None:
        return ErrorMeasurement.from_json(entry.value)
    answer, _ = pool.run([Job("prove_builtin", (), _LIMIT_S, reports=True)], report=report)[0]
    if isinstance(answer, Failure):
        search.state.counters.fail(f"built-in {answer.reason}")
        return None
    store.put(key, answer.to_json())
    return answer
