"""Genomes: programs as the search edits them.

A genome is a short tuple of nodes in single-assignment order. Unlike a `Program` it keeps its
float constants as float64 parameters that are fitted before they are rounded, and it may be wrong
while it is edited; `to_program` makes a checked program of the target's format from it, and only
programs are compiled, stored or shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from xla_evo_lowering.dtypes import BOOL, F32, I32, DType
from xla_evo_lowering.program import Builder, Instruction, Program, bits_float, constant

FLOAT, INT, BOOLEAN = 0, 1, 2
_DTYPES: tuple[DType, ...] = (F32, I32, BOOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneOp:
    """How the search treats one row of the op table.

    Attributes:
        code: number of the operation in the compiled kernels.
        op: name in the op table.
        result: type of the result (`FLOAT`, `INT` or `BOOLEAN`).
        operands: types of the operands.
        cost: throughput in vector operations, a first guess that orders candidates until they are
            measured; a division of the machines at hand costs about five additions.
    """

    code: int
    op: str
    result: int
    operands: tuple[int, ...]
    cost: float = 1.0


_F1, _F2, _I1, _I2 = (FLOAT,), (FLOAT, FLOAT), (INT,), (INT, INT)
CONST, ADD, SUB, MUL, DIV, NEG, ABS, MIN, MAX, SQRT, FLOOR, ROUND = range(1, 13)
TO_INT, TO_FLOAT, AS_INT, AS_FLOAT = range(13, 17)
INT_ADD, INT_SUB, INT_MUL, AND, OR, XOR, SHL, SHR, SAR = range(17, 26)
LT, LE, SELECT, FMA, FMS, FNMA, INT_CONST, TO_SINGLE = range(26, 34)

GENE_OPS: tuple[GeneOp, ...] = (
    GeneOp(code=ADD, op="add", result=FLOAT, operands=_F2),
    GeneOp(code=SUB, op="sub", result=FLOAT, operands=_F2),
    GeneOp(code=MUL, op="mul", result=FLOAT, operands=_F2),
    GeneOp(code=DIV, op="div", result=FLOAT, operands=_F2, cost=5.0),
    GeneOp(code=NEG, op="neg", result=FLOAT, operands=_F1),
    GeneOp(code=ABS, op="abs", result=FLOAT, operands=_F1),
    GeneOp(code=MIN, op="min", result=FLOAT, operands=_F2),
    GeneOp(code=MAX, op="max", result=FLOAT, operands=_F2),
    GeneOp(code=SQRT, op="sqrt", result=FLOAT, operands=_F1, cost=7.0),
    GeneOp(code=FLOOR, op="floor", result=FLOAT, operands=_F1),
    GeneOp(code=ROUND, op="round_even", result=FLOAT, operands=_F1),
    GeneOp(code=TO_INT, op="convert", result=INT, operands=_F1, cost=3.0),
    GeneOp(code=TO_FLOAT, op="convert", result=FLOAT, operands=_I1),
    GeneOp(code=AS_INT, op="bitcast", result=INT, operands=_F1, cost=0.0),
    GeneOp(code=AS_FLOAT, op="bitcast", result=FLOAT, operands=_I1, cost=0.0),
    GeneOp(code=INT_ADD, op="add", result=INT, operands=_I2),
    GeneOp(code=INT_SUB, op="sub", result=INT, operands=_I2),
    GeneOp(code=INT_MUL, op="mul", result=INT, operands=_I2, cost=2.0),
    GeneOp(code=AND, op="and", result=INT, operands=_I2),
    GeneOp(code=OR, op="or", result=INT, operands=_I2),
    GeneOp(code=XOR, op="xor", result=INT, operands=_I2),
    GeneOp(code=SHL, op="shl", result=INT, operands=_I2),
    GeneOp(code=SHR, op="shr_logical", result=INT, operands=_I2),
    GeneOp(code=SAR, op="shr_arith", result=INT, operands=_I2),
    GeneOp(code=LT, op="lt", result=BOOLEAN, operands=_F2),
    GeneOp(code=LE, op="le", result=BOOLEAN, operands=_F2),
    GeneOp(code=SELECT, op="select", result=FLOAT, operands=(BOOLEAN, FLOAT, FLOAT)),
)
BY_CODE: dict[int, GeneOp] = {row.code: row for row in GENE_OPS}
BY_CODE[TO_SINGLE] = GeneOp(code=TO_SINGLE, op="convert", result=FLOAT, operands=_F1)
_ARITY = [len(BY_CODE[code].operands) if code in BY_CODE else 0 for code in range(TO_SINGLE + 1)]
COMMUTATIVE = frozenset({ADD, MUL, MIN, MAX, INT_ADD, INT_MUL, AND, OR, XOR})


class Node(NamedTuple):
    """One value of a genome: an operation on earlier values, or a constant.

    Value 0 is the input; node ``i`` makes value ``i + 1``.
    """

    code: int
    type: int
    a: int = 0
    b: int = 0
    c: int = 0
    value: float = 0.0

    @property
    def operands(self) -> tuple[int, ...]:
        """Numbers of the values it uses."""
        arity = _ARITY[self.code]
        if arity == 2:
            return (self.a, self.b)
        if arity == 1:
            return (self.a,)
        return (self.a, self.b, self.c) if arity else ()

    def with_operands(self, places: Sequence[int]) -> "Node":
        """The node with each operand ``v`` replaced by ``places[v]``."""
        arity = _ARITY[self.code]
        if not arity:
            return self
        b = places[self.b] if arity > 1 else 0
        c = places[self.c] if arity > 2 else 0
        return Node(self.code, self.type, places[self.a], b, c)


Nodes = tuple[Node, ...]


def node(code: int, *operands: int) -> Node:
    """Returns the node of an operation."""
    padded = (*operands, 0, 0, 0)
    return Node(code, BY_CODE[code].result, padded[0], padded[1], padded[2])


def float_constant(value: float) -> Node:
    """Returns a constant that is fitted."""
    return Node(CONST, FLOAT, value=float(value))


def int_constant(value: int) -> Node:
    """Returns an integer constant, which only mutation changes."""
    return Node(CONST, INT, value=float(value))


def value_types(nodes: Sequence[Node]) -> list[int]:
    """Types of all values, the input first."""
    return [FLOAT, *(item.type for item in nodes)]


def to_program(nodes: Sequence[Node], name: str, dtype: DType = F32) -> Program:
    """Returns the program, its constants rounded to the format; the last node is the result."""
    builder = Builder(name, x=dtype)
    dtypes = (dtype, *_DTYPES[1:])
    if not nodes:
        return builder.build(0)
    for item in nodes:
        if item.code == CONST:
            value = item.value if item.type == FLOAT else int(item.value)
            builder.add_instruction(constant(value, dtypes[item.type]))
        else:
            row = BY_CODE[item.code]
            builder.apply(row.op, *item.operands, dtype=dtypes[item.type])
    return builder.build(len(nodes))


_FROM_PROGRAM = {
    (row.op, row.result, row.operands): row.code for row in GENE_OPS
}  # fmt: skip


def code_of(op: str, result: int, operands: tuple[int, ...]) -> int | None:
    """Returns the code of an operation of the op table on these types, None where there is none."""
    return _FROM_PROGRAM.get((op, result, operands))


def constant_node(instruction: Instruction, kind: int) -> Node:
    """Returns the node of a ``const``; integers of 32 bits are signed."""
    bits = int(instruction.value or 0)
    if kind == FLOAT:
        return Node(CONST, kind, value=bits_float(bits, instruction.dtype))
    return Node(CONST, kind, value=float(bits - (bits >> 31 << 32)))


def from_program(program: Program, dtype: DType = F32) -> Nodes | None:
    """Returns the genome of a program of one input of a format, None where it has other operations.

    Integers have 32 bits.
    """
    types = {dtype: FLOAT, I32: INT, BOOL: BOOLEAN}
    values = program.types
    if len(program.parameters) != 1 or any(dtype not in types for dtype in values):
        return None
    nodes: list[Node] = []
    for instruction in program.body:
        kind = types[instruction.dtype]
        if instruction.op == "const":
            nodes.append(constant_node(instruction, kind))
            continue
        operands = tuple(types[values[operand]] for operand in instruction.operands)
        code = code_of(instruction.op, kind, operands)
        if code is None:
            return None
        nodes.append(node(code, *instruction.operands))
    return tuple(nodes) if program.result == len(nodes) else None


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """A genome as arrays, for the compiled kernels.

    Attributes:
        code: operation of each node, shape (n,), int64.
        operands: values each node uses, shape (n, 3), int64.
        constants: value of each constant node, else 0, shape (n,), float64.
        free: indices of the nodes whose constants are fitted, shape (m,), int64.
    """

    code: npt.NDArray[np.int64]
    operands: npt.NDArray[np.int64]
    constants: npt.NDArray[np.float64]
    free: npt.NDArray[np.int64] = field(repr=False)


def to_tape(nodes: Sequence[Node]) -> Tape:
    """Returns a genome as arrays."""
    size = len(nodes)
    codes = (INT_CONST if item.code == CONST and item.type == INT else item.code for item in nodes)
    code = np.fromiter(codes, np.int64, size)
    operands = np.array([(item.a, item.b, item.c) for item in nodes], np.int64).reshape(size, 3)
    constants = np.fromiter((item.value for item in nodes), np.float64, size)
    free = [i for i, item in enumerate(nodes) if item.code == CONST and item.type == FLOAT]
    return Tape(code, operands, constants, np.array(free, np.int64))


def with_constants(nodes: Sequence[Node], tape: Tape, values: npt.NDArray[np.float64]) -> Nodes:
    """Returns the genome with its fitted constants replaced."""
    changed = list(nodes)
    for index, value in zip(tape.free, values, strict=True):
        changed[index] = changed[index]._replace(value=float(value))
    return tuple(changed)


DIVISION = 1000
"""Ranks of divisions are above this: they stay where they are, and later ones rank higher."""


def _ranks(nodes: Sequence[Node], given: Sequence[int]) -> list[int]:
    """Ranks of all values as LLVM's Reassociate pass gives them: depth, and place for divisions."""
    ranks = list(given)
    division = max(DIVISION, *given)
    for index, item in enumerate(nodes):
        deepest = max((ranks[operand] for operand in item.operands), default=-1)
        if item.code == CONST:
            ranks.append(0)
        elif item.code == DIV:
            ranks.append(division + 1 + index)
        else:
            ranks.append(deepest + (item.code != NEG))
    return ranks


