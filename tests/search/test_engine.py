from dataclasses import replace
from random import Random
from types import SimpleNamespace

import pytest

from xla_evo.errors import ConfigError
from xla_evo.search import engine
from xla_evo.search.checkpoint import State, state_from_json, state_to_json
from xla_evo.search.engine import Search
from xla_evo.search.genome import MUL, float_constant, node
from xla_evo.search.population import Measured, Population, Sketch
from xla_evo.search.structure import simplify


def sketch(key, ulp):
    return Sketch(key, 1.0, (float_constant(2.0),), (float_constant(2.0),), ulp, ulp, ulp)


@pytest.fixture
def search(config, store):
    """A search that is never asked to compile; its bound is 100 ULP."""
    found = Search(config, store, None, State(Population(config.bucket)))
    found.population.add_sketch(sketch(1, 5000.0))
    return found


def screen_without_progress(search, candidates=engine._PATIENCE):
    search._start_again_if_stuck()
    search.state.counters.screened += candidates
    search._start_again_if_stuck()


def test_a_search_that_is_stuck_begins_anew(search):
    search.state.seen[7] = 3
    screen_without_progress(search, engine._PATIENCE - 1)
    assert search.state.beginnings == 0
    search.state.counters.screened += 1
    search._start_again_if_stuck()
    assert search.state.beginnings == 1
    assert not search.population.sketches
    assert not search.state.seen
    assert [nodes for nodes, _ in search.state.offspring] == [(), (float_constant(1.0),)]


def test_what_holds_the_bound_is_never_given_up(search):
    search.population.add_sketch(sketch(2, 99.0))
    screen_without_progress(search)
    assert search.state.beginnings == 0
    assert search.population.sketches


def test_every_third_time_the_best_of_all_beginnings_meet(search):
    for number in range(engine._TOGETHER):
        screen_without_progress(search)
        if number < engine._TOGETHER - 1:
            search.population.add_sketch(sketch(10 + number, 4000.0 - 100 * number))
    kept = [item.key for bucket in search.population.sketches.values() for item in bucket]
    assert kept == [11, 10, 1]


def test_what_is_put_together_is_tested_again(search):
    search._tested_at = (0.5,)
    search.state.hard_points = [0.5]
    for _ in range(engine._TOGETHER):
        assert search._tested_at == (0.5,)
        screen_without_progress(search)
    assert search._tested_at == ()


def test_beginnings_are_kept_in_checkpoints(search):
    screen_without_progress(search)
    state = search.state
    assert state_from_json(state_to_json(state)) == state


BEGIN = "program exp2(x: f32) -> f32 { %0: f32 = const 0x1p+0 %1: f32 = mul x, %0 return %1 }"


def test_a_search_begins_with_a_given_program(search, config, store):
    begun = replace(config, begin=BEGIN)
    first = Search(begun, store, None, None)
    nodes, key = engine._first(begun)[-1]
    assert nodes == (float_constant(1.0), node(MUL, 0, 1))
    assert key == simplify(nodes)[1]
    assert len(engine._first(begun)) == len(engine._first(config)) + 1
    assert first.population.sketches == {}
    assert "begun with" in begun.provenance(nodes)
    assert "begun" not in config.provenance(nodes)


def test_a_program_that_is_no_genome_is_refused(config):
    with pytest.raises(
        ConfigError, match="cannot begin with program exp2: it must have one float32"
    ):
        replace(config, begin="program exp2(x: f64) -> f64 { return x }")


def holding(cost, key, ulp=1.0):
    nodes = (float_constant(float(key)),)
    return Sketch(key, cost, nodes, nodes, ulp, ulp, ulp)


def test_what_a_static_cost_cannot_favour_is_not_compiled(config, store):
    """A sketch far above the bound, or dearer by operations than one that holds."""
    queued = {}
    for name in ("cpu", "tpu:v5e"):
        searched = Search(replace(config, backend=name), store, None, None)
        for key, (cost, ulp) in enumerate(((5.0, 260.0), (6.0, 120.0), (7.0, 90.0), (9.5, 80.0))):
            searched.population.add_sketch(holding(cost, key + 2, ulp))
        queue = searched._queue()
        queued[name] = sorted(item.sketch.cost for item in queue)
    assert queued == {"cpu": [6.0, 7.0, 9.5], "tpu:v5e": [6.0, 7.0]}


class RefutingPool:
    """Every sweep finds 200 ULP at 0.5, where the models of the others have what is given."""

    def __init__(self, errors):
        self.errors = errors
        self.jobs = []

    def run(self, jobs, **_):
        self.jobs += [job.method for job in jobs]
        answers = {
            "prove": SimpleNamespace(
                exhaustive=True, bound_ulp=200.0, max_ulp=200.0,
                worst_inputs=[SimpleNamespace(input=0.5)],
            ),
            "specials": (),
            "retest": self.errors,
            "refine": ((float_constant(2.0),), 1e9),
        }  # fmt: skip
        return [(answers[job.method], None) for job in jobs]


def test_a_refuted_candidate_puts_the_others_to_the_test(search):
    """Those that fail at its worst input are not swept any more, and the rest keep their error."""
    front = [
        Measured(name, number, 1.0, (), (float_constant(number),), 50.0, 0.5, name)
        for number, name in enumerate(("swept", "worse", "better", "proven", "beyond"))
    ]
    front[3].proven, front[4].ulp = True, 300.0
    search.population.front = front
    search._pool = RefutingPool([170.0, 40.0])
    search._measure = lambda _: None
    search.prove(front[0])
    assert search._pool.jobs[:3] == ["specials", "prove", "retest"]
    assert search.state.hard_points == [0.5]
    assert [item.ulp for item in front] == [200.0, 170.0, 50.0, 50.0, 300.0]


class InterruptedPool:
    """The user interrupts at the first job."""

    def run(self, jobs, **_):
        raise KeyboardInterrupt


def test_an_interrupt_loses_no_candidate(search):
    """What was about to be screened or compiled is not counted, and comes again on resuming."""
    search._pool = search._evaluator._pool = InterruptedPool()
    search.population.add_sketch(holding(5.0, 2))
    search.state.offspring = [((float_constant(1.0),), 1)]
    before = state_to_json(search.state)
    with pytest.raises(KeyboardInterrupt):
        search._screen(Random(0))
    with pytest.raises(KeyboardInterrupt):
        search._measure(search._queue())
    after = state_to_json(search.state)
    after["counters"]["proposed"] = before["counters"]["proposed"]
    assert after == before


def test_structures_are_fitted_again_when_there_are_no_others(config, store):
    """Else a budget of candidates would never end where few operations are allowed."""
    few = replace(config, ops={"add": 1.0}, max_cost=1.0)
    found = Search(few, store, None, None)
    fitted = []
    for found.state.counters.generation in range(60):
        found._follow(found._offspring())
        fitted.append(len(found.state.offspring))
    assert 0 in fitted
    assert sum(fitted[fitted.index(0) :]) > 0


def test_what_is_kept_of_structures_and_beginnings_has_an_end(search, monkeypatch):
    """Else the checkpoints of a long run take more time than its search."""
    monkeypatch.setattr(engine, "_SEEN", 100)
    for number in range(300):
        search._follow([((), number)])
    assert 50 <= len(search.state.seen) <= 100
    assert 299 in search.state.seen
    for number in range(200):
        search.population.add_sketch(sketch(number, 5000.0 - number))
        screen_without_progress(search)
    assert search.state.beginnings == 200
    assert len(search.state.reserve) == search.config.bucket
