"""Golden StableHLO, and programs under JAX's transformations.

After a wanted change: ``XLA_EVO_UPDATE_GOLDEN=1 pytest tests/lowering/test_stablehlo.py``.
"""

import os
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import F32, F64, I32, REAL
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Builder
from xla_evo_lowering.stablehlo import as_function, to_stablehlo
from xla_evo_lowering.text import parse_program

from .programs import MIX, programs

GOLDEN = Path(__file__).parent / "golden"
SIN = parse_program(
    """program sin(x: f32) -> f32 {
      %c: f32 = const -0x1.555556p-3
      %s: f32 = mul x, x
      %p: f32 = mul %s, %c
      %g: f32 = guard %p
      %q: f32 = mul %g, x
      %r: f32 = add %q, x
      return %r
    }"""
)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.xe")), ids=lambda path: path.stem)
@pytest.mark.parametrize("shape", [(), (8,)], ids=["scalar", "vector"])
def test_golden_modules(path, shape):
    program = parse_program(path.read_text(), source=path.name)
    with jax.enable_x64(True):
        module = to_stablehlo(program, shape)
    golden = path.with_suffix(".scalar.mlir" if shape == () else ".mlir")
    if os.environ.get("XLA_EVO_UPDATE_GOLDEN"):
        golden.write_text(module)
    assert module == golden.read_text()


def test_there_are_golden_modules():
    assert len(list(GOLDEN.glob("*.mlir"))) >= 8


@given(programs(MIX))
@settings(max_examples=60, deadline=None)
def test_every_program_lowers_with_one_operation_an_instruction(program):
    module = to_stablehlo(program, ())
    live = [item for item in program.body if item.op not in ("const", "fma", "unlikely")]
    found = re.findall(r"= stablehlo\.(?!constant)(\w+)", module)
    fused = sum(item.op == "fma" for item in program.body)
    assert len(found) == len(live) + 2 * fused


def _plain(x):
    return evaluate(SIN, np.asarray(x, np.float32))


def _near(got, want):
    np.testing.assert_allclose(np.asarray(got), want, rtol=3e-7)


X = np.linspace(-1, 1, 24, dtype=np.float32)


def test_eager_and_jit_and_any_shape():
    function = as_function(SIN)
    for shape in [(24,), (4, 6), (2, 3, 4), (1, 24)]:
        x = X.reshape(shape)
        _near(function(x), _plain(x))
        _near(jax.jit(function)(x), _plain(x))
    _near(function(np.float32(0.5)), _plain(0.5))
    assert function(np.zeros((0, 3), np.float32)).shape == (0, 3)


def test_vmap_over_some_arguments():
    program = parse_program("program f(a: f32, b: f32) -> f32 { %0: f32 = sub a, b return %0 }")
    function = as_function(program)
    a, b = X.reshape(4, 6), X[:6]
    np.testing.assert_array_equal(jax.vmap(function, (0, None))(a, b), a - b)
    np.testing.assert_array_equal(jax.vmap(function, (None, 0), 1)(b, a), (b - a).T)
    np.testing.assert_array_equal(jax.vmap(jax.vmap(function), (1, 1))(a, a), np.zeros((6, 4)))


def test_scan_while_and_cond():
    function = as_function(SIN)
    carried, _ = jax.lax.scan(lambda c, _: (function(c), None), X, length=3)
    _near(carried, _plain(_plain(_plain(X))))
    _near(jax.lax.cond(True, function, lambda x: x, X), _plain(X))
    _near(jax.lax.fori_loop(0, 2, lambda _, c: function(c), X), _plain(_plain(X)))


def test_dynamic_shapes_through_export():
    (rows, columns) = jax.export.symbolic_shape("n, 3*m")
    spec = jax.ShapeDtypeStruct((rows, columns), jnp.float32)
    exported = jax.export.export(jax.jit(as_function(SIN)))(spec)
    for shape in [(4, 6), (8, 3)]:
        _near(exported.call(X.reshape(shape)), _plain(X.reshape(shape)))


def test_two_programs_under_one_jit_are_two():
    other = parse_program("program sin(x: f32) -> f32 { %0: f32 = neg x return %0 }")
    first, second = as_function(SIN), as_function(other)
    np.testing.assert_array_equal(jax.jit(lambda x: second(x))(X), -X)
    _near(jax.jit(lambda x: first(x) - second(x))(X), _plain(X) + X)


def test_results_of_another_type():
    builder = Builder("exponent", x=F32)
    bits = builder.apply("bitcast", 0, dtype=I32)
    program = builder.build(builder.apply("shr_logical", bits, builder.const(23, I32)))
    np.testing.assert_array_equal(as_function(program)(np.float32([1, 2, 8])), [127, 128, 130])


def test_wrong_inputs_are_told():
    with pytest.raises(ProgramError, match=r"x is float32 of one shape with the others, got int32"):
        as_function(SIN)(np.arange(3))
    with pytest.raises(ProgramError, match="program sin takes 1 arrays, not 2"):
        as_function(SIN)(X, X)


def test_a_real_program_has_no_stablehlo():
    builder = Builder("r", x=REAL)
    program = builder.build(builder.apply("add", 0, 0))
    for use in (to_stablehlo, as_function, Executable.of_program):
        with pytest.raises(ProgramError, match="program r is over the reals"):
            use(program)


def test_wide_values_inside_a_narrow_program_need_no_mode():
    builder = Builder("sum", x=F32)
    wide = builder.apply("convert", 0, dtype=F64)
    tiny = builder.apply("add", wide, builder.const(1e-12, F64))
    less = builder.apply("sub", tiny, wide)
    program = builder.build(builder.apply("convert", less, dtype=F32))
    assert "f64" in to_stablehlo(program)
    np.testing.assert_array_equal(as_function(program)(X), evaluate(program, X))
    assert (evaluate(program, X) > 0).all()
