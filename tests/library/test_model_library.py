"""The tool that takes what ships to backends that are not here."""

import importlib
from pathlib import Path

import pytest

from xla_evo.library import entries
from xla_evo.targets.target import make_target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend

ROW = backend("cpu:sse4")


@pytest.fixture
def tool(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "tools")
    module = importlib.import_module("model_library")
    monkeypatch.setattr(module, "MODELLED", tmp_path / "modelled")
    return module


def test_the_cheapest_of_each_tier_join_the_library_once(tool, tmp_path, capsys, monkeypatch):
    target, folder = make_target("rsqrt", "bfloat16"), tmp_path / "modelled"
    made = tool.candidates(target, ROW.platform, devices_only=False)
    assert len(made) > len(entries("rsqrt", "bfloat16"))  # float32 between conversions too
    with AheadOfTime(ROW) as process:
        tool.extend(target, made, process, {})
        told = capsys.readouterr().out
        found = entries("rsqrt", "bfloat16", folder=folder)
        assert found
        assert all(entry.certificate.program_hash[:16] in told for entry in found)
        for entry in found:
            (proof,) = entry.proofs("inline", ROW.name)
            assert proof.modelled
            assert proof.measurement.count == 1 << 16
        least = min(entry.proofs("inline", ROW.name)[0].max_ulp for entry in found)
        assert least <= 0.51
        assert tool.candidates(target, ROW.platform, devices_only=True).keys() == {
            entry.certificate.program_hash for entry in found
        }
        monkeypatch.setattr(tool, "prove_modelled", None)
        monkeypatch.setattr(tool, "write_entry", None)
        tool.extend(target, tool.candidates(target, ROW.platform, devices_only=True), process, {})
    assert capsys.readouterr().out == told
