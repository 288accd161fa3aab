"""Devices of this machine and their rows."""

from types import SimpleNamespace

import pytest

from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.live import TPU_KINDS, live_device, row_of_device


def test_this_cpu_is_live():
    device, row = live_device("cpu")
    assert device.platform == row.platform == "cpu"
    assert row.live


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cpu:avx2", "the CPU of this machine is cpu, not cpu:avx2"),
        ("gpu", "unknown backend 'gpu'; choose cpu, cuda, tpu or a kind"),
        ("tpu:v9", "unknown backend 'tpu:v9'; choose one of cpu"),
    ],
)
def test_devices_that_cannot_be_had_are_told(name, message):
    with pytest.raises(BackendError, match=message):
        live_device(name)


def test_a_missing_device_is_told(monkeypatch):
    def none(backend):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr("jax.local_devices", none)
    with pytest.raises(BackendError, match="there is no NVIDIA GPU in this machine"):
        live_device("cuda")


def test_devices_are_known_by_their_kind():
    gpu = SimpleNamespace(compute_capability="9.0", device_kind="NVIDIA H100")
    assert row_of_device(gpu, "cuda").name == "cuda:sm_90"
    for kind in TPU_KINDS:
        assert row_of_device(SimpleNamespace(device_kind=kind), "tpu").platform == "tpu"
    old = SimpleNamespace(compute_capability="7.0", device_kind="NVIDIA V100")
    with pytest.raises(BackendError, match=r"NVIDIA V100 \(cuda:sm_70\) has no row"):
        row_of_device(old, "cuda")
