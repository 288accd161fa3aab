"""Programs as custom calls: machine code of our own in place of what XLA makes of HLO.

A call does not fuse with its neighbours, and its bits do not depend on them. What is called differs
by platform, a row each: C++ made by the system compiler, or a Pallas kernel.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax

from xla_evo_lowering import _jax_compat
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.native import lower_native
from xla_evo_lowering.pallas import lower_mosaic, lower_triton
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import Rule, bound, elementwise_primitive

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


custom_call_p = elementwise_primitive("xla_evo_custom_call", lower_custom_call)
"""The primitive that calls a program's machine code; its parameter ``program`` is a `Program`."""


def as_custom_call(program: Program) -> Callable[..., jax.Array]:
    """Returns a program as a function of JAX arrays of one shape that calls machine code.

    It works under ``jit``, ``vmap`` and ``shard_map``, and follows the sharding of its operands; it
    has no derivative of its own, and no place in what a reduction or scatter does to each element,
    where XLA's CPU compiler ends the process. The machine code is made when the call is compiled,
    which raises what `lower_custom_call` says.

    Raises:
        ProgramError: a program over the real numbers.
    """
    return bound(custom_call_p, program)
