"""The only file that uses names which JAX does not promise to keep.

Each function says which versions it was tried on: jax 0.10.2 to 0.12.
"""

import inspect
from typing import Any

from jax import lax
from jax._src import config, core, sharding_impls
from jax._src.interpreters import mlir, partial_eval
from jaxlib import xla_client

from xla_evo_lowering.errors import CompileError


def read_flags() -> None:
    """Makes XLA read ``XLA_FLAGS``, which ends the process where one is unknown."""
    xla_client.CompileOptions()


def serialized_executable(compiled: Any) -> bytes:
    """Bytes of XLA's own serialisation of a compiled function; on CPU they hold the object code."""
    try:
        return compiled.runtime_executable().serialize()
    except Exception as error:
        raise CompileError(f"this jaxlib does not serialise executables: {error}") from error


def lowering_rules(primitive: Any) -> dict[str | None, tuple[Any, bool]]:
    """The lowering rules registered for a primitive: platform (None for all) to (rule, inline)."""
    found: dict[str | None, tuple[Any, bool]] = {}
    entry = mlir._lowerings.get(primitive)  # pyright: ignore[reportPrivateUsage]
    if entry is not None:
        found[None] = (entry.rule, entry.inline)
    for platform, rules in mlir._platform_specific_lowerings.items():  # pyright: ignore[reportPrivateUsage]
        if primitive in rules:
            found[platform] = (rules[primitive].rule, rules[primitive].inline)
    return found


def register_in_place(primitive: Any, rule: Any, *, platform: str | None, inline: bool) -> None:
    """Registers a rule that is called for every operation, with its operands in the graph.

    JAX calls others once for all operations that are alike, with arguments of a function of their
    own. Where a version of JAX has no such choice, the rule is called that way.
    """
    known = inspect.signature(mlir.register_lowering).parameters
    options = {"cacheable": False} if "cacheable" in known else {}
    mlir.register_lowering(primitive, rule, platform=platform, inline=inline, **options)


def with_sharding(ctx: Any, value: Any, aval: Any) -> Any:
    """Marks an MLIR value with the sharding of its type, as JAX's own elementwise rules do."""
    return mlir.lower_with_sharding_in_types(ctx, value, aval)


def broadcast_operands(ctx: Any, operands: Any, avals: Any, out: Any) -> tuple[Any, ...]:
    """Operands of an elementwise rule at the shape of its result, as JAX's own rules do."""
    return tuple(mlir.multi_broadcast_in_dim(ctx, operands, avals, out.shape, out.sharding))


def reconciled(*values: Any) -> tuple[Any, ...]:
    """Values that vary over the same axes of a mesh, as JAX's functions of several make them.

    Where a version of JAX has no such step, they are given back as they are.
    """
    reconcile = getattr(core, "auto_insert_reshard", None)
    return values if reconcile is None else tuple(reconcile(*values))


def elementwise_type(*avals: Any) -> Any:
    """The type of an elementwise result by JAX's own rule: its shape, sharding and varying axes.

    Args:
        *avals: types of one dtype; a single one is held against the rule too.
    """
    found, *others = avals
    for other in others or avals:
        found, _ = lax.max_p.abstract_eval(found, other)
    return found


def is_partitioned(ctx: Any) -> bool:
    """Whether XLA will split what a rule emits over several devices, which are known by then."""
    axes = ctx.module_context.axis_context
    if isinstance(axes, sharding_impls.ShardingContext) and axes.device_assignment is None:
        return False
    return not is_of_one_device(ctx)


def is_of_one_device(ctx: Any) -> bool:
    """Whether what a rule emits is for one device, all there is or each by itself."""
    axes = ctx.module_context.axis_context
    if isinstance(axes, sharding_impls.ShardingContext):
        return axes.num_devices == 1
    if isinstance(axes, sharding_impls.SPMDAxisContext):
        return set(axes.manual_axes) == set(axes.mesh.axis_names)
    return True


def is_staging() -> bool:
    """Whether a function is being traced to be compiled later, by ``jit`` or the like.

    Transformations that run as they go (``grad`` or ``vmap`` outside of ``jit``) do not count, nor
    what `jax.ensure_compile_time_eval` runs at once.
    """
    if config.eager_constant_folding.value:
        return False
    trace = core.trace_ctx.trace
    while trace is not None:
        if isinstance(trace, partial_eval.DynamicJaxprTrace):
            return True
        trace = getattr(trace, "parent_trace", None)
    return False
