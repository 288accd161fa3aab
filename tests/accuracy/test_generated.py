"""The compiled loop of a program has the bits of its meaning."""

import numpy as np
import pytest

from tests.lowering.programs import ordinary, same, values
from xla_evo.accuracy.generated import generated, source_of
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.dtypes import BOOL, F32, F64, I32
from xla_evo_lowering.generate import Generator, random_program
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.text import parse_program

SETTINGS = Generator(dtypes=(F32, F64, I32, BOOL), size=30, specials=0.1)


def _covered(count):
    """Random programs without fma, rsqrt and not, which have no row."""
    weights = {
        name: weight
        for name, weight in SETTINGS.weights.items()
        if name not in ("fma", "rsqrt", "not")
    }
    rng = np.random.default_rng(5)
    settings = Generator(dtypes=SETTINGS.dtypes, size=30, specials=0.1, weights=weights)
    found = (random_program(rng, settings) for _ in range(1000))
    return [one for one in found if source_of(one, flush=False) is not None][:count]


@pytest.mark.parametrize("flush", [False, True])
def test_random_programs_have_the_same_bits(flush):
    x = np.concatenate([values(F32, 400), ordinary(F32, 400)])
    for program in _covered(2):
        got = generated(DeviceModel(program, flush))(x)
        want = evaluate(program, x, flush=flush)
        wrong = np.flatnonzero(~same(got, want))
        assert not wrong.size, (program, x[wrong[:3]], got[wrong[:3]], want[wrong[:3]])


@pytest.mark.parametrize(("kind", "short"), [(F32, "i32"), (F32, "u32"), (F64, "i64")], ids=repr)
@pytest.mark.parametrize("op", ["shr_arith", "shl"])
@pytest.mark.parametrize("amount", [4, 100])
def test_shifts_have_the_same_bits(kind, short, op, amount):
    program = parse_program(
        f"program f(x: {kind}) -> {kind} {{ %0: {short} = bitcast x %1: {short} = const {amount}"
        f" %2: {short} = {op} %0, %1 %3: {kind} = bitcast %2 return %3 }}"
    )
    x = values(kind, 400)
    assert source_of(program, flush=False) is not None
    assert same(generated(DeviceModel(program, False))(x), evaluate(program, x)).all()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (F64, "%0: i64 = bitcast x %1: f64 = convert %0 return %1"),
        (F64, "%0: i64 = bitcast x %1: i32 = convert %0 %2: f64 = convert %1 return %2"),
        (F64, "%0: i64 = bitcast x %1: i64 = not %0 %2: f64 = bitcast %1 return %2"),
        (F32, "%0: u32 = bitcast x %1: u32 = not %0 %2: f32 = bitcast %1 return %2"),
        (F32, "%0: f32 = const 0x1p+0 %1: bool = lt x, %0 %2: bool = not %1"
              " %3: f32 = select %2, x, %0 return %3"),
    ],
)  # fmt: skip
def test_conversions_of_long_integers_and_complements_have_the_same_bits(kind, text):
    program = parse_program(f"program f(x: {kind}) -> {kind} {{ {text} }}")
    x = np.concatenate([values(kind, 400), ordinary(kind, 400)])
    assert source_of(program, flush=False) is not None
    assert same(generated(DeviceModel(program, False))(x), evaluate(program, x)).all()


def test_a_program_without_a_row_is_evaluated_as_before():
    text = "program f(x: f32) -> f32 { %0: f32 = fma x, x, x return %0 }"
    program = parse_program(text)
    x = ordinary(F32, 100)
    assert source_of(program, flush=False) is None
    assert same(generated(DeviceModel(program, False))(x), evaluate(program, x)).all()
