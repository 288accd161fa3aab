"""Programs as StableHLO: built operation by operation, at any shape, under any transformation.

A program becomes a JAX primitive of its own kind, bound with the program as a parameter. Its
lowering emits one StableHLO operation an instruction, so what is compiled is what is written. The
guard is spelled as the backend's row says.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.extend.mlir import ir  # pyright: ignore[reportMissingImports]
from jax.extend.mlir.dialects import stablehlo as hlo  # pyright: ignore[reportMissingImports]
from jax.interpreters import batching, mlir

from xla_evo_lowering import _jax_compat
from xla_evo_lowering.branches import LEAST_ELEMENTS, Branches, branches
from xla_evo_lowering.dtypes import BOOL, DType, Kind
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Program, constant_array


def _element_type(dtype: DType) -> Any:
    kinds = {"f16": ir.F16Type, "bf16": ir.BF16Type, "f32": ir.F32Type, "f64": ir.F64Type}
    if dtype.short in kinds:
        return kinds[dtype.short].get()
    if dtype.kind is Kind.UNSIGNED:
        return ir.IntegerType.get_unsigned(dtype.bits)
    return ir.IntegerType.get_signless(dtype.bits)


def _dense(array: np.ndarray[Any, Any], dtype: DType) -> Any:
    """A scalar MLIR attribute with exactly the bits of a 0-d array."""
    if dtype is BOOL:
        array = np.packbits(array, bitorder="little")
    contents: Any = np.ascontiguousarray(array)
    return ir.DenseElementsAttr.get(contents, type=_element_type(dtype), shape=())


class _Shape:
    """The common shape of all values, static or read from an operand at run time."""

    def __init__(self, like: Any) -> None:
        self._like = like
        self._dims: list[int] = list(like.type.shape)
        self._dynamic = not like.type.has_static_shape
        self._sizes: Any = None

    def type(self, dtype: DType) -> Any:
        return ir.RankedTensorType.get(self._dims, _element_type(dtype))

    def fill(self, array: np.ndarray[Any, Any], dtype: DType) -> Any:
        scalar = hlo.constant(_dense(array, dtype))
        if not self._dims:
            return scalar
        if not self._dynamic:
            return hlo.broadcast_in_dim(self.type(dtype), scalar, ir.DenseI64ArrayAttr.get([]))
        empty = ir.DenseI64ArrayAttr.get([])
        return hlo.dynamic_broadcast_in_dim(self.type(dtype), scalar, self._run_time(), empty)

    def _run_time(self) -> Any:
        if self._sizes is None:
            one = ir.RankedTensorType.get([1], ir.IntegerType.get_signless(32))
            sizes = [
                hlo.reshape(one, hlo.get_dimension_size(self._like, axis))
                for axis in range(len(self._dims))
            ]
            self._sizes = hlo.concatenate(sizes, 0)
        return self._sizes


def emit(program: Program, operands: Sequence[Any]) -> Any:
    """Emits the body of a program at MLIR's current insertion point.

    Args:
        program: a program without ``real`` values.
        operands: one MLIR value a parameter, tensors of one shape and the parameters' types.

    Returns:
        The MLIR value of the result.
    """
    shape = _Shape(operands[0])
    values = list(operands)
    filled: dict[tuple[str, object], Any] = {}
    for instruction in program.body:
        if instruction.op == "const":
            key = (instruction.dtype.short, instruction.value)
            if key not in filled:
                filled[key] = shape.fill(constant_array(instruction), instruction.dtype)
            values.append(filled[key])
            continue
        arguments = [values[operand] for operand in instruction.operands]
        values.append(OPS[instruction.op].stablehlo(arguments, shape.type(instruction.dtype)))
    return values[program.result]


Rule = Callable[[Any, Program, Sequence[Any]], list[Any]]
"""Lowers a program on MLIR values of one shape; takes JAX's context of the rule first."""


def elementwise_primitive(name: str, rule: Rule) -> Primitive:
    """Returns a primitive whose parameter ``program`` computes each element; `rule` lowers it.

    Binding it raises `ProgramError` for inputs that are not of one shape and the parameters' types.
    """
    primitive = Primitive(name)
    # Made once: a jit of its own for each eager call would find nothing compiled.
    compiled = jax.jit(primitive.bind, static_argnames="program")

    def lower(ctx: Any, *operands: Any, program: Program) -> list[Any]:
        return rule(ctx, program, operands)

    def evaluate(*inputs: Any, program: Program) -> Any:
        # Without jit it would call this again.
        with jax.disable_jit(False):
            return compiled(*inputs, program=program)

    def batch(
        arguments: Sequence[Any], axes: Sequence[Any], *, program: Program
    ) -> tuple[Any, Any]:
        return primitive.bind(*_batched(arguments, axes), program=program), 0

    primitive.def_abstract_eval(_abstract)
    primitive.def_impl(evaluate)
    mlir.register_lowering(primitive, lower)
    batching.primitive_batchers[primitive] = batch
    return primitive


