"""Typed mutations of genomes: small, mostly neutral steps from which fitting can go on.

Every mutation takes a genome and returns another of the same types, or None where it does not
apply. New constants start where they change nothing (adding 0, multiplying by 1), so that a child
begins with its parent's accuracy and the fit improves on it. None of them knows the function that
is sought.
"""

from collections.abc import Mapping, Sequence
from random import Random

from xla_evo.search import rewrite
from xla_evo.search.genome import (
    ADD,
    AS_FLOAT,
    AS_INT,
    BOOLEAN,
    BY_CODE,
    CONST,
    DIV,
    FLOAT,
    GENE_OPS,
    INT,
    INT_ADD,
    MUL,
    SUB,
    Node,
    Nodes,
    float_constant,
    int_constant,
    node,
    value_types,
)

_BINARY = (ADD, SUB, MUL, DIV)


class Mutator:
    """Random edits of genomes.

    Args:
        random: source of randomness.
        op_weights: op table name to relative frequency; operations that are absent do not occur.
    """

    def __init__(self, random: Random, op_weights: Mapping[str, float]) -> None:
        self.random = random
        self.weights = {row.code: op_weights.get(row.op, 0.0) for row in GENE_OPS}
        self._by_result = {
            kind: [row for row in GENE_OPS if row.result == kind and self.weights[row.code] > 0]
            for kind in (FLOAT, INT, BOOLEAN)
        }
        self._by_signature: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for row in GENE_OPS:
            if self.weights[row.code] > 0:
                self._by_signature.setdefault((row.result, row.operands), []).append(row.code)
        self._arithmetic = [code for code in _BINARY if self.weights[code] > 0]

    def mutate(self, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int]:
        """Returns an edited copy and its result value; `mate` lends subtrees.

        One edit, sometimes two or three, so that steps that only help together can be taken.
        """
        edits = 1
        while edits < 3 and self.random.random() < 0.2:
            edits += 1
        work, root = list(nodes), len(nodes)
        for _ in range(edits):
            for _ in range(8):
                mutation = self.random.choices(_MUTATIONS, _FREQUENCIES)[0]
                edited = mutation(self, _ordered(work, root), mate)
                if edited is not None:
                    work, root = edited
                    break
        return work, root

    def constant(self, kind: int) -> Node:
        """A constant of no particular value."""
        if kind == INT:
            choices = (1, 2, 4, 8, 15, 16, 22, 23, 24, 127, 255, 0x7FFFFF, 0x3F800000)
            if self.random.random() < 0.5:
                return int_constant(self.random.choice(choices))
            return int_constant(self.random.getrandbits(32) - (1 << 31))
        return float_constant(self.random.gauss(0.0, 1.0) * 10 ** self.random.uniform(-2, 1))

    def grow(self, nodes: list[Node], kind: int, pool: Sequence[int], depth: int) -> int:
        """Appends a random subtree of type `kind` over the values of `pool`; returns its value."""
        types = value_types(nodes)
        leaves = [value for value in pool if types[value] == kind]
        if kind != BOOLEAN and (depth <= 0 or self.random.random() < 0.4):
            if leaves and self.random.random() < 0.6:
                return self.random.choice(leaves)
            nodes.append(self.constant(kind))
            return len(nodes)
        rows = self._by_result[kind]
        row = self.random.choices(rows, [self.weights[item.code] for item in rows])[0]
        operands = [self.grow(nodes, operand, pool, depth - 1) for operand in row.operands]
        nodes.append(node(row.code, *operands))
        return len(nodes)

    def pick_edge(self, nodes: Nodes) -> tuple[int, int, int]:
        """A random use of a value: (index of the user or -1 for the result, slot, value)."""
        edges = [(-1, 0, len(nodes))]
        for index, item in enumerate(nodes):
            edges += [(index, slot, value) for slot, value in enumerate(item.operands)]
        return self.random.choice(edges)

    def alternatives(self, code: int) -> list[int]:
        """Other operations with the same signature."""
        row = BY_CODE[code]
        codes = self._by_signature.get((row.result, row.operands), [])
        return [other for other in codes if other != code]

    def arithmetic(self) -> int:
        """One of + - * / by weight."""
        weights = [self.weights[code] for code in self._arithmetic]
        return self.random.choices(self._arithmetic, weights)[0]

    def allows(self, *codes: int) -> bool:
        """True when all these operations may occur."""
        return all(self.weights[code] > 0 for code in codes)


