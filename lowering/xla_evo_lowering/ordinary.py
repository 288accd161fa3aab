"""Ordinary inputs: where the tests of a program for extreme ones come out the same for all.

A program for every input compares it with the ends of its range and chooses. Machine code that
computes a block of inputs at once can ask of all their bits together whether they are ordinary, and
leave the comparisons and the other sides of the choices out; what is left gives the same bits.
"""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.dtypes import BOOL, F32, F64, DType
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Instruction, Program, bits_float, constant, float_bits

_LARGE, _SMALL = 8.0, 2.0**-10
"""A comparison with a constant outside these is one for extreme inputs; others stay."""
_LEAST = 2.0**-1074
_WORTH = 2
"""Operations that have to go, since asking costs two."""
_NEGATIVE = (-0.3, -0.7, -1.3, -20.5)
"""A function that is nan for all of these has positive inputs only."""
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
)
_Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ordinary:
    """A program for a part of its inputs, and which these are.

    An input of bits u is ordinary where ``(u & mask) - base``, as an unsigned number, is at most
    ``span``; no nan is.

    Attributes:
        program: what is left of the program there, with the same results.
        mask: which bits count: all, or all but the sign.
        base: least bits.
        span: how far above them.
    """

    program: Program
    mask: int
    base: int
    span: int


@dataclass(frozen=True, slots=True)
class _Test:
    """A value that compares the input, or its magnitude, with a constant, or holds it there."""

    value: int
    op: str
    magnitude: bool
    constant: float
    input: int
    first: bool


def ordinary(program: Program) -> Ordinary | None:
    """Returns what is left of a program for ordinary inputs, None where that is not worth asking.

    Args:
        program: of any number of parameters; only one of float32 or float64 is looked at. Its
            products are contracted already, since those of the part must be the same.
    """
    (first, *others) = program.parameters
    tests = _tests(program)
    if others or first.dtype not in (F32, F64) or not tests:
        return None
    positive = _is_nan_below_zero(program) or _are_negatives_unlikely(program, tests)
    low, high = _interval(tests, first.dtype, positive=positive)
    left = _without(program, tests, (low, high))
    if canonical(program).operation_count() - left.operation_count() < _WORTH:
        return None
    every = (1 << first.dtype.bits) - 1
    base = float_bits(max(low, 0.0), first.dtype)
    return Ordinary(
        program=left,
        mask=every if low > 0 else every >> 1,
        base=base,
        span=float_bits(high, first.dtype) - base,
    )


def _is_nan_below_zero(program: Program) -> bool:
    found = evaluate(program, np.asarray(_NEGATIVE, program.parameters[0].dtype.numpy))
    return program.dtype.is_float and bool(np.isnan(found.astype(np.float64)).all())


def _are_negatives_unlikely(program: Program, tests: Sequence[_Test]) -> bool:
    """Whether a program marks as ``unlikely`` what is true of negative inputs and of no others."""
    marked = {row.operands[0] for row in program.body if row.op == "unlikely"}
    return any(
        _outcome(test, (-math.inf, -_LEAST)) is True and _outcome(test, (0.0, math.inf)) is False
        for test in tests
        if test.value in marked and test.op in _COMPARISONS
    )


def _tests(program: Program) -> list[_Test]:
    """The comparisons of the input, widened or its magnitude, with constants; and min and max."""
    count = len(program.parameters)
    magnitudes: dict[int, bool] = {0: False}
    constants: dict[int, float] = {}
    found: list[_Test] = []
    for value, instruction in enumerate(program.body, count):
        operands = instruction.operands
        if instruction.op == "const" and instruction.dtype in (F32, F64):
            bits = instruction.value if isinstance(instruction.value, int) else 0
            number = bits_float(bits, instruction.dtype)
            # Machine code reads subnormal numbers as zero.
            constants[value] = 0.0 if abs(number) < 2.0**instruction.dtype.emin else number
        elif operands and operands[0] in magnitudes and _keeps(program, instruction):
            magnitudes[value] = instruction.op == "abs" or magnitudes[operands[0]]
        elif instruction.op in (*_COMPARISONS, "min", "max") and len(operands) == 2:
            for this, other, first in ((*operands, True), (*operands[::-1], False)):
                if this in magnitudes and other in constants:
                    magnitude, number = magnitudes[this], constants[other]
                    found.append(_Test(value, instruction.op, magnitude, number, this, first))
    return found


