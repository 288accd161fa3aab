import random

import numpy as np
import pytest

from xla_evo.search import rewrite
from xla_evo.search.config import DEFAULT_OPS
from xla_evo.search.genome import ADD, MUL, float_constant, node, to_program
from xla_evo.search.mutate import Mutator
from xla_evo.search.structure import simplify

from .genomes import horner, random_genomes
from .test_structure import run


def test_children_are_well_typed_programs():
    # A program checks its types and that values are defined before they are used.
    for nodes in random_genomes(500, 5):
        to_program(nodes, "p")


def test_the_same_seed_makes_the_same_children():
    assert list(random_genomes(50, 6)) == list(random_genomes(50, 6))
    assert list(random_genomes(50, 6)) != list(random_genomes(50, 7))


def test_operations_without_weight_do_not_occur():
    mutator = Mutator(random.Random(0), {"add": 1.0, "mul": 1.0})
    nodes = horner(0.5, 1.0)
    for _ in range(300):
        child, _ = simplify(*mutator.mutate(nodes, horner(0.1, 0.2)))
        assert {item.code for item in child} <= {1, ADD, MUL}


def test_a_population_of_nothing_grows():
    mutator = Mutator(random.Random(0), DEFAULT_OPS)
    grown = [simplify(*mutator.mutate((), ()))[0] for _ in range(100)]
    assert any(len(nodes) >= 2 for nodes in grown)


@pytest.mark.parametrize("law", [rewrite.distribute, rewrite.factor, rewrite.regroup])
def test_laws_keep_the_real_function(law):
    x = np.linspace(0.1, 1.0, 17)
    source = random.Random(1)
    applied = 0
    for nodes in random_genomes(400, 8):
        edit = law(source, nodes)
        if edit is None:
            continue
        expected, got = run(nodes, x), run(simplify(*edit)[0], x)
        if np.isfinite(expected).all() and np.abs(expected).max() < 1e6:
            scale = np.abs(expected).max() + 1
            assert np.allclose(got, expected, rtol=1e-6, atol=1e-6 * scale)
            applied += 1
    assert applied > 5


def test_distributing_a_product():
    nodes = (float_constant(2.0), node(ADD, 0, 1), node(MUL, 0, 2))
    work, root = rewrite.distribute(random.Random(0), nodes)
    codes = sorted(item.code for item in simplify(work, root)[0])
    assert codes == [1, ADD, MUL, MUL]
