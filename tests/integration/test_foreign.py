"""Choosing for devices that are not here: the dispatching rule lowers by platform."""

from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

import xla_evo
from xla_evo.errors import ConfigError
from xla_evo.integration import dispatch, door
from xla_evo.library import choose, entries, write_entry
from xla_evo.library.certificate import TimeRatio
from xla_evo.library.loader import Entry
from xla_evo_lowering import live
from xla_evo_lowering.backends import backend, fingerprint

SPEC = jax.ShapeDtypeStruct((3, 200), jnp.float32)


@pytest.fixture
def certified_for_tpu(tmp_path, monkeypatch):
    """A library where exp is proven as a custom call and inlined on a TPU v5e."""
    entry = next(e for e in entries("exp", "float32") if e.proofs("inline"))
    time = TimeRatio(
        candidate_ns=(1.0,), builtin_ns=(2.0,), floor_ns=(0.1,), ratio=2.0, range=(0, 1),
        processor="TPU v5e",
    )  # fmt: skip
    live = fingerprint(backend("tpu:v5e"))
    proof = replace(entry.proofs("inline")[0], fingerprint=live, times=(time,))
    proofs = (proof, replace(proof, lowering="custom_call"))
    write_entry(Entry(entry.program, replace(entry.certificate, proofs=proofs)), tmp_path)

    def chosen(name, dtype, max_ulp, backend, lowering, most_accurate):
        return choose(
            name, dtype, max_ulp,
            backend=backend, lowering=lowering, most_accurate=most_accurate, folder=tmp_path,
        )  # fmt: skip

    monkeypatch.setattr(dispatch, "chosen", chosen)
    return tmp_path


def lowered(platform: str, **settings) -> str:
    with xla_evo.use("exp", **settings):
        traced = jax.jit(lambda x: jnp.exp(x) * 2).trace(SPEC)
        return traced.lower(lowering_platforms=(platform,)).as_text()


def test_kernels_and_inlined_programs_are_lowered_by_platform(certified_for_tpu) -> None:
    text = lowered("tpu", lowering="custom_call", backend="tpu:v5e")
    assert "tpu_custom_call" in text
    assert "stablehlo.exponential" not in text
    text = lowered("tpu", backend="tpu:v5e")
    assert "tpu_custom_call" not in text
    assert "reduce_precision" in text


def test_other_kinds_of_the_platform_keep_the_built_in(certified_for_tpu) -> None:
    for settings in ({"backend": "tpu:v4"}, {"backend": "cuda:sm_90"}, {"backend": "cpu"}, {}):
        assert "stablehlo.exponential" in lowered("tpu", **settings)


def test_without_a_proof_the_built_in_stays_and_says_why() -> None:
    assert "stablehlo.exponential" in lowered("tpu", lowering="custom_call", backend="tpu:v5e")
    text = xla_evo.explain("exp", lowering="custom_call", backend="tpu:v5e")
    assert "no proof for custom_call on tpu:v5e" in text
    with pytest.raises(ConfigError, match="is proven for custom_call on tpu:v5e"):
        xla_evo.use("exp", max_ulp=1, lowering="custom_call", backend="tpu:v5e")


def test_a_proof_of_another_compiler_is_refused_where_it_cannot_be_checked(
    certified_for_tpu, monkeypatch
) -> None:
    older = {**fingerprint(backend("tpu:v5e")), "jaxlib": "0.0"}
    choice = choose("exp", backend="tpu:v5e", folder=certified_for_tpu, fingerprint=older)
    assert choice.entry is not None
    assert not choice.exact_machine
    monkeypatch.setattr(door, "_verdicts", {})
    with pytest.warns(door.RefusedEntryWarning, match="another compiler for tpu:v5e"):
        assert not door.admitted(choice, "inline")


def test_devices_have_the_rows_of_their_kind(monkeypatch) -> None:
    assert live.backend_here("cpu") == "cpu"
    gpu = SimpleNamespace(platform="gpu", device_kind="NVIDIA H100", compute_capability="9.0")
    tpu = SimpleNamespace(platform="tpu", device_kind="TPU v5 lite")
    found = {"cuda": [gpu], "tpu": [tpu]}
    monkeypatch.setattr(live.jax, "local_devices", lambda backend: found[backend])
    live.backend_here.cache_clear()
    try:
        assert live.backend_here("cuda") == "cuda:sm_90"
        assert live.backend_here("tpu") == "tpu:v5e"
        tpu.device_kind = "TPU v99"
        live.backend_here.cache_clear()
        assert live.backend_here("tpu") is None
    finally:
        live.backend_here.cache_clear()
