"""Programs as Pallas kernels: Triton on NVIDIA GPUs, Mosaic on TPUs.

The kernel computes a program operation by operation from the op table's ``kernel`` column. Nothing
rewrites it across operations, so guards cost nothing and vanish. Where a compiler would round
otherwise than the program says, its row spells the operation in the machine's own instruction:
Triton may fuse a product with a sum, divides and takes roots approximately, and has no rounding to
integers, while PTX has each of them with one rounding, and a fused multiply-add too; what PTX lacks
in 16 bits is computed in float32. Triton's min and max drop a nan beside a number. TPUs have no
fused multiply-add for float32; there ``fma`` is a product and a sum, as in XLA's own code.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.experimental import pallas as pl
from jax.interpreters import mlir

from xla_evo_lowering import _jax_compat, arithmetic
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.dtypes import BF16, F16, F32, F64, DType
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Program, constant_array

Form = Callable[..., Any]
Forms = Mapping[str, Form]

TRITON_BLOCK = 1024
"""Elements of one Triton program: eight for each thread of four warps."""
_MOST_ELEMENTS = (1 << 31) - 1
"""Elements are numbered by 32-bit integers."""
MOSAIC_ROWS, MOSAIC_COLUMNS = 256, 1024
"""Largest block of a TPU kernel; two of 4 bytes an element, twice buffered, take 4 MiB."""
_LANES = 128

_KNOWN = {"triton": (F16, BF16, F32, F64), "mosaic": (BF16, F32)}


def _shifted(shift: Form) -> Form:
    """A shift that gives zeros where the amount is the width or more, as XLA's do."""

    def form(x: Any, amount: Any) -> Any:
        width = x.dtype.itemsize * 8
        inside = lax.lt(_unsigned(amount), jnp.full(x.shape, width, f"uint{width}"))
        held = lax.select(inside, amount, jnp.zeros_like(amount))
        return lax.select(inside, shift(x, held), jnp.zeros_like(x))

    return form


def _shift_arithmetic(x: Any, amount: Any) -> Any:
    width = x.dtype.itemsize * 8
    last = jnp.full(x.shape, width - 1, amount.dtype)
    inside = lax.lt(_unsigned(amount), jnp.full(x.shape, width, f"uint{width}"))
    return lax.shift_right_arithmetic(x, lax.select(inside, amount, last))


def _unsigned(x: Any) -> Any:
    return lax.bitcast_convert_type(x, f"uint{x.dtype.itemsize * 8}")


def _convert(x: Any, to: Any) -> Any:
    """Value conversion with XLA's saturation, which the hardware need not have."""
    if to == np.bool_:
        return lax.ne(x, jnp.zeros_like(x))
    if not (jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(to, jnp.integer)):
        return lax.convert_element_type(x, to)
    limits = jnp.iinfo(to)

    def full(value: float, dtype: Any) -> Any:
        return jnp.full(x.shape, value, dtype)

    low, high = full(float(limits.min), x.dtype), full(float(limits.max), x.dtype)
    below = lax.select(lax.lt(x, high), x, jnp.zeros_like(x))
    held = lax.select(lax.gt(x, low), below, low)
    finite = lax.select(lax.eq(x, x), held, jnp.zeros_like(x))
    inside = lax.convert_element_type(finite, to)
    return lax.select(lax.ge(x, high), full(limits.max, to), inside)


_COMMON: Forms = {
    "shl": _shifted(lax.shift_left),
    "shr_logical": _shifted(lax.shift_right_logical),
    "shr_arith": _shift_arithmetic,
    "convert": _convert,
}


def _ptx(instruction: str) -> Form:
    """One PTX instruction on float32 or float64."""

    def form(*operands: Any) -> Any:
        from jax.experimental.pallas import triton

        letters = {"float32": "f", "float64": "d"}
        letter = letters[str(operands[0].dtype)]
        places = ", ".join(f"${number}" for number in range(len(operands) + 1))
        name = instruction.format(f"f{operands[0].dtype.itemsize * 8}")
        (result,) = triton.elementwise_inline_asm(
            f"{name} {places};",
            args=operands,
            constraints=",".join([f"={letter}", *[letter] * len(operands)]),
            pack=1,
            result_shape_dtypes=[jax.ShapeDtypeStruct(operands[0].shape, operands[0].dtype)],
        )
        return result

    return form


def _by_float32(form: Form) -> Form:
    """An operation that rounds once in 16 bits too: float32 has twice their digits, and two more.

    True of quotients, roots and roundings to integers (Figueroa, SIGNUM Newsletter 30(3), 1995).
    """

    def narrow(*operands: Any) -> Any:
        kind = operands[0].dtype
        if kind.itemsize > 2:
            return form(*operands)
        wide = (lax.convert_element_type(value, jnp.float32) for value in operands)
        return lax.convert_element_type(form(*wide), kind)

    return narrow


