import math
from dataclasses import replace

import pytest

from xla_evo.library import Entry, TimeRatio, entries
from xla_evo.library.certificate import code_fingerprint, contracts
from xla_evo.library.choice import builtin_ulp
from xla_evo.library.loader import MODELLED
from xla_evo.library.tiers import geometric_mean, places, tier
from xla_evo_lowering.backends import backend, fingerprint

from .programs import double_bound

LIVE = fingerprint(backend("cpu"))


def changed(entry: Entry, *, max_ulp: float, ratio: float, builtin: float | None) -> Entry:
    """The entry with another error, speed-up and error of the built-in."""
    time = TimeRatio(
        candidate_ns=(1.0,),
        builtin_ns=(ratio,),
        floor_ns=(0.1,),
        ratio=ratio,
        range=(0.0, 1.0),
        processor="a",
    )
    proofs = tuple(
        replace(
            proof, times=(time,), contexts={},
            measurement=replace(proof.measurement, max_ulp=max_ulp, bound_ulp=max_ulp),
        )
        for proof in entry.certificate.proofs
    )  # fmt: skip
    certificate = replace(entry.certificate, proofs=proofs, builtin_max_ulp=builtin)
    return Entry(entry.program, certificate)


def test_narrowest_tier() -> None:
    assert [tier(value) for value in (0.5, 0.51, 0.9, 1.0, 1.2)] == [
        "near", "near", "one", "one", "fast",
    ]  # fmt: skip


def test_fastest_of_each_tier() -> None:
    entry = entries("exp", "float32")[0]
    near = changed(entry, max_ulp=0.501, ratio=0.8, builtin=2.0)
    one = changed(entry, max_ulp=0.9, ratio=1.2, builtin=2.0)
    loose = changed(entry, max_ulp=1.9, ratio=3.0, builtin=2.0)
    wrong = changed(entry, max_ulp=2.1, ratio=9.0, builtin=2.0)
    found = places([near, one, loose, wrong], LIVE)
    ratios = {name: place.ratio if place else None for name, place in found.items()}
    assert ratios == {"fast": 3.0, "one": 1.2, "near": 0.8}


def test_costs_and_published_errors_count_for_a_device() -> None:
    (entry,) = (
        e for e in entries("sin", folder=MODELLED)
        if e.certificate.program_hash.startswith("7ab807ba")
    )  # fmt: skip
    (proof,) = entry.proofs("inline", "tpu:v5e")
    found = places([entry], proof.fingerprint)
    assert found["one"] is None
    assert found["fast"] is not None
    assert found["fast"].ratio == proof.cost.builtins["jax.numpy.sin"] / proof.cost.value
    assert builtin_ulp(entry, "tpu:v5e") == 3.5
    assert builtin_ulp(entries("lgamma", "float32")[0], "tpu:v5e") == 1.0


def test_fast_is_faster_than_the_builtin_and_as_accurate() -> None:
    entry = entries("exp", "float32")[0]
    slow = changed(entry, max_ulp=0.9, ratio=0.9, builtin=2.0)
    assert places([slow], LIVE)["fast"] is None
    unbounded = changed(entry, max_ulp=50.0, ratio=1.1, builtin=None)
    assert places([unbounded], LIVE)["fast"] is not None
    assert places([unbounded], LIVE)["one"] is None


def test_a_proof_of_this_compiler_goes_before_a_faster_one_of_another() -> None:
    entry = entries("exp", "float32")[0]
    here = changed(entry, max_ulp=0.9, ratio=0.5, builtin=2.0)
    code = code_fingerprint(entry.program, "inline", LIVE)
    proof = replace(here.proofs("inline")[0], fingerprint=code)
    here = Entry(here.program, replace(here.certificate, proofs=(proof,)))
    other = changed(entry, max_ulp=0.9, ratio=3.0, builtin=2.0)
    elsewhere = replace(other.proofs("inline")[0], fingerprint={**LIVE, "jaxlib": "0.0"})
    other = Entry(other.program, replace(other.certificate, proofs=(elsewhere,)))
    place = places([other, here], LIVE)["one"]
    assert place is not None
    assert place.exact
    assert place.ratio == 0.5
    assert places([other], LIVE)["one"] is not None


@pytest.mark.parametrize(
    ("function", "dtype"),
    sorted({(e.function, dtype) for dtype in ("float32", "float64") for e in entries(dtype=dtype)}),
)
def test_a_program_is_proven_with_contraction_and_without(function: str, dtype: str) -> None:
    bound = 0.51 if dtype == "float32" else double_bound(function)
    held = {
        contracts(proof.fingerprint)
        for entry in entries(function, dtype)
        for proof in entry.proofs("inline")
        if proof.max_ulp <= bound
    }
    assert held == {True, False}


def test_geometric_mean() -> None:
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert geometric_mean([]) is None
    assert math.isclose(geometric_mean([0.0, 3.0]) or 0.0, 3.0)
