import random

import numpy as np

from xla_evo.search.genome import (
    ADD,
    CONST,
    FLOAT,
    FMA,
    GENE_OPS,
    MUL,
    SUB,
    contracted,
    from_program,
    node,
    static_cost,
    to_program,
    to_tape,
)
from xla_evo.search.kernels import forward
from xla_evo.search.mutate import Mutator
from xla_evo.search.structure import simplify
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.ops import OPS

from .genomes import horner, random_genomes


def test_gene_ops_are_rows_of_the_op_table():
    assert {row.op for row in GENE_OPS} <= set(OPS)
    assert len({row.code for row in GENE_OPS}) == len(GENE_OPS)


def test_program_round_trip():
    for nodes in random_genomes(100, 1):
        rounded = tuple(
            item._replace(value=float(np.float32(item.value)))
            if item.code == CONST and item.type == FLOAT
            else item
            for item in nodes
        )
        assert from_program(to_program(rounded, "p")) == rounded


def test_the_identity_is_the_empty_genome():
    program = to_program((), "p")
    assert program.result == 0
    assert simplify((), 0)[0] == ()


def agrees(nodes, x, expected, *, fused):
    """Whether the float32 model gives the expected bits, but for at most 2 of 101 inputs."""
    tape = to_tape(contracted(nodes) if fused else nodes)
    values = np.zeros((len(nodes) + 1, x.size))
    values[0] = x
    forward(tape.code, tape.operands, tape.constants, values, True)
    got = values[-1].astype(np.float32)
    normal = np.isnan(expected) | (expected == 0) | (np.abs(expected) > 1e-30)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return np.count_nonzero(~same & normal) <= 2


INPUTS = np.linspace(0.1, 1.0, 112, dtype=np.float32)


def test_kernel_computes_what_the_program_means():
    for nodes in random_genomes(200, 2):
        expected = evaluate(to_program(nodes, "p"), INPUTS)
        assert agrees(nodes, INPUTS, expected, fused=False), to_program(nodes, "p")


def test_model_of_contraction_is_that_of_the_compiler():
    # Sums of products in all arrangements, which is where contraction has a choice.
    mutator = Mutator(random.Random(1), {"add": 2.0, "sub": 1.0, "mul": 3.0})
    pool, agreeing, count = [horner(0.3, 0.2, 1.0)], 0, 0
    while count < 60:
        nodes, _ = simplify(*mutator.mutate(mutator.random.choice(pool), pool[0]))
        if 3 < len(nodes) < 16 and 0 in [o for item in nodes for o in item.operands]:
            pool.append(nodes)
            compiled = Executable.of_program(to_program(nodes, "p"))(INPUTS)
            agreeing += agrees(nodes, INPUTS, compiled, fused=True)
            count += 1
    # XLA simplifies away factors of 1 and equal constants, which a fit does not leave behind.
    assert agreeing >= 50


def test_contraction_needs_a_single_use():
    product = node(MUL, 0, 0)
    used_once = (product, node(ADD, 1, 0))
    assert contracted(used_once)[1].code == FMA
    used_twice = (product, node(ADD, 1, 0), node(SUB, 2, 1))
    assert contracted(used_twice) == used_twice


def test_cost_counts_a_contracted_product_once():
    assert static_cost(horner(1.0, 2.0, 3.0)) == 2.0
    assert static_cost((node(MUL, 0, 0),)) == 1.0
