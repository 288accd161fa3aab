"""Programs written as Python expressions: a value with operators, on top of the program builder.

Quotients and square roots are guarded where they are made: XLA does not fuse past an expensive
operation with several uses, and a guard is not expensive.
"""

from collections.abc import Callable, Sequence

from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.dtypes import BOOL, F32, F64, I16, I32, I64, U16, U32, U64, DType
from xla_evo_lowering.program import Builder, Program

_SIGNED = {16: I16, 32: I32, 64: I64}
_UNSIGNED = {16: U16, 32: U32, 64: U64}
_FLOAT = {32: F32, 64: F64}


class Value:
    """A value of a program under construction; arithmetic on it appends operations."""

    def __init__(self, builder: Builder, number: int, dtype: DType):
        self.builder, self.number, self.dtype = builder, number, dtype

    def nearest(self) -> "Value":
        """The nearest integer, of two the even one; nan and infinity stay."""
        return self._one("round_even")

    def constant(self, value, dtype: DType | None = None) -> "Value":
        """A constant of this value's type, or of another."""
        dtype = dtype or self.dtype
        return Value(self.builder, self.builder.const(value, dtype), dtype)

    def _as_value(self, other) -> "Value":
        return other if isinstance(other, Value) else self.constant(other)

    def _two(self, op: str, other, *, swapped: bool = False) -> "Value":
        other = self._as_value(other)
        left, right = (other, self) if swapped else (self, other)
        dtype = BOOL if op in ("lt", "le", "gt", "ge", "eq", "ne") else self.dtype
        return Value(self.builder, self.builder.apply(op, left.number, right.number), dtype)

    def _one(self, op: str) -> "Value":
        return Value(self.builder, self.builder.apply(op, self.number), self.dtype)

    def __add__(self, other):
        return self._two("add", other)

    def __radd__(self, other):
        return self._two("add", other, swapped=True)

    def __sub__(self, other):
        return self._two("sub", other)

    def __rsub__(self, other):
        return self._two("sub", other, swapped=True)

    def __mul__(self, other):
        return self._two("mul", other)

    def __truediv__(self, other):
        return self._two("div", other).guard()

    def __rtruediv__(self, other):
        return self._two("div", other, swapped=True).guard()

    def __and__(self, other):
        return self._two("and", other)

    def __or__(self, other):
        return self._two("or", other)

    def __xor__(self, other):
        return self._two("xor", other)

    def __lshift__(self, other):
        return self._two("shl", other)

    def __rshift__(self, other):
        return self._two("shr_arith", other)

    def shifted_down(self, amount) -> "Value":
        """The bits moved down, zeros coming in."""
        return self._two("shr_logical", amount)

    def __lt__(self, other):
        return self._two("lt", other)

    def __le__(self, other):
        return self._two("le", other)

    def __gt__(self, other):
        return self._two("gt", other)

    def __ge__(self, other):
        return self._two("ge", other)

    def __neg__(self):
        return self._one("neg")

    def __abs__(self):
        return self._one("abs")

    def __invert__(self):
        return self._one("not")

    def fma(self, factor, term) -> "Value":
        """This times a factor and a term more, rounded once where the machine can."""
        factor, term = self._as_value(factor), self._as_value(term)
        number = self.builder.apply("fma", self.number, factor.number, term.number)
        return Value(self.builder, number, self.dtype)

    def equals(self, other) -> "Value":
        """Comparison; nan equals nothing."""
        return self._two("eq", other)

    def max(self, other) -> "Value":
        """The larger; nan wins."""
        return self._two("max", other)

    def min(self, other) -> "Value":
        """The smaller; nan wins."""
        return self._two("min", other)

    def clamp(self, low: float, high: float) -> "Value":
        """Nearest value of [low, high]; nan stays."""
        return self.max(low).min(high)

    def sqrt(self) -> "Value":
        """Square root, correctly rounded."""
        return self._one("sqrt").guard()

    def rsqrt(self) -> "Value":
        """1 / sqrt to about 2 units in the last place, as the machine has it."""
        return self._one("rsqrt").guard()

    def guard(self) -> "Value":
        """The same value, through which the compiler does not rewrite."""
        return self._one("guard")

    def unlikely(self) -> "Value":
        """The same condition, which seldom holds of any element of an array."""
        return self._one("unlikely")

    def to(self, dtype: DType) -> "Value":
        """Conversion of the number."""
        if dtype is self.dtype:
            return self
        return Value(self.builder, self.builder.apply("convert", self.number, dtype=dtype), dtype)

    def signed(self) -> "Value":
        """The bits as a signed integer."""
        return self._bits(_SIGNED[self.dtype.bits])

    def unsigned(self) -> "Value":
        """The bits as an unsigned integer."""
        return self._bits(_UNSIGNED[self.dtype.bits])

    def floating(self, dtype: DType | None = None) -> "Value":
        """The bits as a float of the same width."""
        return self._bits(dtype or _FLOAT[self.dtype.bits])

    def _bits(self, dtype: DType) -> "Value":
        return Value(self.builder, self.builder.apply("bitcast", self.number, dtype=dtype), dtype)

    def where(self, yes, no) -> "Value":
        """``yes`` where this condition holds, else ``no``; at least one of them is a value."""
        if not isinstance(yes, Value):
            yes = no.constant(yes)
        if not isinstance(no, Value):
            no = yes.constant(no)
        number = self.builder.apply("select", self.number, yes.number, no.number)
        return Value(self.builder, number, yes.dtype)


