"""Evolves transcendental functions for XLA and puts them under jax.numpy.

The names below are imported when they are first used, so that ``import xla_evo`` is fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xla_evo import numpy as numpy
    from xla_evo.api import evolve as evolve
    from xla_evo.api import verify as verify
    from xla_evo.dumping import dump as dump
    from xla_evo.integration import RefusedEntryWarning as RefusedEntryWarning
    from xla_evo.integration import explain as explain
    from xla_evo.integration import install as install
    from xla_evo.integration import uninstall as uninstall
    from xla_evo.integration import use as use
    from xla_evo.tuning import tune as tune

# Public name -> module that has it; a row of an empty attribute is the module itself.
_EXPORTS: dict[str, tuple[str, str]] = {
    "RefusedEntryWarning": ("xla_evo.integration", "RefusedEntryWarning"),
    "dump": ("xla_evo.dumping", "dump"),
    "evolve": ("xla_evo.api", "evolve"),
    "explain": ("xla_evo.integration", "explain"),
    "install": ("xla_evo.integration", "install"),
    "numpy": ("xla_evo.numpy", ""),
    "uninstall": ("xla_evo.integration", "uninstall"),
    "tune": ("xla_evo.tuning", "tune"),
    "use": ("xla_evo.integration", "use"),
    "verify": ("xla_evo.api", "verify"),
}

__all__ = [
    "RefusedEntryWarning",
    "dump",
    "evolve",
    "explain",
    "install",
    "numpy",
    "tune",
    "uninstall",
    "use",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path, attribute = _EXPORTS[name]
    module = importlib.import_module(path)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
