"""The search: generations of screening, compiling, timing and proving, until the budget is spent.

A generation screens candidates on all workers, while mutation makes the next ones; compiles and
times those that earned it; and now and then sweeps the leader over every input. The worst inputs
that a sweep finds join the points that later candidates are tested at. Random choices depend on the
seed and the generation alone; measured times enter through the store, so a second run with the same
seed and a warm store repeats the first.
"""

import functools
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.errors import RunError
from xla_evo.search.checkpoint import State
from xla_evo.search.config import SearchConfig
from xla_evo.search.evaluator import Candidate, Evaluator, candidate
from xla_evo.search.genome import Nodes, float_constant, static_cost
from xla_evo.search.mutate import Mutator
from xla_evo.search.population import Measured, Population, Sketch, best_of_places, fastest
from xla_evo.search.screen import Screened
from xla_evo.search.structure import simplify
from xla_evo.search.worker import Failure, Job, Pool
from xla_evo.store import Store
from xla_evo_lowering.backends import backend
from xla_evo_lowering.text import print_program

_SHARD = 50
_SCREEN_LIMIT_S, _PROOF_LIMIT_S = 120.0, 3600.0
_FRONT = 64
_BATCH, _BATCH_MODELLED = 10, 4
_FITS_A_STRUCTURE = 3
_COST_SLACK = 4.0
_PROVE_EVERY, _PROVE_MODELLED_EVERY, _REFINE_EVERY = 8, 24, 4
"""Generations. A sweep of a model is slower than one of compiled code, and takes as long as
thousands of candidates."""
_WORTH_PROVING = 0.93
_REFINE_TRIES, _REFINED = 20_000, 4
_NEAR_BOUND, _WORTH_COMPILING = 2.0, 1.5
_SLACK_MODELLED = 2.0
"""Estimated operations above those of the cheapest that holds, from which a static cost, which
follows them closely, cannot be the least."""
_PATIENCE, _PROGRESS, _TOGETHER = 25_000, 0.95, 3
"""Candidates without progress before the search begins anew; a lesser error that counts as
progress; how many beginnings are then put together."""
_HARD_POINTS = 512
_SEEN = 1 << 20
"""Structures whose fits are counted, those of a quarter of an hour; half of them go at a time."""
FAILED_SPECIALS = "special inputs"
"""What candidates are counted under that hold on the inputs they met and fail a special one."""

Report = Callable[[int, int], None]


def _first(config: SearchConfig) -> list[tuple[Nodes, int]]:
    """What a population grows from: the input, a constant, and what a user begins with."""
    constant = (float_constant(1.0),)
    begin = config.beginning()
    return [((), 1), *((nodes, simplify(nodes)[1]) for nodes in (constant, begin) if nodes)]


