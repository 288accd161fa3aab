"""Machine code of programs: the bits of its results."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo_lowering import native
from xla_evo_lowering.cpp import emit_cpp
from xla_evo_lowering.custom_call import as_custom_call
from xla_evo_lowering.dtypes import BF16, F32, F64, I32, U32, DType
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.interpret import contract, evaluate
from xla_evo_lowering.ordinary import ordinary
from xla_evo_lowering.program import Builder, Program
from xla_evo_lowering.text import parse_program

from .programs import needs_compiler, same, square_plus


def mixture() -> Program:
    """Every kind of operation, in one program of float32."""
    b = Builder("mixture", x=F32)
    x = 0
    bits = b.apply("bitcast", x, dtype=I32)
    shifted = b.apply("shr_arith", bits, b.const(3, I32))
    wrapped = b.apply("mul", shifted, b.const(0x7FFFFFF1, I32))
    unsigned = b.apply("bitcast", wrapped, dtype=U32)
    left = b.apply("shl", unsigned, b.const(33, U32))
    right = b.apply("shr_logical", unsigned, b.const(9, U32))
    either = b.apply("xor", b.apply("or", left, right), b.apply("not", unsigned))
    whole = b.apply("convert", b.apply("and", either, b.const(0xFFFF, U32)), dtype=F32)
    wide = b.apply("convert", x, dtype=F64)
    root = b.apply("sqrt", b.apply("abs", wide))
    narrow = b.apply("convert", b.apply("round_even", root), dtype=F32)
    small = b.apply("max", b.apply("min", x, b.const(3.0, F32)), b.const(-3.0, F32))
    held = b.apply("clamp", b.const(-2.0, F32), small, b.const(2.5, F32))
    integer = b.apply("convert", x, dtype=I32)
    back = b.apply("convert", integer, dtype=F32)
    total = b.apply("add", b.apply("mul", held, narrow), whole)
    quotient = b.apply("div", b.apply("sub", total, b.apply("floor", held)), b.const(7.0, F32))
    chosen = b.apply("select", b.apply("lt", x, back), quotient, b.apply("neg", back))
    either_way = b.apply("and", b.apply("ge", x, held), b.apply("ne", x, narrow))
    return b.build(b.apply("select", either_way, chosen, total))


def inputs(count: int, seed: int = 0) -> np.ndarray:
    patterns = np.random.default_rng(seed).integers(0, 1 << 32, count, dtype=np.uint64)
    x = patterns.astype(np.uint32).view(np.float32)
    # Subnormal numbers are flushed by the machine code and not by NumPy.
    return np.where(np.abs(x) < 2.0**-126, np.float32(0), x)


def assert_same_bits(got, expected) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    differs = got.view(np.uint32) != expected.view(np.uint32)
    differs &= ~(np.isnan(got) & np.isnan(expected))
    assert not differs.any(), (got[differs][:5], expected[differs][:5])


@needs_compiler
@pytest.mark.parametrize("make", [mixture, square_plus])
def test_machine_code_gives_the_bits_of_the_contracted_program(make) -> None:
    program = make()
    x = inputs(1 << 14)
    contracts = "+fma" in native.instruction_set()
    expected = evaluate(contract(program) if contracts else program, x)
    got = np.asarray(jax.jit(as_custom_call(program))(x))
    tiny = (np.abs(expected) < 2.0**-126) & (np.abs(got) < 2.0**-126)
    assert_same_bits(np.where(tiny, 0, got), np.where(tiny, 0, expected))


@needs_compiler
def test_bits_do_not_depend_on_length_or_threads() -> None:
    call = as_custom_call(mixture())
    x = inputs((1 << 18) + 13)
    whole = np.asarray(jax.jit(call)(x))
    for length in (1, 2, 7, 15, 16, 17, 33, 1000, (1 << 16) - 1, (1 << 16) + 1):
        assert_same_bits(jax.jit(call)(x[5 : 5 + length]), whole[5 : 5 + length])
    for _ in range(5):
        assert_same_bits(jax.jit(call)(x), whole)


@needs_compiler
def test_short_programs_are_shared_out_where_arrays_are_large() -> None:
    program = square_plus()
    assert "kThreaded = 524288;" in emit_cpp(program, "f")
    x = inputs((1 << 19) + 13)
    call = jax.jit(as_custom_call(program))
    assert_same_bits(call(x)[:1000], call(x[:1000]))
    assert_same_bits(call(x)[-1000:], call(x[-1000:]))


@needs_compiler
def test_calls_one_after_another_give_the_same_bits_shared_out_or_not() -> None:
    program = mixture()
    sizes = re.findall(r"k(?:Threaded|Warm) = (\d+)", emit_cpp(program, "f"))
    threaded, warm = map(int, sizes)
    assert warm < threaded
    x = inputs((warm + threaded) // 2)
    call = jax.jit(as_custom_call(program))
    first = np.asarray(call(x))
    for _ in range(50):
        assert_same_bits(call(x), first)


@needs_compiler
def test_extreme_inputs_change_no_bit_of_their_neighbours() -> None:
    b = Builder("ends", x=F32)
    below, above = b.apply("lt", 0, b.const(-80.0, F32)), b.apply("gt", 0, b.const(90.0, F32))
    square = b.apply("add", b.apply("mul", 0, 0), b.const(0.1, F32))
    high = b.apply("select", above, b.const(math.inf, F32), square)
    program = b.build(b.apply("select", below, b.apply("neg", 0), high))
    assert ordinary(program) is not None
    call = jax.jit(as_custom_call(program))
    x = np.linspace(-50.0, 50.0, 100_001, dtype=np.float32)
    tame = np.asarray(call(x))
    for places in ([0], [2047, 2048], [100_000], [5000, 50_000, 99_999], range(0, 100_001, 700)):
        wild = x.copy()
        wild[list(places)[::2]] = 1000.0
        wild[list(places)[1::2]] = math.nan
        got = np.asarray(call(wild))
        expected = tame.copy()
        expected[list(places)[::2]] = math.inf
        expected[list(places)[1::2]] = math.nan
        assert_same_bits(got, expected)


@needs_compiler
def test_transformations() -> None:
    call = as_custom_call(square_plus())
    x = jnp.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(jax.vmap(call)(x), x * x + 1.5)
    np.testing.assert_array_equal(jax.vmap(jax.vmap(call), in_axes=1)(x), (x * x + 1.5).T)
    np.testing.assert_array_equal(call(jnp.float32(2)), 5.5)
    assert call(jnp.zeros((0, 3))).shape == (0, 3)
    _, outs = jax.lax.scan(lambda c, v: (c, call(v)), 0, x)
    np.testing.assert_array_equal(outs, x * x + 1.5)


@needs_compiler
def test_program_of_two_parameters_and_of_float64() -> None:
    b = Builder("combine", x=F32, y=F32)
    combine = as_custom_call(b.build(b.apply("sub", b.apply("mul", 0, 1), 0)))
    np.testing.assert_array_equal(combine(jnp.float32(3), jnp.float32(5)), 12)
    b = Builder("wide", x=F64)
    wide = as_custom_call(b.build(b.apply("add", 0, b.const(1 / 3, F64))))
    with jax.enable_x64(True):
        np.testing.assert_array_equal(wide(jnp.float64(1)), 1 + 1 / 3)


@needs_compiler
def test_the_handler_refuses_what_the_program_does_not_take() -> None:
    name = native.register(square_plus(4.5))
    x, like = jnp.ones(8), jax.ShapeDtypeStruct((8,), jnp.float32)
    np.testing.assert_array_equal(jax.ffi.ffi_call(name, like)(x), 5.5)
    with pytest.raises(jax.errors.JaxRuntimeError, match="another number of arguments"):
        jax.ffi.ffi_call(name, like)(x, x)
    with pytest.raises(jax.errors.JaxRuntimeError, match="another type of argument"):
        jax.ffi.ffi_call(name, like)(jnp.arange(8))


def test_paths_are_not_split_where_choices_share_a_condition() -> None:
    for shared in (3, 4):
        b = Builder("choices", x=F32)
        condition, value = b.apply("lt", 0, b.const(0.5, F32)), 0
        for number in range(shared):
            value = b.apply("add", b.apply("select", condition, value, b.const(number, F32)), 0)
        assert ("no-thread-jumps" in emit_cpp(b.build(value), "handler")) == (shared == 4)


@pytest.mark.parametrize("dtype", [F32, F64], ids=repr)
@pytest.mark.parametrize("op", ["max", "min"])
@pytest.mark.parametrize("constant", [0.0, -0.0, 1.0, math.nan])
def test_extremes_beside_a_constant(dtype: DType, op: str, constant: float) -> None:
    """By one comparison, but for a nan, with the sign of zeros and nan as the op table has them."""
    x = np.array([-0.0, 0.0, math.nan, -1.0, 1.0, 2.0, -math.inf, math.inf] * 4, dtype.numpy)
    for swapped in (False, True):
        b = Builder("extreme", x=dtype)
        operands = (0, b.const(constant, dtype))
        program = b.build(b.apply(op, *(operands[::-1] if swapped else operands)))
        with jax.enable_x64(True):
            got = np.asarray(jax.jit(as_custom_call(program))(x))
        np.testing.assert_array_equal(got, evaluate(program, x))
        np.testing.assert_array_equal(np.signbit(got), np.signbit(evaluate(program, x)))
        one = "imum(v" not in emit_cpp(program, "handler")
        assert one == (not math.isnan(constant))


def assert_called_gives(text: str, *columns: list[float]) -> None:
    """The machine code of a program gives NumPy's bits, in a vector loop too."""
    program = parse_program(text)
    arrays = [
        np.tile(np.array(column, parameter.dtype.numpy), 8)
        for column, parameter in zip(columns, program.parameters, strict=True)
    ]
    with jax.enable_x64(True):
        got = np.asarray(jax.jit(as_custom_call(program))(*arrays))
    assert same(got, evaluate(program, *arrays, flush=True)).all(), got


