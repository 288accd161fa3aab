import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from tests.lowering.programs import same, values
from xla_evo_lowering.branches import LEAST_ELEMENTS, branches, unmarked
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import BOOL, F32, F64, DType
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Builder, Program
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program, print_program


def signed(dtype: DType = F32, op: str = "lt", *, marked: bool = True) -> Program:
    """2 x, but for a negative x its square, and infinity for infinity."""
    b = Builder("signed", x=dtype)
    zero, infinity = b.const(0.0, dtype), b.const(np.inf, dtype)
    operands = (0, zero) if op in ("lt", "le") else (zero, 0)
    negative = b.apply(op, *operands)
    negative = b.apply("unlikely", negative) if marked else negative
    chosen = b.apply("select", negative, b.apply("mul", 0, 0), b.apply("add", 0, 0))
    return b.build(b.apply("select", b.apply("eq", 0, infinity), infinity, chosen))


def conditional(function, *specs, **settings) -> bool:
    return "conditional(" in jax.jit(function, **settings).lower(*specs).compile().as_text()


def spec(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


@pytest.mark.parametrize("dtype", [F32, F64], ids=repr)
@pytest.mark.parametrize("op", ["lt", "gt"])
def test_the_mark_leaves_the_condition_out_for_positive_inputs(dtype: DType, op: str) -> None:
    program = signed(dtype, op)
    found = branches(program)
    assert found is not None
    assert [row.op for row in found.part.program.body] == ["add"]
    assert "unlikely" not in {row.op for row in found.every.body}
    x = values(dtype, 1 << 12)
    is_any = evaluate(found.extraordinary, x)
    with np.errstate(invalid="ignore"):
        tiny, largest = np.finfo(dtype.numpy).tiny, np.finfo(dtype.numpy).max
        np.testing.assert_array_equal(is_any, ~((x >= tiny) & (x <= largest)))
    assert same(evaluate(found.part.program, x[~is_any]), evaluate(program, x[~is_any])).all()
    assert same(evaluate(found.every, x), evaluate(program, x)).all()


def test_a_program_without_marks_has_no_branches() -> None:
    assert branches(signed(marked=False)) is None
    assert unmarked(signed()) == unmarked(signed(marked=False))


def test_a_mark_on_what_any_input_may_be_makes_no_branch() -> None:
    b = Builder("fold", x=F32)
    far = b.apply("unlikely", b.apply("gt", 0, b.const(0.5, F32)))
    below = b.apply("lt", 0, b.const(-100.0, F32))
    inner = b.apply("select", far, b.const(1.0, F32), b.apply("mul", 0, 0))
    assert branches(b.build(b.apply("select", below, b.const(7.0, F32), inner))) is None


def test_the_mark_is_text_and_means_nothing_else() -> None:
    program = signed()
    assert "unlikely" in print_program(program)
    assert parse_program(print_program(program)) == program
    x = values(F32, 1 << 10)
    assert same(evaluate(program, x), evaluate(signed(marked=False), x)).all()
    b = Builder("p", p=BOOL)
    assert evaluate(b.build(b.apply("unlikely", 0)), np.array([True, False])).tolist() == [1, 0]


@pytest.mark.parametrize("count", [1, LEAST_ELEMENTS - 1, LEAST_ELEMENTS, 5000])
def test_both_branches_give_the_bits_of_the_program(count: int) -> None:
    run = Executable.of_program(signed())
    x = np.linspace(0.01, 9, count, dtype=np.float32)
    for places in ((), (0,), (-1,), (count // 2,)):
        for value in (-3.0, np.nan, np.inf, -0.0, 0.0, 1e-40):
            given = x.copy()
            given[list(places)] = value
            assert same(run(given), evaluate(signed(), given, flush=True)).all(), (places, value)


def test_only_arrays_of_some_size_are_asked() -> None:
    function = as_function(signed())
    assert conditional(function, spec(LEAST_ELEMENTS))
    assert conditional(function, spec(2, LEAST_ELEMENTS // 2))
    assert conditional(jax.vmap(function), spec(LEAST_ELEMENTS, 1))
    assert not conditional(function, spec(LEAST_ELEMENTS - 1))
    assert not conditional(function, spec())
    assert not conditional(as_function(signed(marked=False)), spec(LEAST_ELEMENTS))


def test_under_transformations() -> None:
    function, x = as_function(signed()), np.linspace(-2, 9, 1024, dtype=np.float32)
    want = evaluate(signed(), x)
    np.testing.assert_array_equal(jax.vmap(function)(x.reshape(4, 256)).ravel(), want)
    np.testing.assert_array_equal(
        jax.vmap(jax.vmap(function), 1)(x.reshape(4, 256)).T.ravel(), want
    )
    carried, _ = jax.lax.scan(lambda c, _: (function(c), None), x, length=2)
    np.testing.assert_array_equal(carried, evaluate(signed(), want))
    with jax.disable_jit():
        np.testing.assert_array_equal(function(x), want)
    with jax.debug_nans(True):
        np.testing.assert_array_equal(jax.jit(function)(x), want)


def test_exported_for_any_size_and_for_several_platforms() -> None:
    x = np.linspace(-2, 9, 1024, dtype=np.float32)
    (size,) = jax.export.symbolic_shape("n")
    any_size = jax.export.export(jax.jit(as_function(signed())))(
        jax.ShapeDtypeStruct((size,), jnp.float32)
    )
    both = jax.export.export(jax.jit(as_function(signed())), platforms=("cpu", "tpu"))(spec(1024))
    one = jax.export.export(jax.jit(as_function(signed())))(spec(1024))
    for exported, branching in ((any_size, False), (both, False), (one, True)):
        assert ("stablehlo.case" in exported.mlir_module()) == branching
        np.testing.assert_array_equal(exported.call(x), evaluate(signed(), x))


def test_what_xla_splits_over_devices_has_no_branch() -> None:
    devices = jax.devices("cpu")
    if len(devices) < 2:
        pytest.skip("one device; tests/integration/test_processes.py runs this with two")
    function, specs = as_function(signed()), {"in_specs": P("d"), "out_specs": P("d")}
    mesh = Mesh(np.array(devices[:2]), ("d",))
    split = NamedSharding(mesh, P("d"))
    assert not conditional(function, spec(4096), in_shardings=split)
    mapped = jax.shard_map(function, mesh=mesh, **specs)
    assert conditional(mapped, spec(4096), in_shardings=split)
    x = np.linspace(-2, 9, 4096, dtype=np.float32)
    for made in (functools.partial(jax.jit, in_shardings=split)(function), jax.jit(mapped)):
        np.testing.assert_array_equal(made(x), evaluate(signed(), x))
        assert "all-" not in made.lower(spec(4096)).compile().as_text()
