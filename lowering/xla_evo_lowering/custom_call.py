"""Programs as custom calls: machine code of our own in place of what XLA makes of HLO.

A call does not fuse with its neighbours, and its bits do not depend on them. What is called differs
by platform, a row each: C++ made by the system compiler, or a Pallas kernel.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from xla_evo_lowering import _jax_compat
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.native import lower_native
from xla_evo_lowering.pallas import lower_mosaic, lower_triton
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import abstract_result, batched_operands

Rule = Callable[[Any, Program, Sequence[Any]], list[Any]]

RULES: Mapping[str, Rule] = MappingProxyType(
    {"cpu": lower_native, "cuda": lower_triton, "tpu": lower_mosaic}
)
"""JAX's platform name to the rule that lowers a program there."""


def lower_custom_call(ctx: Any, program: Program, operands: Sequence[Any]) -> list[Any]:
    """A lowering rule for an elementwise primitive: calls the machine code of a program.

    Args:
        ctx: JAX's context of the rule.
        program: what every element is computed by.
        operands: one MLIR value a parameter, of one shape.

    Raises:
        BackendError: the platform has no custom calls, its compiler is missing, or it has no code
            for the program.
        CompileError: the compiler refused the program.
    """
    platforms = ctx.platforms or ctx.module_context.platforms
    unknown = sorted(set(platforms) - set(RULES))
    if unknown or len(platforms) != 1:
        raise BackendError(
            f"a custom call is lowered for one of {', '.join(RULES)}, not {', '.join(platforms)}"
        )
    (result,) = RULES[platforms[0]](ctx, program, operands)
    (out,) = ctx.avals_out
    return [_jax_compat.with_sharding(ctx, result, out)]


custom_call_p = Primitive("xla_evo_custom_call")
"""The primitive that calls a program's machine code; its parameter ``program`` is a `Program`."""


def _lower(ctx: Any, *operands: Any, program: Program) -> list[Any]:
    return lower_custom_call(ctx, program, operands)


def _evaluate(*inputs: Any, program: Program) -> Any:
    return jax.jit(custom_call_p.bind, static_argnames="program")(*inputs, program=program)


def _batch(arguments: Sequence[Any], axes: Sequence[Any], *, program: Program) -> tuple[Any, Any]:
    return custom_call_p.bind(*batched_operands(arguments, axes), program=program), 0


custom_call_p.def_abstract_eval(abstract_result)
custom_call_p.def_impl(_evaluate)
mlir.register_lowering(custom_call_p, _lower)
batching.primitive_batchers[custom_call_p] = _batch


def as_custom_call(program: Program) -> Callable[..., jax.Array]:
    """Returns a program as a function of JAX arrays of one shape that calls machine code.

    It works under ``jit``, ``vmap`` and ``shard_map``, and follows the sharding of its operands; it
    has no derivative of its own. The machine code is made when the call is compiled, which raises
    what `lower_custom_call` says.
    """

    def function(*inputs: jax.Array) -> jax.Array:
        return custom_call_p.bind(*map(jax.numpy.asarray, inputs), program=program)

    function.__name__ = function.__qualname__ = program.name
    return function
