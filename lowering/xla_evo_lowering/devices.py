"""Which row of the backend table the devices of this process belong to."""

import functools
from typing import Any

import jax

from xla_evo_lowering.backends import BACKENDS

_TPU_KINDS = {
    "TPU v2": "v2", "TPU v3": "v3", "TPU v4": "v4", "TPU v5 lite": "v5e", "TPU v5e": "v5e",
    "TPU v5": "v5p", "TPU v5p": "v5p", "TPU v6 lite": "v6e", "TPU v6e": "v6e", "TPU7x": "tpu7x",
}  # fmt: skip
"""JAX's ``device_kind`` to the kind of a row."""


@functools.cache
def backend_here(platform: str) -> str | None:
    """Returns the name of the row for this process's devices of a platform.

    Args:
        platform: JAX's name: ``cpu``, ``cuda`` or ``tpu``.

    Returns:
        None where there is no such device, or the table has no row for its kind.
    """
    if platform in BACKENDS:
        return platform
    try:
        devices = jax.local_devices(backend=platform)
    except RuntimeError:
        return None
    name = f"{platform}:{device_kind(devices[0])}"
    return name if name in BACKENDS else None


def device_kind(device: Any) -> str:
    """Returns the kind of a GPU or TPU as the backend table spells it, e.g. ``sm_90``."""
    if device.platform == "tpu":
        kind = str(device.device_kind)
        return _TPU_KINDS.get(kind, kind)
    return "sm_" + str(getattr(device, "compute_capability", "")).replace(".", "")
