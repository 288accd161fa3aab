"""Programs for devices: their proofs are models until a device has run them."""

import json
import sys
from dataclasses import replace

import pytest

from xla_evo.cli.main import main
from xla_evo.library import (
    CertificationError,
    choose,
    entries,
    modelled,
    read_entry,
    write_entry,
)
from xla_evo.library.certificate import Certificate, StaticComparison
from xla_evo.library.loader import MODELLED, joined
from xla_evo.library.modelled import (
    builtin_costs,
    certify_on_device,
    device_proof,
    known_key,
    measure_models,
    prove_modelled,
)
from xla_evo.library.recheck_modelled import device_row, recheck_models, recheck_on_device
from xla_evo.targets.builtins import builtins_of
from xla_evo.targets.target import make_target
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.costs import cost_and_model, static_cost
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.program import Builder
from xla_evo_lowering.stablehlo import as_function

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


def test_a_built_in_that_cannot_be_costed_has_no_cost(process):
    target = make_target("bessel_i0e", "bfloat16")
    (builtin,) = builtins_of(target).values()
    with pytest.raises(BackendError, match="no loop that stores vectors"):
        static_cost(ROW, builtin, (target.dtype,), process)
    assert builtin_costs(target, process) == {}


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
    assert ", modelled, " in str(choice)
    assert "by static cost, not measured (xla-evo verify --all --backend" in str(choice)
    assert str(choice).count("no proof for inline on tpu:v5e") == 1


def _modelled(process):
    proof = prove_modelled(LARGE.program, make_target("exp"), process, samples=SAMPLES)
    return replace(LARGE, certificate=replace(LARGE.certificate, proofs=(proof,)))


def test_functions_of_two_arguments_are_modelled(process):
    entry = entries("pow", "float32")[0]
    proof = prove_modelled(entry.program, make_target("pow"), process, samples=SAMPLES)
    assert proof.cost.builtins.keys() == {"jax.numpy.power"}
    assert not proof.measurement.exhaustive


def test_a_sweep_that_was_given_up_is_no_proof_for_a_wider_bound(process):
    known = {}
    target = make_target("log", "bfloat16")
    with pytest.raises(CertificationError, match="more than 0"):
        prove_modelled(SMALL.program, target, process, max_ulp=0.01, known=known)
    assert not known


def test_a_builtin_that_the_compiler_refuses_has_no_cost(process, monkeypatch):
    def refused(row, function, types, running):
        raise CompileError("LLO_CHECK failure")

    monkeypatch.setattr(modelled, "static_cost", refused)
    proof = prove_modelled(SMALL.program, make_target("log", "bfloat16"), process)
    assert (proof.cost.builtins, proof.cost.ratio) == ({}, 0.0)


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
    """In one pass over the inputs for all programs of a function."""
    proof = prove_modelled(SMALL.program, make_target("log", "bfloat16"), process)
    made = replace(SMALL, certificate=replace(SMALL.certificate, proofs=(proof,)))
    wrong = replace(proof, cost=StaticComparison(value=1e-3, unit=""))
    other = replace(made, certificate=replace(made.certificate, proofs=(wrong,)))
    stale = replace(proof, cost=replace(proof.cost, builtins={"jax.numpy.log": 1e-3}))
    older = replace(made, certificate=replace(made.certificate, proofs=(stale,)))
    monkeypatch.setattr(modelled, "measure_domain", None)
    lines = []
    fine, bad, old = recheck_models([made, other, older], ROW, lines.append)
    assert lines == [fine, bad, old]
    assert not fine.problem
    assert fine.found_ulp == proof.measurement.max_ulp
    assert "the certificate says cost 0.001, now" in bad.problem
    assert "the certificate says built-ins cost {'jax.numpy.log': 0.001}, now" in old.problem


def test_a_model_with_a_result_outside_the_functions_is_not_known(process):
    target = make_target("log", "bfloat16")
    narrow = replace(target, function=replace(target.function, results=(-1.0, 1.0)))
    model = cost_and_model(ROW, as_function(SMALL.program), (target.dtype,), process)[1]
    known = {}
    measure_models([model], narrow, known, flush_to_zero=True)
    assert not known
    measure_models([model], target, known, flush_to_zero=True)
    assert list(known) == [known_key(model, target)]


def test_a_device_turns_a_model_into_a_certificate(tmp_path):
    """The device is this CPU: what is measured takes the place of what was modelled for it."""
    cost = StaticComparison(value=2.0, unit="cycles", builtins={"jax.numpy.log": 3.0})
    known = SMALL.proofs("inline")[0]
    model = replace(
        known, fingerprint=fingerprint(backend("cpu")), modelled=True, cost=cost, times=()
    )
    entry = replace(SMALL, certificate=replace(SMALL.certificate, proofs=(model,)))
    made = certify_on_device(entry, "cpu")
    (proof,) = made.certificate.proofs
    assert not proof.modelled
    assert proof.cost == cost
    assert proof.measurement.exhaustive
    write_entry(made, tmp_path / "library")
    for bound in (1.0, None):
        choice = choose("log", "bfloat16", max_ulp=bound, folder=tmp_path / "library")
        assert choice.entry == made
    assert "1.5 times the built-in's speed by static cost" in str(choice)


def test_what_a_device_measured_is_told_of_a_program_with_other_proofs():
    here = replace(SMALL.proofs("inline")[0], fingerprint=fingerprint(backend("cpu")))
    wrong = replace(here.measurement, max_ulp=9.0, count=1)
    other = replace(here, fingerprint={**here.fingerprint, "backend": "tpu:v5e"}, measurement=wrong)
    entry = replace(SMALL, certificate=replace(SMALL.certificate, proofs=(here, other)))
    (outcome,) = recheck_on_device([entry], backend("cpu"), lambda _: None)
    assert (outcome.problem, outcome.found_ulp) == ("", here.measurement.max_ulp)


def test_a_device_measures_functions_of_two_arguments(monkeypatch):
    for name in ("_SAMPLES", "DOOR_SAMPLES"):
        monkeypatch.setattr(sys.modules["xla_evo.library.certify"], name, 1 << 12)
    made = certify_on_device(entries("atan2", "float32")[0], "cpu")
    assert not made.certificate.proofs[0].measurement.exhaustive


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