def horner(x: Value, coefficients: Sequence[float | Value]) -> Value:
    """The polynomial with these coefficients, lowest first, in nested form."""
    last = coefficients[-1]
    total = last if isinstance(last, Value) else x.constant(float(last))
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def estrin(x: Value, coefficients: Sequence[float | Value]) -> Value:
    """The polynomial with these coefficients, lowest first, as a tree (Estrin 1960).

    A few operations more than the nested form, in a chain that grows with the logarithm of the
    degree: what counts where a processor waits for results and not for units.
    """
    powers = [x]
    while 1 << len(powers) < len(coefficients):
        powers.append(powers[-1] * powers[-1])

    def tree(terms: Sequence[float | Value]) -> Value:
        if len(terms) == 1:
            return terms[0] if isinstance(terms[0], Value) else x.constant(float(terms[0]))
        level = (len(terms) - 1).bit_length() - 1
        high, low = tree(terms[1 << level :]), tree(terms[: 1 << level])
        return powers[level] * high + low

    return tree(coefficients)


def horner_over_tree(x: Value, coefficients: Sequence[float], steps: int) -> Value:
    """The last `steps` of the nested form, whose roundings show, over a tree of the rest."""
    return horner(x, [*coefficients[:steps], estrin(x, coefficients[steps:])])


def selected(
    which: Value, like: Value, first: Sequence[float], second: Sequence[float]
) -> tuple[Value, ...]:
    """The coefficients ``first`` where ``which`` holds, else ``second``."""
    return tuple(
        which.where(like.constant(one), two) for one, two in zip(first, second, strict=True)
    )


def sign_of(x: Value) -> Value:
    """The sign bit, as an unsigned integer with nothing else set."""
    return x.unsigned() & (1 << (x.dtype.bits - 1))


def with_sign(size: Value, sign: Value) -> Value:
    """A value whose sign bit is clear (or the same), with a sign bit set."""
    return (size.unsigned() | sign).floating(size.dtype)


def odd(y: Value, x: Value) -> Value:
    """The result, in the working format, of a function that is x next to 0, with the sign of x.

    Where float32 is both it is x itself below 2^-20: nothing is below the least result.
    """
    is_all_float32 = x.dtype is y.dtype is F32
    y = with_sign(y.to(x.dtype), sign_of(x))
    return (abs(x) < 2.0**-20).where(x, y) if is_all_float32 else y


def build(name: str, form: Callable[..., Value], dtype: DType, arity: int = 1) -> Program:
    """A program of a format: arguments and result behind guards, in canonical form."""
    names = ("x",) if arity == 1 else ("x", "y")
    builder = Builder(name, **dict.fromkeys(names, dtype))
    arguments = [Value(builder, place, dtype).guard() for place in range(arity)]
    return canonical(builder.build(form(*arguments).guard().number))
