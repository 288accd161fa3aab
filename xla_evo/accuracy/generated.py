"""A program as one compiled loop on this CPU: the bits of `interpret.evaluate`, many times faster.

Sweeps of a modelled backend meet billions of inputs. The program is written out as a scalar loop
and compiled by numba without reassociation and without contraction, so each operation rounds as its
type says; where a backend flushes subnormals, operands and results of float arithmetic pass through
a select, as in `interpret`. To add an operation is to add a row.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np

from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.dtypes import BOOL, F32, F64, I32, I64, U32, DType
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Instruction, Program, constant_array

Array = np.ndarray[Any, Any]

_TYPES: Mapping[DType, str] = {
    F32: "float32", F64: "float64", I32: "int32", U32: "uint32", I64: "int64", BOOL: "bool_",
}  # fmt: skip
_FLOATS = (F32, F64)

_EXPRESSIONS: Mapping[str, str] = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}",
    "abs": "abs({0})", "min": "minimum({0}, {1})", "max": "maximum({0}, {1})",
    "clamp": "minimum(maximum({1}, {0}), {2})", "sqrt": "np.sqrt({0})",
    "round_even": "np.rint({0})", "floor": "np.floor({0})", "bitcast": "np.{S}({0}).view(np.{T})",
    "and": "{0} & {1}", "or": "{0} | {1}", "xor": "{0} ^ {1}", "lt": "{0} < {1}",
    "le": "{0} <= {1}", "gt": "{0} > {1}", "ge": "{0} >= {1}", "eq": "{0} == {1}",
    "ne": "{0} != {1}", "select": "({1} if {0} else {2})", "guard": "{0}",
    "unlikely": "{0}", "shl": "shift_left({0}, {1}, {B})", "shr_logical": "shift_right({0}, {1})",
    "shr_arith": "shift_signed(np.int{B}({0}), {1}, {B})",
}  # fmt: skip
"""Numba expression of each operation; ``{0}`` stands for an operand, ``{T}`` for the type, ``{S}``
for that of the first operand, ``{B}`` for the bits."""


@numba.njit(error_model="numpy")
def maximum(a: Any, b: Any) -> Any:
    """IEEE 754-2019 maximum: NaN wins, and +0 is above -0."""
    if a != a:
        return a
    if a == b:
        return a + b if a == 0 else a
    return a if a > b else b


@numba.njit(error_model="numpy")
def minimum(a: Any, b: Any) -> Any:
    """IEEE 754-2019 minimum: NaN wins, and -0 is below +0."""
    if a != a:
        return a
    if a == b:
        return -(-a + -b) if a == 0 else a
    return a if a < b else b


@numba.njit(error_model="numpy")
def shift_left(x: Any, amount: Any, bits: int) -> Any:
    """Logical left shift; 0 when the amount, read as unsigned, is at least the width."""
    return np.int64(x) << np.int64(amount) if 0 <= amount < bits else np.int64(0)


@numba.njit(error_model="numpy")
def shift_right(x: Any, amount: Any) -> Any:
    """Right shift of 32 bits that fills with zeros."""
    return (np.int64(x) & 0xFFFFFFFF) >> np.int64(amount) if 0 <= amount < 32 else np.int64(0)


@numba.njit(error_model="numpy")
def shift_signed(x: Any, amount: Any, bits: int) -> Any:
    """Right shift that fills with the sign bit."""
    return np.int64(x) >> (np.int64(amount) if 0 <= amount < bits else np.int64(bits - 1))


@numba.njit(error_model="numpy")
def to_integer(x: Any) -> Any:
    """Float to int32 as XLA does it: truncates, saturates, and takes NaN to 0."""
    wide = np.float64(x)
    wide = wide if wide == wide else 0.0
    return np.int64(min(max(wide, -2147483648.0), 2147483647.0))


@numba.njit(error_model="numpy")
def flush_32(x: Any) -> Any:
    """A subnormal float32 becomes the zero of its sign; on bits, so that loops stay vectors."""
    bits = np.float32(x).view(np.uint32)
    keep = np.uint32(0) - np.uint32((bits & np.uint32(0x7F800000)) != 0)
    return np.uint32(bits & (keep | np.uint32(0x80000000))).view(np.float32)


@numba.njit(error_model="numpy")
def flush_64(x: Any) -> Any:
    """A subnormal float64 becomes the zero of its sign."""
    bits = np.float64(x).view(np.uint64)
    keep = np.uint64(0) - np.uint64((bits & np.uint64(0x7FF0000000000000)) != 0)
    return np.uint64(bits & (keep | np.uint64(0x8000000000000000))).view(np.float64)


def generated(model: DeviceModel) -> Callable[..., Array]:
    """Returns the model as a compiled function of 1-D arrays, safe to call from several threads.

    A program with an operation or a type that has no row is evaluated as `DeviceModel` does it:
    slower, with the same bits.
    """
    source = source_of(model.program, flush=model.flush)
    if source is None:
        return model
    scope: dict[str, Any] = {
        "np": np, "maximum": maximum, "minimum": minimum, "shift_left": shift_left,
        "shift_right": shift_right, "shift_signed": shift_signed, "to_integer": to_integer,
        "flush_32": flush_32, "flush_64": flush_64,
    }  # fmt: skip
    exec(compile(source, f"<{model.program.name}>", "exec"), scope)  # noqa: S102 - of the expressions above
    loop = numba.njit(nogil=True, error_model="numpy")(scope["loop"])
    dtype = model.program.dtype.numpy

    def call(*arrays: Array) -> Array:
        out = np.empty(arrays[0].size, dtype)
        loop(*(np.ascontiguousarray(array) for array in arrays), out)
        return out

    return call


def source_of(program: Program, *, flush: bool) -> str | None:
    """The loop as Python source for numba; None where an operation or a type has no row."""
    arguments = [f"x{number}" for number in range(len(program.parameters))]
    lines = [f"def loop({', '.join(arguments)}, out):", "    for i in range(out.size):"]
    names = [f"{argument}[i]" for argument in arguments]
    flushed = [not flush] * len(names)
    types = program.types
    if any(dtype not in _TYPES for dtype in types):
        return None
    for instruction in program.body:
        sources = [types[operand] for operand in instruction.operands]
        flushes = flush and _flushes(instruction, sources)
        operands = [
            _flushed(names[operand], types[operand])
            if flushes and not flushed[operand]
            else names[operand]
            for operand in instruction.operands
        ]
        text = _expression(instruction, operands, sources)
        if text is None:
            return None
        names.append(f"v{len(names)}")
        lines.append(
            f"        {names[-1]} = {_flushed(text, instruction.dtype) if flushes else text}"
        )
        # What only moves bits of flushed values has none to flush.
        moved = instruction.op in ("neg", "abs", "select", "guard")
        flushed.append(
            not flush or flushes or (moved and all(flushed[at] for at in instruction.operands))
        )
    lines.append(f"        out[i] = {names[program.result]}")
    return "\n".join(lines)


def _expression(instruction: Instruction, operands: list[str], sources: list[DType]) -> str | None:
    kind = _TYPES[instruction.dtype]
    if instruction.op == "const":
        bits = constant_array(instruction)
        if instruction.dtype in _FLOATS:
            width = instruction.dtype.bits
            return f"np.uint{width}({int(bits.view(f'u{width // 8}'))}).view(np.{kind})"
        return f"np.{kind}({bits.item()})"
    if instruction.op == "convert":
        return _conversion(operands[0], sources[0], instruction.dtype)
    if instruction.op == "not":
        return f"not {operands[0]}" if instruction.dtype is BOOL else f"np.{kind}(~{operands[0]})"
    if instruction.op not in _EXPRESSIONS:
        return None
    if instruction.dtype is I64 and instruction.op == "shr_logical":
        return None
    text = _EXPRESSIONS[instruction.op].format(
        *operands, T=kind, S=_TYPES[sources[0]], B=instruction.dtype.bits
    )
    # Integers are computed in 64 bits and wrapped; floats have this type already.
    return f"np.{kind}({text})"


def _flushes(instruction: Instruction, sources: list[DType]) -> bool:
    """True for float arithmetic; what moves bits or keeps the type lets subnormals pass."""
    row = OPS[instruction.op]
    kept = row.converts and sources[0] is instruction.dtype
    return instruction.op != "const" and not (row.moves_bits or kept)


def _flushed(text: str, dtype: DType) -> str:
    return f"flush_{dtype.bits}({text})" if dtype in _FLOATS else text


def _conversion(operand: str, source: DType, result: DType) -> str | None:
    if source in _FLOATS and result is I32:
        return f"np.int32(to_integer({operand}))"
    if (source in _FLOATS or source in (I32, I64)) and result in _FLOATS:
        return f"np.{_TYPES[result]}({operand})"
    if source is I64 and result is I32:
        return f"np.int32({operand})"
    return None
