"""Where the C++ of the op table would give other bits than the program has.

The negative of the least integer is undefined in C++. GCC makes one instruction of a fused
multiply-add and its negation, which gives an exact zero the other sign. And the choice that a min
or max is lets a subnormal number pass, where XLA's give zero. Only operations that are likely to
show it are named here, so that the text of other programs, which is part of their certificates,
stays as it is. Not named, though some input may show it: negations that only sums read, where the
other term has to be zero too, and a min or max that is seen by way of a select or a bitcast.
"""

from collections.abc import Mapping

from xla_evo_lowering.dtypes import DType, Kind
from xla_evo_lowering.program import Instruction, Program, bits_float

_PASSING = frozenset({"neg", "abs", "guard", "min", "max", "clamp"})
"""Operations on floats that give an operand's bits, but for the sign."""
_ADDING = frozenset({"add", "sub", "neg"})
_SUMS = frozenset({"add", "sub", "fma"})


def wrapping(program: Program) -> frozenset[int]:
    """Returns the negations and magnitudes of signed integers that have to wrap.

    That is all but those of which no bit but the lower ones is read: by shifts to the left, perhaps
    after sums.
    """
    read = {program.result}
    found: set[int] = set()
    for value, row in _backwards(program):
        if row.dtype.kind is Kind.SIGNED and value in read and row.op in ("neg", "abs"):
            found.add(value)
        shifts = row.op == "shl" and _constant(program, row.operands[1]) not in (None, 0)
        if shifts:
            read.add(row.operands[1])
        elif value in read or row.op not in _ADDING:
            read.update(row.operands)
    return frozenset(found)


def negating(program: Program) -> Mapping[int, int]:
    """Returns the float operations that only change a sign and must not meet a fused product.

    By value, what each of them negates: a fused sum itself, or what a fused sum is divided by. A
    sum with a second use is left alone by GCC, and so here.
    """
    uses = program.use_counts()
    shown = {operand for row in program.body if row.op not in _SUMS for operand in row.operands}
    shown.add(program.result)
    fused: set[int] = set()
    negated: dict[int, int] = {}
    found: dict[int, int] = {}
    for value, row in enumerate(program.body, len(program.parameters)):
        if not row.dtype.is_float:
            continue
        joins = row.op == "fma" or (row.op in ("guard", "convert") and row.operands[0] in fused)
        if joins and uses[value] == 1:
            fused.add(value)
        operand = _negated(program, row)
        if operand is not None:
            negated[value] = operand
            if operand in fused and value in shown:
                found[value] = operand
        elif row.op == "div" and row.operands[0] in fused and row.operands[1] in negated:
            found[row.operands[1]] = negated[row.operands[1]]
    return found


def _negated(program: Program, row: Instruction) -> int | None:
    """The operand that an operation gives the negative of, spelled as -x, -0 - x, -1 x or x / -1.

    Compilers know all of these as one.
    """
    if row.op == "neg":
        return row.operands[0]
    numbers = [_number(program, operand) for operand in row.operands]
    if (row.op == "sub" and numbers[0] == "-0.0") or (row.op == "mul" and numbers[0] == "-1.0"):
        return row.operands[1]
    return row.operands[0] if row.op in ("mul", "div") and numbers[1] == "-1.0" else None


def flushing(program: Program) -> frozenset[int]:
    """Returns the min, max and clamp of floats that the result may show a subnormal number of."""
    subnormal = {n for n, row in enumerate(program.parameters) if row.dtype.is_float}
    for value, row in enumerate(program.body, len(program.parameters)):
        moved = _passes(program, row) or row.op == "select"
        if row.dtype.is_float and (
            row.op in ("const", "bitcast") or (moved and not subnormal.isdisjoint(row.operands))
        ):
            subnormal.add(value)
    shown = {program.result}
    found: set[int] = set()
    for value, row in _backwards(program):
        if value in shown and _passes(program, row):
            shown.update(row.operands)
            if row.op in ("min", "max", "clamp") and value in subnormal:
                found.add(value)
    return frozenset(found)


def _passes(program: Program, row: Instruction) -> bool:
    if row.op == "convert":
        return _type(program, row.operands[0]) is row.dtype
    return row.dtype.is_float and row.op in _PASSING


def _backwards(program: Program) -> list[tuple[int, Instruction]]:
    return list(enumerate(program.body, len(program.parameters)))[::-1]


def _constant(program: Program, value: int) -> int | None:
    """The bits of a constant; None for all else."""
    row = program.instruction(value)
    return row.value if row and row.op == "const" and isinstance(row.value, int) else None


def _type(program: Program, value: int) -> DType:
    row = program.instruction(value)
    return row.dtype if row else program.parameters[value].dtype


def _number(program: Program, value: int) -> str:
    """A float constant as text, which tells -0 from 0; empty for all else."""
    bits, dtype = _constant(program, value), _type(program, value)
    return str(bits_float(bits, dtype)) if bits is not None and dtype.is_float else ""