def _keeps(program: Program, instruction: Instruction) -> bool:
    """True for operations after which a value still is the input, or its magnitude."""
    if instruction.op == "convert":
        return instruction.dtype.is_float and (
            instruction.dtype.bits >= program.types[instruction.operands[0]].bits
        )
    return instruction.op in ("guard", "abs")


def _interval(tests: Sequence[_Test], dtype: DType, *, positive: bool) -> _Interval:
    """The ordinary inputs: all numbers of a magnitude below every large constant, 0 among them.

    Of a function of positive inputs, those above every small constant, and no subnormal ones.
    """
    top = bits_float(float_bits(math.inf, dtype) - 1, dtype)
    sizes = [abs(test.constant) for test in tests if not positive or test.constant >= 0]
    high = min([_below(size, dtype) for size in sizes if size >= _LARGE], default=top)
    if not positive:
        return -high, high
    return max([2.0**dtype.emin, *(_above(size, dtype) for size in sizes if size <= _SMALL)]), high


def _below(value: float, dtype: DType) -> float:
    """The greatest number of a format under a positive one."""
    bits = float_bits(value, dtype)
    return bits_float(bits - (bits_float(bits, dtype) >= value), dtype)


def _above(value: float, dtype: DType) -> float:
    """The least number of a format over a number that is not negative."""
    bits = float_bits(value, dtype)
    return bits_float(bits + (bits_float(bits, dtype) <= value), dtype)


def _outcome(test: _Test, interval: _Interval) -> bool | None:
    """What a comparison gives for all ordinary inputs; None when they differ."""
    low, high = interval
    if test.magnitude:
        low = max(low, 0.0)
    if test.op in ("eq", "ne") and low <= test.constant <= high:
        return None
    pairs = [(end, test.constant) if test.first else (test.constant, end) for end in (low, high)]
    found = {_COMPARISONS[test.op](*pair) for pair in pairs}
    return found.pop() if len(found) == 1 else None


def _is_idle(test: _Test, interval: _Interval) -> bool:
    """Whether a min or max with a constant leaves every ordinary input as it is."""
    below = replace(test, op="le" if test.op == "min" else "ge", first=True)
    return test.constant != 0 and _outcome(below, interval) is True


def _is_wider(program: Program, value: int) -> bool:
    """Whether a value has a wider format than the input; no subnormal number is left there.

    A min or max makes zero of one, which leaving it out would not.
    """
    return program.types[value].bits > program.parameters[0].dtype.bits


def _without(program: Program, tests: Sequence[_Test], interval: _Interval) -> Program:
    """The program with the tests decided, canonical."""
    known: dict[int, bool] = {}
    same: dict[int, int] = {}
    for test in tests:
        if test.op in _COMPARISONS:
            outcome = _outcome(test, interval)
            if outcome is not None:
                known[test.value] = outcome
        elif _is_idle(test, interval) and (interval[0] > 0 or _is_wider(program, test.input)):
            same[test.value] = test.input
    body: list[Instruction] = []
    for value, instruction in enumerate(program.body, len(program.parameters)):
        operands = tuple(same.get(operand, operand) for operand in instruction.operands)
        kept = Instruction(instruction.op, instruction.dtype, operands, instruction.value)
        if value not in known and instruction.dtype is BOOL:
            decided = _logic(instruction.op, [known.get(operand) for operand in operands])
            if decided is not None:
                known[value] = decided
        if value in known:
            kept = constant(known[value], BOOL)
        elif instruction.op == "select" and operands[0] in known:
            same[value] = operands[1] if known[operands[0]] else operands[2]
        body.append(kept)
    result = same.get(program.result, program.result)
    return canonical(Program(program.name, program.parameters, tuple(body), result))


def _logic(op: str, operands: Sequence[bool | None]) -> bool | None:
    """``and``, ``or``, ``not`` and ``unlikely`` of what is known so far."""
    if op == "unlikely":
        return operands[0]
    if op == "not" and operands[0] is not None:
        return not operands[0]
    deciding = {"and": False, "or": True}.get(op)
    if deciding is None:
        return None
    if deciding in operands:
        return deciding
    return None if None in operands else not deciding
