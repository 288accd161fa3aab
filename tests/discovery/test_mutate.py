import numpy as np
import pytest

from xla_evo._random import below, seeded, uniform
from xla_evo.discovery import mutate
from xla_evo.discovery.canonical import new_draft
from xla_evo.discovery.encoding import ADD, ADDC, MUL, MULC

from .drafts import make_draft, random_draft


def parts(draft):
    return draft.op, draft.a, draft.b, draft.c, draft.cl


@pytest.mark.parametrize("name", ["insert", "remove", "rewire", "change", "swap", "graft"])
def test_every_child_is_well_formed(name):
    rng, numbers = seeded(1, 2), np.random.default_rng(5)
    made = 0
    for _ in range(400):
        n = int(numbers.integers(1, 9))
        parent, draft = random_draft(numbers, n), new_draft()
        mutate.load(draft, *parts(parent), n, 0)
        if name == "insert":
            width = int(numbers.integers(1, 3))
            m = mutate.insert(draft, n, rng, width)
            assert m == n + width
        elif name == "graft":
            donor = random_draft(numbers, 4)
            m = mutate.graft(draft, n, *parts(donor), 4, rng)
        else:
            m = getattr(mutate, name)(draft, n, rng)
        if m <= 0:
            continue
        made += 1
        for i in range(m):
            assert 0 <= draft.op[i] < 8
            assert 0 <= draft.a[i] <= i
            assert 0 <= (draft.b[i] if draft.op[i] >= ADD else 0) <= i
    assert made > 100


def test_loading_shifts_operands():
    draft = new_draft()
    source = make_draft((ADDC, 0, 1.5), (MUL, 1, 0), (MULC, 2, 2.5))
    mutate.load(draft, *parts(source), 3, 4)
    assert list(draft.a[4:7]) == [0, 5, 6]
    assert list(draft.c[4:7]) == [1.5, 0.0, 2.5]


def test_streams_are_reproducible_and_differ():
    first = [uniform(state) for state in (seeded(1, 0), seeded(1, 0), seeded(1, 1), seeded(2, 0))]
    assert first[0] == first[1]
    assert len(set(first)) == 3
    state = seeded(7, 0)
    drawn = {below(state, 5) for _ in range(200)}
    assert drawn == set(range(5))
