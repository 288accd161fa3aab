"""The op table: one row an operation. To add an operation is to add a row.

A row says how an operation is typed, what it means to NumPy and over the real numbers, which
StableHLO operation it becomes, how C++ spells it, and whether it counts as an operation when
programs are compared by length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from jax import lax
from jax.extend.mlir import ir  # pyright: ignore[reportMissingImports]
from jax.extend.mlir.dialects import stablehlo as hlo  # pyright: ignore[reportMissingImports]

from xla_evo_lowering import arithmetic
from xla_evo_lowering.dtypes import BOOL, DType, Kind, dtype
from xla_evo_lowering.errors import ProgramError

ARITHMETIC = frozenset({Kind.FLOAT, Kind.REAL})
FLOATING = frozenset({Kind.FLOAT})
INTEGER = frozenset({Kind.SIGNED, Kind.UNSIGNED})
LOGICAL = INTEGER | {Kind.BOOL}
NUMBER = ARITHMETIC | INTEGER
TYPED = FLOATING | LOGICAL
ANY = NUMBER | {Kind.BOOL}

# Operand patterns: T is the type of the result, S a type of its own, B is bool.
SAME1, SAME2, SAME3 = ("T",), ("T", "T"), ("T", "T", "T")
COMPARE, SELECT, FROM, NONE = ("S", "S"), ("B", "T", "T"), ("S",), ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operation.

    Attributes:
        name: as in program text.
        operands: pattern of operand types, see the constants of this module.
        kinds: kinds that the type T (or S, for a comparison) may have.
        numpy: its meaning on arrays, elementwise; takes the operands, then the result's NumPy
            dtype when `converts`.
        real: its meaning on mpmath numbers, None where it has none.
        stablehlo: builds the operation from MLIR values and the result's MLIR type.
        cpp: C++ expression; ``{0}`` stands for an operand, ``{T}`` for the result's type.
        kernel: its meaning on JAX arrays inside a kernel; takes what `numpy` takes.
        counted: True when it counts as an operation; constants and guards do not.
        commutative: True when its first two operands may be exchanged.
        exact: True when compiled code gives NumPy's bits.
        moves_bits: True when it does no float arithmetic, so that subnormals pass where a backend
            reads them as zero.
    """

    name: str
    operands: tuple[str, ...]
    kinds: frozenset[Kind]
    numpy: Callable[..., Any]
    stablehlo: Callable[[Sequence[Any], Any], Any]
    cpp: str
    kernel: Callable[..., Any]
    real: Callable[..., Any] | None = None
    counted: bool = True
    commutative: bool = False
    exact: bool = True
    moves_bits: bool = False

    @property
    def arity(self) -> int:
        """Number of operands."""
        return len(self.operands)

    @property
    def converts(self) -> bool:
        """True when the result's type does not follow from the operands' types."""
        return self.operands == FROM

    @property
    def compares(self) -> bool:
        """True for comparisons, whose result is bool."""
        return self.operands == COMPARE

    def check(self, result: DType, operands: Sequence[DType]) -> None:
        """Checks the types of one use.

        Raises:
            ProgramError: what does not fit, and what would.
        """
        if len(operands) != self.arity:
            raise ProgramError(f"{self.name} takes {self.arity} operands, not {len(operands)}")
        subject = operands[0] if self.compares else result
        if subject.kind not in self.kinds:
            kinds = "/".join(sorted(kind.value for kind in self.kinds))
            raise ProgramError(f"{self.name} works on {kinds}, not {subject.short}")
        if self.compares and result is not BOOL:
            raise ProgramError(f"{self.name} gives bool, not {result.short}")
        if self.compares and operands[0] is not operands[1]:
            raise ProgramError(f"{self.name} compares one type, not {_names(operands)}")
        if self.converts:
            self._check_conversion(result, operands[0])
            return
        for position, (pattern, got) in enumerate(zip(self.operands, operands, strict=True)):
            want = {"T": result, "B": BOOL, "S": operands[0]}[pattern]
            if got is not want:
                raise ProgramError(
                    f"operand {position + 1} of {self.name} is {got.short}, expected {want.short}"
                )

    def _check_conversion(self, result: DType, operand: DType) -> None:
        if Kind.REAL in (result.kind, operand.kind):
            raise ProgramError(f"{self.name} has no meaning for real numbers")
        if self.name == "bitcast" and (operand.bits != result.bits or BOOL in (result, operand)):
            raise ProgramError(f"bitcast keeps the width: {operand.short} cannot be {result.short}")


def _names(dtypes: Sequence[DType]) -> str:
    return ", ".join(dtype.short for dtype in dtypes)


def _guard_bits(kind: DType) -> tuple[int, int]:
    return kind.exponent_bits + 1, kind.mantissa_bits


def _build(builder: Callable[..., Any]) -> Callable[[Sequence[Any], Any], Any]:
    """A StableHLO builder whose result type MLIR infers."""
    return lambda values, _: builder(*values)


