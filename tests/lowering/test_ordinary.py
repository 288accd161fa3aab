import math

import numpy as np
import pytest

from tests.lowering.programs import same, values
from xla_evo_lowering.cpp import emit_cpp
from xla_evo_lowering.dtypes import BOOL, F32, F64, DType
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.ordinary import Ordinary, ordinary
from xla_evo_lowering.program import Builder, Program

ZERO, EIGHTY = np.float32(0), np.float32(80)


def ends(low: float, high: float) -> Program:
    """A square, but 0 under one number and the input over another, as an exponential ends."""
    b = Builder("ends", x=F32)
    below, inside = b.apply("lt", 0, b.const(low, F32)), b.apply("le", 0, b.const(high, F32))
    chosen = b.apply("select", inside, b.apply("mul", 0, 0), b.apply("add", 0, 0))
    return b.build(b.apply("select", below, b.const(0.0, F32), chosen))


def root() -> Program:
    """A square root of positive inputs in float64, with subnormal numbers and infinity told."""
    b = Builder("root", x=F32)
    wide = b.apply("convert", 0, dtype=F64)
    rough = b.apply("convert", b.apply("sqrt", wide), dtype=F32)
    tame = b.apply(
        "and", b.apply("ge", 0, b.const(2.0**-126, F32)), b.apply("gt", b.const(math.inf, F32), 0)
    )
    return b.build(b.apply("select", tame, rough, b.apply("mul", b.apply("sqrt", 0), 0)))


def held() -> Program:
    """A magnitude held below 30 in float64, and doubled from 20 on."""
    b = Builder("held", x=F32)
    size = b.apply("abs", b.apply("convert", 0, dtype=F64))
    least = b.apply("min", b.const(30.0, F64), size)
    large = b.apply("ge", size, b.const(20.0, F64))
    result = b.apply("select", large, b.apply("add", least, least), b.apply("mul", least, size))
    return b.build(b.apply("convert", result, dtype=F32))


def is_ordinary(part: Ordinary, x: np.ndarray) -> np.ndarray:
    kind = np.uint32 if x.dtype == np.float32 else np.uint64
    return ((x.view(kind) & kind(part.mask)) - kind(part.base)) <= kind(part.span)


@pytest.mark.parametrize(
    ("program", "low", "high", "operations"),
    [
        (ends(-80.0, 90.0), -np.nextafter(EIGHTY, ZERO), np.nextafter(EIGHTY, ZERO), 1),
        (root(), np.nextafter(np.float32(2.0**-126), EIGHTY), np.finfo(np.float32).max, 3),
        (held(), -np.nextafter(np.float32(20), ZERO), np.nextafter(np.float32(20), ZERO), 4),
    ],
    ids=["ends", "root", "held"],
)
def test_what_is_left_and_where(program, low, high, operations) -> None:
    part = ordinary(program)
    assert part is not None
    assert part.program.operation_count() == operations
    assert BOOL not in part.program.types
    for end in (low, high):
        with np.errstate(over="ignore", under="ignore"):
            outward = np.nextafter(end, np.float32(-math.inf if end == low else math.inf))
        assert is_ordinary(part, np.asarray([end], np.float32)).all()
        assert not is_ordinary(part, np.asarray([outward], np.float32)).any()
    assert not is_ordinary(part, np.asarray([math.nan, -math.nan, math.inf], np.float32)).any()
    x = values(F32, 1 << 12)
    x = x[is_ordinary(part, x)]
    assert len(x) > 500
    assert same(evaluate(part.program, x), evaluate(program, x)).all()


SIZES = (8.0, 9.5, 300.0, 1e30, math.inf, 1.0, 0.0, 1e-4, 1e-40)
CONSTANTS = (*SIZES, *(-size for size in SIZES), math.nan)


def chooser(rng: np.random.Generator, dtype: DType) -> Program:
    """Random comparisons of the input with constants, and choices by them."""
    b = Builder("chooser", x=dtype)
    inputs, numbers, tests = [0, b.apply("abs", 0)], [0, b.const(2.5, dtype)], []
    for _ in range(12):
        pair = [rng.choice(inputs), b.const(rng.choice(CONSTANTS), dtype)]
        rng.shuffle(pair)
        tests.append(b.apply(rng.choice(["lt", "le", "gt", "ge", "eq", "ne"]), *map(int, pair)))
        tests.append(b.apply(rng.choice(["and", "or"]), *map(int, rng.choice(tests, 2))))
        tests.append(b.apply("not", int(rng.choice(tests))))
        numbers.append(b.apply(rng.choice(["min", "max"]), *map(int, pair)))
        numbers.append(b.apply("mul", *map(int, rng.choice(numbers, 2))))
        chosen = map(int, rng.choice(numbers, 2))
        numbers.append(b.apply("select", int(rng.choice(tests)), *chosen))
    return b.build(numbers[-1])


@pytest.mark.parametrize("dtype", [F32, F64], ids=repr)
def test_random_choices_give_the_same_bits_on_ordinary_inputs(dtype: DType) -> None:
    x = values(dtype, 1 << 11)
    parts = 0
    for seed in range(60):
        program = chooser(np.random.default_rng(seed), dtype)
        part = ordinary(program)
        if part is not None:
            parts += 1
            inside = np.append(x[is_ordinary(part, x)], dtype.numpy.type(1.0))
            got = evaluate(part.program, inside, flush=True)
            assert same(got, evaluate(program, inside, flush=True)).all(), program
    assert parts > 20


def test_programs_without_ends_have_no_part() -> None:
    b = Builder("fold", x=F32)
    middle = b.apply("select", b.apply("gt", 0, b.const(0.5, F32)), b.const(1.0, F32), 0)
    assert ordinary(b.build(middle)) is None
    assert ordinary(b.build(0)) is None
    b = Builder("two", x=F32, y=F32)
    far = b.apply("select", b.apply("gt", 0, b.const(50.0, F32)), 1, b.apply("add", 0, 1))
    assert ordinary(b.build(far)) is None


def test_machine_code_asks_only_where_there_is_a_part() -> None:
    assert "ordinary_block" in emit_cpp(ends(-80.0, 90.0), "handler")
    assert "ordinary" not in emit_cpp(Builder("same", x=F32).build(0), "handler")
