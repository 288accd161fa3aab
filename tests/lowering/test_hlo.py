"""Optimised HLO read back as a program: what XLA's CPU backend computes, and the guard on all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.lowering.plugins import installed
from tests.lowering.programs import ordinary, same
from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.backends import backend
from xla_evo_lowering.compile import compile_stages
from xla_evo_lowering.dtypes import BOOL, F32, I32
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.generate import Generator, random_program
from xla_evo_lowering.hlo import program_of_hlo
from xla_evo_lowering.interpret import contract, evaluate
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program

SPEC = [jax.ShapeDtypeStruct((256,), "float32")]
ROUNDING = parse_program("""\
program rounding(x: f32) -> f32 {
  %0: f32 = const 0x1.8p+23
  %1: f32 = add x, %0
  %2: f32 = guard %1
  %3: f32 = sub %2, %0
  return %3
}
""")
"""Rounds to integers by a magic number; without its guard XLA makes the identity of it."""


def _optimized(function):
    return compile_stages(function, SPEC).texts["optimized"].decode()


def test_what_the_cpu_computes_is_what_the_hlo_says():
    weights = dict.fromkeys(
        ("const", "add", "sub", "mul", "div", "neg", "abs", "min", "max", "clamp", "sqrt", "floor",
         "round_even", "bitcast", "and", "or", "xor", "shl", "shr_logical", "lt", "ge", "select",
         "guard"), 1.0,
    )  # fmt: skip
    settings = Generator(dtypes=(F32, I32, BOOL), weights=weights, size=20, specials=0.0)
    rng = np.random.default_rng(3)
    x = ordinary(F32, 256)
    for _ in range(12):
        program = random_program(rng, settings)
        stages = compile_stages(as_function(program), SPEC)
        got = program_of_hlo(stages.texts["optimized"].decode())
        want = np.asarray(stages.call(x))
        assert same(evaluate(contract(got), x, flush=True), want).all(), program


def test_a_division_by_a_constant_is_read_as_the_product_that_xla_makes_of_it():
    program = program_of_hlo(_optimized(lambda x: x / 3))
    assert [item.op for item in program.body] == ["const", "mul"]


@pytest.mark.parametrize("name", installed("cpu:sse4", "cuda:sm_90", "tpu:v5e"))
def test_the_guard_holds_in_the_optimised_hlo(name):
    row = backend(name)
    x = np.linspace(-100, 100, 999, dtype=np.float32)
    with AheadOfTime(row) as process:
        texts = process.compile(lower_for(row, as_function(ROUNDING), SPEC))
    program = program_of_hlo(texts["optimized"].decode())
    np.testing.assert_array_equal(evaluate(program, x), np.rint(x))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (jnp.exp, "no model for the HLO operation exponential"),
        (lambda x: lax.reduce_precision(x, 5, 10), r"no model for reducing f32 to 5\+10 bits"),
        (lambda x: x + jnp.arange(256, dtype=jnp.float32), "no model for the HLO"),
    ],
)
def test_what_has_no_model_is_told(function, message):
    with pytest.raises(BackendError, match=message):
        program_of_hlo(_optimized(function))


def test_text_that_is_no_module_is_told():
    with pytest.raises(BackendError, match="no entry computation"):
        program_of_hlo("HloModule nothing\n")
