"""One lowering rule a primitive: it asks the scope, and otherwise calls the rule it stands for.

The rules are registered once, when a scope is first made, and stay; without a scope in force they
do what JAX did before. Derivative, batching and sharding rules are not touched.
"""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jax import lax
from jax.interpreters import mlir

from xla_evo.integration.door import admitted
from xla_evo.integration.neighbours import KEPT_AFTER_REDUCTIONS, follows_reduction
from xla_evo.library.certificate import Lowering
from xla_evo.library.choice import Choice, choose
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering import _jax_compat
from xla_evo_lowering.backends import BACKENDS
from xla_evo_lowering.dtypes import DTYPES
from xla_evo_lowering.live import backend_here
from xla_evo_lowering.stablehlo import lower_inline

_PRECISIONS = {row.name: row.precision for row in DTYPES if row.is_float}


@functools.cache
def replaceable() -> Mapping[str, Any]:
    """Returns the functions that JAX has a primitive for: name to primitive."""
    found = {
        name: getattr(lax, f"{row.primitive}_p", None)
        for name, row in CATALOGUE.items()
        if row.primitive is not None
    }
    return MappingProxyType({name: prim for name, prim in found.items() if prim is not None})


_registered: list[bool] = []
_lock = threading.Lock()


def register(current_scope: Callable[[], Any]) -> None:
    """Puts the dispatching rule in front of every rule of every primitive, the first time.

    Threads that come meanwhile wait: what they compiled would keep the built-in.

    Args:
        current_scope: gives the `Scope` in force, or None.
    """
    with _lock:
        if not _registered:
            for name, primitive in replaceable().items():
                _register(name, primitive, current_scope)
            _registered.append(True)


def _register(name: str, primitive: Any, current_scope: Callable[[], Any]) -> None:
    for platform, (rule, inline) in _jax_compat.lowering_rules(primitive).items():
        dispatching = _dispatching(name, rule, current_scope)
        add = mlir.register_lowering
        if name in KEPT_AFTER_REDUCTIONS:
            add = _jax_compat.register_in_place
        add(primitive, dispatching, platform=platform, inline=inline)


def _dispatching(
    name: str, original: Callable[..., Any], current_scope: Callable[[], Any]
) -> Callable[..., Any]:
    def rule(ctx: Any, *operands: Any, **params: Any) -> Any:
        scope = current_scope()
        request = None if scope is None else scope.request(name)
        if request is None:
            return original(ctx, *operands, **params)
        lowering = lowering_of(ctx, request.lowering)
        choice = _select(request, lowering, name, ctx, operands, params)
        if choice is None or choice.entry is None:
            return original(ctx, *operands, **params)
        return _lower(ctx, choice, lowering, operands)

    return rule


def _select(
    request: Any,
    lowering: Lowering,
    name: str,
    ctx: Any,
    operands: Sequence[Any],
    params: Mapping[str, Any],
) -> Choice | None:
    backend = backend_of(ctx, request.backend)
    if backend is None:
        return None
    dtypes = {str(aval.dtype) for aval in (*ctx.avals_in, *ctx.avals_out)}
    dtype = dtypes.pop()
    if dtypes or dtype not in _PRECISIONS:
        return None
    max_ulp, most_accurate = bound_of(params.get("accuracy"), request.max_ulp, dtype)
    for_speed = max_ulp is None and not most_accurate
    kept = for_speed and backend == "cpu" and name in KEPT_AFTER_REDUCTIONS
    if kept and follows_reduction(operands):
        return None
    choice = chosen(name, dtype, max_ulp, backend, lowering, most_accurate=most_accurate)
    if choice.entry is None or not admitted(choice, lowering):
        return None
    return choice


def lowering_of(ctx: Any, wanted: Lowering) -> Lowering:
    """Returns how an operation is lowered: a scalar is inlined whatever is wanted.

    What a reduction or scatter does to each element is of scalars, and XLA's CPU compiler ends the
    process when it meets a custom call there. The rule cannot see it: such a computation may call
    functions that are shared with others.

    Args:
        ctx: JAX's context of the rule.
        wanted: what the scope in force asks for.
    """
    (out,) = ctx.avals_out
    return wanted if out.shape else "inline"


def backend_of(ctx: Any, wanted: str | None) -> str | None:
    """Returns the backend that a rule lowers for, None when nothing is to be replaced there.

    Args:
        ctx: JAX's context of the rule.
        wanted: the only backend on which to replace, None for any. Without a device of its platform
            (code made ahead of time) it says which one is meant.
    """
    platforms = ctx.platforms or ctx.module_context.platforms
    if len(platforms) != 1:
        return None
    here = backend_here(platforms[0])
    if wanted is None or here is not None:
        return here if wanted in (None, here) else None
    return wanted if BACKENDS[wanted].platform == platforms[0] else None


def bound_of(accuracy: Any, max_ulp: float | None, dtype: str) -> tuple[float | None, bool]:
    """Returns (bound in ULP, whether to prefer accuracy to speed) for an operation's ``accuracy``.

    A `jax.lax.Tolerance` in ULP, or a relative one as that many ULP, takes the place of the scope's
    bound; an absolute one alone does not. ``AccuracyMode.HIGHEST`` asks for the smallest error.

    Args:
        accuracy: what the operation was called with, or None.
        max_ulp: the scope's bound.
        dtype: format of the operation.
    """
    if accuracy is lax.AccuracyMode.HIGHEST:
        return max_ulp, True
    ulps = float(getattr(accuracy, "ulps", 0) or 0)
    relative = float(getattr(accuracy, "rtol", 0) or 0)
    if ulps > 0:
        return ulps, False
    if relative > 0:
        # An error of one ULP is at most 2^(1-p) of the value.
        return relative * 2.0 ** (_PRECISIONS[dtype] - 1), False
    return max_ulp, False


@functools.cache
def chosen(
    name: str,
    dtype: str,
    max_ulp: float | None,
    backend: str = "cpu",
    lowering: Lowering = "inline",
    *,
    most_accurate: bool = False,
) -> Choice:
    """Returns what `xla_evo.library.choose` does, chosen once until `forget_choices`."""
    return choose(
        name, dtype, max_ulp, backend=backend, lowering=lowering, most_accurate=most_accurate
    )


def forget_choices() -> None:
    """Makes the next compilation choose anew, after the library or its times have changed."""
    chosen.cache_clear()


def _lower(ctx: Any, choice: Choice, lowering: Lowering, operands: Any) -> list[Any]:
    (out,) = ctx.avals_out
    program = choice.entry.program if choice.entry else None
    if program is None:
        raise AssertionError("only a choice with an entry is lowered")
    values = _jax_compat.broadcast_operands(ctx, operands, ctx.avals_in, out)
    if lowering == "custom_call":
        from xla_evo_lowering.custom_call import lower_custom_call

        return lower_custom_call(ctx, program, values)
    return lower_inline(ctx, program, values)