def _abstract(*inputs: Any, program: Program) -> Any:
    if len(inputs) != len(program.parameters):
        raise ProgramError(
            f"program {program.name} takes {len(program.parameters)} arrays, not {len(inputs)}"
        )
    for value, parameter in zip(inputs, program.parameters, strict=True):
        if value.dtype != parameter.dtype.numpy or value.shape != inputs[0].shape:
            raise ProgramError(
                f"program {program.name}: {parameter.name} is {parameter.dtype.name} of one shape"
                f" with the others, got {value.dtype}{list(value.shape)}"
            )
    # The rule is of operands of one dtype, which parameters need not have.
    alike = [value.update(dtype=inputs[0].dtype) for value in inputs]
    weak_type = all(value.weak_type for value in inputs)
    found = _jax_compat.elementwise_type(*alike)
    return found.update(dtype=program.dtype.numpy, weak_type=weak_type)


def _batched(arguments: Sequence[Any], axes: Sequence[Any]) -> list[Any]:
    """The operands with the axis that ``vmap`` maps over in front of all."""
    size = next(
        value.shape[axis] for value, axis in zip(arguments, axes, strict=True) if axis is not None
    )
    return [
        jax.numpy.broadcast_to(value, (size, *value.shape)) if axis is None
        else jax.numpy.moveaxis(value, axis, 0)
        for value, axis in zip(arguments, axes, strict=True)
    ]  # fmt: skip


def bound(primitive: Primitive, program: Program) -> Callable[..., jax.Array]:
    """Returns a program as a function of JAX arrays that binds a primitive.

    Raises:
        ProgramError: a program over the real numbers.
    """
    if program.is_real:
        raise ProgramError(
            f"program {program.name} is over the reals: no StableHLO; give its values a format"
        )

    def function(*inputs: jax.Array) -> jax.Array:
        arrays = _jax_compat.reconciled(*map(jax.numpy.asarray, inputs))
        return primitive.bind(*arrays, program=program)

    function.__name__ = function.__qualname__ = program.name
    return function


def lower_inline(ctx: Any, program: Program, operands: Sequence[Any]) -> list[Any]:
    """A lowering rule for an elementwise primitive: emits the operations of a program.

    On CPU a program with `branches` becomes a conditional over the array, unless XLA is to split it
    over devices, which would have to agree, or its size is small or not known.

    Args:
        ctx: JAX's context of the rule.
        program: what every element is computed by.
        operands: one MLIR value a parameter, of one shape.
    """
    (out,) = ctx.avals_out
    branching = branches(program) if _may_branch(ctx, out.shape) else None
    if branching is None:
        return [_jax_compat.with_sharding(ctx, emit(program, operands), out)]
    either = functools.partial(_either, branching)
    return mlir.lower_fun(either, multiple_results=False)(ctx, *operands)


def _may_branch(ctx: Any, shape: Sequence[Any]) -> bool:
    platforms = ctx.platforms or ctx.module_context.platforms
    if tuple(platforms) != ("cpu",) or not _jax_compat.is_of_one_device(ctx):
        return False
    static = all(isinstance(size, int) for size in shape)
    return static and math.prod(shape) >= LEAST_ELEMENTS


def _either(branching: Branches, x: Any) -> Any:
    extraordinary = program_p.bind(x, program=branching.extraordinary)
    every, ordinary = (
        functools.partial(program_p.bind, program=program)
        for program in (branching.every, branching.part.program)
    )
    is_any = lax.reduce_or(extraordinary, axes=range(x.ndim))
    return lax.cond(is_any, every, ordinary, x)


program_p = elementwise_primitive("xla_evo_program", lower_inline)
"""The primitive that computes a program; its parameter ``program`` is a `Program`."""


def as_function(program: Program) -> Callable[..., jax.Array]:
    """Returns the program as a function of JAX arrays of one shape and its parameters' dtypes.

    It works under ``jit``, ``vmap``, ``scan`` and the like. It has no derivative of its own:
    `xla_evo` gives functions the derivative rules that JAX has.

    Raises:
        ProgramError: a program over the real numbers.
    """
    return bound(program_p, program)


def to_stablehlo(program: Program, shape: Sequence[int] = (8,)) -> str:
    """Returns the StableHLO module of a program for inputs of `shape`, as MLIR text.

    Raises:
        ProgramError: a program over the real numbers.
    """
    function = as_function(program)
    specs = [jax.ShapeDtypeStruct(tuple(shape), item.dtype.numpy) for item in program.parameters]
    return jax.jit(function).lower(*specs).as_text()
