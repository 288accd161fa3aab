"""Plugins without a device: JAX tries each that is installed, and says at length that it failed.

A machine that compiles ahead of time has the plugins and not the devices. The command line has no
use for those lines, so there such a machine is JAX's CPU from the start.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

DEVICE_FILES: Sequence[str] = (
    "nvidia[0-9]*", "nvidiactl", "dxg", "kfd", "accel*", "vfio/[0-9]*",
)  # fmt: skip
"""Files under ``/dev`` of which a Linux machine with a GPU or a TPU has at least one."""

_NOISY = ("jax_plugins", "libtpu")


def has_accelerator() -> bool:
    """Whether this machine may have a GPU or a TPU; True where it cannot be told."""
    return not sys.platform.startswith("linux") or any(
        any(Path("/dev").glob(name)) for name in DEVICE_FILES
    )


def settle_on_cpu() -> None:
    """Makes JAX use the CPU, quietly, on a machine that has plugins but no device.

    For programs that own their process: it sets ``JAX_PLATFORMS`` unless the user has, and starts
    JAX with the process's standard error put aside; an exception still passes.
    """
    if has_accelerator() or not any(map(importlib.util.find_spec, _NOISY)):
        return
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with _quiet():
        from xla_evo_lowering import _jax_compat
    # An unknown flag ends the process, which only standard error says.
    _jax_compat.read_flags()
    with _quiet():
        import jax

        jax.local_devices()


@contextmanager
def _quiet() -> Generator[None]:
    """Puts standard error aside, that of the C libraries too."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as aside:
            os.dup2(aside.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
