import functools
import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo.accuracy.directed import measure_directed
from xla_evo.accuracy.results import outside
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.errors import ConfigError, TargetError
from xla_evo.library import (
    DATA,
    CertificateError,
    CertificationError,
    Entry,
    Provenance,
    add_proof,
    choose,
    entries,
    explain,
    prove,
    read_entry,
    write_entry,
)
from xla_evo.library.certificate import (
    Certificate,
    Proof,
    TimeRatio,
    code_fingerprint,
    contracts,
    machine_identity,
)
from xla_evo.library.certify import _binades_of
from xla_evo.library.choice import best_proof
from xla_evo.library.contexts import AFTER, BEFORE, changed_beside, measure_contexts
from xla_evo.library.times import time_ratio, time_ratios
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import BF16, F32, F64
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import print_program

from .programs import double_bound, ending_in_a_product, identity_program, program_for_exp

CERTIFY = sys.modules["xla_evo.library.certify"]  # the name of the module is that of a function

SHIPPED = entries()
SINGLE = [entry for entry in SHIPPED if entry.dtype == "float32"]
"""Those that are compiled here; `xla-evo verify --quick` goes through the others in turn."""
DOUBLE = [entry for entry in SHIPPED if entry.dtype == "float64"][::4]
LIVE = fingerprint(backend("cpu"))


