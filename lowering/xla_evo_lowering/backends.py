"""The backend table: what a compiler target is called, how it rounds, and what identifies it.

A row says how the backend spells a guard, whether it contracts a*b + c into one rounding, and
whether it flushes float32 subnormals to zero; `fingerprint` names everything that decides what its
compiler makes of a program. To add a backend is to add a row.
"""

import functools
import importlib.metadata
import importlib.util
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jax
import jaxlib.version

from xla_evo_lowering.dtypes import BF16, F16, F32, FLOATS, DType
from xla_evo_lowering.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """What has to be installed beside JAX for a platform.

    Attributes:
        extra: extra of this project that installs it.
        modules: Python modules that must be there.
        versioned: distribution whose version must be that of jaxlib; empty when none must.
    """

    extra: str
    modules: tuple[str, ...]
    versioned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One compiler target.

    A guard is ``reduce_precision`` to the format's own precision and one exponent bit more on every
    one of them: it stops rewrites, costs nothing and stays inside a fusion (see `ops`).

    Attributes:
        name: as users write it, e.g. ``cuda:sm_90``.
        platform: JAX's platform name, which also selects the stage table.
        kind: device kind on that platform; empty for the one of this machine.
        contracts: True when a*b + c becomes one fused operation without being asked.
        flushes_subnormals: True when float32 subnormals count as zero.
        description: one line for tables.
        formats: float formats that it computes in without emulation.
        live: True when this process compiles for it and runs what it compiled; else a process of
            its own compiles ahead of time.
        environment: variables of that process, set before JAX starts.
        topology: name of the device topology to compile for; empty where the platform runs here.
        plugin: what has to be installed, None for nothing.
    """

    name: str
    platform: str
    kind: str = ""
    contracts: bool
    flushes_subnormals: bool
    description: str
    formats: tuple[DType, ...] = FLOATS
    live: bool = False
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    topology: str = ""
    plugin: Plugin | None = None

    def flushes(self, dtype: DType) -> bool:
        """Returns whether subnormal numbers of a format are read and written as zeros.

        Those of float16 are normal numbers of float32, in which a CPU computes.
        """
        return self.flushes_subnormals and not (self.platform == "cpu" and dtype is F16)


CUDA_PLUGIN = Plugin(
    extra="cuda",
    modules=("jax_cuda12_plugin", "jax_plugins.xla_cuda12"),
    versioned="jax-cuda12-plugin",
)
TPU_PLUGIN = Plugin(extra="tpu", modules=("libtpu",))


def _cpu(kind: str, flag: str, description: str, *, contracts: bool) -> Backend:
    """A CPU with a smaller instruction set than this machine's; compiled here, run anywhere."""
    return Backend(
        name=f"cpu:{kind}", platform="cpu", kind=kind, contracts=contracts,
        flushes_subnormals=True, description=description,
        environment={"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"--xla_cpu_max_isa={flag}"},
    )  # fmt: skip


def _cuda(kind: str, description: str) -> Backend:
    """XLA:GPU multiplies and adds with two roundings and keeps float32 subnormals."""
    return Backend(
        name=f"cuda:{kind}", platform="cuda", kind=kind, contracts=False,
        flushes_subnormals=False, description=description, plugin=CUDA_PLUGIN, topology="1x1x1",
        environment={"JAX_PLATFORMS": "cpu", "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1"},
    )  # fmt: skip


def _tpu(kind: str, topology: str, accelerator: str) -> Backend:
    return Backend(
        name=f"tpu:{kind}", platform="tpu", kind=kind, contracts=False, flushes_subnormals=True,
        description=f"one core of a TPU {kind}", plugin=TPU_PLUGIN, topology=topology,
        formats=(BF16, F32),
        environment={
            "JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1", "TPU_WORKER_HOSTNAMES": "localhost",
            "TPU_ACCELERATOR_TYPE": accelerator, "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        },
    )  # fmt: skip


BACKENDS: dict[str, Backend] = {
    row.name: row
    for row in (
        Backend(
            name="cpu", platform="cpu", contracts=True, flushes_subnormals=True, live=True,
            description="XLA's CPU backend on this machine",
        ),
        _cpu("avx2", "AVX2", "x86-64 with AVX2 and FMA", contracts=True),
        _cpu("sse4", "SSE4_2", "x86-64 with SSE4.2, without FMA", contracts=False),
        _cuda("sm_80", "NVIDIA A100"),
        _cuda("sm_86", "NVIDIA GeForce RTX 30, A10, A40"),
        _cuda("sm_89", "NVIDIA GeForce RTX 40, L4, L40"),
        _cuda("sm_90", "NVIDIA H100, H200"),
        _cuda("sm_100", "NVIDIA B200"),
        _tpu("v2", "v2:2x2", "v2-8"),
        _tpu("v3", "v3:2x2", "v3-8"),
        _tpu("v4", "v4:2x2x1", "v4-8"),
        _tpu("v5e", "v5e:2x2", "v5litepod-4"),
        _tpu("v5p", "v5p:2x2x1", "v5p-8"),
        _tpu("v6e", "v6e:2x2", "v6e-4"),
        _tpu("tpu7x", "tpu7x:2x2x1", "tpu7x-8"),
    )
}  # fmt: skip
"""The backend table, by name."""


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
    """The widest vector extension of this machine that XLA's CPU backend knows.

    With ``+fma`` where a*b + c is one operation, and ``+fp16`` where float16 has arithmetic of its
    own: elsewhere XLA computes each operation in float32, and rounds float64 to float16 twice.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    flags = set(text.split())
    for flag, name in (("avx512f", "avx512"), ("avx2", "avx2"), ("avx", "avx"), ("sse4_2", "sse4")):
        if flag in flags:
            half = "+fp16" if name == "avx512" and "avx512_fp16" in flags else ""
            return name + ("+fma" if "fma" in flags else "") + half
    return platform.machine()


def _plugin_version(plugin: Plugin) -> str:
    """Version of the compiler that a plugin brings; empty when it is not installed."""
    try:
        return importlib.metadata.version(plugin.versioned or plugin.modules[0])
    except importlib.metadata.PackageNotFoundError:
        return ""


def require(row: Backend) -> None:
    """Checks that what a backend needs is installed and fits this JAX.

    Raises:
        BackendError: it is missing, or of another version; the message says what to install.
    """
    plugin = row.plugin
    if plugin is None:
        return
    if not all(map(_is_installed, plugin.modules)):
        raise BackendError(
            f"backend {row.name} needs an extra: pip install 'xla-evo[{plugin.extra}]'"
        )
    found = importlib.metadata.version(plugin.versioned) if plugin.versioned else ""
    wanted = jaxlib.version.__version__
    if found and found != wanted:
        raise BackendError(
            f"backend {row.name}: {plugin.versioned} is {found} but jaxlib is {wanted};"
            f" pip install {plugin.versioned}=={wanted}"
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _flags(row: Backend) -> list[str]:
    """Flags that users and the table give a backend's compiler."""
    given = [os.environ.get("XLA_FLAGS", ""), row.environment.get("XLA_FLAGS", "")]
    return [*given, os.environ.get("LIBTPU_INIT_ARGS", "") if row.platform == "tpu" else ""]


def fingerprint(row: Backend, options: Mapping[str, object] = {}) -> dict[str, str]:
    """Returns, by name, everything that decides what a backend makes of a program.

    Args:
        row: the backend.
        options: compile options that differ from the defaults.
    """
    parts = {
        "backend": row.name,
        "device": processor() if row.live else row.description,
        "isa": instruction_set() if row.live else "",
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "plugin": _plugin_version(row.plugin) if row.plugin else "",
        "xla_flags": " ".join(filter(None, _flags(row))),
        "options": ",".join(f"{key}={options[key]}" for key in sorted(options)),
    }
    return {key: value for key, value in parts.items() if value}
