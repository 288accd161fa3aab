import numpy as np
import pytest

from xla_evo.search.genome import ADD, DIV, MUL, NEG, SUB, Node, float_constant, node, to_tape
from xla_evo.search.kernels import forward
from xla_evo.search.structure import simplify, without_factors_of_one

from .genomes import random_genomes


def run(nodes, x):
    tape = to_tape(nodes)
    values = np.zeros((len(nodes) + 1, x.size))
    values[0] = x
    forward(tape.code, tape.operands, tape.constants, values, False)
    return values[-1]


def test_simplified_genomes_mean_the_same():
    x = np.linspace(0.1, 1.0, 17)
    for nodes in random_genomes(300, 3):
        shorter, _ = simplify(nodes)
        expected, got = run(nodes, x), run(shorter, x)
        close = np.isclose(got, expected, rtol=1e-9, atol=1e-9) | ~np.isfinite(expected)
        assert close.all()


def test_simplifying_twice_changes_nothing():
    for nodes in random_genomes(100, 4):
        once, key = simplify(nodes)
        assert simplify(once) == (once, key)


@pytest.mark.parametrize(
    ("nodes", "length"),
    [
        ((float_constant(2), node(ADD, 0, 1), float_constant(3), node(ADD, 2, 3)), 2),
        ((float_constant(2), node(MUL, 0, 1), float_constant(3), node(MUL, 2, 3)), 2),
        ((node(NEG, 0), node(NEG, 1), node(MUL, 2, 0)), 1),
        ((node(SUB, 0, 0), node(ADD, 1, 0)), 2),
        ((float_constant(4), node(DIV, 0, 1)), 2),
        ((node(NEG, 0), node(ADD, 0, 1)), 1),
    ],
    ids=["sum", "product", "negations", "difference", "quotient", "negated term"],
)
def test_constants_and_signs_fold(nodes, length):
    assert len(simplify(nodes)[0]) == length


def test_neutral_constants_stay_where_a_fit_starts():
    nodes = (float_constant(0.0), node(MUL, 0, 1), node(ADD, 0, 2))
    assert len(simplify(nodes)[0]) == 3


def test_hash_sees_structure_not_values_nor_order():
    def genome(value, swapped):
        pair = (2, 0) if swapped else (0, 2)
        return (float_constant(value), node(MUL, 0, 1), node(ADD, *pair))

    assert simplify(genome(1.5, swapped=False))[1] == simplify(genome(2.5, swapped=True))[1]
    other = (float_constant(1.5), node(MUL, 0, 1), node(SUB, 0, 2))
    assert simplify(genome(1.5, swapped=False))[1] != simplify(other)[1]


def test_integer_constants_belong_to_the_structure():
    def genome(value):
        return (
            node(15, 0),
            Node(1, 1, value=value),
            node(17, 1, 2),
            node(16, 3),
        )

    assert len({simplify(genome(value))[1] for value in (5.0, 6.0, -1.0, -2.0)}) == 4


def test_factors_of_one_are_dropped():
    one = float_constant(1.0)
    nodes = (float_constant(3.0), node(MUL, 0, 1), one, node(MUL, 2, 3), node(ADD, 4, 1))
    assert without_factors_of_one(nodes) == (nodes[0], nodes[1], node(ADD, 2, 1))
    assert without_factors_of_one((one, node(MUL, 1, 0))) == ()
    assert without_factors_of_one(nodes[:2]) == nodes[:2]