def named(entry: Entry) -> str:
    return entry.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A library with the programs of exp alone, to be damaged at will."""
    shutil.copytree(DATA / "exp", tmp_path / "exp")
    return tmp_path


def first_program(folder: Path) -> Path:
    return next(folder.glob("exp/float32/*.prog"))


@pytest.mark.parametrize("entry", SHIPPED, ids=named)
def test_shipped_entry_is_canonical_and_proven(entry: Entry) -> None:
    assert canonical(entry.program) == entry.program
    assert entry.certificate.proofs
    function, bits = catalogue_function(entry.function), entry.program.dtype.bits
    for proof in entry.certificate.proofs:
        assert proof.measurement.exhaustive == (function.arity == 1 and bits <= 32)
        least = 1 << bits if proof.measurement.exhaustive else 10_000_000
        assert proof.measurement.count >= least
        assert proof.specials_checked > 5
        if proof.lowering == "inline" and function.arity == 1:
            assert set(proof.contexts) == {row.name for row in (*BEFORE, *AFTER)}
    assert "by hand" in entry.certificate.provenance.kind or entry.certificate.provenance.run


@pytest.mark.parametrize("entry", SINGLE, ids=named)
def test_shipped_entry_keeps_its_bound_on_a_sample(entry: Entry) -> None:
    proof, _ = best_proof(entry, "inline", "cpu", LIVE)
    assert proof is not None
    near = [point.input for point in proof.measurement.worst_inputs]
    found = measure_sampled(
        Executable.of_program(entry.program),
        make_target(entry.function, entry.dtype),
        flush_to_zero=True,
        samples=1 << 15,
        near=near if all(isinstance(point, float) for point in near) else (),
    )
    assert found.max_ulp <= proof.max_ulp
    # The worst inputs of the certificate are in the sample, so its error is met again.
    if len(entry.program.parameters) == 1 and machine_identity(
        proof.fingerprint
    ) == machine_identity(code_fingerprint(entry.program, "inline", LIVE)):
        assert found.max_ulp == pytest.approx(proof.measurement.max_ulp)


def test_programs_that_are_timed_together_share_the_builtin() -> None:
    target, forms = make_target("exp", "float32"), [jnp.exp, lambda x: jnp.exp(jnp.exp(x) * 0)]
    found = time_ratios(forms, target, rounds=2)
    assert len({time.builtin_ns for time in found}) == 1
    assert len({time.candidate_ns for time in found}) == len(forms)
    for time in found:
        assert time.ratio == min(time.builtin_ns) / min(time.candidate_ns)
    assert len(time_ratio(jnp.exp, target, rounds=2).candidate_ns) == 2
    own = make_target(expr="sin(x)/x", low=0.1, high=2.0)
    assert time_ratio(jnp.sinc, own, rounds=2).ratio == 0  # there is no built-in


def test_worst_binades_are_sampled_densely() -> None:
    inputs = _binades_of([5.5, -0.75, 6.0, "1"], make_target("tanh", "float32"))
    assert len(inputs) == 2 << 20
    size = np.abs(inputs)
    assert ((size >= 4) & (size < 8) | (inputs < 0) & (size >= 0.5) & (size < 1)).all()
    positive = _binades_of([5.5, -0.75], make_target("log", "float32"))
    assert (positive > 0).all()


def test_certificate_survives_json() -> None:
    for entry in SHIPPED[::5]:
        data = json.loads(json.dumps(entry.certificate.to_json()))
        assert Certificate.from_json(data) == entry.certificate


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("mul", "add", 1), "not the one that was certified"),
        (lambda text: "# better\n" + text, "edited after it was certified"),
        (lambda text: text.replace("->", "- >"), "unexpected character"),
        (lambda text: "", "expected 'program'"),
    ],
)
def test_edited_program_is_refused(folder: Path, change, reason: str) -> None:
    path = first_program(folder)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(CertificateError, match=reason):
        entries("exp", folder=folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data.update(function="log"), "is certified for log"),
        (lambda data: data.update(program_hash="0" * 64), "not the one that was certified"),
        (lambda data: data.update(proofs=[]), "proves nothing"),
        (lambda data: data.update(schema=99), "schema"),
        (lambda data: data.pop("provenance"), "not a certificate"),
        (lambda data: data["provenance"].update(kind="evolved"), "provenance"),
    ],
)
def test_edited_certificate_is_refused(folder: Path, change, reason: str) -> None:
    path = first_program(folder).with_suffix(".json")
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(CertificateError, match=reason):
        entries("exp", folder=folder)


def test_missing_certificate_and_wrong_name_are_refused(folder: Path) -> None:
    path = first_program(folder)
    path.with_suffix(".json").rename(path.with_name("other.json"))
    with pytest.raises(CertificateError):
        read_entry(path)
    path.rename(path.with_name("other.prog"))
    with pytest.raises(CertificateError, match="should be called"):
        read_entry(path.with_name("other.prog"))


def test_written_entry_is_read_back(tmp_path: Path) -> None:
    entry = program_for_exp()
    path = write_entry(entry, tmp_path)
    assert read_entry(path) == entry
    assert path.read_text(encoding="utf-8") == print_program(entry.program, comments=False)
    assert entries("exp", "float32", folder=tmp_path) == (entry,)
    assert entries("exp", "float32", "tpu:v5e", folder=tmp_path) == ()


def timed(proof: Proof, ratio: float, processor: str = LIVE["device"]) -> Proof:
    time = TimeRatio(
        candidate_ns=(1.0,), builtin_ns=(ratio,), floor_ns=(0.1,), ratio=ratio, range=(0.0, 1.0),
        processor=processor,
    )  # fmt: skip
    return proof.with_times([time])


def test_choice_follows_bound_speed_and_machine(tmp_path: Path) -> None:
    entry = program_for_exp()
    proof = timed(entry.proofs("inline")[0], 1.5)
    write_entry(Entry(entry.program, replace(entry.certificate, proofs=(proof,))), tmp_path)
    loose = choose("exp", max_ulp=1.0, folder=tmp_path, fingerprint=proof.fingerprint)
    assert loose.entry == entry
    assert loose.exact_machine
    assert choose("exp", folder=tmp_path, fingerprint=proof.fingerprint).entry == entry
    tight = choose("exp", max_ulp=0.51, folder=tmp_path)
    assert tight.entry is None
    assert "above 0.51 ULP" in str(tight)
    other = choose("exp", folder=tmp_path, fingerprint={**proof.fingerprint, "jaxlib": "0.0"})
    assert other.entry == entry
    assert not other.exact_machine
    native = choose("exp", folder=tmp_path, lowering="custom_call")
    assert native.entry is None
    assert "no proof for custom_call" in str(native)


def test_slow_program_needs_a_bound(tmp_path: Path) -> None:
    entry = program_for_exp()
    proof = timed(entry.proofs("inline")[0], 0.7)
    write_entry(Entry(entry.program, replace(entry.certificate, proofs=(proof,))), tmp_path)
    assert choose("exp", folder=tmp_path).entry is None
    assert choose("exp", max_ulp=1.0, folder=tmp_path).entry == entry
    assert choose("exp", most_accurate=True, folder=tmp_path).entry == entry


def test_no_entry_is_explained(tmp_path: Path) -> None:
    assert "no program for exp in float64" in explain("exp", "float64", folder=tmp_path)
    with pytest.raises(TargetError, match="unknown function"):
        choose("expp")
    with pytest.raises(ConfigError, match="unknown dtype"):
        choose("exp", "float31")


def test_identity_keeps_what_decides_machine_code() -> None:
    changed = {**LIVE, "device": "other", "xla_flags": "--xla_dump_to=/tmp/x"}
    assert machine_identity(changed) == machine_identity({**LIVE, "xla_flags": ""})
    for part in ("isa", "jaxlib", "backend"):
        assert machine_identity({**LIVE, part: "other"}) != machine_identity(LIVE)


def test_contraction_is_read_off_the_fingerprint() -> None:
    base = {"backend": "cpu", "isa": "avx512+fma"}
    assert contracts(base)
    assert not contracts({**base, "isa": "avx"})
    assert not contracts({**base, "xla_flags": "--xla_cpu_max_isa=AVX"})
    assert contracts({**base, "xla_flags": "--xla_cpu_max_isa=AVX2"})
    assert contracts({**base, "xla_flags": "--xla_cpu_max_isa=AVX --xla_cpu_max_isa=AVX2"})
    assert not contracts({**base, "xla_flags": "--xla_cpu_max_isa=AVX2 --xla_cpu_max_isa=AVX"})


def test_a_newer_proof_of_the_same_compiler_replaces_the_older() -> None:
    entry = program_for_exp()
    proof = entry.proofs("inline")[0]
    again = add_proof(entry, timed(proof, 3.0))
    assert len(again.certificate.proofs) == len(entry.certificate.proofs)
    other = replace(proof, fingerprint={**proof.fingerprint, "isa": "other"})
    both = add_proof(entry, other)
    assert both.certificate.proofs == (*entry.certificate.proofs, other)
    renewed = timed(proof, 3.0)
    places = [renewed if known is proof else known for known in both.certificate.proofs]
    assert add_proof(both, renewed).certificate.proofs == tuple(places)


@pytest.mark.parametrize(("name", "dtype"), [("exp", F32), ("exp", BF16), ("exp2", F64)], ids=repr)
def test_contexts_see_a_wrong_program(name: str, dtype) -> None:
    target = make_target(name, dtype)
    found = measure_contexts(
        as_function(identity_program(dtype)), target, flush_to_zero=True, samples=4096
    )
    assert all(error > 50 for error in found.values())


@pytest.mark.parametrize("entry", DOUBLE, ids=named)
def test_double_entry_keeps_its_bound_beside_other_operations(entry: Entry) -> None:
    found = measure_contexts(
        as_function(entry.program), make_target(entry.function, "float64"), flush_to_zero=True,
        samples=4096,
    )  # fmt: skip
    assert max(found.values()) <= max(1.0, entry.proofs("inline")[0].max_ulp)


@pytest.mark.parametrize("function", sorted({entry.function for entry in entries(None, "float64")}))
def test_a_double_entry_of_each_function_holds_without_contraction(function: str) -> None:
    """The definition of a program contracts nothing; erfc has 1.19 ULP there."""
    target = make_target(function, "float64")
    errors = [
        measure_sampled(
            lambda x, program=entry.program: evaluate(program, x, flush=True), target,
            flush_to_zero=True, samples=20_000, exact=False,
        ).max_ulp
        for entry in entries(function, "float64")
    ]  # fmt: skip
    assert min(errors) <= (1.25 if function == "erfc" else double_bound(function))


def test_provenance_is_one_of_the_known_kinds() -> None:
    for kind in ("from scratch", "from scaffold exponent", "baseline by hand"):
        assert Provenance(kind=kind).kind == kind
    with pytest.raises(ConfigError):
        Provenance(kind="found somewhere")


def test_specials_of_shipped_programs_by_name() -> None:
    for entry in SINGLE:
        run = Executable.of_program(entry.program)
        for key, value in make_target(entry.function).function.specials:
            if isinstance(key, tuple):
                continue
            got = float(run(np.full(8, key, np.float32))[3])
            same = math.isnan(got) if math.isnan(value) else got == np.float32(value)
            assert same, (entry.name, key, got)
            assert math.isnan(value) or math.copysign(1, got) == math.copysign(1, value)


def test_a_program_that_ends_in_a_product_is_refused() -> None:
    """It would be contracted into a subtraction that takes the rounded result from it."""
    if not contracts(LIVE):
        pytest.skip("nothing is contracted here")
    program = ending_in_a_product()
    measurement = entries("log", "float32")[0].proofs("inline")[0].measurement
    with pytest.raises(CertificationError, match=r"is not 0, though.*end it in another operation"):
        prove(
            program, make_target("log2"), "inline", as_function(program), time=False,
            measurement=measurement,
        )  # fmt: skip


def test_results_beside_a_subtraction_are_those_alone() -> None:
    saturated = next(e for e in entries("tanh", "float32") if e.name.endswith("0c42b3adc7c1b1de"))
    assert not changed_beside(as_function(saturated.program), make_target("tanh"))


SATURATING = {"tanh": 7.5, "erf": 3.5, "logistic": 15.0}
"""From here on the function rounds to 1, or nearly."""


@pytest.mark.parametrize("entry", [e for e in SINGLE if e.function in SATURATING], ids=named)
def test_a_saturated_program_stays_within_the_results_of_its_function(entry: Entry) -> None:
    first = np.float32(SATURATING[entry.function]).view(np.uint32)
    x = np.arange(first, first + (1 << 22), dtype=np.uint32).view(np.float32)
    results = Executable.of_program(entry.program)(x)
    assert not outside(catalogue_function(entry.function), x, results)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_a_result_outside_those_of_the_function_is_refused(monkeypatch, dtype: str) -> None:
    """By less than its error in ULP: a root of 1 - tanh(x)^2 is nan there."""
    few = functools.partial(measure_directed, samples=4096, climb=())
    monkeypatch.setattr(CERTIFY, "measure_directed", few)
    entry = entries("tanh", dtype)[0]
    right, target = as_function(entry.program), make_target("tanh", dtype)

    def beyond(x: jax.Array) -> jax.Array:
        above = 1 + jnp.finfo(x.dtype).eps
        return jnp.where((x > 20.0) & (x < 1e30), jnp.asarray(above, x.dtype), right(x))

    with pytest.raises(CertificationError, match="above all results of the function"):
        prove(entry.program, target, "inline", beyond, time=False, contexts=False)


def test_infinite_error_beside_other_operations_is_not_written(tmp_path: Path) -> None:
    entry = program_for_exp()
    proof = replace(entry.proofs("inline")[0], contexts={"f(2x)": math.inf})
    wrong = Entry(entry.program, replace(entry.certificate, proofs=(proof,)))
    with pytest.raises(CertificateError, match="infinitely wrong"):
        write_entry(wrong, tmp_path)
    assert not list(tmp_path.rglob("*.prog"))
