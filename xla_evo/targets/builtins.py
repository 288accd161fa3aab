"""What programs compete with: JAX's function as users call it, and its most accurate form."""

from collections.abc import Callable, Mapping
from typing import Any

from jax import lax

from xla_evo.targets.target import Target

HIGHEST = lax.AccuracyMode.HIGHEST
_WITH_ACCURACY: Mapping[str, Callable[..., Any]] = {
    name: getattr(lax, name)
    for name in ("exp", "exp2", "log", "log1p", "logistic", "sin", "cos", "tan", "tanh", "cbrt",
                 "expm1", "sqrt", "rsqrt")
}  # fmt: skip


def builtins_of(target: Target) -> dict[str, Callable[..., Any]]:
    """Returns the built-ins that programs compete with, by name: the default and the accurate."""
    function = target.function
    if not function.builtin:
        return {}
    found = {function.builtin: function.builtin_function()}
    accurate = _WITH_ACCURACY.get(function.name)
    if accurate is not None:
        found[f"{function.builtin} HIGHEST"] = lambda x: accurate(x, accuracy=HIGHEST)
    return found
