import random

import numpy as np
import pytest

from xla_evo.search import rewrite
from xla_evo.search.config import DEFAULT_OPS
from xla_evo.search.genome import (
    ADD,
    BY_CODE,
    CONST,
    MUL,
    float_constant,
    node,
    to_program,
)
from xla_evo.search.mutate import Mutator
from xla_evo.search.structure import simplify

from .genomes import random_genomes
from .test_structure import run


def test_children_are_well_typed_programs():
    # A program checks its types and that values are defined before they are used.
    for nodes in random_genomes(500, 5):
        to_program(nodes, "p")


def test_the_same_seed_makes_the_same_children():
    assert list(random_genomes(50, 6)) == list(random_genomes(50, 6))
    assert list(random_genomes(50, 6)) != list(random_genomes(50, 7))


@pytest.mark.parametrize(
    "names", ["add", "mul", "add,mul", "add,sub", "mul,div", "add,mul,select,lt", "add,sub,neg"]
)
def test_operations_without_weight_do_not_occur(names):
    mutator = Mutator(random.Random(0), dict.fromkeys(names.split(","), 1.0))
    pool = [(), (float_constant(0.5),)]
    for _ in range(300):
        parent, mate = mutator.random.choices(pool, k=2)
        child, _ = simplify(*mutator.mutate(parent, mate))
        used = {BY_CODE[item.code].op for item in child if item.code != CONST}
        assert used <= set(names.split(","))
        pool += [child] if len(child) < 25 else []


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