@needs_compiler
@pytest.mark.parametrize("op", ["neg", "abs"])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("compare", ["lt", "gt"])
def test_the_least_integer_is_its_own_negative_and_magnitude(op, bits, compare) -> None:
    assert_called_gives(
        f"program p(x: f{bits}) -> f{bits} {{ %0: i{bits} = bitcast x %1: i{bits} = {op} %0"
        f" %2: i{bits} = const 0 %3: bool = {compare} %1, %2 %4: f{bits} = convert %3 return %4 }}",
        [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf],
    )


FUSED = "%0: f32 = fma a, b, c"


@needs_compiler
@pytest.mark.parametrize(
    "body",
    [
        "%1: f32 = neg %0 return %1",
        "%1: f32 = guard %0 %2: f32 = neg %1 return %2",
        "%1: f64 = convert %0 %2: f32 = convert %1 %3: f32 = neg %2 return %3",
        "%1: f32 = const -0x0p+0 %2: f32 = sub %1, %0 return %2",
        "%1: f32 = const -0x1p+0 %2: f32 = mul %0, %1 return %2",
        "%1: f32 = const -0x1p+0 %2: f32 = div %0, %1 return %2",
        "%1: f32 = neg d %2: f32 = div %0, %1 return %2",
        "%1: f32 = neg %0 %2: bool = lt d, a %3: f32 = select %2, %1, d return %3",
        "%1: f32 = neg %0 %2: bool = gt d, a %3: f32 = select %2, %1, %0 return %3",
        "%1: f32 = neg %0 %2: f32 = div d, %1 return %2",
    ],
)
def test_an_exact_zero_of_a_fused_sum_keeps_its_sign_when_it_is_negated(body) -> None:
    assert_called_gives(
        f"program p(a: f32, b: f32, c: f32, d: f32) -> f32 {{ {FUSED} {body} }}",
        [2.0, -2.0, 2.0, 0.0, 0.0, 1.5], [3.0, 3.0, 3.0, 1.0, -1.0, 2.0],
        [-6.0, 6.0, -6.0, 0.0, -0.0, 1.0], [5.0, 5.0, -5.0, 1.0, 1.0, 3.0],
    )  # fmt: skip


