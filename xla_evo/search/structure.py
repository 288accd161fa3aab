"""Simplifying genomes, and telling whether two have the same structure.

Mutation leaves dead nodes, products of constants and the like behind; `simplify` removes them, so
that every constant that is fitted matters and equal ideas look equal. Float constants that happen
to be neutral (adding 0) stay: they are where a fit starts.
"""

from collections.abc import Sequence

from xla_evo.search.genome import (
    ABS,
    ADD,
    AND,
    AS_FLOAT,
    AS_INT,
    BY_CODE,
    COMMUTATIVE,
    CONST,
    DIV,
    FLOAT,
    INT,
    INT_ADD,
    MAX,
    MIN,
    MUL,
    NEG,
    OR,
    SELECT,
    SUB,
    Node,
    Nodes,
    float_constant,
)

_FLOAT_FOLD = {
    ADD: lambda a, b: a + b,
    SUB: lambda a, b: a - b,
    MUL: lambda a, b: a * b,
    MIN: min,
    MAX: max,
}
_LIMIT = 1e30
_MASK = (1 << 61) - 1


class _Simplifier:
    """Rebuilds a genome from its result backwards, sharing and folding as it goes."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._old = nodes
        self.nodes: list[Node] = []
        self.hashes: list[int] = [1]
        self._moved: dict[int, int] = {0: 0}
        self._known: dict[tuple[int, ...], int] = {}

    def _append(self, item: Node, key: tuple[int, ...]) -> int:
        if key not in self._known:
            self.nodes.append(item)
            self.hashes.append(self._hash(item))
            self._known[key] = len(self.nodes)
        return self._known[key]

    def _hash(self, item: Node) -> int:
        if item.code == CONST:
            # As 32 bits without a sign: Python's hashes of -1 and -2 are one.
            value = 0 if item.type == FLOAT else int(item.value) & 0xFFFFFFFF
            return hash((CONST, item.type, value)) & _MASK
        children = [self.hashes[operand] for operand in item.operands]
        if item.code in COMMUTATIVE:
            children.sort()
        return hash((item.code, item.type, *children)) & _MASK

    def _constant(self, value: float, key: tuple[int, ...]) -> int:
        return self._append(float_constant(value), (CONST, *key))

    def _node(self, value: int) -> Node | None:
        return self.nodes[value - 1] if value else None

    def _is(self, value: int, code: int) -> Node | None:
        item = self._node(value)
        return item if item is not None and item.code == code else None

    def _number(self, value: int) -> float | None:
        item = self._is(value, CONST)
        return item.value if item is not None and item.type == FLOAT else None

    def visit(self, value: int) -> int:
        """Returns the new number of an old value."""
        pending = [value]
        while pending:
            top = pending[-1]
            if top in self._moved:
                pending.pop()
                continue
            item = self._old[top - 1]
            missing = [operand for operand in item.operands if operand not in self._moved]
            if missing:
                pending.extend(reversed(missing))
                continue
            pending.pop()
            if item.code == CONST:
                key = (CONST, -1, top) if item.type == FLOAT else (CONST, INT, int(item.value))
                self._moved[top] = self._append(item, key)
            else:
                self._moved[top] = self.make(
                    item.code, *(self._moved[operand] for operand in item.operands)
                )
        return self._moved[value]

    def make(self, code: int, *operands: int) -> int:
        """Adds an operation, simplified, and returns its value number."""
        if BY_CODE[code].result == FLOAT and code not in (AS_FLOAT, SELECT):
            shorter = self._float_rules(code, operands)
        else:
            shorter = self._other_rules(code, operands)
        if shorter is not None:
            return shorter
        if code in COMMUTATIVE:
            left, right = operands
            order = (self._number(left) is not None, self.hashes[left], left)
            if order > (self._number(right) is not None, self.hashes[right], right):
                operands = (right, left)
        padded = (*operands, 0, 0)[:3]
        item = Node(code, BY_CODE[code].result, *padded)
        return self._append(item, (code, *operands))

    def _float_rules(self, code: int, operands: tuple[int, ...]) -> int | None:
        if len(operands) == 1:
            return self._unary_rules(code, operands[0])
        left, right = operands
        a, b = self._number(left), self._number(right)
        if a is not None and b is not None:
            return self._fold(code, left, right, a, b)
        if left == right and code in (SUB, DIV, MIN, MAX):
            if code in (MIN, MAX):
                return left
            return self._constant(0.0 if code == SUB else 1.0, (-2, code))
        if code == SUB and b is not None:
            return self.make(ADD, left, self._constant(-b, (-3, right)))
        if code == DIV and b is not None and abs(b) > 1 / _LIMIT:
            return self.make(MUL, left, self._constant(1 / b, (-4, right)))
        if code in (ADD, MUL):
            return self._associate(code, left, right, a, b)
        if code == SUB:
            return self._difference(left, right, a)
        return None

    def _fold(self, code: int, left: int, right: int, a: float, b: float) -> int | None:
        if code == DIV:
            value = a / b if abs(b) > 1 / _LIMIT else 0.0
        elif code in _FLOAT_FOLD:
            value = _FLOAT_FOLD[code](a, b)
        else:
            return None
        return self._constant(max(-_LIMIT, min(_LIMIT, value)), (-5, code, left, right))

    def _unary_rules(self, code: int, operand: int) -> int | None:
        number = self._number(operand)
        if code == NEG:
            if number is not None:
                return self._constant(-number, (-3, operand))
            if inner := self._is(operand, NEG):
                return inner.a
            if inner := self._is(operand, SUB):
                return self.make(SUB, inner.b, inner.a)
            inner = self._is(operand, MUL)
            if inner and (factor := self._number(inner.b)) is not None:
                return self.make(MUL, inner.a, self._constant(-factor, (-3, inner.b)))
        if code == ABS:
            if number is not None:
                return self._constant(abs(number), (-6, operand))
            if self._is(operand, ABS):
                return operand
        return None

    def _associate(
        self, code: int, left: int, right: int, a: float | None, b: float | None
    ) -> int | None:
        """(v + c1) + c2 and (v * c1) * c2 keep one constant; sums of negations are differences."""
        number, constant, other = (b, right, left) if b is not None else (a, left, right)
        if number is not None:
            inner = self._is(other, code)
            if inner and (second := self._number(inner.b)) is not None:
                folded = self._fold(code, inner.b, constant, second, number)
                return None if folded is None else self.make(code, inner.a, folded)
            if code == MUL and (inner := self._is(other, NEG)):
                return self.make(MUL, inner.a, self._constant(-number, (-3, constant)))
        if code == ADD:
            if inner := self._is(right, NEG):
                return self.make(SUB, left, inner.a)
            if inner := self._is(left, NEG):
                return self.make(SUB, right, inner.a)
        if code == MUL and self._is(left, NEG) and self._is(right, NEG):
            return self.make(MUL, self.nodes[left - 1].a, self.nodes[right - 1].a)
        return None

    def _difference(self, left: int, right: int, a: float | None) -> int | None:
        if inner := self._is(right, NEG):
            return self.make(ADD, left, inner.a)
        if a is not None:
            inner = self._is(right, ADD)
            if inner and (second := self._number(inner.b)) is not None:
                return self.make(SUB, self._constant(a - second, (-7, left, inner.b)), inner.a)
        return None

    def _other_rules(self, code: int, operands: tuple[int, ...]) -> int | None:
        if code == AS_FLOAT and (inner := self._is(operands[0], AS_INT)):
            return inner.a
        if code == AS_INT and (inner := self._is(operands[0], AS_FLOAT)):
            return inner.a
        if code == SELECT and operands[1] == operands[2]:
            return operands[1]
        if code in (AND, OR) and operands[0] == operands[1]:
            return operands[0]
        if code == INT_ADD:
            for value, other in (operands, operands[::-1]):
                item = self._is(value, CONST)
                if item is not None and item.value == 0:
                    return other
        return None


def _renumber(nodes: Sequence[Node], root: int) -> Nodes:
    """Drops dead nodes and makes `root` the last one."""
    live = [False] * (len(nodes) + 1)
    live[root] = True
    for index in range(len(nodes) - 1, -1, -1):
        if live[index + 1]:
            for operand in nodes[index].operands:
                live[operand] = True
    moved = [0] * (len(nodes) + 1)
    kept: list[Node] = []
    for index, item in enumerate(nodes[:root]):
        if live[index + 1]:
            kept.append(item.with_operands(moved))
            moved[index + 1] = len(kept)
    return tuple(kept)


def without_factors_of_one(nodes: Nodes) -> Nodes:
    """Drops multiplications by a constant that rounded to 1, as the compiler does.

    Where they stay, a model contracts a product that the compiled program does not have.
    """
    ones = {
        index + 1 for index, item in enumerate(nodes) if item.code == CONST and item.value == 1.0
    }
    places = [0]
    work: list[Node] = []
    for item in nodes:
        moved = item.with_operands(places)
        work.append(moved)
        kept = len(work)
        if item.code == MUL and (item.a in ones or item.b in ones):
            kept = moved.a if item.b in ones else moved.b
        places.append(kept)
    if places == list(range(len(places))):
        return tuple(nodes)
    return _renumber(work, places[-1])


def simplify(nodes: Sequence[Node], root: int | None = None) -> tuple[Nodes, int]:
    """Returns the simplified genome and a 61-bit hash of its structure.

    Args:
        nodes: a genome; operands may also refer to later nodes as long as there is no cycle.
        root: number of the result, the last value by default.

    The hash does not see the values of float constants, which are fitted. The genome of the
    identity is empty.
    """
    work = _Simplifier(nodes)
    result = work.visit(len(nodes) if root is None else root)
    return _renumber(work.nodes, result), work.hashes[result]
