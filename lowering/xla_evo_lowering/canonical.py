"""Canonical form and content hash: two spellings of one program become one.

Dead code goes, equal values are computed once, operations on constants are folded (in the
program's own format, with subnormals as they are, as compilers fold them), operands of commutative
operations are ordered, and instructions stand in the order in which the result needs them.
"""

import hashlib
from decimal import Context, Decimal, Inexact
from typing import Any

import numpy as np

from xla_evo_lowering.dtypes import BOOL, DType, Kind
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import (
    Instruction,
    Parameter,
    Program,
    canonical_decimal,
    constant_array,
)
from xla_evo_lowering.text import print_program

_EXACT = Context(prec=60, traps=[Inexact])
_DECIMAL = {"add": _EXACT.add, "sub": _EXACT.subtract, "mul": _EXACT.multiply}


def fold(instruction: Instruction, operands: list[Instruction]) -> Instruction | None:
    """Computes an operation on constants; None when it is to be left for the compiler.

    Guards are never folded, since they stand where a rewrite is to be stopped. Real constants are
    folded when the result is exact in 60 digits.
    """
    row = OPS[instruction.op]
    if instruction.op in ("const", "guard") or not row.exact:
        return None
    if Kind.REAL in (instruction.dtype.kind, *(operand.dtype.kind for operand in operands)):
        return _fold_real(instruction, operands)
    arrays = [constant_array(operand).reshape(1) for operand in operands]
    with np.errstate(all="ignore"):
        value: Any = (
            row.numpy(*arrays, instruction.dtype.numpy) if row.converts else row.numpy(*arrays)
        )
    return _from_array(np.asarray(value), instruction.dtype)


def _from_array(value: np.ndarray[Any, Any], dtype: DType) -> Instruction:
    if dtype is BOOL:
        return Instruction("const", dtype, (), int(value.reshape(-1)[0]))
    raw = np.ascontiguousarray(value.reshape(-1).astype(dtype.numpy, copy=False))
    return Instruction("const", dtype, (), int(raw.view(np.dtype(f"u{dtype.bits // 8}"))[0]))


def _fold_real(instruction: Instruction, operands: list[Instruction]) -> Instruction | None:
    if instruction.op not in _DECIMAL:
        return None
    left, right = (Decimal(str(operand.value)) for operand in operands)
    try:
        value = _DECIMAL[instruction.op](left, right)
    except Inexact:
        return None
    return Instruction("const", instruction.dtype, (), canonical_decimal(str(value)))


class _Canonicaliser:
    """Numbers values by what they compute, then lays out those the result needs."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._nodes: list[Instruction | Parameter] = []
        self._keys: list[tuple[int, bytes]] = []
        self._interned: dict[object, int] = {}

    def _intern(self, node: Instruction | Parameter, key: object, rank: int) -> int:
        if key not in self._interned:
            self._interned[key] = len(self._nodes)
            self._nodes.append(node)
            digest = hashlib.blake2b(digest_size=12)
            if isinstance(node, Instruction):
                digest.update(f"{node.op} {node.dtype.short} {node.value}".encode())
                for operand in node.operands:
                    digest.update(self._keys[operand][1])
            else:
                digest.update(f"parameter {len(self._nodes) - 1} {node.dtype.short}".encode())
            self._keys.append((rank, digest.digest()))
        return self._interned[key]

    def _add(self, instruction: Instruction, operands: tuple[int, ...]) -> int:
        nodes = [self._nodes[operand] for operand in operands]
        constants = [node for node in nodes if isinstance(node, Instruction) and node.op == "const"]
        if nodes and len(constants) == len(nodes):
            folded = fold(instruction, constants)
            if folded is not None:
                return self._intern(folded, folded, 2)
        if OPS[instruction.op].commutative:
            first, second = operands[:2]
            if self._keys[second] < self._keys[first]:
                operands = (second, first, *operands[2:])
        moved = Instruction(instruction.op, instruction.dtype, operands, instruction.value)
        return self._intern(moved, moved, 2 if instruction.op == "const" else 0)

    def run(self) -> Program:
        program = self._program
        values = [
            self._intern(parameter, ("parameter", number), 1)
            for number, parameter in enumerate(program.parameters)
        ]
        for instruction in program.body:
            operands = tuple(values[operand] for operand in instruction.operands)
            values.append(self._add(instruction, operands))
        return self._layout(values[program.result])

    def _layout(self, root: int) -> Program:
        placed: dict[int, int] = {n: n for n in range(len(self._program.parameters))}
        body: list[Instruction] = []
        pending = [root]
        while pending:
            number = pending[-1]
            node = self._nodes[number]
            if number in placed or not isinstance(node, Instruction):
                pending.pop()
                continue
            missing = [operand for operand in node.operands if operand not in placed]
            if missing:
                pending.extend(reversed(missing))
                continue
            pending.pop()
            placed[number] = len(self._program.parameters) + len(body)
            operands = tuple(placed[operand] for operand in node.operands)
            body.append(Instruction(node.op, node.dtype, operands, node.value))
        return Program(self._program.name, self._program.parameters, tuple(body), placed[root])


def canonical(program: Program) -> Program:
    """Returns the canonical form; applying it twice changes nothing more."""
    return _Canonicaliser(program).run()


def content_hash(program: Program) -> str:
    """SHA-256 (hex) of the canonical form; names of the program and its parameters do not count."""
    form = canonical(program)
    parameters = tuple(
        Parameter(f"x{number}", parameter.dtype) for number, parameter in enumerate(form.parameters)
    )
    unnamed = Program("_", parameters, form.body, form.result)
    return hashlib.sha256(print_program(unnamed, comments=False).encode()).hexdigest()
