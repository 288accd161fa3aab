"""Tells which program serves a function under JAX, and why."""

from collections.abc import Mapping

from xla_evo.errors import TargetError
from xla_evo.integration.compositions import COMPOSITIONS, composition
from xla_evo.integration.dispatch import replaceable
from xla_evo.integration.neighbours import KEPT_AFTER_REDUCTIONS
from xla_evo.integration.scope import check_request, current_scope
from xla_evo.library.certificate import Lowering
from xla_evo.library.choice import choose
from xla_evo.targets.catalogue import CATALOGUE


def explain(
    name: str,
    dtype: str = "float32",
    max_ulp: float | None = None,
    *,
    lowering: Lowering | None = None,
    backend: str = "cpu",
    fingerprint: Mapping[str, str] | None = None,
) -> str:
    """Returns which program is chosen for a function and why, for a person.

    Args:
        name: function of the catalogue, e.g. ``exp``.
        dtype: format of input and output.
        max_ulp: bound in ULP; that of the scope in force when left out.
        lowering: ``inline`` or ``custom_call``; that of the scope in force when left out.
        backend: compiler target.
        fingerprint: of another machine's compiler; the live one when left out.

    Raises:
        TargetError: there is no such function.
        ConfigError: there is no such format or lowering, or the bound is none.
        BackendError: there is no such backend.
    """
    if name not in CATALOGUE:
        raise TargetError(
            f"unknown function {name!r}; choose one of {', '.join(sorted(CATALOGUE))}"
        )
    check_request(max_ulp, lowering or "inline")
    scope = current_scope()
    request = scope.request(name) if scope is not None else None
    if request is not None:
        max_ulp = request.max_ulp if max_ulp is None else max_ulp
        lowering = lowering or request.lowering
    choice = choose(
        name, dtype, max_ulp,
        backend=backend, lowering=lowering or "inline", fingerprint=fingerprint,
    )  # fmt: skip
    lines = [str(choice)]
    if name not in replaceable():
        lines.append(f"under JAX: {composition(name)}")
        lines.append(f"as it is: xla_evo.numpy.{name}")
    else:
        state = "replaced here" if request is not None else "not replaced here"
        lines.append(f"under JAX: {state} (xla_evo.use or xla_evo.install)")
        if max_ulp is None and backend == "cpu" and name in KEPT_AFTER_REDUCTIONS:
            lines.append(
                "note: computed from a reduction, as in softmax, the built-in stays: faster"
            )
        if name in COMPOSITIONS:
            lines.append(f"note: {COMPOSITIONS[name]}")
    return "\n".join(lines)