def _fma_ptx(*operands: Any) -> Any:
    kind = operands[0].dtype
    if kind.itemsize > 2:
        return _ptx("fma.rn.{}")(*operands)
    raise BackendError(f"Triton kernels have no fused multiply-add for {kind}")


def _mul_ptx(a: Any, b: Any) -> Any:
    # Products in 16 bits are not fused.
    wide = jnp.issubdtype(a.dtype, jnp.floating) and a.dtype.itemsize > 2
    return _ptx("mul.rn.{}")(a, b) if wide else lax.mul(a, b)


def _keeping_nan(extreme: Form) -> Form:
    """A min or max that gives nan beside nan."""

    def form(a: Any, b: Any) -> Any:
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return extreme(a, b)
        return lax.select(lax.ne(a, a), a, lax.select(lax.ne(b, b), b, extreme(a, b)))

    return form


_sqrt_ptx, _div_ptx = _by_float32(_ptx("sqrt.rn.{}")), _by_float32(_ptx("div.rn.{}"))
_min_ptx, _max_ptx = _keeping_nan(lax.min), _keeping_nan(lax.max)

_FORMS: Mapping[str, Forms] = {
    "triton": {
        **_COMMON,
        "guard": lambda x: x,
        "mul": _mul_ptx,
        "fma": _fma_ptx,
        "min": _min_ptx,
        "max": _max_ptx,
        "clamp": lambda low, x, high: _min_ptx(_max_ptx(x, low), high),
        "div": _div_ptx,
        "sqrt": _sqrt_ptx,
        "rsqrt": lambda x: _div_ptx(jnp.ones_like(x), _sqrt_ptx(x)),
        "round_even": _by_float32(_ptx("cvt.rni.{0}.{0}")),
    },
    "mosaic": {**_COMMON, "guard": lambda x: x},
    "interpret": {
        **_COMMON,
        "fma": lambda a, b, c: jax.pure_callback(
            lambda *values: arithmetic.fma(*map(np.asarray, values)),
            jax.ShapeDtypeStruct(a.shape, a.dtype), a, b, c,
        ),
        "rsqrt": lambda x: lax.div(jnp.ones_like(x), lax.sqrt(x)),
    },
}  # fmt: skip


def _filled(shape: tuple[int, ...], value: np.ndarray[Any, Any]) -> Any:
    """An array of one value; Triton's constants of 64 bits are signed."""
    if value.dtype == np.uint64:
        return lax.bitcast_convert_type(jnp.full(shape, value.view(np.int64)[()]), np.uint64)
    return jnp.full(shape, value[()])


def _compute(program: Program, forms: Forms, inputs: Sequence[Any]) -> Any:
    """The program on arrays of one shape, inside a kernel."""
    values = list(inputs)
    shape = values[0].shape
    for instruction in program.body:
        if instruction.op == "const":
            values.append(_filled(shape, constant_array(instruction)))
            continue
        row = OPS[instruction.op]
        operands = [values[operand] for operand in instruction.operands]
        form = forms.get(instruction.op, row.kernel)
        extra = (instruction.dtype.numpy,) if row.converts else ()
        values.append(form(*operands, *extra))
    return values[program.result]


def _prepared(program: Program, dialect: str, *, interpret: bool) -> tuple[Program, Forms]:
    """The canonical program, and the forms of operations that the dialect spells its own way."""
    known = _KNOWN[dialect]
    bad: list[DType] = [dtype for dtype in program.types if dtype.is_float and dtype not in known]
    if bad or program.is_real:
        name = bad[0].name if bad else "real"
        raise BackendError(f"program {program.name} uses {name}, which {dialect} kernels do not")
    return canonical(program), _FORMS["interpret" if interpret else dialect]


def _zero(dtype: Any) -> Any:
    """What stands in the place of elements beyond the array; of the format, lest it decides it."""
    return 0.0 if jnp.issubdtype(dtype, jnp.floating) else jnp.zeros((), dtype)


