"""Programs: immutable, typed, straight-line code over scalars, applied elementwise to arrays.

A program is a list of instructions in single-assignment form. Values are numbered: parameters
first, then one value an instruction; an instruction only uses values with a smaller number, so
cycles cannot be written down.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from xla_evo_lowering.dtypes import BOOL, DType, Kind
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.ops import op as op_row

MAX_INSTRUCTIONS = 4096
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
"""What the text form carries as the name of a program or a parameter."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation applied to earlier values.

    Attributes:
        op: name of a row of the op table.
        dtype: type of the result.
        operands: numbers of the values it uses.
        value: for ``const`` only: the bit pattern as an unsigned integer, or for ``real`` a
            canonical decimal string.
    """

    op: str
    dtype: DType
    operands: tuple[int, ...] = ()
    value: int | str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input of a program."""

    name: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Program:
    """A straight-line program with one result.

    Attributes:
        name: what it computes, of letters, digits, ``_`` and ``.``; not part of its identity.
        parameters: its inputs, values 0 to ``len(parameters) - 1``.
        body: its instructions in order.
        result: number of the value that it returns.

    Raises:
        ProgramError: on construction, when it is not well formed or not well typed.
    """

    name: str
    parameters: tuple[Parameter, ...]
    body: tuple[Instruction, ...]
    result: int

    def __post_init__(self) -> None:
        for name in (self.name, *(parameter.name for parameter in self.parameters)):
            if not NAME.match(name):
                raise ProgramError(
                    f"{name!r} is no name of a program or a parameter: it must be of letters,"
                    " digits, _ and ., and not begin with a digit or a dot"
                )
        if not self.parameters:
            raise ProgramError(f"program {self.name}: it needs at least one parameter")
        if len({parameter.name for parameter in self.parameters}) != len(self.parameters):
            raise ProgramError(f"program {self.name}: two parameters have one name")
        if len(self.body) > MAX_INSTRUCTIONS:
            raise ProgramError(
                f"program {self.name}: {len(self.body)} instructions, at most {MAX_INSTRUCTIONS}"
            )
        types = [parameter.dtype for parameter in self.parameters]
        for instruction in self.body:
            try:
                _check(instruction, types)
            except ProgramError as error:
                raise ProgramError(
                    f"program {self.name}, instruction {len(types) - len(self.parameters)}: {error}"
                ) from None
            types.append(instruction.dtype)
        if not 0 <= self.result < len(types):
            raise ProgramError(f"program {self.name}: it returns value {self.result}, not there")

    def __str__(self) -> str:
        """Its name and size, as a jaxpr shows it; `text.print_program` gives the whole."""
        return f"{self.name}, {len(self.body)} instructions"

    @property
    def types(self) -> tuple[DType, ...]:
        """Types of all values, parameters first."""
        return (
            *(parameter.dtype for parameter in self.parameters),
            *(instruction.dtype for instruction in self.body),
        )

    @property
    def dtype(self) -> DType:
        """Type of the result."""
        return self.types[self.result]

    @property
    def is_real(self) -> bool:
        """True when it computes over the real numbers."""
        return any(dtype.kind is Kind.REAL for dtype in self.types)

    def operation_count(self) -> int:
        """Number of operations that count (not constants, not guards)."""
        return sum(op_row(instruction.op).counted for instruction in self.body)

    def instruction(self, value: int) -> Instruction | None:
        """The instruction that makes a value, None when the value is a parameter."""
        index = value - len(self.parameters)
        return self.body[index] if index >= 0 else None

    def use_counts(self) -> list[int]:
        """How often each value is used, the result's return included."""
        uses = [0] * (len(self.parameters) + len(self.body))
        for instruction in self.body:
            for operand in instruction.operands:
                uses[operand] += 1
        uses[self.result] += 1
        return uses


def _check(instruction: Instruction, types: Sequence[DType]) -> None:
    for operand in instruction.operands:
        if not 0 <= operand < len(types):
            raise ProgramError(f"{instruction.op} uses value {operand}, which is not defined yet")
    row = op_row(instruction.op)
    row.check(instruction.dtype, [types[operand] for operand in instruction.operands])
    if (instruction.op == "const") != (instruction.value is not None):
        raise ProgramError("const, and only const, carries a value")
    if instruction.op == "const":
        _check_constant(instruction)