def _ordered(nodes: Sequence[Node], root: int) -> Nodes:
    """Puts nodes into single-assignment order again after an edit that refers forwards."""
    order: list[int] = []
    placed: dict[int, int] = {0: 0}
    pending = [root]
    while pending:
        top = pending[-1]
        if top in placed:
            pending.pop()
            continue
        missing = [operand for operand in nodes[top - 1].operands if operand not in placed]
        if missing:
            pending.extend(missing)
            continue
        pending.pop()
        order.append(top)
        placed[top] = len(order)
    places = [0] * (len(nodes) + 1)
    for value, place in placed.items():
        places[value] = place
    result: list[Node] = []
    for value in order:
        result.append(nodes[value - 1].with_operands(places))
    return tuple(result)


def _redirect(work: list[Node], root: int, edge: tuple[int, int, int], value: int) -> int:
    """Makes one use refer to another value; returns the result value."""
    index, slot, _ = edge
    if index < 0:
        return value
    names = ("a", "b", "c")
    work[index] = work[index]._replace(**{names[slot]: value})
    return root


def _before(edge: tuple[int, int, int], nodes: Nodes) -> list[int]:
    """Values that do not depend on the user of an edge, which it may therefore use."""
    user = edge[0] + 1
    if user == 0:
        return list(range(len(nodes) + 1))
    depends = [False] * (len(nodes) + 1)
    depends[user] = True
    for index in range(user, len(nodes)):
        depends[index + 1] = any(depends[operand] for operand in nodes[index].operands)
    return [value for value, dependent in enumerate(depends) if not dependent]


