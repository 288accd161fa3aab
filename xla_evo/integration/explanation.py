"""Tells which program serves a function under JAX, and why."""

from collections.abc import Mapping
from typing import Any

from xla_evo.errors import ConfigError
from xla_evo.integration.compositions import COMPOSITIONS, composition
from xla_evo.integration.dispatch import replaceable
from xla_evo.integration.door import refusal
from xla_evo.integration.neighbours import KEPT_AFTER_REDUCTIONS
from xla_evo.integration.scope import Request, check_names, check_request, current_scope
from xla_evo.library.certificate import Lowering
from xla_evo.library.choice import choose
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.dtypes import FLOATS
from xla_evo_lowering.dtypes import dtype as dtype_named
from xla_evo_lowering.live import backend_here


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
        ConfigError: there is no such format or lowering, the bound is none, or an argument is
            of another kind.
        BackendError: there is no such backend.
    """
    check_names((name,))
    catalogue_function(name)
    check_request(max_ulp, lowering or "inline")
    dtype = _format(dtype)
    _check_fingerprint(fingerprint)
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
        lines.append(f"under JAX: {_state(name, dtype, backend, request)}")
        if max_ulp is None and backend == "cpu" and name in KEPT_AFTER_REDUCTIONS:
            lines.append(
                "note: computed from a reduction, as in softmax, the built-in stays: faster"
            )
        if name in COMPOSITIONS:
            lines.append(f"note: {COMPOSITIONS[name]}")
    return "\n".join(lines)


def _format(dtype: Any) -> str:
    """The name of a float format, of which alone there are programs."""
    floats = [row.name for row in FLOATS]
    try:
        name = dtype_named(dtype).name
    except TypeError:
        name = ""
    if name not in floats:
        raise ConfigError(f"there are programs in {', '.join(floats)}, not in {dtype!r}")
    return name


def _check_fingerprint(fingerprint: Any) -> None:
    if fingerprint is not None and not isinstance(fingerprint, Mapping):
        raise ConfigError(f"a fingerprint maps names to texts, unlike {fingerprint!r}")


def _state(name: str, dtype: str, backend: str, request: Request | None) -> str:
    """Whether the scope in force replaces a function on a backend, by what or why not."""
    if request is None:
        return "not replaced here (xla_evo.use or xla_evo.install)"
    if request.backend not in (None, backend):
        return f"not replaced here: the scope in force replaces on {request.backend} alone"
    here = backend_here(backend_row(backend).platform)
    if here != backend and (here is not None or request.backend is None):
        return (
            f"not replaced here: this machine has no {backend}"
            f" (xla_evo.use with backend={backend!r} is for code made ahead of time)"
        )
    choice = choose(name, dtype, request.max_ulp, backend=backend, lowering=request.lowering)
    if choice.entry is None:
        return f"not replaced here: {choice.reasons[-1]}"
    problem = refusal(choice, request.lowering)
    if problem:
        return f"not replaced here: {choice.entry.name} is refused, {problem}"
    return f"replaced here by {choice.entry.name}, {request.lowering}"
