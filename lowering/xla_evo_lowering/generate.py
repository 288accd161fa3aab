"""Random well-typed programs: for tests, for benches, and as a search's first generation.

Operations are drawn from the op table by weight, among those whose operand types are at hand, so
that every program that comes out is well typed by construction and no draw is thrown away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xla_evo_lowering.dtypes import BOOL, F32, DType, Kind
from xla_evo_lowering.errors import ConfigError
from xla_evo_lowering.ops import COMPARE, NONE, OPS, SELECT, Op
from xla_evo_lowering.program import Builder, Instruction, Program, constant


def _all_equal() -> Mapping[str, float]:
    return dict.fromkeys(OPS, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What random programs look like.

    Attributes:
        parameters: types of the inputs, named x0, x1, ...
        result: type of the result.
        dtypes: types that constants and conversions may introduce; others never appear.
        weights: op name to its relative frequency; operations that are not named do not appear.
        size: number of instructions drawn (one more, a conversion to `result`, may follow).
        locality: chance that an operand is one of the last four values of its type, which makes
            programs deep rather than wide.
        specials: chance that a float constant is a zero, infinity, NaN, subnormal or edge.

    Raises:
        ConfigError: on construction, when a setting cannot be met.
    """

    parameters: tuple[DType, ...] = (F32,)
    result: DType = F32
    dtypes: tuple[DType, ...] = (F32,)
    weights: Mapping[str, float] = field(default_factory=_all_equal)
    size: int = 12
    locality: float = 0.6
    specials: float = 0.05

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(OPS))
        if unknown:
            raise ConfigError(f"weights name unknown operations: {', '.join(unknown)}")
        if not self.parameters:
            raise ConfigError("a program needs at least one parameter")
        if self.size < 0:
            raise ConfigError(f"size is {self.size}; it is a number of instructions")
        kinds = {row.kind for row in (*self.parameters, *self.dtypes, self.result)}
        if Kind.REAL in kinds and len(kinds - {Kind.BOOL}) > 1:
            raise ConfigError("real numbers do not mix with formats in one program")


def random_program(
    rng: np.random.Generator, settings: Generator, *, name: str = "random"
) -> Program:
    """Returns a random program; the same generator state gives the same program."""
    return _Draw(rng, settings, name).program()


