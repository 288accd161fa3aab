import mpmath as mp
import numpy as np
import pytest

from xla_evo.discovery.canonical import canonical, new_walk, structure_key
from xla_evo.discovery.encoding import ADD, ADDC, DIV, MUL, MULC, RDIVC, RSUBC, SUB

from .drafts import exact, make_draft, random_draft

POINTS = (0.37, 1.21, -2.13)


def values(draft, n):
    with mp.workdps(40):
        return [exact(draft, n, x) for x in POINTS]


@pytest.mark.parametrize("seed", range(300))
def test_meaning_is_kept_and_the_form_is_stable(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 14))
    draft = random_draft(rng, n)
    before = values(draft, n)
    walk = new_walk()
    m = canonical(draft, n, walk)
    assert m <= n
    if m <= 0:
        return
    for i in range(m):
        assert 0 <= draft.a[i] <= i
        assert 0 <= draft.b[i] <= i
    for wanted, got in zip(before, values(draft, m), strict=True):
        if mp.isfinite(wanted) and abs(wanted) < 1e8:
            assert float(got) == pytest.approx(float(wanted), rel=1e-6, abs=1e-6)
    key = structure_key(draft, m)
    assert canonical(draft, m, walk) == m
    assert structure_key(draft, m) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([(MULC, 0, 2.0), (MULC, 1, 3.0)], [(MULC, 0, 5.0)]),
        ([(ADDC, 0, 2.0), (MULC, 1, 3.0)], [(MULC, 0, 1.0), (ADDC, 1, 1.0)]),
        ([(RDIVC, 0, 2.0), (RDIVC, 1, 3.0)], [(MULC, 0, 1.0)]),
        ([(RSUBC, 0, 2.0), (RSUBC, 1, 3.0)], [(ADDC, 0, 1.0)]),
        ([(MULC, 0, 2.0), (MUL, 1, 0)], [(MUL, 0, 0), (MULC, 1, 2.0)]),
        ([(MUL, 0, 0), (ADDC, 0, 1.0), (ADD, 1, 2)], [(MUL, 0, 0), (ADD, 0, 1), (ADDC, 2, 1.0)]),
        ([(MUL, 0, 0), (MUL, 0, 0), (ADDC, 2, 1.0), (DIV, 1, 3)],
         [(MUL, 0, 0), (ADDC, 1, 1.0), (DIV, 1, 2)]),
        ([(ADD, 0, 0)], [(MULC, 0, 2.0)]),
        ([(ADDC, 0, 9.0), (MUL, 0, 0), (ADDC, 2, 1.0)], [(MUL, 0, 0), (ADDC, 1, 1.0)]),
    ],
)  # fmt: skip
def test_equal_structures_become_one(one, other):
    walk = new_walk()
    keys = []
    for rows in (one, other):
        draft = make_draft(*rows)
        n = canonical(draft, len(rows), walk)
        keys.append((n, structure_key(draft, n)))
    assert keys[0] == keys[1]


def test_different_structures_stay_apart():
    walk = new_walk()
    squares = [(ADDC, 0, 1.0), (MUL, 1, 1)]
    products = [(ADDC, 0, 1.0), (ADDC, 0, 2.0), (MUL, 1, 2)]
    found = set()
    for rows in (squares, products):
        draft = make_draft(*rows)
        found.add(structure_key(draft, canonical(draft, len(rows), walk)))
    assert len(found) == 2


@pytest.mark.parametrize("code", [SUB, DIV])
def test_a_constant_result_is_rejected(code):
    draft = make_draft((ADDC, 0, 1.0), (code, 1, 1))
    assert canonical(draft, 2, new_walk()) == -1
