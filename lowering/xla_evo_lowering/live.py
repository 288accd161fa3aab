"""Devices that are in this machine: which row of the backend table one is.

Without a device a backend is compiled for ahead of time and its results are modelled; with one,
programs run on it and are measured.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax

from xla_evo_lowering.backends import BACKENDS, Backend, backend
from xla_evo_lowering.errors import BackendError

PLATFORMS: Mapping[str, str] = {"cpu": "CPU", "cuda": "NVIDIA GPU", "tpu": "TPU"}
"""Platforms by name, and what their devices are called."""

TPU_KINDS: Mapping[str, str] = {
    "TPU v2": "v2", "TPU v3": "v3", "TPU v4": "v4", "TPU v5 lite": "v5e", "TPU v5e": "v5e",
    "TPU v5": "v5p", "TPU v5p": "v5p", "TPU v6 lite": "v6e", "TPU v6e": "v6e", "TPU7x": "tpu7x",
}  # fmt: skip
"""JAX's device kind of a TPU to the kind of the backend table."""


def live_device(name: str) -> tuple[Any, Backend]:
    """Returns a device of this machine and its row.

    Args:
        name: a platform (``cuda``), or a backend (``cuda:sm_90``) that the device must be.

    Raises:
        BackendError: there is no such backend, no such device here, it is of another kind, or it
            has no row.
    """
    platform, _, kind = name.partition(":")
    if platform not in PLATFORMS:
        raise BackendError(f"unknown backend {name!r}; choose {', '.join(PLATFORMS)} or a kind")
    if kind:
        backend(name)
    try:
        device = jax.local_devices(backend=platform)[0]
    except RuntimeError:
        raise BackendError(
            f"there is no {PLATFORMS[platform]} in this machine that JAX can use;"
            " what was found for it stays modelled"
        ) from None
    row = row_of_device(device, platform)
    if kind and row.kind != kind:
        raise BackendError(f"the {PLATFORMS[platform]} of this machine is {row.name}, not {name}")
    return device, row


@functools.cache
def backend_here(platform: str) -> str | None:
    """Returns the name of the row for this process's devices of a platform.

    None where there is no such device, or the table has no row for its kind.
    """
    try:
        return live_device(platform)[1].name
    except BackendError:
        return None


def row_of_device(device: Any, platform: str) -> Backend:
    """Returns the row of the backend table that a JAX device is.

    Raises:
        BackendError: the table has no such kind.
    """
    if platform == "cpu":
        return BACKENDS["cpu"]
    if platform == "cuda":
        capability = str(getattr(device, "compute_capability", ""))
        kind = "sm_" + capability.replace(".", "")
    else:
        kind = TPU_KINDS.get(str(device.device_kind), str(device.device_kind))
    name = f"{platform}:{kind}"
    if name not in BACKENDS:
        raise BackendError(f"{device.device_kind} ({name}) has no row in the backend table")
    return BACKENDS[name]
