"""The run of a discovery: epochs of a fixed number of candidates on islands, until the budget ends.

An epoch fits the same number of candidates on each island, side by side in threads (the compiled
search releases the interpreter lock), and then the islands of a policy show one another their best
members in a fixed order. So the outcome depends on the settings and on the number of candidates,
not on timing. Three epochs of four search removable programs, one finite ones; finite programs are
offered to the removable population and the other way round where they qualify. One epoch in three
of a policy belongs to young islands that begin anew (`xla_evo.discovery.beginnings`).
"""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xla_evo.budget import Budget
from xla_evo.discovery.baselines import baselines
from xla_evo.discovery.beginnings import life, renew
from xla_evo.discovery.checkpoint import (
    FRONT,
    State,
    read_config,
    read_state,
    start_run,
    stream_of,
    write_atomically,
    write_config,
    write_state,
)  # fmt: skip
from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.evolve import Bench, Grid, evolve, merge, new_bench
from xla_evo.discovery.fit import Problem
from xla_evo.discovery.minimax import Finisher
from xla_evo.discovery.population import Island, new_island
from xla_evo.discovery.record import POLICIES, Front, Policy, Record
from xla_evo.discovery.reference import Reference, checking_points, fitting_nodes
from xla_evo.discovery.selection import select
from xla_evo.discovery.verify import Verifier
from xla_evo.errors import RunError, XlaEvoError
from xla_evo.runs import locked, resume_command