def _negative_product(nodes: Sequence[Node], uses: Sequence[int], value: int, first: int) -> bool:
    """True for a product of an odd number of negative constants.

    Reassociate makes the constants positive and turns the sum around it into a difference.
    """
    item = nodes[value - first] if value >= first else None
    if item is None or item.code not in (MUL, DIV) or uses[value] > 1:
        return False
    odd = False
    for operand in item.operands:
        factor = nodes[operand - first] if operand >= first else None
        if factor is not None and factor.code == CONST:
            odd ^= factor.value < 0
        else:
            odd ^= _negative_product(nodes, uses, operand, first)
    return odd


def contracted(nodes: Sequence[Node], given: Sequence[int] = (1,)) -> Nodes:
    """Fuses products that feed one sum or difference, as the CPU backend does when it compiles.

    Of two products in a sum the one of lower rank is fused, since LLVM's Reassociate pass puts it
    first, and of equal ranks the first; but before that, sums of products with negative constants
    have become differences, where the left side is first. A quick form of
    `xla_evo_lowering.contraction.contract`: it orders candidates, the compiled one is measured.
    The fused product stays in place as a dead node, so value numbers do not change.

    Args:
        nodes: the genome; value numbers count what is given first.
        given: ranks of what is given: the input, or the values of a frame.
    """
    first = len(given)
    if not any(item.code in (ADD, SUB) for item in nodes):
        return tuple(nodes)
    uses = [0] * (len(nodes) + first)
    for item in nodes:
        for operand in item.operands:
            uses[operand] += 1
    ranks = _ranks(nodes, given)
    fused = list(nodes)
    for index, item in enumerate(nodes):
        if item.code not in (ADD, SUB):
            continue
        sides = (item.a, item.b), (item.b, item.a)
        if not any(side >= first and nodes[side - first].code == MUL for side, _ in sides):
            continue
        negative = [_negative_product(nodes, uses, side, first) for side, _ in sides]
        plus = (item.code == ADD) != negative[1]
        if item.code == ADD and negative[0] and not negative[1]:
            sides = sides[::-1]  # -c a + b is made b - c a, whose left side comes first
        elif plus and ranks[item.b] < ranks[item.a]:
            sides = sides[::-1]
        for side, other in sides:
            product = nodes[side - first] if side >= first else None
            if product is None or product.code != MUL or uses[side] > 1:
                continue
            code = FMA if item.code == ADD else FMS if side == item.a else FNMA
            fused[index] = Node(code, FLOAT, product.a, product.b, other)
            break
    return tuple(fused)


def static_cost(nodes: Sequence[Node], *, contracts: bool = True) -> float:
    """Estimated vector operations of the compiled form; with contraction, products are fused."""
    fused = contracted(nodes) if contracts else nodes
    live = [False] * (len(nodes) + 1)
    live[len(nodes)] = True
    total = 0.0
    for index in range(len(nodes) - 1, -1, -1):
        item = fused[index]
        if not live[index + 1] or item.code == CONST:
            continue
        if item.code in (FMA, FMS, FNMA):
            total += 1.0
            operands: tuple[int, ...] = (item.a, item.b, item.c)
        else:
            total += BY_CODE[item.code].cost
            operands = item.operands
        for operand in operands:
            live[operand] = True
    return total
