"""What a program means: to NumPy, and over the real numbers.

`evaluate` is the definition that compiled code is held against. Hardware that reads subnormals as
zero is a flag of it; a compiler that contracts ``a*b + c`` is modelled by a rewrite of the program,
see `contraction`.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from xla_evo_lowering import arithmetic
from xla_evo_lowering.contraction import contract as contract
from xla_evo_lowering.dtypes import BF16, BOOL, F32, F64, DType, Kind
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Program, constant_array

Array = np.ndarray[Any, Any]

_FLUSHED = (BF16, F32, F64)


def evaluate(program: Program, *inputs: Array, flush: bool = False) -> Array:
    """Evaluates a program elementwise with NumPy, every operation rounded to its own type.

    Args:
        program: any program without ``real`` values.
        *inputs: one array a parameter, of its dtype; shapes broadcast.
        flush: arithmetic in bfloat16, float32 and float64 reads and writes subnormals as zero, as
            the CPU backend does (float16 keeps them: they are normal in float32, where its
            operations are done). Not modelled: a result that is rounded up to the least normal
            number, which hardware takes for a subnormal one, and min and max of bfloat16
            subnormals, which differ between versions of jaxlib.

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
            types = [program.types[operand] for operand in instruction.operands]
            kept = row.moves_bits or (row.converts and _keeps(types[0], instruction.dtype))
            flushed = flush and not kept
            if flushed:
                operands = [
                    _flushed(value, dtype) for value, dtype in zip(operands, types, strict=True)
                ]
            result = row.numpy(*operands, target) if row.converts else row.numpy(*operands)
            result = np.asarray(result).astype(target, copy=False)
            values.append(_flushed(result, instruction.dtype) if flushed else result)
    return values[program.result].reshape(shape)


def _keeps(operand: DType, result: DType) -> bool:
    """True for conversions that are done on bits, so that subnormals pass."""
    moves = ((BF16, F32), (F32, BF16), (BF16, BOOL))
    return operand is result or (operand, result) in moves


def _flushed(value: Array, dtype: DType) -> Array:
    return arithmetic.flush_subnormals(value) if dtype in _FLUSHED else value


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