def _build_typed(builder: Callable[..., Any]) -> Callable[[Sequence[Any], Any], Any]:
    """A StableHLO builder that is told its result type."""
    return lambda values, result: builder(result, *values)


def _build_guard(values: Sequence[Any], result: Any) -> Any:
    """``reduce_precision`` to the format and one exponent bit: keeps values, stops rewrites.

    To the very format it is taken for nothing on GPU, where XLA removes it before it simplifies
    for the last time, so that ``(x + M) - M`` became ``x``.
    """
    kind = dtype(str(ir.RankedTensorType(result).element_type))
    return hlo.reduce_precision(values[0], *_guard_bits(kind))


def _build_fma(values: Sequence[Any], _: Any) -> Any:
    """No HLO operation asks for FMA: a product and a sum, contracted where the backend does."""
    return hlo.add(hlo.multiply(values[0], values[1]), values[2])


def _build_compare(direction: str) -> Callable[[Sequence[Any], Any], Any]:
    def build(values: Sequence[Any], _: Any) -> Any:
        attribute = hlo.ComparisonDirectionAttr.get(direction)
        return hlo.compare(values[0], values[1], attribute)

    return build


def _no_stablehlo(values: Sequence[Any], result: Any) -> Any:
    raise ProgramError("const is built by the emitter, which knows the shape")


def _compare(name: str, numpy: Callable[..., Any], cpp: str, kernel: Callable[..., Any]) -> Op:
    return Op(
        name=name, operands=COMPARE, kinds=NUMBER, numpy=numpy, real=numpy,
        stablehlo=_build_compare(name.upper()), cpp=cpp, kernel=kernel,
        commutative=name in ("eq", "ne"),
    )  # fmt: skip


def _fma(a: Any, b: Any, c: Any) -> Any:
    return lax.add(lax.mul(a, b), c)


def _round_even(x: Any) -> Any:
    return lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


def _same(x: Any) -> Any:
    return x


def _guard(x: Any) -> Any:
    return lax.reduce_precision(x, *_guard_bits(dtype(x.dtype)))