def triton_function(program: Program, *, interpret: bool = False) -> Callable[..., jax.Array]:
    """Returns a program as a Triton kernel on arrays of one shape, of less than 2**31 elements.

    Args:
        program: without ``real`` values.
        interpret: run the kernel's own steps with JAX on whatever device there is; on the CPU, XLA
            then contracts products and sums as it does in inlined programs.

    Raises:
        BackendError: Triton does not know one of its formats; the function raises it for an array
            of more elements.
    """
    form, forms = _prepared(program, "triton", interpret=interpret)

    def function(*inputs: jax.Array) -> jax.Array:
        from jax.experimental.pallas import triton

        count = math.prod(inputs[0].shape)
        if count == 0:
            return jnp.zeros(inputs[0].shape, form.dtype.numpy)
        if count > _MOST_ELEMENTS:
            raise BackendError(
                f"a Triton kernel takes at most {_MOST_ELEMENTS} elements, not {count}; use"
                ' lowering="inline", or split the array'
            )

        def kernel(*refs: Any) -> None:
            index = pl.program_id(0) * TRITON_BLOCK + jnp.arange(TRITON_BLOCK, dtype=jnp.int32)
            inside = index < count
            loaded = [
                triton.load(ref.at[index], mask=inside, other=_zero(ref.dtype)) for ref in refs[:-1]
            ]
            triton.store(refs[-1].at[index], _compute(form, forms, loaded), mask=inside)

        call = pl.pallas_call(
            kernel,
            out_shape=jax.ShapeDtypeStruct((count,), form.dtype.numpy),
            grid=(pl.cdiv(count, TRITON_BLOCK),),
            compiler_params=triton.CompilerParams(num_warps=4, num_stages=1),
            interpret=interpret,
            name="xla_evo",
        )
        return call(*(value.reshape(-1) for value in inputs)).reshape(inputs[0].shape)

    return function


def mosaic_function(program: Program, *, interpret: bool = False) -> Callable[..., jax.Array]:
    """Returns a program as a Mosaic kernel on arrays of one shape, any shape.

    Arrays of two axes or more keep their last one, so that nothing moves in memory; shorter ones
    are padded to rows of 128.

    Args:
        program: without ``real`` values.
        interpret: run the kernel's own steps with JAX on whatever device there is; on the CPU, XLA
            then contracts products and sums as it does in inlined programs.

    Raises:
        BackendError: Mosaic does not know one of its formats.
    """
    form, forms = _prepared(program, "mosaic", interpret=interpret)

    def kernel(*refs: Any) -> None:
        refs[-1][...] = _compute(form, forms, [ref[...] for ref in refs[:-1]])

    def function(*inputs: jax.Array) -> jax.Array:
        from jax.experimental.pallas import tpu

        shape = inputs[0].shape
        count = math.prod(shape)
        if count == 0:
            return jnp.zeros(shape, form.dtype.numpy)
        flat = len(shape) < 2
        columns = _LANES if flat else shape[-1]
        padding = -count % columns
        rows = (count + padding) // columns
        sheets = [
            (jnp.pad(value.reshape(-1), (0, padding)) if flat else value).reshape(rows, columns)
            for value in inputs
        ]
        block = (min(rows, MOSAIC_ROWS), min(columns, MOSAIC_COLUMNS))
        spec = pl.BlockSpec(block, lambda i, j: (i, j))
        call = pl.pallas_call(
            kernel,
            out_shape=jax.ShapeDtypeStruct((rows, columns), form.dtype.numpy),
            grid=(pl.cdiv(rows, block[0]), pl.cdiv(columns, block[1])),
            in_specs=[spec] * len(inputs),
            out_specs=spec,
            compiler_params=tpu.CompilerParams(dimension_semantics=("parallel", "parallel")),
            interpret=interpret,
            name="xla_evo",
        )
        result = call(*sheets)
        return (result.reshape(-1)[:count] if padding else result).reshape(shape)

    return function


def _lower(make: Callable[[Program], Callable[..., jax.Array]]) -> Callable[..., list[Any]]:
    def rule(ctx: Any, program: Program, operands: Sequence[Any]) -> list[Any]:
        (out,) = ctx.avals_out
        if not all(isinstance(size, int) for size in out.shape):
            raise BackendError(
                f"a Pallas kernel needs sizes that are known, not {out.shape}; use"
                ' lowering="inline" to export with symbolic shapes'
            )
        function = make(program)
        if _jax_compat.is_partitioned(ctx):
            function = _sharded(function, len(out.shape), len(operands))
        return list(mlir.lower_fun(function, multiple_results=False)(ctx, *operands))

    return rule


def _sharded(function: Callable[..., jax.Array], rank: int, count: int) -> Callable[..., jax.Array]:
    """A function whose elements are independent, so that each device works on its own part."""
    from jax.experimental.custom_partitioning import custom_partitioning

    axes = " ".join(f"a{number}" for number in range(rank))
    sharded = custom_partitioning(function)

    def partition(mesh: Any, arguments: Any, result: Any) -> Any:
        return mesh, function, result.sharding, (result.sharding,) * len(arguments)

    def infer(mesh: Any, arguments: Any, result: Any) -> Any:
        del mesh, result
        return arguments[0].sharding

    sharded.def_partition(
        partition=partition,
        infer_sharding_from_operands=infer,
        sharding_rule=f"{', '.join([axes] * count)} -> {axes}",
    )
    return functools.wraps(function)(sharded)


lower_triton = _lower(triton_function)
"""The lowering rule for NVIDIA GPUs."""
lower_mosaic = _lower(mosaic_function)
"""The lowering rule for TPUs."""
