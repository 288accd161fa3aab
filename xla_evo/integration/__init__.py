"""Evolved functions under JAX: scoped or for the process, with the way back."""

from xla_evo.integration.door import RefusedEntryWarning
from xla_evo.integration.explanation import explain
from xla_evo.integration.scope import Request, Scope, current_scope, install, uninstall, use

__all__ = [
    "RefusedEntryWarning",
    "Request",
    "Scope",
    "current_scope",
    "explain",
    "install",
    "uninstall",
    "use",
]
