"""The backend table: what a compiler target is called, how it rounds, and what identifies it.

A row says how the backend spells a guard, whether it contracts a*b + c into one rounding, and
whether it flushes float32 subnormals to zero; `fingerprint` names everything that decides what its
compiler makes of a program. To add a backend is to add a row.
"""

import functools
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import jaxlib.version

from xla_evo_lowering.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One compiler target.

    Attributes:
        name: as users write it, e.g. ``cpu``.
        platform: JAX's platform name.
        contracts: True when a*b + c becomes one fused operation without being asked.
        flushes_subnormals: True when float32 subnormals count as zero.
        description: one line for tables.
    """

    name: str
    platform: str
    contracts: bool
    flushes_subnormals: bool
    description: str


BACKENDS: dict[str, Backend] = {
    row.name: row
    for row in (
        Backend(
            name="cpu",
            platform="cpu",
            contracts=True,
            flushes_subnormals=True,
            description="XLA's CPU backend on this machine",
        ),
    )
}


def backend(name: str) -> Backend:
    """Returns the row of a backend.

    Raises:
        BackendError: there is no such backend.
    """
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}; choose one of {', '.join(BACKENDS)}")
    return BACKENDS[name]


@functools.cache
def processor() -> str:
    """Model name of this machine's processor, or the architecture where it has none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    family = re.search(r"^cpu family\s*:\s*(\d+)$", text, re.MULTILINE)
    model = re.search(r"^model\s*:\s*(\d+)$", text, re.MULTILINE)
    if not match:
        return platform.machine()
    numbers = f" ({family[1]}.{model[1]})" if family and model else ""
    return match[1].strip() + numbers


@functools.cache
def instruction_set() -> str:
    """The widest vector extension of this machine that XLA's CPU backend knows."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    flags = set(text.split())
    for flag, name in (("avx512f", "avx512"), ("avx2", "avx2"), ("avx", "avx"), ("sse4_2", "sse4")):
        if flag in flags:
            return name + ("+fma" if "fma" in flags else "")
    return platform.machine()


def fingerprint(row: Backend, options: Mapping[str, object] = {}) -> dict[str, str]:
    """Returns, by name, everything that decides what a backend makes of a program.

    Args:
        row: the backend.
        options: compile options that differ from the defaults.
    """
    parts = {
        "backend": row.name,
        "device": processor() if row.platform == "cpu" else row.description,
        "isa": instruction_set() if row.platform == "cpu" else "",
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "options": ",".join(f"{key}={options[key]}" for key in sorted(options)),
    }
    return {key: value for key, value in parts.items() if value}