def _check_constant(instruction: Instruction) -> None:
    dtype, value = instruction.dtype, instruction.value
    if dtype.kind is Kind.REAL:
        if not isinstance(value, str) or value != canonical_decimal(value):
            raise ProgramError(f"real constant {value!r} is not a canonical decimal")
    elif not isinstance(value, int) or not 0 <= value < 1 << dtype.bits:
        raise ProgramError(f"constant {value!r} is not a bit pattern of {dtype.short}")


def canonical_decimal(text: str) -> str:
    """Returns the one spelling of a finite decimal number, e.g. ``1.50`` becomes ``1.5``.

    Raises:
        ProgramError: it is not a finite decimal number.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ProgramError(f"{text!r} is not a decimal number") from None
    if not number.is_finite():
        raise ProgramError(f"{text!r} is not finite; real constants are")
    sign, digits, exponent = number.as_tuple()
    significand = "".join(map(str, digits)).lstrip("0")
    if not significand:
        return "0"
    stripped = significand.rstrip("0")
    shown = f"{stripped[0]}.{stripped[1:]}" if len(stripped) > 1 else stripped
    power = int(exponent) + len(significand) - 1
    return ("-" if sign else "") + shown + (f"e{power}" if power else "")


def float_bits(value: float, dtype: DType) -> int:
    """Bit pattern of `value` rounded to `dtype`; NaN gives the canonical quiet NaN."""
    with np.errstate(all="ignore"):
        scalar = np.asarray(value, np.float64).astype(dtype.numpy)
    return int(scalar.view(np.dtype(f"u{dtype.bits // 8}"))) if value == value else nan_bits(dtype)


def nan_bits(dtype: DType) -> int:
    """The positive quiet NaN with no payload."""
    return ((1 << dtype.exponent_bits) - 1) << dtype.mantissa_bits | 1 << (dtype.mantissa_bits - 1)


def bits_float(bits: int, dtype: DType) -> float:
    """The value of a float bit pattern as a Python float (exact for every format here)."""
    if dtype.bits == 64:
        return struct.unpack("<d", struct.pack("<Q", bits))[0]
    raw = np.asarray(bits, np.dtype(f"u{dtype.bits // 8}"))
    return float(raw.view(dtype.numpy).astype(np.float64))


def constant(value: Any, dtype: DType) -> Instruction:
    """Returns the ``const`` instruction of a Python number (or, for ``real``, a decimal string)."""
    if dtype.kind is Kind.REAL:
        text = value if isinstance(value, str) else repr(value)
        return Instruction("const", dtype, (), canonical_decimal(text))
    if dtype.is_float:
        return Instruction("const", dtype, (), float_bits(float(value), dtype))
    return Instruction("const", dtype, (), int(value) & ((1 << dtype.bits) - 1))


def constant_array(instruction: Instruction) -> np.ndarray[Any, Any]:
    """The value of a typed ``const`` as a 0-d NumPy array with exactly its bits."""
    if not isinstance(instruction.value, int):
        raise ProgramError("a real constant has no bits; evaluate the program over the reals")
    if instruction.dtype is BOOL:
        return np.asarray(bool(instruction.value))
    raw = np.asarray(instruction.value, np.dtype(f"u{instruction.dtype.bits // 8}"))
    return raw.view(instruction.dtype.numpy)


class Builder:
    """Builds a program one operation at a time; every method returns a value number."""

    def __init__(self, name: str, **parameters: DType) -> None:
        self._name = name
        self._parameters = tuple(Parameter(key, dtype) for key, dtype in parameters.items())
        self._body: list[Instruction] = []
        self._types = [parameter.dtype for parameter in self._parameters]

    def add_instruction(self, instruction: Instruction) -> int:
        """Appends an instruction as it is."""
        self._body.append(instruction)
        self._types.append(instruction.dtype)
        return len(self._types) - 1

    def const(self, value: Any, dtype: DType) -> int:
        """Appends a constant."""
        return self.add_instruction(constant(value, dtype))

    def apply(self, op: str, *operands: int, dtype: DType | None = None) -> int:
        """Appends an operation; `dtype` is needed for conversions only."""
        row = op_row(op)
        if dtype is None:
            if row.converts:
                raise ProgramError(f"{op} needs the type of its result")
            dtype = BOOL if row.compares else self._types[operands[-1]]
        return self.add_instruction(Instruction(op, dtype, tuple(operands)))

    def build(self, result: int) -> Program:
        """Returns the program that returns `result`."""
        return Program(self._name, self._parameters, tuple(self._body), result)