def _insert(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """V becomes v op w, with w a constant that changes nothing or an earlier value."""
    edge = self.pick_edge(nodes)
    value = edge[2]
    types = value_types(nodes)
    if types[value] != FLOAT:
        return None
    work = list(nodes)
    code = self.arithmetic()
    if self.random.random() < 0.5:
        neutral = 0.0 if code in (ADD, SUB) else 1.0
        work.append(float_constant(neutral))
        other = len(work)
    else:
        other = self.random.choice([v for v in _before(edge, nodes) if types[v] == FLOAT])
    pair = (value, other) if self.random.random() < 0.7 else (other, value)
    work.append(node(code, *pair))
    return work, _redirect(work, len(nodes), edge, len(work))


def _insert_term(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """V becomes v + c*w, v * (1 + c*w) or v / (1 + c*w) with c = 0: two operations, neutral."""
    edge = self.pick_edge(nodes)
    value = edge[2]
    types = value_types(nodes)
    if types[value] != FLOAT or not self.allows(ADD, MUL):
        return None
    work = list(nodes)
    other = self.random.choice([v for v in _before(edge, nodes) if types[v] == FLOAT])
    work.append(float_constant(0.0))
    work.append(node(MUL, other, len(work)))
    kind = self.random.random()
    if kind < 0.7:
        work.append(node(ADD, value, len(work)))
    else:
        term = len(work)
        work.append(float_constant(1.0))
        work.append(node(ADD, term, len(work)))
        divide = kind > 0.85 and self.allows(DIV)
        work.append(node(DIV if divide else MUL, value, len(work)))
    return work, _redirect(work, len(nodes), edge, len(work))


def _insert_bits(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """V becomes the float whose bits are those of v plus an integer, which starts at 0 or small."""
    edge = self.pick_edge(nodes)
    if value_types(nodes)[edge[2]] != FLOAT or not self.allows(AS_INT, AS_FLOAT, INT_ADD):
        return None
    work = list(nodes)
    work.append(node(AS_INT, edge[2]))
    bits = len(work)
    other = self.grow(work, INT, _before(edge, nodes), 2)
    work.append(node(INT_ADD, bits, other))
    work.append(node(AS_FLOAT, len(work)))
    return work, _redirect(work, len(nodes), edge, len(work))


def _remove(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """An operation gives way to one of its operands."""
    types = value_types(nodes)
    edge = self.pick_edge(nodes)
    value = edge[2]
    if value == 0:
        return None
    same = [operand for operand in nodes[value - 1].operands if types[operand] == types[value]]
    if not same:
        return None
    work = list(nodes)
    return work, _redirect(work, len(nodes), edge, self.random.choice(same))


def _rewire(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """A use refers to another value of its type."""
    types = value_types(nodes)
    edge = self.pick_edge(nodes)
    pool = [v for v in _before(edge, nodes) if types[v] == types[edge[2]] and v != edge[2]]
    if not pool:
        return None
    work = list(nodes)
    return work, _redirect(work, len(nodes), edge, self.random.choice(pool))


def _replace(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """An operation becomes another of the same signature."""
    indices = [i for i, item in enumerate(nodes) if item.code != CONST]
    if not indices:
        return None
    index = self.random.choice(indices)
    codes = self.alternatives(nodes[index].code)
    if not codes:
        return None
    work = list(nodes)
    work[index] = work[index]._replace(
        code=self.random.choices(codes, [self.weights[code] for code in codes])[0]
    )
    return work, len(work)


def _swap(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """The first two operands change places."""
    indices = [i for i, item in enumerate(nodes) if len(item.operands) == 2 and item.a != item.b]
    if not indices:
        return None
    index = self.random.choice(indices)
    work = list(nodes)
    work[index] = work[index]._replace(a=work[index].b, b=work[index].a)
    return work, len(work)


def _change_constant(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """A constant moves: a float by some per cent or to anywhere, an integer by a bit or a unit."""
    indices = [i for i, item in enumerate(nodes) if item.code == CONST]
    if not indices:
        return None
    index = self.random.choice(indices)
    work = list(nodes)
    value = work[index].value
    if work[index].type == INT:
        bits = int(value)
        kind = self.random.random()
        if kind < 0.4:
            bits += self.random.choice((-1, 1)) << self.random.randrange(0, 24)
        elif kind < 0.8:
            bits ^= 1 << self.random.randrange(31)
        else:
            bits = int(self.constant(INT).value)
        work[index] = int_constant(((bits + (1 << 31)) & 0xFFFFFFFF) - (1 << 31))
    elif self.random.random() < 0.6:
        work[index] = float_constant(value * (1 + self.random.gauss(0, 0.1)))
    else:
        work[index] = self.constant(FLOAT)
    return work, len(work)


def _new_subtree(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """A use refers to a new random subtree over the values before it."""
    edge = self.pick_edge(nodes)
    work = list(nodes)
    kind = value_types(nodes)[edge[2]]
    root = self.grow(work, kind, _before(edge, nodes), self.random.choice((1, 1, 2, 3)))
    return work, _redirect(work, len(nodes), edge, root)


def _graft(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """A use refers to a subtree of the mate, whose input is the genome's or an earlier value."""
    if not mate:
        return None
    edge = self.pick_edge(nodes)
    types, mate_types = value_types(nodes), value_types(mate)
    wanted = types[edge[2]]
    roots = [v for v in range(1, len(mate) + 1) if mate_types[v] == wanted]
    if not roots:
        return None
    work = list(nodes)
    floats = [v for v in _before(edge, nodes) if types[v] == FLOAT]
    source = 0 if self.random.random() < 0.6 else self.random.choice(floats)
    moved = {0: source}
    root = self.random.choice(roots)
    for index in range(root):
        item = mate[index]
        if item.code != CONST:
            item = item._replace(a=moved[item.a], b=moved[item.b], c=moved[item.c])
        work.append(item)
        moved[index + 1] = len(work)
    return work, _redirect(work, len(nodes), edge, moved[root])


def _share(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    """The input of part of a program becomes another value: f(x) within g becomes f(h(x))."""
    types = value_types(nodes)
    uses = [
        (index, slot, 0)
        for index, item in enumerate(nodes)
        for slot, value in enumerate(item.operands)
        if value == 0
    ]
    pool = [v for v in range(1, len(nodes) + 1) if types[v] == FLOAT and nodes[v - 1].code != CONST]
    if not uses or not pool:
        return None
    value = self.random.choice(pool)
    ancestors = {value}
    for index in range(value - 1, -1, -1):
        if index + 1 in ancestors:
            ancestors.update(nodes[index].operands)
    share = self.random.choice((1.0, 0.6))
    work = list(nodes)
    for edge in uses:
        if edge[0] + 1 not in ancestors and self.random.random() < share:
            _redirect(work, len(nodes), edge, value)
    return work, len(work)


def _distribute(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    return rewrite.distribute(self.random, nodes)


def _factor(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    return rewrite.factor(self.random, nodes)


def _regroup(self: Mutator, nodes: Nodes, mate: Nodes) -> tuple[list[Node], int] | None:
    return rewrite.regroup(self.random, nodes)


_TABLE = (
    (_insert, 3.0),
    (_insert_term, 5.0),
    (_insert_bits, 0.2),
    (_remove, 2.0),
    (_rewire, 3.0),
    (_replace, 1.5),
    (_swap, 0.5),
    (_change_constant, 1.0),
    (_new_subtree, 1.5),
    (_graft, 1.5),
    (_share, 1.0),
    (_distribute, 1.2),
    (_factor, 0.6),
    (_regroup, 1.2),
)
_MUTATIONS = [row[0] for row in _TABLE]
_FREQUENCIES = [row[1] for row in _TABLE]