@needs_compiler
@pytest.mark.parametrize(
    "body",
    [
        "%0: f32 = min x, y return %0",
        "%0: f32 = max x, y return %0",
        "%0: f32 = const -0x1p+6 %1: f32 = max x, %0 return %1",
        "%0: f32 = const 0x1p+6 %1: f32 = min x, %0 %2: f32 = neg %1 return %2",
        "%0: f32 = const -0x1p+6 %1: f32 = const 0x1p+6 %2: f32 = clamp %0, x, %1 return %2",
        "%0: bool = lt x, y %1: f32 = select %0, x, y %2: f32 = max %1, x return %2",
    ],
)
def test_min_and_max_read_subnormal_numbers_as_zero(body) -> None:
    assert_called_gives(
        f"program p(x: f32, y: f32) -> f32 {{ {body} }}",
        [1e-45, -1e-45, 1e-39, 1.0, -1e-45, math.nan, math.inf],
        [1.0, -1.0, 2e-39, -1e-45, 1e-45, 1e-45, 1e-45],
    )


@pytest.mark.parametrize("length", [20, 120])
def test_the_loop_over_a_long_program_calls_nothing(length: int) -> None:
    b = Builder("long", x=F64)
    value = 0
    for number in range(length):
        value = b.apply("add", b.apply("mul", value, 0), b.const(1 / (number + 1), F64))
    text = native.source(b.build(value))
    assert ("always_inline" in text) == (length == 120)


def test_no_name_gets_into_the_source() -> None:
    hostile = "x_system"
    program = square_plus(name=hostile)
    text = emit_cpp(program, "handler")
    assert hostile not in text
    assert "v0 * v0" in text


def test_other_formats_are_refused() -> None:
    b = Builder("narrow", x=BF16)
    with pytest.raises(BackendError, match="bfloat16"):
        native.source(b.build(b.apply("add", 0, 0)))
