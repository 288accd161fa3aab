"""Reads optimised HLO back as a program: what the compiler kept of a function.

XLA rewrites a program before any code exists (``x / 3`` becomes a product, constants merge), so
what runs is not what was written. An elementwise module is a few fusions over arrays of one shape;
each array operation is one operation on scalars, and the text has every constant in full.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.dtypes import BF16, BOOL, F16, F32, F64, I16, I32, I64, U16, U32, U64, DType
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.program import Builder, Program

TYPES: Mapping[str, DType] = {
    "pred": BOOL, "f16": F16, "bf16": BF16, "f32": F32, "f64": F64, "s16": I16, "s32": I32,
    "s64": I64, "u16": U16, "u32": U32, "u64": U64,
}  # fmt: skip
"""HLO's name of a type to ours."""

OPERATIONS: Mapping[str, str] = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "negate": "neg",
    "abs": "abs", "minimum": "min", "maximum": "max", "clamp": "clamp", "sqrt": "sqrt",
    "rsqrt": "rsqrt", "round-nearest-even": "round_even", "floor": "floor", "convert": "convert",
    "bitcast-convert": "bitcast", "bitcast": "bitcast", "shift-left": "shl",
    "shift-right-logical": "shr_logical",
    "shift-right-arithmetic": "shr_arith", "and": "and", "or": "or", "xor": "xor", "not": "not",
    "select": "select",
}  # fmt: skip
"""HLO's name of an elementwise operation to the row of the op table."""

_SAME = frozenset({"broadcast", "reshape", "copy"})
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) \([^\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_LINE = re.compile(
    r"^\s+(?P<root>ROOT )?%?(?P<name>[\w.-]+) = (?P<type>\w+)\[[^\]]*\](?:\{[^}]*\})? "
    r"(?P<op>[\w-]+)\((?P<operands>[^)]*)\)(?P<rest>.*)$"
)
_COMMENT = re.compile(r"/\*.*?\*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    name: str
    dtype: DType
    op: str
    operands: tuple[str, ...]
    rest: str
    root: bool


def program_of_hlo(text: str, name: str = "compiled") -> Program:
    """Returns the canonical program that an optimised elementwise module computes.

    Args:
        text: HLO after optimisation, with one result of the shape of its parameters.
        name: of the program.

    Raises:
        BackendError: an operation is not elementwise, or has no row in the op table.
    """
    computations: dict[str, list[_Line]] = {}
    entry = ""
    for start, title, body in _COMPUTATION.findall(_COMMENT.sub("", text)):
        computations[title] = [_parse(line) for line in body.splitlines() if line.strip()]
        entry = title if start else entry
    if not entry:
        raise BackendError("the optimised HLO has no entry computation")
    parameters = {
        int(line.operands[0]): line.dtype for line in computations[entry] if line.op == "parameter"
    }
    builder = Builder(name, **{f"x{number}": parameters[number] for number in sorted(parameters)})
    reader = _Reader(computations, builder)
    return canonical(builder.build(reader.inline(entry, tuple(range(len(parameters))))))


def _parse(line: str) -> _Line:
    match = _LINE.match(line)
    if match is None or match["type"] not in TYPES:
        raise BackendError(f"no model for the HLO instruction {line.strip()[:120]!r}")
    operands = tuple(
        re.sub(r"^.*%|^\s+", "", item).strip() for item in match["operands"].split(",")
    )
    return _Line(
        name=match["name"], dtype=TYPES[match["type"]], op=match["op"], operands=operands,
        rest=match["rest"], root=bool(match["root"]),
    )  # fmt: skip


@dataclass(slots=True)
class _Reader:
    """Lays out computations, called ones in the place of their calls."""

    computations: Mapping[str, list[_Line]]
    builder: Builder

    def inline(self, title: str, arguments: tuple[int, ...]) -> int:
        known: dict[str, tuple[int, DType]] = {}
        result = -1
        for line in self.computations[title]:
            known[line.name] = self._value(line, known, arguments), line.dtype
            result = known[line.name][0] if line.root else result
        if result < 0:
            raise BackendError(f"computation {title} of the optimised HLO has no root")
        return result

    def _value(
        self, line: _Line, known: Mapping[str, tuple[int, DType]], arguments: tuple[int, ...]
    ) -> int:
        if line.op == "parameter":
            return arguments[int(line.operands[0])]
        if line.op == "constant":
            return self.builder.const(_constant(line.operands[0], line.dtype), line.dtype)
        if not set(line.operands) <= set(known):
            raise BackendError(f"no model for the HLO operation {line.op}")
        operands = tuple(known[name][0] for name in line.operands)
        if line.op in ("fusion", "call"):
            called = re.search(r"(?:calls|to_apply)=%?([\w.-]+)", line.rest)
            if called is None:
                raise BackendError(f"no model for a {line.op} without a computation")
            return self.inline(called[1], operands)
        same = known[line.operands[0]][1] is line.dtype
        if line.op in _SAME or (line.op == "bitcast" and same):
            return operands[0]
        if line.op == "reduce-precision":
            return self._guard(line, operands)
        if line.op == "compare":
            direction = re.search(r"direction=(\w+)", line.rest)
            return self.builder.apply(direction[1].lower() if direction else "", *operands)
        if line.op not in OPERATIONS:
            raise BackendError(f"no model for the HLO operation {line.op}")
        return self.builder.apply(OPERATIONS[line.op], *operands, dtype=line.dtype)

    def _guard(self, line: _Line, operands: tuple[int, ...]) -> int:
        exponent, mantissa = (int(bits) for bits in re.findall(r"_bits=(\d+)", line.rest))
        if exponent < line.dtype.exponent_bits or mantissa < line.dtype.mantissa_bits:
            raise BackendError(
                f"no model for reducing {line.dtype.short} to {exponent}+{mantissa} bits"
            )
        return self.builder.apply("guard", *operands)


def _constant(text: str, dtype: DType) -> float | int | bool:
    if dtype is BOOL:
        return text.strip() == "true"
    if not dtype.is_float:
        return int(text)
    # The payload of a nan has no bearing on any result but another nan.
    return float("nan") if "nan" in text else float(text)
