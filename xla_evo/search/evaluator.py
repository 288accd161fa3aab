"""Compiled error and time of candidates: from the store where it has them, else from the workers.

Compilations run on all workers at once; timings run one at a time while everything else rests,
since a core that computes beside a measurement disturbs it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from xla_evo.search.checkpoint import Counters
from xla_evo.search.config import SearchConfig
from xla_evo.search.keys import compile_key, timing_key
from xla_evo.search.population import Measured, Sketch
from xla_evo.search.tasks import Compiled, Timed
from xla_evo.search.worker import Failure, Job, Pool, Worker
from xla_evo.store import Store
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import print_program

TIMING_LIMIT_S = 60.0
_ROUNDS = 7
_NEAR, _SURPRISE = 3.0, 1.1
"""A model within this many bounds teaches where the compiled error is that many times its own."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sketch about to be compiled."""

    sketch: Sketch
    program: Program
    hash: str

    @property
    def text(self) -> str:
        """Program text, as workers receive it."""
        return print_program(self.program)


def candidate(sketch: Sketch, config: SearchConfig) -> Candidate:
    """Returns the checked program of a sketch.

    Operands stay in the order of the genome: of two products in a sum it can decide which one the
    compiler contracts, and the polished constants are for that one.
    """
    program = config.program(sketch.rounded)
    return Candidate(sketch, program, content_hash(program))


class Evaluator:
    """Compiles and times candidates, with everything kept in the store."""

    def __init__(self, config: SearchConfig, store: Store, pool: Pool, counters: Counters) -> None:
        self._config = config
        self._store = store
        self._pool = pool
        self._counters = counters
        self._backend = backend(config.backend)
        self.surprises: list[float] = []
        """Inputs where a compiled program near the bound is clearly worse than its model said."""

    def measure(self, candidates: Sequence[Candidate]) -> list[Measured]:
        """Compiles candidates, measures their error and time; failures are counted and left out."""
        started = time.monotonic()
        compiled = self._compile(candidates)
        now = time.monotonic()
        self._counters.spend("compile", now - started)
        measured = [
            Measured(
                item.hash, item.sketch.key, item.sketch.cost, item.sketch.nodes,
                item.sketch.rounded, ulp, relative, code,
            )
            for item, code, ulp, worker in compiled
            if (relative := self._relative(item.hash, item.text, code, worker)) is not None
        ]  # fmt: skip
        self._counters.spend("time", time.monotonic() - now)
        return measured

    def _compile(
        self, candidates: Sequence[Candidate]
    ) -> list[tuple[Candidate, str, float, Worker | None]]:
        """(candidate, machine code, sampled error, worker that holds it) of those that compile."""
        self.surprises = []
        target = self._config.target
        keys = [compile_key(item.text, target, self._config, self._backend) for item in candidates]
        found = [self._store.get(key) for key in keys]
        missing = [index for index, entry in enumerate(found) if entry is None]
        limit = self._config.compile_limit_s
        jobs = [
            Job("compile", (candidates[index].hash, candidates[index].text), limit)
            for index in missing
        ]
        fresh = dict(zip(missing, self._pool.run(jobs), strict=True))
        results: list[tuple[Candidate, str, float, Worker | None]] = []
        items = []
        for index, item in enumerate(candidates):
            entry = found[index]
            if entry is not None:
                self._counters.compile_hits += 1
                value = entry.value
                failure = value.get("failure")
                if failure is None:
                    error = float(str(value["ulp"]))
                    worst = [str(value["worst"]), *map(str, _listed(value.get("others")))]
                    self._compare(item, error, [float.fromhex(text) for text in worst])
                    results.append((item, str(value["code_hash"]), error, None))
                else:
                    self._counters.fail(str(failure))
                continue
            answer, worker = fresh[index]
            self._counters.compiled += 1
            if isinstance(answer, Failure):
                self._counters.fail(answer.reason)
                record = {"failure": answer.reason, "message": answer.message}
                if answer.reason == "refused":  # a timeout or a crash may be the machine's
                    items.append((keys[index], record, {"program": item.text.encode()}))
                continue
            assert isinstance(answer, Compiled)
            record = {
                "code_hash": answer.code_hash,
                "ulp": repr(answer.ulp),
                "worst": answer.worst.hex(),
                **({"others": [point.hex() for point in answer.others]} if answer.others else {}),
            }
            blobs = {**answer.blobs, "program": item.text.encode()}
            items.append((keys[index], record, blobs))
            self._compare(item, answer.ulp, [answer.worst, *answer.others])
            results.append((item, answer.code_hash, answer.ulp, worker))
        if items:
            self._store.put_many(items)
        return results

    def _compare(self, item: Candidate, ulp: float, worst: Sequence[float]) -> None:
        model, bound = item.sketch.ulp, self._config.max_ulp
        broken = model <= bound < ulp or (model <= _NEAR * bound and ulp > _SURPRISE * model)
        if broken and ulp < float("inf"):
            self.surprises += worst

    def _relative(
        self, name: str, text: str, code_hash: str, worker: Worker | None
    ) -> float | None:
        """Time relative to the built-in's; None when the candidate cannot be timed."""
        key = timing_key(code_hash, self._config.target, self._backend)
        entry = self._store.get(key)
        if entry is not None:
            self._counters.time_hits += 1
            return float(str(entry.value["relative"]))
        answer = self.race({name: text}, _ROUNDS, worker)
        if isinstance(answer, Failure):
            self._counters.fail(answer.reason)
            return None
        timed = answer[name]
        self._counters.timed += 1
        relative = relative_time(timed)
        self._store.put(
            key,
            {
                "relative": relative,
                "candidate_ns": list(timed.candidate),
                "builtin_ns": list(timed.builtin),
                "floor_ns": list(timed.floor),
                "elements": timed.elements,
            },
        )
        return relative

    def race(
        self, texts: dict[str, str], rounds: int, worker: Worker | None = None
    ) -> dict[str, Timed] | Failure:
        """Times programs in turn with the built-in, on the worker that has them compiled."""
        chosen = [worker or self._pool.workers[0]]
        job = Job("race", (texts, rounds), TIMING_LIMIT_S)
        return self._pool.run([job], workers=chosen)[0][0]


def _listed(value: object) -> list[object]:
    """A list of a record of the store, empty where it has none."""
    return list(value) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def relative_time(timed: Timed) -> float:
    """Candidate over built-in: the ratio of their least samples (see `timing.ratio`)."""
    return min(timed.candidate) / min(timed.builtin)