EPOCH = 2000
"""Candidates an island fits in an epoch."""
MIGRANTS = 4
"""Members of each number of operations that an island shows to the others."""
SHOWN_AT_THE_END = 16
"""Members of each number of operations that a young island leaves to the old ones."""
CHECKPOINT_SECONDS = 10.0
CYCLE: tuple[Policy, ...] = ("removable", "removable", "removable", "finite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is.

    Attributes:
        candidates: candidates fitted.
        seconds: wall-clock time of the search.
        errors: least root mean square error by number of operations, of the searched policy.
        stage: ``compile``, ``search`` or ``finish``.
        finished: share of the last stage that is done, which has no budget.
    """

    candidates: int
    seconds: float
    errors: dict[int, float]
    stage: str = "search"
    finished: float = 0.0


ProgressHook = Callable[[Progress], None]


def run(
    config: DiscoveryConfig, *, progress: ProgressHook | None = None, out: Path | None = None
) -> Front:
    """Searches, finishes and verifies.

    Args:
        config: what is asked.
        progress: called about once a second.
        out: run directory to make; without it nothing is written.

    Raises:
        RunError: the run directory exists or cannot be written.
        TargetError: the function cannot be used under the error measure.
    """
    reference, state = Reference(config), State.fresh(config)
    if out is None:
        return _Search(config, reference, state, None, progress).complete()
    with locked(out):
        start_run(out, config)
        return _Search(config, reference, state, out, progress).complete()


def resume(
    out: Path, *, budget: Budget | None = None, progress: ProgressHook | None = None
) -> Front:
    """Goes on with a run to the end of its budget; what was spent counts.

    Another budget is kept in its settings.

    Raises:
        RunError: there is no run, it is damaged, or another process works on it.
    """
    config = read_config(out)
    with locked(out):
        state = read_state(out, config)
        if budget is not None:
            config = config.with_budget(budget)
            write_config(out, config)
        return _Search(config, Reference(config), state, out, progress).complete()


def load_front(out: Path) -> Front:
    """Reads the front of a finished or stopped run.

    Raises:
        RunError: there is none, or it is damaged.
    """
    try:
        return Front.from_json(json.loads((out / FRONT).read_text(encoding="utf-8")), out)
    except FileNotFoundError:
        read_config(out)
        raise RunError(
            f"the run {out} has no front yet; `{resume_command(out)}` makes one"
        ) from None
    except (OSError, ValueError, AttributeError, XlaEvoError) as error:
        raise RunError(
            f"the front of the run {out / FRONT} is damaged: {error}; put a whole copy in its"
            " place, or resume the run, which writes it anew"
        ) from None


@dataclass(slots=True)
class _Worker:
    """Memory of one thread."""

    grid: Grid
    bench: Bench


class _Search:
    def __init__(
        self, config: DiscoveryConfig, reference: Reference, state: State, out: Path | None,
        progress: ProgressHook | None,
    ) -> None:  # fmt: skip
        self.config, self.state, self.out = config, state, out
        self.reference = reference
        self._progress = progress
        low, high = config.low, config.high
        self.problem: Problem = reference.problem(fitting_nodes(low, high))
        points = checking_points(low, high)
        self.workers = [
            _Worker(reference.grid(points), new_bench(self.problem)) for _ in range(config.workers)
        ]

    def complete(self) -> Front:
        """Searches to the end of the budget, or until interrupted, and makes the front."""
        self._show("compile")
        self._compile()
        stopped = self._search()
        if self.out is not None:
            write_state(self.out, self.state)
        front = self._finish()
        if self.out is not None:
            text = json.dumps(front.to_json(), indent=1)
            write_atomically(self.out / FRONT, text.encode())
        if stopped:
            raise KeyboardInterrupt
        return front

    def _compile(self) -> None:
        """Makes sure that all is compiled before the clock starts."""
        trial, worker = new_island(1, 1), self.workers[0]
        evolve(trial, self.problem, worker.grid, worker.bench, 4, self.config.finite, 20)
        merge(trial, trial, 4, 1, worker.bench, worker.grid, False)

    def _left(self) -> int:
        """Candidates that the next epoch may fit on each island, 0 where the budget has ended."""
        config, state = self.config, self.state
        if config.seconds is not None and state.seconds >= config.seconds:
            return 0
        if config.candidates is None:
            return EPOCH
        return min(EPOCH, -(-(config.candidates - state.candidates) // config.workers))

    def _search(self) -> bool:
        """Runs epochs; returns True where the user interrupted."""
        state = self.state
        before = state.seconds
        start = shown = saved = time.monotonic()
        with ThreadPoolExecutor(self.config.workers) as pool:
            while (count := self._left()) > 0:
                policy: Policy = "finite" if self.config.finite else CYCLE[state.epoch % len(CYCLE)]
                interrupted = self._epoch(pool, policy, count)
                state.epoch += 1
                state.candidates += count * self.config.workers
                now = time.monotonic()
                state.seconds = before + now - start
                if self.out is not None and now - saved > CHECKPOINT_SECONDS:
                    write_state(self.out, state)
                    saved = now
                if now - shown > 1.0:
                    self._show("search")
                    shown = now
                if interrupted:
                    return True
        self._show("search")
        return False

    def _epoch(self, pool: ThreadPoolExecutor, policy: Policy, count: int) -> bool:
        """One epoch of a policy; an interrupt is kept until the epoch is whole."""
        state, finite = self.state, policy == "finite"
        turn = life(self._epochs(policy), self.config.max_ops)
        islands = state.islands[policy] if turn is None else state.young[policy]
        most = self.config.max_ops if turn is None else turn.most
        jobs = [
            pool.submit(
                evolve, island, self.problem, worker.grid, worker.bench, most, finite, count
            )
            for island, worker in zip(islands, self.workers, strict=True)
        ]
        interrupted = False
        while True:
            try:
                for job in jobs:
                    job.result()
                break
            except KeyboardInterrupt:
                interrupted = True
        self._offer(islands, policy, islands, MIGRANTS)
        if turn is None or turn.last:
            width = MIGRANTS if turn is None else SHOWN_AT_THE_END
            for other, into in state.islands.items():
                if into is not islands:
                    self._offer(islands, other, into, width)
        if turn is not None and turn.last:
            place = list(state.young).index(policy)
            for worker, island in enumerate(islands):
                renew(island, self.config.seed, stream_of(place, worker, turn.number + 1))
        return interrupted

    def _epochs(self, policy: Policy) -> int:
        """How many epochs a policy has had."""
        if self.config.finite:
            return self.state.epoch
        cycles, rest = divmod(self.state.epoch, len(CYCLE))
        return cycles * CYCLE.count(policy) + CYCLE[:rest].count(policy)

    def _offer(
        self, sources: Sequence[Island], policy: str, into: Sequence[Island], width: int
    ) -> None:
        """Offers the best of islands to others, whose policy it is, or to one another."""
        worker, most = self.workers[0], self.config.max_ops
        for island in into:
            for source in sources:
                if source is not island:
                    merge(
                        island, source, most, width, worker.bench, worker.grid, policy == "finite"
                    )

    def _show(self, stage: str, finished: float = 0.0) -> None:
        if self._progress is None:
            return
        islands = self._islands("finite" if self.config.finite else "removable")
        least = np.min([island.error.min(axis=1) for island in islands], axis=0)
        errors = {
            n: float(least[n]) for n in range(1, self.config.max_ops + 1) if np.isfinite(least[n])
        }
        self._progress(
            Progress(
                candidates=self.state.candidates, seconds=self.state.seconds, errors=errors,
                stage=stage, finished=finished,
            )
        )  # fmt: skip

    def _islands(self, policy: Policy) -> list[Island]:
        """Old and young islands of a policy."""
        state = self.state
        return [*state.islands.get(policy, []), *state.young.get(policy, [])]

    def _finish(self) -> Front:
        every = len(POLICIES) * self.config.max_ops
        finisher, verifier = Finisher.of(self.reference), Verifier(self.reference)
        records: dict[Policy, dict[int, Record]] = {policy: {} for policy in POLICIES}
        for place, policy in enumerate(("finite", "removable")):
            islands = self._islands(policy)
            for n in range(1, self.config.max_ops + 1):
                self._show("finish", (place * self.config.max_ops + n - 1) / every)
                found = select(islands, n, policy, finisher, verifier)
                other = records["finite"].get(n)
                if (
                    policy == "removable"
                    and other is not None
                    and (found is None or other.verified.error < found.verified.error)
                ):
                    found = dataclasses.replace(other, policy="removable")
                if found is not None:
                    records[policy][n] = found
        return Front(
            config=self.config, records=records, candidates=self.state.candidates,
            seconds=self.state.seconds, out=self.out,
            baselines=baselines(self.config, self.reference, finisher),
        )  # fmt: skip
