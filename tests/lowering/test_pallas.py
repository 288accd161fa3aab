"""Pallas kernels: their bits in interpret mode, their machine code where the compilers are."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from tests.lowering.plugins import installed
from tests.lowering.programs import needs_compiler, values
from tests.lowering.test_native import assert_same_bits, inputs
from xla_evo_lowering import pallas
from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.backends import backend
from xla_evo_lowering.custom_call import RULES, as_custom_call, custom_call_p
from xla_evo_lowering.dtypes import BF16, F16, F32, F64, I32, U32, U64
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.interpret import contract, evaluate
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Builder, Program
from xla_evo_lowering.text import parse_program

# As of jax 0.12.
pytestmark = pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated")

FUNCTIONS = [pallas.triton_function, pallas.mosaic_function]
SHAPES = [(), (1,), (0, 3), (1030,), (3, 7), (2, 3, 5), (5, 300)]


def mixed() -> Program:
    """Every operation that a kernel spells in its own way, but divisions."""
    b = Builder("mixed", x=F32)
    x = 0
    bits = b.apply("bitcast", x, dtype=I32)
    unsigned = b.apply("bitcast", x, dtype=U32)
    left = b.apply("shl", unsigned, b.const(33, U32))
    right = b.apply("shr_logical", unsigned, b.const(9, U32))
    down = b.apply("bitcast", b.apply("shr_arith", bits, b.const(40, I32)), dtype=U32)
    either = b.apply("xor", b.apply("or", left, right), b.apply("not", down))
    whole = b.apply("convert", b.apply("and", either, b.const(0xFFFF, U32)), dtype=F32)
    held = b.apply("clamp", b.const(-2.5, F32), x, b.const(2.5, F32))
    root = b.apply("sqrt", b.apply("abs", held))
    integer = b.apply("convert", b.apply("convert", x, dtype=I32), dtype=F32)
    rounded = b.apply("add", b.apply("round_even", held), b.apply("floor", held))
    total = b.apply("add", b.apply("mul", b.apply("guard", root), whole), rounded)
    either_way = b.apply("and", b.apply("ge", x, held), b.apply("ne", x, root))
    chosen = b.apply("max", total, b.apply("min", b.apply("neg", x), integer))
    return b.build(b.apply("select", either_way, chosen, total))


def product_and_sum(op: str, dtype=F32) -> Program:
    b = Builder(op, x=dtype, y=dtype)
    if op == "fma":
        return b.build(b.apply("fma", 0, 1, b.const(0.1, dtype)))
    return b.build(b.apply("add", b.apply("mul", 0, 1), b.const(0.1, dtype)))


@pytest.mark.parametrize("make", FUNCTIONS)
def test_interpreted_kernels_give_the_bits_of_the_program(make) -> None:
    program = mixed()
    for shape in SHAPES:
        x = inputs(math.prod(shape)).reshape(shape)
        got = jax.jit(make(program, interpret=True))(x)
        assert got.shape == shape
        assert_same_bits(got, evaluate(contract(program), x))


@pytest.mark.parametrize("make", FUNCTIONS)
def test_interpreted_fma_rounds_once(make) -> None:
    x, y = (np.random.default_rng(seed).normal(size=300).astype(np.float32) for seed in (1, 2))
    program = product_and_sum("fma")
    assert_same_bits(make(program, interpret=True)(jnp.asarray(x), y), evaluate(program, x, y))


@pytest.mark.parametrize("make", FUNCTIONS)
@pytest.mark.parametrize("short", ["i32", "i64", "u32"])
def test_interpreted_kernels_take_integers(make, short) -> None:
    program = parse_program(
        f"program f(x: {short}) -> {short} {{ %0: {short} = not x %1: {short} = add %0, x"
        f" %2: {short} = mul %1, x return %2 }}"
    )
    x = values(program.dtype, 1030)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(make(program, interpret=True)(x), evaluate(program, x))


def test_a_triton_kernel_refuses_more_elements_than_it_can_number() -> None:
    kernel = jax.jit(pallas.triton_function(product_and_sum("mul")))
    most, more = (jax.ShapeDtypeStruct((count,), np.float32) for count in (2**31 - 1, 2**31))
    kernel.trace(most, most)
    with pytest.raises(BackendError, match="at most 2147483647 elements, not 2147483648"):
        kernel.trace(more, more)


@pytest.mark.parametrize("make", FUNCTIONS)
def test_blocks_cover_large_arrays(make, monkeypatch) -> None:
    monkeypatch.setattr(pallas, "MOSAIC_ROWS", 8)
    monkeypatch.setattr(pallas, "MOSAIC_COLUMNS", 128)
    x = jnp.arange(20.0 * 300).reshape(20, 300)
    b = Builder("double", x=F32)
    double = b.build(b.apply("add", 0, 0))
    np.testing.assert_array_equal(make(double, interpret=True)(x), 2 * x)
    np.testing.assert_array_equal(make(double, interpret=True)(x.reshape(-1)), 2 * x.reshape(-1))


def test_formats_that_a_device_lacks_are_refused() -> None:
    with pytest.raises(BackendError, match="uses float64, which mosaic kernels do not"):
        pallas.mosaic_function(product_and_sum("fma", F64))
    b = Builder("half", x=BF16)
    pallas.mosaic_function(b.build(b.apply("add", 0, 0)))


def test_calls_are_lowered_for_one_known_platform() -> None:
    call = as_custom_call(product_and_sum("mul"))
    spec = jax.ShapeDtypeStruct((4,), np.float32)
    with pytest.raises(BackendError, match="one of cpu, cuda, tpu, not rocm"):
        jax.jit(call).trace(spec, spec).lower(lowering_platforms=("rocm",))
    with pytest.raises(BackendError, match="not cpu, tpu"):
        jax.jit(call).trace(spec, spec).lower(lowering_platforms=("cpu", "tpu"))


@needs_compiler
def test_batches_with_an_operand_that_is_shared() -> None:
    call = as_custom_call(product_and_sum("mul"))
    x, y = jnp.arange(12.0).reshape(3, 4), jnp.arange(4.0)
    got = jax.vmap(call, in_axes=(1, None))(x, y[:3])
    np.testing.assert_allclose(got, x.T * y[:3] + 0.1, rtol=1e-6)
    assert custom_call_p.name in str(jax.make_jaxpr(jax.vmap(call))(x, x))


def lowered(name: str, program: Program, shape=(64,)):
    """A program's custom call; jax 0.12 asks what the device of a Triton kernel is."""
    device = AbstractDevice(device_kind="NVIDIA H100", num_cores=132, platform="gpu")
    mesh = AbstractMesh((), (), abstract_device=device if name.startswith("cuda") else None)
    specs = [jax.ShapeDtypeStruct(shape, item.dtype.numpy) for item in program.parameters]
    with use_abstract_mesh(mesh):
        return lower_for(backend(name), as_custom_call(program), specs)


