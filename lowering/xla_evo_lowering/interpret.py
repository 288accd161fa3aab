"""What a program means: to NumPy, over the real numbers, and after FMA contraction.

`evaluate` is the definition that compiled code is held against. A compiler that contracts
``a*b + c`` computes something else: `contract` rewrites a program into that, explicitly.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from xla_evo_lowering.dtypes import Kind
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Builder, Program, constant_array

Array = np.ndarray[Any, Any]


def evaluate(program: Program, *inputs: Array) -> Array:
    """Evaluates a program elementwise with NumPy, every operation rounded to its own type.

    Args:
        program: any program without ``real`` values.
        *inputs: one array a parameter, of its dtype; shapes broadcast.

    Returns:
        An array of the program's dtype and the broadcast shape.

    Raises:
        ProgramError: wrong number or dtype of inputs, or a ``real`` program.
    """
    if len(inputs) != len(program.parameters):
        raise ProgramError(
            f"program {program.name} takes {len(program.parameters)} inputs, not {len(inputs)}"
        )
    if program.is_real:
        raise ProgramError(f"program {program.name} is over the reals; use evaluate_real")
    arrays = np.broadcast_arrays(*(np.asarray(value) for value in inputs))
    shape = arrays[0].shape
    values: list[Array] = []
    for parameter, array in zip(program.parameters, arrays, strict=True):
        if array.dtype != parameter.dtype.numpy:
            raise ProgramError(f"{parameter.name} is {parameter.dtype.name}, got {array.dtype}")
        values.append(np.ascontiguousarray(array).reshape(-1))
    size = values[0].size
    with np.errstate(all="ignore"):
        for instruction in program.body:
            if instruction.op == "const":
                values.append(np.full(size, constant_array(instruction)))
                continue
            row = OPS[instruction.op]
            operands = [values[operand] for operand in instruction.operands]
            target = instruction.dtype.numpy
            result = row.numpy(*operands, target) if row.converts else row.numpy(*operands)
            values.append(np.asarray(result).astype(target, copy=False))
    return values[program.result].reshape(shape)


def evaluate_real(program: Program, *inputs: Any) -> Any:
    """Evaluates a program over the real numbers with mpmath, at mpmath's working precision.

    Float programs are taken as real ones with their constants as they are; operations on bits have
    no real meaning.

    Raises:
        ProgramError: an operation has no meaning over the reals.
    """
    values: list[Any] = list(inputs)
    for instruction in program.body:
        if instruction.op == "const":
            if instruction.dtype.kind is Kind.REAL:
                values.append(mpmath.mpf(str(instruction.value)))
            else:
                values.append(mpmath.mpf(float(constant_array(instruction))))
            continue
        meaning: Callable[..., Any] | None = OPS[instruction.op].real
        if instruction.op == "guard":
            meaning = _identity
        if meaning is None:
            raise ProgramError(f"{instruction.op} has no meaning over the real numbers")
        values.append(meaning(*(values[operand] for operand in instruction.operands)))
    return values[program.result]


def _identity(value: Any) -> Any:
    return value


def contract(program: Program) -> Program:
    """Rewrites products that feed one sum or difference into ``fma``, as LLVM does on x86 and Arm.

    A product with a second use stays; of two products in one sum the first is contracted; guards
    do not stop it (source: LLVM's DAGCombiner, ``visitFADDForFMACombine``; measured in
    tests/lowering/test_contraction.py). Guards are dropped, since they have no further meaning.
    """
    uses = program.use_counts()
    types = program.types
    builder = Builder(program.name, **{item.name: item.dtype for item in program.parameters})
    moved: dict[int, int] = {number: number for number in range(len(program.parameters))}

    def product(value: int) -> tuple[int, int] | None:
        """Operands of a product whose only use is the one at hand, seen through guards."""
        while True:
            instruction = program.instruction(value)
            if instruction is None or uses[value] > 1 or not types[value].is_float:
                return None
            if instruction.op == "guard":
                value = instruction.operands[0]
                continue
            if instruction.op != "mul":
                return None
            return instruction.operands[0], instruction.operands[1]

    for index, instruction in enumerate(program.body):
        value = index + len(program.parameters)
        if instruction.op == "guard":
            moved[value] = moved[instruction.operands[0]]
            continue
        if instruction.op in ("add", "sub") and instruction.dtype.is_float:
            left, right = instruction.operands
            subtract = instruction.op == "sub"
            if factors := product(left):
                tail = moved[right]
                tail = builder.apply("neg", tail) if subtract else tail
                a, b = (moved[factor] for factor in factors)
                moved[value] = builder.apply("fma", a, b, tail)
                continue
            if factors := product(right):
                a, b = (moved[factor] for factor in factors)
                a = builder.apply("neg", a) if subtract else a
                moved[value] = builder.apply("fma", a, b, moved[left])
                continue
        if instruction.op == "const":
            moved[value] = builder.add_instruction(instruction)
            continue
        operands = tuple(moved[operand] for operand in instruction.operands)
        moved[value] = builder.apply(instruction.op, *operands, dtype=instruction.dtype)
    return builder.build(moved[program.result])