_ROWS: tuple[Op, ...] = (
    Op(name="const", operands=NONE, kinds=ANY, numpy=lambda: None, stablehlo=_no_stablehlo,
       cpp="", kernel=_no_stablehlo, counted=False),
    Op(name="add", operands=SAME2, kinds=NUMBER, numpy=np.add, real=lambda a, b: a + b,
       stablehlo=_build(hlo.add), cpp="{0} + {1}", kernel=lax.add, commutative=True),
    Op(name="sub", operands=SAME2, kinds=NUMBER, numpy=np.subtract, real=lambda a, b: a - b,
       stablehlo=_build(hlo.subtract), cpp="{0} - {1}", kernel=lax.sub),
    Op(name="mul", operands=SAME2, kinds=NUMBER, numpy=np.multiply, real=lambda a, b: a * b,
       stablehlo=_build(hlo.multiply), cpp="{0} * {1}", kernel=lax.mul, commutative=True),
    Op(name="div", operands=SAME2, kinds=ARITHMETIC, numpy=np.divide, real=lambda a, b: a / b,
       stablehlo=_build(hlo.divide), cpp="{0} / {1}", kernel=lax.div),
    Op(name="fma", operands=SAME3, kinds=FLOATING, numpy=arithmetic.fma, stablehlo=_build_fma,
       cpp="std::fma({0}, {1}, {2})", kernel=_fma, commutative=True, exact=False),
    Op(name="neg", operands=SAME1, kinds=NUMBER, numpy=np.negative, real=lambda a: -a,
       stablehlo=_build(hlo.negate), cpp="-{0}", kernel=lax.neg, moves_bits=True),
    Op(name="abs", operands=SAME1, kinds=ARITHMETIC | {Kind.SIGNED}, numpy=np.abs, real=abs,
       stablehlo=_build(hlo.abs), cpp="abs({0})", kernel=lax.abs, moves_bits=True),
    Op(name="min", operands=SAME2, kinds=NUMBER, numpy=arithmetic.minimum, real=min,
       stablehlo=_build(hlo.minimum), cpp="minimum({0}, {1})", kernel=lax.min, commutative=True),
    Op(name="max", operands=SAME2, kinds=NUMBER, numpy=arithmetic.maximum, real=max,
       stablehlo=_build(hlo.maximum), cpp="maximum({0}, {1})", kernel=lax.max, commutative=True),
    Op(name="clamp", operands=SAME3, kinds=NUMBER, numpy=arithmetic.clamp,
       real=lambda low, x, high: min(max(x, low), high), stablehlo=_build(hlo.clamp),
       cpp="minimum(maximum({1}, {0}), {2})", kernel=lax.clamp),
    Op(name="sqrt", operands=SAME1, kinds=ARITHMETIC, numpy=np.sqrt, real=mpmath.sqrt,
       stablehlo=_build(hlo.sqrt), cpp="std::sqrt({0})", kernel=lax.sqrt),
    Op(name="rsqrt", operands=SAME1, kinds=ARITHMETIC, numpy=arithmetic.rsqrt,
       real=lambda a: 1 / mpmath.sqrt(a), stablehlo=_build(hlo.rsqrt),
       cpp="({T})1 / std::sqrt({0})", kernel=lax.rsqrt, exact=False),
    Op(name="round_even", operands=SAME1, kinds=ARITHMETIC, numpy=np.rint, real=mpmath.nint,
       stablehlo=_build(hlo.round_nearest_even), cpp="std::nearbyint({0})", kernel=_round_even),
    Op(name="floor", operands=SAME1, kinds=ARITHMETIC, numpy=np.floor, real=mpmath.floor,
       stablehlo=_build(hlo.floor), cpp="std::floor({0})", kernel=lax.floor),
    Op(name="convert", operands=FROM, kinds=TYPED, numpy=arithmetic.convert,
       stablehlo=_build_typed(hlo.convert), cpp="convert<{T}>({0})",
       kernel=lax.convert_element_type),
    Op(name="bitcast", operands=FROM, kinds=TYPED, numpy=lambda x, to: x.view(to),
       stablehlo=_build_typed(hlo.bitcast_convert), cpp="bitcast<{T}>({0})",
       kernel=lax.bitcast_convert_type, moves_bits=True),
    Op(name="shl", operands=SAME2, kinds=INTEGER, numpy=arithmetic.shift_left,
       stablehlo=_build(hlo.shift_left), cpp="shift_left({0}, {1})", kernel=lax.shift_left),
    Op(name="shr_logical", operands=SAME2, kinds=INTEGER, numpy=arithmetic.shift_right_logical,
       stablehlo=_build(hlo.shift_right_logical), cpp="shift_right_logical({0}, {1})",
       kernel=lax.shift_right_logical),
    Op(name="shr_arith", operands=SAME2, kinds=INTEGER, numpy=arithmetic.shift_right_arithmetic,
       stablehlo=_build(hlo.shift_right_arithmetic), cpp="shift_right_arithmetic({0}, {1})",
       kernel=lax.shift_right_arithmetic),
    Op(name="and", operands=SAME2, kinds=LOGICAL, numpy=np.bitwise_and,
       stablehlo=_build(hlo.and_), cpp="{0} & {1}", kernel=lax.bitwise_and, commutative=True),
    Op(name="or", operands=SAME2, kinds=LOGICAL, numpy=np.bitwise_or,
       stablehlo=_build(hlo.or_), cpp="{0} | {1}", kernel=lax.bitwise_or, commutative=True),
    Op(name="xor", operands=SAME2, kinds=LOGICAL, numpy=np.bitwise_xor,
       stablehlo=_build(hlo.xor), cpp="{0} ^ {1}", kernel=lax.bitwise_xor, commutative=True),
    Op(name="not", operands=SAME1, kinds=LOGICAL, numpy=np.invert,
       stablehlo=_build(hlo.not_), cpp="invert({0})", kernel=lax.bitwise_not),
    _compare("lt", lambda a, b: a < b, "{0} < {1}", lax.lt),
    _compare("le", lambda a, b: a <= b, "{0} <= {1}", lax.le),
    _compare("gt", lambda a, b: a > b, "{0} > {1}", lax.gt),
    _compare("ge", lambda a, b: a >= b, "{0} >= {1}", lax.ge),
    _compare("eq", lambda a, b: a == b, "{0} == {1}", lax.eq),
    _compare("ne", lambda a, b: a != b, "{0} != {1}", lax.ne),
    Op(name="select", operands=SELECT, kinds=ANY, numpy=np.where,
       real=lambda p, a, b: a if p else b, stablehlo=_build(hlo.select), cpp="{0} ? {1} : {2}",
       kernel=lax.select, moves_bits=True),
    Op(name="guard", operands=SAME1, kinds=FLOATING, numpy=arithmetic.round_mantissa,
       stablehlo=_build_guard, cpp="{0}", kernel=_guard, counted=False, moves_bits=True),
    # The same condition, marked as one that seldom holds of any element: see `branches`.
    Op(name="unlikely", operands=SAME1, kinds=frozenset({Kind.BOOL}), numpy=_same, real=_same,
       stablehlo=lambda values, _: values[0], cpp="{0}", kernel=_same, counted=False,
       moves_bits=True),
)  # fmt: skip

OPS: dict[str, Op] = {row.name: row for row in _ROWS}


def op(name: str) -> Op:
    """Returns the row of an operation.

    Raises:
        ProgramError: there is no such operation.
    """
    if name not in OPS:
        raise ProgramError(f"unknown operation {name!r}; the op table has {', '.join(OPS)}")
    return OPS[name]