def ahead(name: str, program: Program, shapes) -> list[dict[str, str]]:
    """What the compiler of a backend makes of a program's custom call, shape by shape."""
    found = []
    with AheadOfTime(backend(name)) as process:
        for shape in shapes:
            texts = process.compile(lowered(name, program, shape))
            found.append({key: text.decode(errors="replace") for key, text in texts.items()})
    return found


@pytest.mark.parametrize("name", installed("cuda:sm_90"))
def test_triton_rounds_as_the_program_says(name) -> None:
    for texts in ahead(name, mixed(), [(5000,), (3, 7)]):
        assert "triton" in texts["hlo"]
        assert not re.search(r"\bfma\.|\.ftz|approx", texts["ptx"])
        assert {"mul.rn.f32", "sqrt.rn.f32", "cvt.rni.f32.f32"} <= set(
            re.findall(r"[a-z]+\.rni?\.f32(?:\.f32)?", texts["ptx"])
        )
    (texts,) = ahead(name, product_and_sum("fma"), [(64, 64)])
    assert "fma.rn.f32" in texts["ptx"]
    (texts,) = ahead(name, product_and_sum("mul"), [(64, 64)])
    assert "fma" not in texts["ptx"]


@pytest.mark.parametrize("name", installed("tpu:v5e"))
def test_mosaic_compiles(name) -> None:
    for texts in ahead(name, mixed(), [(5000,), (3, 7), (2, 512, 1200), ()]):
        assert "tpu_custom_call" in texts["optimized"]
        assert texts["llo"]


