import numpy as np
import pytest
from hypothesis import given, settings

from xla_evo_lowering.dtypes import BOOL, F32, FLOATS, I32, REAL
from xla_evo_lowering.errors import ConfigError
from xla_evo_lowering.generate import Generator, random_constant, random_program, special_bits
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import bits_float

from .programs import REALS, TYPED, programs


@given(programs(TYPED))
@settings(max_examples=50, deadline=None)
def test_types_that_were_not_asked_for_do_not_appear(program):
    allowed = {*(item.dtype for item in program.parameters), program.dtype, BOOL}
    assert len(set(program.types) - allowed) <= 3


def test_a_state_gives_one_program():
    settings_ = Generator(parameters=(F32, I32), dtypes=(F32, I32), size=30)
    first, second = (random_program(np.random.default_rng(7), settings_) for _ in range(2))
    assert first == second
    assert first != random_program(np.random.default_rng(8), settings_)


def test_every_operation_of_the_table_is_drawn():
    rng = np.random.default_rng(0)
    settings_ = Generator(parameters=(F32, I32), dtypes=TYPED, size=200)
    drawn = {one.op for _ in range(20) for one in random_program(rng, settings_).body}
    assert drawn == set(OPS)


def test_weights_choose_operations():
    settings_ = Generator(weights={"add": 1.0}, size=10)
    program = random_program(np.random.default_rng(0), settings_)
    assert [one.op for one in program.body] == ["add"] * 10


def test_real_programs():
    program = random_program(np.random.default_rng(0), REALS)
    assert program.is_real


@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_specials_hold_the_edges(dtype):
    numbers = {bits_float(bits, dtype) for bits in special_bits(dtype) if bits}
    largest = (2 - 2.0 ** (1 - dtype.precision)) * 2.0**dtype.emax
    least = 2.0 ** (dtype.emin - dtype.mantissa_bits)
    assert {largest, -largest, least, 2.0**dtype.emin, 1.0, float("inf")} <= numbers
    assert random_constant(np.random.default_rng(0), dtype, specials=1.0).value in special_bits(
        dtype
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {"sinh": 1.0}}, "unknown operations: sinh"),
        ({"parameters": ()}, "at least one parameter"),
        ({"size": -1}, "size is -1"),
        ({"parameters": (REAL,)}, "do not mix"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ConfigError, match=message):
        Generator(**change)
