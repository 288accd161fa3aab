"""Genomes that several tests use."""

import random

from xla_evo.search.config import DEFAULT_OPS
from xla_evo.search.genome import ADD, MUL, Nodes, float_constant, node
from xla_evo.search.mutate import Mutator
from xla_evo.search.structure import simplify


def horner(*coefficients: float) -> Nodes:
    """A polynomial in Horner's form, highest coefficient first."""
    nodes = [float_constant(coefficients[0])]
    for coefficient in coefficients[1:]:
        nodes.append(node(MUL, len(nodes), 0))
        product = len(nodes)
        nodes.append(float_constant(coefficient))
        nodes.append(node(ADD, product, len(nodes)))
    return tuple(nodes)


def random_genomes(count: int, seed: int):
    """Genomes of every operation, grown by mutation."""
    mutator = Mutator(random.Random(seed), dict.fromkeys(DEFAULT_OPS, 1.0))
    pool = [(float_constant(1.0),), horner(0.3, 0.2, 1.0)]
    while count:
        parent, mate = mutator.random.choice(pool), mutator.random.choice(pool)
        nodes, _ = simplify(*mutator.mutate(parent, mate))
        if 0 < len(nodes) < 25:
            pool.append(nodes)
            count -= 1
            yield nodes
