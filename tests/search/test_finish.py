import time
from types import SimpleNamespace

import pytest

from xla_evo.proof import Examination
from xla_evo.search.checkpoint import State, state_from_json, state_to_json
from xla_evo.search.engine import FAILED_SPECIALS, Search
from xla_evo.search.finish import OUT_OF_TIME, finish
from xla_evo.search.genome import ADD, float_constant, node
from xla_evo.search.population import Measured, Population
from xla_evo.search.tasks import Timed
from xla_evo.search.worker import Failure


class Answers:
    """A pool that answers jobs at once and remembers them.

    Args:
        wrong: lines on special inputs, by number of the candidate.
        ulp: what every sweep gives.
    """

    def __init__(self, wrong, ulp=1.0):
        self._wrong = wrong
        self._ulp = ulp
        self.asked = []
        self.workers = [None]

    def run(self, jobs, **_):
        return [(self._answer(job.method, *job.arguments), None) for job in jobs]

    def _answer(self, method, first=None, *_):
        self.asked.append(method)
        if method == "race":
            return {name: Timed((float(name[1:]),), (100.0,), (), 1) for name in first}
        if method == "specials":
            number = int(float.fromhex(first.split("const ")[1].split()[0]))
            return self._wrong.get(number, ())
        if method == "prove":
            return SimpleNamespace(
                exhaustive=True, bound_ulp=self._ulp, max_ulp=self._ulp, worst_inputs=[]
            )
        if method == "examine":
            return Examination(specials=(), lengths=None)
        if method == "retest":
            return [0.0] * len(first)
        if method == "refine":
            return first, float("inf")
        return Failure("error", method)


def candidates(count):
    return [
        Measured(f"p{number}", number, 1.0, nodes, nodes, 1.0, number / 100, f"code {number}")
        for number in range(1, count + 1)
        for nodes in [(float_constant(number), node(ADD, 0, 1))]
    ]


@pytest.fixture
def search_of(config, store):
    def make(pool, state):
        return Search(config, store, pool, state)

    return make


def test_what_fails_a_special_input_is_not_swept(search_of, store):
    pool = Answers({1: ("exp2(0.0) is 2.0, not 1.0",), 2: ("exp2(0.0) is 3.0, not 1.0",)})
    state = State(Population(3, front=candidates(3)))
    winner = finish(search_of(pool, state), store, pool, float("inf"))
    assert winner.program == "p3"
    assert pool.asked.count("prove") == 1
    assert state.counters.failures[FAILED_SPECIALS] == 2
    again = state_from_json(state_to_json(state))
    assert sorted(item.failed for item in again.population.front)[-1].startswith("exp2(0.0) is 3")
    pool.asked.clear()
    finish(search_of(pool, again), store, pool, float("inf"))
    assert pool.asked.count("specials") == 1


def test_a_sweep_of_this_sitting_is_not_repeated(search_of, store):
    pool = Answers({})
    search = search_of(pool, State(Population(3, front=candidates(1))))
    search.prove_leader()
    assert finish(search, store, pool, float("inf")) is not None
    assert pool.asked.count("prove") == 1


def test_sweeps_after_the_deadline_are_few(search_of, store):
    pool = Answers({}, ulp=1e6)
    state = State(Population(3, front=candidates(9)))
    assert finish(search_of(pool, state), store, pool, time.monotonic() - 1.0) is None
    assert pool.asked.count("prove") == 2
    assert state.counters.failures[OUT_OF_TIME] == 7


def test_what_is_faster_than_the_winner_and_not_swept_in_time_is_counted(search_of, store):
    pool = Answers({})
    search = search_of(pool, State(Population(3, front=candidates(4))))
    search.prove(search.population.front[2])
    winner = finish(search, store, pool, time.monotonic() - 1.0)
    assert winner.program == "p3"
    assert search.state.counters.failures[OUT_OF_TIME] == 2


def test_a_timing_of_all_together_that_fails_refuses_none(search_of, store, monkeypatch):
    """On a busy machine, or in a worker that loads JAX first, it may take longer than it may."""
    pool = Answers({})
    search = search_of(pool, State(Population(3, front=candidates(4))))
    race = search.evaluator.race
    monkeypatch.setattr(
        search.evaluator, "race",
        lambda texts, *more: Failure("timeout", "") if len(texts) > 1 else race(texts, *more),
    )  # fmt: skip
    assert finish(search, store, pool, float("inf")).program == "p1"
