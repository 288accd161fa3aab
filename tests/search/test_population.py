from dataclasses import replace
from random import Random

import pytest

from xla_evo.search.genome import DIV, float_constant, node
from xla_evo.search.population import (
    Measured,
    Population,
    Sketch,
    best_known,
    best_of_places,
    fastest,
    nsga_select,
    pareto_fronts,
)


def sketch(key, cost, ulp, *, fit=None, noise=1.0):
    return Sketch(key, cost, (), (), ulp if fit is None else fit, ulp, noise)


def measured(name, ulp, time, *, proven=False):
    return Measured(name, hash(name), 1.0, (), (), ulp, time, name, proven)


def test_a_bucket_keeps_its_best_and_one_of_a_structure():
    population = Population(bucket=2)
    assert population.add_sketch(sketch(1, 3.0, 10.0))
    assert population.add_sketch(sketch(2, 3.0, 5.0))
    assert not population.add_sketch(sketch(3, 3.0, 20.0))
    assert population.limits((), 3.0)[0] == 10.0
    assert population.limits((), 2.0)[0] == float("inf")
    assert population.limits((), 4.0)[0] == 10.0  # what is dearer must at least beat the worst here
    assert population.add_sketch(sketch(2, 3.0, 4.0))
    assert [item.ulp for item in population.sketches[0, 3.0]] == [4.0, 10.0]


def test_cost_limit_follows_the_cheapest_that_holds():
    population = Population(bucket=4)
    population.add_sketch(sketch(1, 9.0, 0.9))
    assert population.useful_cost(1.0, 4.0) == 13.0
    population.add_sketch(sketch(2, 6.0, 0.8))
    assert population.useful_cost(1.0, 4.0) == 10.0
    assert population.useful_cost(0.5, 4.0) == float("inf")


def test_fronts_by_dominance():
    items = [
        measured("a", 1.0, 1.0),
        measured("b", 0.5, 2.0),
        measured("c", 2.0, 2.0),
        measured("d", 3.0, 3.0),
    ]
    names = [sorted(item.program for item in front) for front in pareto_fronts(items)]
    assert names == [["a", "b"], ["c"], ["d"]]


def test_a_sampled_error_hides_nothing_that_is_proven():
    items = [
        measured("proven", 0.9, 0.5, proven=True),
        measured("worse", 0.9, 0.6, proven=True),
        measured("sampled", 0.8, 0.4),
        measured("dominated", 0.85, 0.5),
    ]
    assert [item.program for item in best_known(items)] == ["sampled", "proven"]
    assert best_known([]) == []


def test_what_is_proven_stays_in_a_front_of_better_samples():
    population = Population(bucket=4)
    names = [f"sampled {number}" for number in range(4)]
    population.add_measured(measured("slow", 0.9, 0.6, proven=True), 4)
    population.add_measured(measured("proven", 0.95, 0.5, proven=True), 4)
    for number, name in enumerate(names):
        population.add_measured(measured(name, 0.9 - number / 100, 0.49 - number / 1000), 4)
    front = [item.program for item in population.front]
    assert sorted(front) == ["proven", *names[1:]]


def test_selection_keeps_both_ends():
    items = [measured(str(i), 2.0**-i, 1.0 + i) for i in range(10)]
    kept = {item.program for item in nsga_select(items, 4)}
    assert {"0", "9"} <= kept
    assert len(kept) == 4


def test_fastest_that_holds():
    items = [measured("a", 0.9, 0.4), measured("b", 1.1, 0.2), measured("c", 0.8, 0.5)]
    assert [item.program for item in fastest(items, 1.0)] == ["a", "c"]


def test_picks_respect_the_cost_limit():
    population = Population(bucket=4)
    assert population.pick(Random(0), 5.0) == ()


@pytest.mark.parametrize("size", [1, 3])
def test_equal_programs_enter_once(size):
    population = Population(bucket=4)
    for _ in range(2):
        population.add_measured(measured("a", 1.0, 1.0), size)
    assert len(population.front) == 1


def test_of_many_beginnings_the_best_of_each_place_are_left():
    found = [sketch(key, cost, ulp) for cost in (3.0, 4.0) for key, ulp in ((1, 9.0), (2, 7.0))]
    found += [sketch(1, 3.0, 5.0), sketch(3, 3.0, 8.0)]
    kept = best_of_places(found, 2)
    assert [(item.key, item.cost, item.ulp) for item in kept] == [
        (2, 3.0, 7.0), (1, 4.0, 9.0), (2, 4.0, 7.0), (1, 3.0, 5.0),
    ]  # fmt: skip
    assert best_of_places([*kept, *kept], 2) == kept


def test_sketches_with_new_errors_are_put_in_order_again():
    population = Population(2)
    for key, ulp in ((1, 0.5), (2, 0.7)):
        assert population.add_sketch(sketch(key, 3.0, ulp, fit=0.1))
    first, second = population.sketches[0, 3.0]
    population.update_sketches([replace(first, ulp=2.0), second])
    assert [item.key for item in population.sketches[0, 3.0]] == [2, 1]
    assert population.limits((), 3.0)[0] == 2.0


def test_a_form_that_rounds_well_is_not_lost():
    population = Population(bucket=2)
    for key in range(2):
        population.add_sketch(sketch(key, 3.0, 2.0, fit=0.5, noise=1.5))
    quiet = sketch(7, 3.0, 2.5, fit=1.2, noise=0.6)
    assert population.limits((), 3.0) == (2.0, 1.5)
    assert population.add_sketch(quiet)
    assert quiet not in population.sketches[0, 3.0]
    assert population.quiet[0, 3.0] == [quiet]
    assert any(population.pick(Random(seed), 3.0) is quiet.nodes for seed in range(20))
    assert not population.add_sketch(sketch(8, 3.0, 2.5, fit=1.6, noise=0.5))  # fits too badly
    population.add_sketch(sketch(9, 2.0, 0.9, fit=0.1, noise=0.8))
    assert population.limits((), 3.0)[1] == pytest.approx(0.3)  # what is cheaper fits better now


def test_a_quotient_does_not_shut_a_polynomial_out():
    population = Population(bucket=1)
    quotient = (float_constant(1.0), node(DIV, 0, 1))
    population.add_sketch(replace(sketch(1, 6.0, 10.0), nodes=quotient))
    assert population.limits(quotient, 7.0)[0] == 10.0
    assert population.limits((), 7.0)[0] == float("inf")
    assert population.add_sketch(sketch(2, 7.0, 50.0))
    assert {population.pick(Random(seed), 9.0) for seed in range(20)} == {quotient, ()}


def test_polynomials_are_picked_more_often_than_quotients():
    population = Population(bucket=1)
    quotient = (float_constant(1.0), node(DIV, 0, 1))
    population.add_sketch(replace(sketch(1, 6.0, 10.0), nodes=quotient))
    population.add_sketch(sketch(2, 7.0, 50.0))
    picked = [population.pick(Random(seed), 9.0) for seed in range(500)]
    assert 320 < picked.count(()) < 480