@pytest.mark.parametrize("name", installed("cuda:sm_90"))
def test_triton_keeps_nan_in_extremes(name) -> None:
    b = Builder("held", x=F32)
    (texts,) = ahead(name, b.build(b.apply("max", 0, b.const(1.5, F32))), [(64,)])
    assert re.search(r"setp\.(nan|num)|(max|min)\.NaN", texts["ptx"])


def test_an_extreme_beside_nan_is_nan() -> None:
    a, b = np.float32([np.nan, 1, np.nan, 2]), np.float32([1, np.nan, np.nan, 3])
    for drops, other in ((jnp.fmax, 3), (jnp.fmin, 2)):
        assert not np.isnan(drops(a, b)[:2]).any()
        np.testing.assert_array_equal(pallas._keeping_nan(drops)(a, b), [*[np.nan] * 3, other])
    np.testing.assert_array_equal(
        pallas._keeping_nan(lax.max)(np.arange(3), np.ones(3, int)), [1, 1, 2]
    )


@pytest.mark.parametrize("dtype", [F16, BF16, F32, F64])
@pytest.mark.parametrize("op", ["div", "sqrt", "rsqrt", "round_even", "mul", "min", "clamp"])
def test_triton_has_every_operation_in_every_format(op, dtype) -> None:
    b = Builder("one", x=dtype)
    program = b.build(b.apply(op, *[0] * OPS[op].arity))
    with jax.enable_x64(dtype is F64):
        lowered("cuda:sm_90", program)


def test_operations_by_float32_round_once() -> None:
    x, y = (values(F16, 4096, seed) for seed in (0, 1))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(pallas._by_float32(lax.div)(x, y), x / y)
        np.testing.assert_array_equal(pallas._by_float32(lax.sqrt)(x), np.sqrt(x))


def test_triton_takes_large_unsigned_constants() -> None:
    b = Builder("sign", x=F64)
    sign = b.apply("and", b.apply("bitcast", 0, dtype=U64), b.const(1 << 63, U64))
    program = b.build(b.apply("bitcast", sign, dtype=F64))
    with jax.enable_x64(True):
        lowered("cuda:sm_90", program)
        function = pallas.triton_function(program, interpret=True)
        np.testing.assert_array_equal(np.signbit(function(jnp.float64([-2, 3]))), [True, False])


def test_a_fused_product_that_triton_lacks_is_told() -> None:
    with pytest.raises(CompileError, match="no fused multiply-add for float16"):
        lowered("cuda:sm_90", product_and_sum("fma", F16))


def test_symbolic_shapes_are_refused_by_kernels() -> None:
    from jax import export

    spec = jax.ShapeDtypeStruct(export.symbolic_shape("n"), np.float32)
    traced = jax.jit(as_custom_call(mixed()))
    with pytest.raises(BackendError, match="sizes that are known"):
        export.export(traced, platforms=["tpu"])(spec)


def test_every_platform_has_a_rule() -> None:
    assert set(RULES) == {row.platform for row in map(backend, ("cpu", "cuda:sm_90", "tpu:v5e"))}


def test_lowering_errors_name_the_backend() -> None:
    wide = as_custom_call(product_and_sum("mul", F64))
    spec = jax.ShapeDtypeStruct((4,), np.float64)
    with jax.enable_x64(True), pytest.raises(CompileError, match=r"tpu:v5e failed: .*float64"):
        lower_for(backend("tpu:v5e"), wide, [spec, spec])
