import numpy as np

from xla_evo.discovery.encoding import ADDC, DIV, MUL, MULC, RDIVC
from xla_evo.discovery.population import (
    PER_KIND,
    PLACES,
    kind_of,
    new_island,
    offer,
    threshold,
    visits,
)

from .drafts import make_draft

DRAFT = make_draft((ADDC, 0, 1.0), (MULC, 1, 2.0))


def key(number):
    return np.uint64(2 * number + 1)


def errors(island):
    return sorted(e for e in island.error[2] if np.isfinite(e))


def test_a_kind_has_a_few_places():
    island = new_island(0, 0)
    for i in range(3 * PER_KIND):
        offer(island, 2, DRAFT, 1.0 / (i + 1), 7, key(i))
    assert len(errors(island)) == PER_KIND
    assert errors(island)[0] == 1.0 / (3 * PER_KIND)
    assert threshold(island, 2, 7) == errors(island)[-1]
    assert threshold(island, 2, 8) == np.inf


def test_nearly_equal_errors_are_one():
    island = new_island(0, 0)
    assert offer(island, 2, DRAFT, 1.0, 1, key(1))
    assert not offer(island, 2, DRAFT, 1.0001, 1, key(2))
    assert offer(island, 2, DRAFT, 0.9999, 2, key(3))
    assert errors(island) == [0.9999]


def test_one_structure_has_one_place_and_improves():
    island = new_island(0, 0)
    assert offer(island, 2, DRAFT, 1.0, 1, key(1))
    assert offer(island, 2, DRAFT, 0.5, 1, key(1))
    assert not offer(island, 2, DRAFT, 0.7, 1, key(1))
    assert errors(island) == [0.5]


def test_a_full_population_gives_up_its_worst():
    island = new_island(0, 0)
    for i in range(PLACES):
        assert offer(island, 2, DRAFT, 1.0 + 0.01 * i, i, key(i))
    assert not offer(island, 2, DRAFT, 5.0, 9999, key(9999))
    assert offer(island, 2, DRAFT, 0.5, 9999, key(9999))
    assert len(errors(island)) == PLACES
    assert not offer(island, 2, DRAFT, np.nan, 1, key(5))


def test_kinds_count_divisions_constants_and_uses_of_x():
    rows = ((RDIVC, 0, 1.0), (DIV, 0, 1), (MUL, 0, 2))
    assert kind_of(make_draft(*rows), 3) == 2 + 32 * 1 + 1024 * 3


def test_structures_are_counted():
    island = new_island(0, 0)
    slot = visits(island, key(12345))
    island.times[slot] = 3
    assert visits(island, key(12345)) == slot
    assert island.times[visits(island, key(777))] == 0
