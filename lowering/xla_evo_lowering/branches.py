"""Programs with a branch over the whole array: what ordinary inputs need, or what any input may.

A condition that is marked ``unlikely`` is the same condition; the mark says that it seldom holds of
any element, and that what it chooses is dear. Where all elements of an array are ordinary (see
`ordinary`), the CPU computes what is left of the program for these, which gives the same bits.
"""

import functools
from dataclasses import dataclass

from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.dtypes import U32, U64
from xla_evo_lowering.ordinary import Ordinary, ordinary
from xla_evo_lowering.program import Builder, Instruction, Program

LEAST_ELEMENTS = 512
"""Arrays of fewer are computed without asking, which would take longer than it saves."""


@dataclass(frozen=True, slots=True)
class Branches:
    """A program as two.

    Attributes:
        part: which inputs are ordinary, and the program for arrays of these alone.
        extraordinary: whether an input is not one of them, as a program.
        every: the program for all arrays, without marks.
    """

    part: Ordinary
    extraordinary: Program
    every: Program


@functools.lru_cache(maxsize=256)
def branches(program: Program) -> Branches | None:
    """Returns the branches of a program that marks conditions as ``unlikely``.

    None for others, and where a condition that is marked is not one of ordinary inputs' ends.
    """
    part = ordinary(program) if _is_marked(program) else None
    if part is None or _is_marked(part.program):
        return None
    return Branches(part, _extraordinary(program, part), unmarked(program))


def _is_marked(program: Program) -> bool:
    return any(row.op == "unlikely" for row in program.body)


def unmarked(program: Program) -> Program:
    """Returns a program without its marks, in canonical form."""
    same: dict[int, int] = {}
    body: list[Instruction] = []
    for value, row in enumerate(program.body, len(program.parameters)):
        operands = tuple(same.get(operand, operand) for operand in row.operands)
        body.append(Instruction(row.op, row.dtype, operands, row.value))
        if row.op == "unlikely":
            same[value] = operands[0]
    result = same.get(program.result, program.result)
    return canonical(Program(program.name, program.parameters, tuple(body), result))


def _extraordinary(program: Program, part: Ordinary) -> Program:
    (parameter,) = program.parameters
    bits = {32: U32, 64: U64}[parameter.dtype.bits]
    build = Builder(program.name, **{parameter.name: parameter.dtype})
    number = build.apply("bitcast", 0, dtype=bits)
    masked = build.apply("and", number, build.const(part.mask, bits))
    above = build.apply("sub", masked, build.const(part.base, bits))
    return canonical(build.build(build.apply("gt", above, build.const(part.span, bits))))