class Search:
    """One search in progress.

    Args:
        config: its settings.
        store: where compilations and timings are kept.
        pool: workers.
        state: where to go on; a new search starts from the empty program and a constant.
    """

    def __init__(self, config: SearchConfig, store: Store, pool: Pool, state: State | None) -> None:
        self.config = config
        self.state = state or State(Population(config.bucket))
        self._pool = pool
        self._evaluator = Evaluator(config, store, pool, self.state.counters)
        self._batch = _BATCH_MODELLED if config.modelled else _BATCH
        contracts = backend(config.backend).contracts
        self._cost = functools.partial(static_cost, contracts=contracts)
        self.phase = "starting"
        self._tested_at: tuple[float, ...] = ()
        self.sweeps: dict[str, ErrorMeasurement] = {}
        """Proofs of this sitting, by program."""

    @property
    def evaluator(self) -> Evaluator:
        """Compiles and times for this search."""
        return self._evaluator

    @property
    def population(self) -> Population:
        """The archives."""
        return self.state.population

    def leader(self) -> Measured | None:
        """The fastest candidate that is proven, else the fastest that held on the sample."""
        within = fastest(self.population.front, self.config.max_ulp)
        proven = [item for item in within if item.proven]
        return (proven or within or [None])[0]

    def start(self) -> None:
        """Starts the workers, which load what they need; time that is not screening's."""
        self.phase = "starting workers"
        started = time.monotonic()
        nodes = (float_constant(1.0),)
        job = Job("screen", ([(nodes, (float("inf"), float("inf")), 0)], ()), _SCREEN_LIMIT_S)
        self._pool.run([job] * len(self._pool.workers))
        self.state.counters.spend("start", time.monotonic() - started)

    def generation(self, report: Report | None = None) -> None:
        """Runs one generation."""
        counters = self.state.counters
        self.phase = "screening"
        random = Random(f"{self.config.seed}:{counters.generation}")
        started = time.monotonic()
        if counters.generation == 0:
            self.state.offspring = _first(self.config)
        self._screen(random)
        counters.spend("screen", time.monotonic() - started)
        self.phase = "compiling and timing"
        self._measure(self._queue())
        if counters.generation % _REFINE_EVERY == _REFINE_EVERY - 1:
            self.phase = "polishing"
            self._retest()
            self._refine(random)
        every = _PROVE_MODELLED_EVERY if self.config.modelled else _PROVE_EVERY
        if counters.generation % every == every - 1:
            self.prove_leader(report)
        self._start_again_if_stuck()
        counters.generation += 1

    def _start_again_if_stuck(self) -> None:
        """Begins anew from nothing when nothing holds the bound and errors have stopped to fall.

        Which forms a population settles on is decided early, by chance. Every third time the best
        of all beginnings are put together instead.
        """
        state = self.state
        least = self.population.least_ulp()
        if least < _PROGRESS * state.least_ulp:
            state.least_ulp, state.progress_at = least, state.counters.screened
            return
        stuck = state.counters.screened - state.progress_at >= _PATIENCE
        if not stuck or least <= self.config.max_ulp:
            return
        found = [*state.reserve, *self.population.best()]
        state.reserve = best_of_places(found, self.config.bucket)
        self.population.forget()
        state.seen.clear()
        state.beginnings += 1
        state.offspring = _first(self.config)
        if state.beginnings % _TOGETHER == 0:
            for sketch in state.reserve:
                self.population.add_sketch(sketch)
            self._tested_at = ()  # some points are younger than what was put together
        state.least_ulp, state.progress_at = float("inf"), state.counters.screened

    def _offspring(self) -> list[tuple[Nodes, int]]:
        """Candidates of the next generation: new genomes with the hash of their structure."""
        random = Random(f"{self.config.seed}:{self.state.counters.generation}:offspring")
        mutator = Mutator(random, self.config.mutation_ops())
        limit = min(
            self.config.max_cost,
            self.population.useful_cost(self.config.max_ulp, _COST_SLACK),
        )
        made: list[tuple[Nodes, int]] = []
        fresh: set[int] = set()
        for _ in range(6 * self.config.offspring):
            if len(made) == self.config.offspring:
                break
            parent = self.population.pick(random, limit, self.config.max_ulp)
            mate = self.population.pick(random, limit, self.config.max_ulp)
            nodes, key = simplify(*mutator.mutate(parent, mate))
            self.state.counters.proposed += 1
            often = self.state.seen.get(key, 0)
            if key in fresh or often >= _FITS_A_STRUCTURE or self._cost(nodes) > limit:
                continue
            fresh.add(key)
            made.append((nodes, key))
        return made

    def _follow(self, made: list[tuple[Nodes, int]]) -> None:
        """Makes these the next generation, and counts that they will be fitted.

        Where every structure in reach was fitted as often as it may be, all may be fitted again:
        else a budget of candidates would never end.
        """
        seen = self.state.seen
        self.state.offspring = made
        for _, key in made:
            seen[key] = seen.get(key, 0) + 1
        if not made:
            seen.clear()
        if len(seen) > _SEEN:
            self.state.seen = dict(itertools.islice(seen.items(), len(seen) // 2, None))

    def _screen(self, random: Random) -> None:
        """Screens this generation on the workers while this process makes the next one."""
        made = self.state.offspring
        batch = [
            (nodes, self.population.limits(nodes, self._cost(nodes)), random.getrandbits(31))
            for nodes, _ in made
        ]
        hard = tuple(self.state.hard_points)
        jobs = [
            Job("screen", (batch[start : start + _SHARD], hard), _SCREEN_LIMIT_S)
            for start in range(0, len(batch), _SHARD)
        ]
        counters = self.state.counters
        with ThreadPoolExecutor(1) as maker:
            following = maker.submit(self._offspring)
            answers = self._pool.run(jobs)
            self._follow(following.result())
        counters.screened += len(batch)
        failures = 0
        for index, (answer, _) in enumerate(answers):
            if isinstance(answer, Failure):
                counters.fail(f"screening {answer.reason}")
                failures += 1
                if failures == len(jobs):
                    raise RunError(f"no worker can screen candidates: {answer.message}")
                continue
            results, steps = answer
            for step, count in steps.items():
                counters.steps[step] = counters.steps.get(step, 0) + count
            keys = [key for _, key in made[index * _SHARD : (index + 1) * _SHARD]]
            for result, key in zip(results, keys, strict=True):
                if result is not None:
                    self._admit(result, key)

    def _admit(self, result: Screened, key: int) -> Sketch | None:
        cost = self._cost(result.rounded)
        sketch = Sketch(
            key, cost, result.nodes, result.rounded, result.fit_ulp, result.ulp, result.noise_ulp
        )
        if not self.population.add_sketch(sketch):
            return None
        self._note_hard(result.worst)
        return sketch

    def _queue(self) -> list[Candidate]:
        """Sketches that earned compilation: those that hold, then those no cheaper one matches.

        What is far from the bound is left alone: its time does not matter, and compiling costs a
        thousand times as much as screening. Where the time is a static cost, nor is compiled what
        is clearly dearer than what holds.
        """
        bound, modelled = self.config.max_ulp, self.config.modelled
        holding: list[Sketch] = []
        leading: list[Sketch] = []
        for buckets in self.population.by_family():
            best = float("inf")
            for bucket in buckets:
                for rank, sketch in enumerate(bucket):
                    if sketch.ulp <= bound:
                        holding.append(sketch)
                    elif sketch.ulp < min(best, _WORTH_COMPILING * bound) and rank < 2:
                        leading.append(sketch)
                best = min(best, bucket[0].ulp)
        holding.sort(key=lambda sketch: sketch.cost)
        leading.sort(key=lambda sketch: sketch.cost)
        if modelled and holding:
            dear = holding[0].cost + _SLACK_MODELLED
            holding, leading = (
                [sketch for sketch in found if sketch.cost <= dear] for found in (holding, leading)
            )
        queue: dict[str, Candidate] = {}
        for sketch in (*holding, *leading):
            if not sketch.rounded:
                continue
            item = candidate(sketch, self.config)
            if item.hash not in self.state.tried:
                queue.setdefault(item.hash, item)
                if len(queue) == self._batch:
                    break
        return list(queue.values())

    def _measure(self, queue: list[Candidate]) -> None:
        """Compiles and times; what an interrupt keeps from that is not tried yet."""
        measured = self._evaluator.measure(queue)
        self.state.tried.update(item.hash for item in queue)
        for item in measured:
            self.population.add_measured(item, _FRONT)
        self._note_hard(self._evaluator.surprises)

    def _note_hard(self, inputs: Sequence[float]) -> None:
        """Adds inputs to the points that candidates are tested at from now on."""
        known = set(self.state.hard_points)
        self.state.hard_points += [point for point in dict.fromkeys(inputs) if point not in known]
        del self.state.hard_points[:-_HARD_POINTS]

    def _retest(self) -> None:
        """Tests the sketches again where test points have come since they were admitted.

        An error at fewer points would keep better candidates out.
        """
        hard = tuple(self.state.hard_points)
        if hard == self._tested_at:
            return
        self._tested_at = hard
        started = time.monotonic()
        sketches = [item for bucket in self.population.sketches.values() for item in bucket]
        shards = [sketches[start : start + _SHARD] for start in range(0, len(sketches), _SHARD)]
        jobs = [
            Job("retest", ([item.rounded for item in shard], hard), _SCREEN_LIMIT_S)
            for shard in shards
        ]
        fresh: list[Sketch] = []
        for shard, (answer, _) in zip(shards, self._pool.run(jobs), strict=True):
            if isinstance(answer, Failure):
                self.state.counters.fail(f"screening {answer.reason}")
                fresh += shard
                continue
            fresh += [
                replace(item, ulp=max(item.ulp, ulp))
                for item, ulp in zip(shard, answer, strict=True)
            ]
        self.population.update_sketches(fresh)
        self.state.counters.spend("polish", time.monotonic() - started)

    def _refine(self, random: Random) -> None:
        """Polishes measured candidates that nearly hold and would be faster than the leader."""
        leader = self.leader()
        bound = self.config.max_ulp
        near = [
            item
            for item in self.population.front
            if bound < item.ulp <= _NEAR_BOUND * bound
            and (leader is None or item.time < leader.time)
        ]
        near.sort(key=lambda item: (item.ulp, item.program))
        self._polish(near[:_REFINED], random)

    def _polish(self, items: list[Measured], random: Random) -> None:
        started = time.monotonic()
        jobs = [
            Job(
                "refine",
                (item.nodes, item.rounded, random.getrandbits(31), _REFINE_TRIES,
                 tuple(self.state.hard_points)),
                _SCREEN_LIMIT_S,
            )
            for item in items
        ]  # fmt: skip
        polished: dict[str, Candidate] = {}
        for item, (answer, _) in zip(items, self._pool.run(jobs), strict=True):
            if isinstance(answer, Failure):
                self.state.counters.fail(f"screening {answer.reason}")
                continue
            rounded, ulp = answer
            sketch = Sketch(item.key, item.cost, item.nodes, rounded, ulp, ulp, ulp)
            fresh = candidate(sketch, self.config)
            if fresh.hash not in self.state.tried:
                polished.setdefault(fresh.hash, fresh)
        self.state.counters.spend("polish", time.monotonic() - started)
        self._measure(list(polished.values()))

    def prove_leader(self, report: Report | None = None) -> None:
        """Sweeps the fastest candidate that holds on the sample, if it clearly beats the proven."""
        within = fastest(self.population.front, self.config.max_ulp)
        proven = min((item.time for item in within if item.proven), default=float("inf"))
        self.phase = "proving"
        for item in within:
            if item.time >= _WORTH_PROVING * proven:
                return
            self.prove(item, report)
            if not item.failed:
                return

    def prove(self, item: Measured, report: Report | None = None) -> ErrorMeasurement | None:
        """Sweeps every input; the worst ones join the test points when the bound fails.

        What fails a special input, which is asked in milliseconds, is not swept.
        """
        if not self._specials_hold(item):
            return None
        started = time.monotonic()
        job = Job("prove", (self.text(item), self.config.max_ulp), _PROOF_LIMIT_S, reports=True)
        answer, _ = self._pool.run([job], report=report)[0]
        counters = self.state.counters
        counters.spend("prove", time.monotonic() - started)
        counters.proofs += 1
        if isinstance(answer, Failure):
            counters.fail(f"proof {answer.reason}")
            item.ulp = float("inf")
            return None
        item.proven = answer.exhaustive and answer.bound_ulp <= self.config.max_ulp
        if item.proven:
            item.ulp = answer.bound_ulp
            self.sweeps[item.program] = answer
            return answer
        item.ulp = max(item.ulp, answer.max_ulp, self.config.max_ulp * (1 + 1e-9))
        self._note_hard([float(point.input) for point in answer.worst_inputs[:8]])  # pyright: ignore[reportArgumentType]
        self._doubt_others()
        self._polish([item], Random(f"{self.config.seed}:{item.program}"))
        return answer

    def _specials_hold(self, item: Measured) -> bool:
        """Asks special inputs, and notes with the candidate what is wrong."""
        started = time.monotonic()
        job = Job("specials", (self.text(item), self.config.max_ulp), _SCREEN_LIMIT_S)
        answer, _ = self._pool.run([job])[0]
        counters = self.state.counters
        counters.spend("prove", time.monotonic() - started)
        if isinstance(answer, Failure):
            counters.fail(f"special inputs {answer.reason}")
            item.ulp = float("inf")
            return False
        if answer:
            counters.fail(FAILED_SPECIALS)
            item.failed = answer[0]
        return not answer

    def _doubt_others(self) -> None:
        """Tests measured candidates that are believed to hold at the points known now.

        What a sweep refuted has often siblings with the same worst inputs, and a test at these
        costs a millisecond where a sweep of each costs half a minute.
        """
        bound = self.config.max_ulp
        believed = [item for item in self.population.front if not item.proven and item.ulp <= bound]
        genomes = [item.rounded for item in believed]
        job = Job("retest", (genomes, tuple(self.state.hard_points)), _SCREEN_LIMIT_S)
        answer, _ = self._pool.run([job])[0]
        if isinstance(answer, Failure):
            self.state.counters.fail(f"screening {answer.reason}")
            return
        for item, ulp in zip(believed, answer, strict=True):
            item.ulp = max(item.ulp, ulp)

    def text(self, item: Measured) -> str:
        """Program text of a measured candidate."""
        return print_program(self.config.program(item.rounded))