class _Draw:
    """One program in the making: its values by type, and the dice."""

    def __init__(self, rng: np.random.Generator, settings: Generator, name: str) -> None:
        self._rng = rng
        self._settings = settings
        self._builder = Builder(
            name, **{f"x{number}": dtype for number, dtype in enumerate(settings.parameters)}
        )
        self._values: dict[DType, list[int]] = {}
        for number, dtype in enumerate(settings.parameters):
            self._values.setdefault(dtype, []).append(number)

    def program(self) -> Program:
        for _ in range(self._settings.size):
            self._step()
        result = self._settings.result
        if result not in self._values:
            self._add_result(result)
        return self._builder.build(self._values[result][-1])

    def _step(self) -> None:
        choices: list[tuple[Op, DType]] = []
        weights: list[float] = []
        for name, weight in self._settings.weights.items():
            results = self._results(OPS[name])
            choices += [(OPS[name], dtype) for dtype in results]
            weights += [weight / max(1, len(results))] * len(results)
        total = sum(weights)
        if not total:
            return
        position = self._rng.choice(len(choices), p=np.asarray(weights) / total)
        self._apply(*choices[int(position)])

    def _results(self, row: Op) -> list[DType]:
        """Types that the row's T, or the S of a comparison, may have now."""
        if row.operands == NONE or row.converts:
            allowed = [dtype for dtype in self._settings.dtypes if dtype.kind in row.kinds]
            return [dtype for dtype in allowed if row.operands == NONE or self._sources(row, dtype)]
        if row.operands == SELECT and BOOL not in self._values:
            return []
        return [dtype for dtype in self._values if dtype.kind in row.kinds]

    def _sources(self, row: Op, result: DType) -> list[DType]:
        """Types that may be converted to `result`; a conversion to itself is left out."""
        at_hand = [
            dtype for dtype in self._values if dtype is not result and dtype.kind is not Kind.REAL
        ]
        if row.name == "convert":
            return at_hand
        return [dtype for dtype in at_hand if dtype.bits == result.bits and dtype is not BOOL]

    def _apply(self, row: Op, dtype: DType) -> None:
        if row.operands == NONE:
            value = random_constant(self._rng, dtype, specials=self._settings.specials)
            self._remember(self._builder.add_instruction(value), dtype)
            return
        if row.converts:
            sources = self._sources(row, dtype)
            source = sources[int(self._rng.integers(len(sources)))]
            operands = [self._pick(source)]
        elif row.operands == SELECT:
            operands = [self._pick(BOOL), self._pick(dtype), self._pick(dtype)]
        else:
            operands = [self._pick(dtype) for _ in row.operands]
        result = BOOL if row.operands == COMPARE else dtype
        self._remember(self._builder.apply(row.name, *operands, dtype=result), result)

    def _pick(self, dtype: DType) -> int:
        values = self._values[dtype]
        if self._rng.random() < self._settings.locality:
            values = values[-4:]
        return values[int(self._rng.integers(len(values)))]

    def _remember(self, value: int, dtype: DType) -> None:
        self._values.setdefault(dtype, []).append(value)

    def _add_result(self, dtype: DType) -> None:
        """Converts the last value to the result's type, or makes a constant of it."""
        sources = self._sources(OPS["convert"], dtype) if dtype.kind is not Kind.REAL else []
        if sources:
            operand = self._values[sources[-1]][-1]
            self._remember(self._builder.apply("convert", operand, dtype=dtype), dtype)
        else:
            made = random_constant(self._rng, dtype, specials=0.0)
            self._remember(self._builder.add_instruction(made), dtype)


def random_constant(
    rng: np.random.Generator, dtype: DType, *, specials: float = 0.05
) -> Instruction:
    """Returns a random ``const``: floats near 1 in magnitude, small integers, all bit patterns.

    Args:
        rng: the source of randomness.
        dtype: the constant's type.
        specials: chance that a float is one of `special_bits`.
    """
    if dtype is BOOL:
        return constant(int(rng.integers(2)), dtype)
    if dtype.kind is Kind.REAL:
        return constant(f"{rng.normal():.6g}", dtype)
    if dtype.is_integer:
        if rng.random() < 0.3:
            return Instruction("const", dtype, (), int.from_bytes(rng.bytes(dtype.bits // 8)))
        return constant(int(rng.integers(0, dtype.bits)), dtype)
    if rng.random() < specials:
        choices = special_bits(dtype)
        return Instruction("const", dtype, (), choices[int(rng.integers(len(choices)))])
    if rng.random() < 0.2:
        return constant(float(2.0 ** rng.integers(-4, 5)), dtype)
    return constant(float(rng.normal() * 2.0 ** rng.integers(-3, 4)), dtype)


def special_bits(dtype: DType) -> tuple[int, ...]:
    """Bit patterns of a float format where mistakes hide, both signs.

    Zero, least and largest subnormal, least normal, 1 and its neighbours, 1.5, largest finite,
    infinity and quiet NaN.
    """
    mantissa = dtype.mantissa_bits
    one = ((1 << (dtype.exponent_bits - 1)) - 1) << mantissa
    infinity = ((1 << dtype.exponent_bits) - 1) << mantissa
    positive = (
        0, 1, (1 << mantissa) - 1, 1 << mantissa, one - 1, one, one + 1,
        one + (1 << (mantissa - 1)), infinity - 1, infinity, infinity + (1 << (mantissa - 1)),
    )  # fmt: skip
    sign = 1 << (dtype.bits - 1)
    return positive + tuple(bits | sign for bits in positive)
