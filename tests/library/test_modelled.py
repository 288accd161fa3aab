"""Programs for devices: their proofs are models until a device has run them."""

import json
from dataclasses import replace
from functools import partial

import jax.numpy as jnp
import pytest

from xla_evo.cli.main import main
from xla_evo.library import (
    CertificationError,
    choose,
    entries,
    modelled,
    read_entry,
    recheck_modelled,
    write_entry,
)
from xla_evo.library.certificate import Certificate, StaticComparison
from xla_evo.library.loader import MODELLED, joined
from xla_evo.library.modelled import certify_on_device, device_proof, prove_modelled
from xla_evo.library.recheck_modelled import device_row, recheck_models
from xla_evo.targets.target import make_target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.costs import static_cost
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.program import Builder

SHIPPED = entries(folder=MODELLED)
SMALL = entries("log", "bfloat16")[0]
"""A program that is swept at once."""

LARGE = next(e for e in entries("exp", "float32") if "scaffold" in e.certificate.provenance.kind)
ROW = backend("cpu:sse4")
SAMPLES = 4096


pytestmark = pytest.mark.usefixtures("fresh_store")


@pytest.fixture(scope="module")
def process():
    with AheadOfTime(ROW) as running:
        yield running


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_what_ships_for_devices_is_modelled(entry):
    assert canonical(entry.program) == entry.program
    for proof in entry.certificate.proofs:
        assert proof.modelled
        if proof.measurement.exhaustive:
            assert proof.measurement.count >= 1 << entry.program.dtype.bits
        assert proof.specials_checked > 5
        assert proof.cost is not None
        assert proof.cost.value > 0
        assert proof.cost.builtins
        assert not backend(proof.fingerprint["backend"]).live


def test_a_modelled_proof_is_not_followed():
    entry = next(e for e in SHIPPED if e.proofs("inline", "tpu:v5e"))
    (proof,) = entry.proofs("inline", "tpu:v5e")
    choice = choose(entry.function, max_ulp=100.0, backend="tpu:v5e", fingerprint=proof.fingerprint)
    assert choice.entry is None
    assert "modelled, not measured (xla-evo verify --all --backend" in str(choice)


def _modelled(process):
    proof = prove_modelled(LARGE.program, make_target("exp"), process, samples=SAMPLES)
    return replace(LARGE, certificate=replace(LARGE.certificate, proofs=(proof,)))


def test_a_model_is_written_and_read(process, tmp_path):
    made = _modelled(process)
    (proof,) = made.certificate.proofs
    assert proof.modelled
    assert not proof.measurement.exhaustive
    assert proof.max_ulp < 1.5
    assert proof.cost is not None
    assert list(proof.cost.builtins) == ["jax.numpy.exp", "jax.numpy.exp HIGHEST"]
    read = read_entry(write_entry(made, tmp_path / "library"))
    assert read.certificate == made.certificate
    plain = json.loads(json.dumps(made.certificate.to_json()))
    assert Certificate.from_json(plain) == made.certificate
    assert "modelled" not in json.dumps(LARGE.certificate.to_json())


def test_a_program_of_two_libraries_has_all_proofs(process):
    (both,) = joined((LARGE, _modelled(process)))
    assert device_proof(both, ROW) is not None
    assert both.proofs("inline", "cpu") == LARGE.proofs("inline", "cpu")


def test_models_are_made_again_and_compared(process, monkeypatch):
    made = _modelled(process)
    (proof,) = made.certificate.proofs
    wrong = replace(proof, cost=StaticComparison(value=1e-3, unit=""))
    other = replace(made, certificate=replace(made.certificate, proofs=(wrong,)))
    monkeypatch.setattr(
        recheck_modelled, "prove_modelled", partial(prove_modelled, samples=SAMPLES)
    )
    lines = []
    fine, bad = recheck_models([made, other], ROW, lines.append)
    assert lines == [fine, bad]
    assert not fine.problem
    assert fine.found_ulp == proof.measurement.max_ulp
    assert "the certificate says cost 0.001, now" in bad.problem


def test_a_builtin_that_the_compiler_refuses_has_no_cost(process, monkeypatch):
    def refused(x):
        return jnp.cbrt(x)

    def cost(row, function, *rest):
        if function is refused:
            raise CompileError("not implemented")
        return static_cost(row, function, *rest)

    monkeypatch.setattr(modelled, "builtins_of", lambda _: {"exp": jnp.exp, "cbrt": refused})
    monkeypatch.setattr(modelled, "static_cost", cost)
    proof = prove_modelled(LARGE.program, make_target("exp"), process, samples=SAMPLES)
    assert set(proof.cost.builtins) == {"exp"}


def test_a_device_turns_a_model_into_a_certificate(tmp_path):
    """The device is this CPU: what is measured takes the place of what was modelled for it."""
    cost = StaticComparison(value=2.0, unit="cycles", builtins={"jax.numpy.log": 3.0})
    known = SMALL.proofs("inline")[0]
    model = replace(known, fingerprint=fingerprint(backend("cpu")), modelled=True, cost=cost)
    entry = replace(SMALL, certificate=replace(SMALL.certificate, proofs=(model,)))
    made = certify_on_device(entry, "cpu")
    (proof,) = made.certificate.proofs
    assert not proof.modelled
    assert proof.cost == cost
    assert proof.measurement.exhaustive
    write_entry(made, tmp_path / "library")
    choice = choose("log", "bfloat16", max_ulp=1.0, folder=tmp_path / "library")
    assert choice.entry == made


def test_what_a_device_refutes_is_refused():
    builder = Builder("log", x=SMALL.program.dtype)
    wrong = replace(SMALL, program=builder.build(builder.apply("abs", 0)))
    with pytest.raises(CertificationError, match=r"log/bfloat16/.* on "):
        certify_on_device(wrong, "cpu")


def test_the_command_says_what_is_missing(capsys):
    assert main(["verify", "--all", "--backend", "cuda"]) == 2
    assert "there is no NVIDIA GPU" in capsys.readouterr().err
    assert main(["verify", "--quick", "--backend", "tpu:v5e"]) == 2
    assert "--quick checks programs on this CPU" in capsys.readouterr().err
    assert main(["verify", "--all", "--backend", "cpu:sse4"]) == 2
    assert "no such program for cpu:sse4" in capsys.readouterr().err
    with pytest.raises(BackendError, match="unknown backend"):
        device_row("cuda:sm_1")
