"""Mutations by the laws of arithmetic: the same real function, rounded differently.

Distributing, factoring and regrouping change nothing over the reals, so the fit stays what it was;
what changes is where rounding errors arise and what the compiler contracts. They are the laws of
the operations and know nothing of the function that is sought.
"""

from collections.abc import Iterator
from random import Random

from xla_evo.search.genome import ADD, MUL, SUB, Node, Nodes, node

Edit = tuple[list[Node], int]
_SUMS = (ADD, SUB)


def _operand(nodes: Nodes, value: int, *codes: int) -> Node | None:
    """The node that makes a value, when it is one of some operations."""
    item = nodes[value - 1] if value else None
    return item if item is not None and item.code in codes else None


def _pairs(item: Node) -> Iterator[tuple[int, int]]:
    yield item.a, item.b
    if item.a != item.b:
        yield item.b, item.a


def _choose(random: Random, edits: list[tuple[int, list[Node]]], nodes: Nodes) -> Edit | None:
    """Applies one of the edits (index of the node, replacement with its new operands)."""
    if not edits:
        return None
    index, replacement = random.choice(edits)
    work = [*nodes, *replacement[:-1]]
    work[index] = replacement[-1]
    return work, len(nodes)


def distribute(random: Random, nodes: Nodes) -> Edit | None:
    """A * (b + c) becomes a*b + a*c."""
    edits: list[tuple[int, list[Node]]] = []
    size = len(nodes)
    for index, item in enumerate(nodes):
        if item.code != MUL:
            continue
        for factor, other in _pairs(item):
            inner = _operand(nodes, other, *_SUMS)
            if inner is not None:
                products = [node(MUL, factor, inner.a), node(MUL, factor, inner.b)]
                edits.append((index, [*products, node(inner.code, size + 1, size + 2)]))
    return _choose(random, edits, nodes)


def factor(random: Random, nodes: Nodes) -> Edit | None:
    """a*b + a*c becomes a * (b + c)."""
    edits: list[tuple[int, list[Node]]] = []
    size = len(nodes)
    for index, item in enumerate(nodes):
        if item.code not in _SUMS:
            continue
        left, right = _operand(nodes, item.a, MUL), _operand(nodes, item.b, MUL)
        if left is None or right is None:
            continue
        for common, first in _pairs(left):
            for same, second in _pairs(right):
                if common == same:
                    total = node(item.code, first, second)
                    edits.append((index, [total, node(MUL, common, size + 1)]))
    return _choose(random, edits, nodes)


def regroup(random: Random, nodes: Nodes) -> Edit | None:
    """A + (b + c) becomes (a + b) + c, and a * (b * c) becomes (a * b) * c."""
    edits: list[tuple[int, list[Node]]] = []
    size = len(nodes)
    for index, item in enumerate(nodes):
        if item.code not in (ADD, MUL):
            continue
        for outer, other in _pairs(item):
            inner = _operand(nodes, other, item.code, *((SUB,) if item.code == ADD else ()))
            if inner is None:
                continue
            if inner.code == SUB:
                edits.append((index, [node(ADD, outer, inner.a), node(SUB, size + 1, inner.b)]))
                continue
            for first, second in _pairs(inner):
                grouped = node(item.code, outer, first)
                edits.append((index, [grouped, node(item.code, size + 1, second)]))
    return _choose(random, edits, nodes)
