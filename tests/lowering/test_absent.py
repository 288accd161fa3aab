"""Plugins without a device are quiet."""

import os
import subprocess
import sys

import pytest

from xla_evo_lowering import absent


def _noisy_start(monkeypatch, *, installed, accelerator):
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr(absent, "has_accelerator", lambda: accelerator)
    monkeypatch.setattr(absent.importlib.util, "find_spec", lambda name: installed or None)
    monkeypatch.setattr("jax.local_devices", lambda: os.write(2, b"noise\n"))
    absent.settle_on_cpu()
    os.write(2, b"after\n")


def test_a_plugin_without_a_device_says_nothing(monkeypatch, capfd):
    _noisy_start(monkeypatch, installed=True, accelerator=False)
    assert capfd.readouterr().err == "after\n"
    assert os.environ["JAX_PLATFORMS"] == "cpu"


@pytest.mark.parametrize(("installed", "accelerator"), [(False, False), (True, True)])
def test_other_machines_are_left_alone(installed, accelerator, monkeypatch, capfd):
    _noisy_start(monkeypatch, installed=installed, accelerator=accelerator)
    assert capfd.readouterr().err == "after\n"
    assert "JAX_PLATFORMS" not in os.environ


def test_an_exception_passes_and_standard_error_is_back(monkeypatch, capfd):
    monkeypatch.setattr(absent, "has_accelerator", lambda: False)
    monkeypatch.setattr(absent.importlib.util, "find_spec", lambda name: True)

    def fails():
        raise RuntimeError("no backend")

    monkeypatch.setattr("jax.local_devices", fails)
    with pytest.raises(RuntimeError, match="no backend"):
        absent.settle_on_cpu()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_an_unknown_flag_is_told():
    code = (
        "from xla_evo_lowering import absent\n"
        "absent.has_accelerator, absent._NOISY = lambda: False, ('jax',)\n"
        "absent.settle_on_cpu()\n"
    )
    env = {**os.environ, "XLA_FLAGS": "--xla_nonsense=1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode != 0
    assert "--xla_nonsense" in done.stderr
