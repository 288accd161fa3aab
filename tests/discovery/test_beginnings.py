import numpy as np

from xla_evo.discovery.beginnings import EVERY, life, renew
from xla_evo.discovery.population import new_island


def lives(epochs, max_ops):
    return [turn for turn in (life(epoch, max_ops) for epoch in range(max_ops + epochs)) if turn]


def test_once_the_old_islands_have_begun_one_epoch_in_three_is_a_young_one():
    turns = [life(epoch, 12) for epoch in range(162)]
    assert [turn is not None for turn in turns] == [False] * 12 + [False, False, True] * 50
    assert EVERY == 3


def test_a_life_has_as_many_epochs_as_operations_and_the_next_has_one_operation_less():
    turns = lives(EVERY * (6 + 5 + 4 + 6), 6)
    assert [turn.most for turn in turns] == [6] * 6 + [5] * 5 + [4] * 4 + [6] * 6
    assert [turn.number for turn in turns] == [0] * 6 + [1] * 5 + [2] * 4 + [3] * 6
    assert [turn.age for turn in turns] == [*range(6), *range(5), *range(4), *range(6)]
    assert [turn.age for turn in turns if turn.last] == [5, 4, 3, 5]


def test_one_operation_has_lives_of_one_epoch():
    assert [(turn.most, turn.last) for turn in lives(3 * EVERY, 1)] == [(1, True)] * 3


def test_a_renewed_island_is_a_new_one():
    island = new_island(1, 7)
    for array in island:
        array[...] = 3
    renew(island, 5, 100_001)
    for array, fresh in zip(island, new_island(5, 100_001), strict=True):
        assert np.array_equal(array, fresh)
