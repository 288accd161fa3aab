"""Times of certified programs: one a processor, else the nearest; kept and renewed."""

from dataclasses import replace

from xla_evo.library import Certificate, Entry, TimeRatio, add_proof, entries
from xla_evo.library.certificate import Proof, code_fingerprint, same_processor
from xla_evo.library.choice import best_proof, choose, timed_all
from xla_evo.library.loader import write_entry
from xla_evo.library.retime import retime
from xla_evo.library.tiers import places
from xla_evo_lowering.backends import backend, fingerprint, processor
from xla_evo_lowering.dtypes import F16

from .programs import program_for_exp

LIVE = fingerprint(backend("cpu"))
ZEN4, ZEN5, RAPIDS = "AMD EPYC (25.17)", "AMD EPYC 9755 (26.2)", "Intel(R) Xeon(R) (6.207)"


def taken(ratio: float, name: str) -> TimeRatio:
    return TimeRatio(
        candidate_ns=(1.0,), builtin_ns=(ratio,), floor_ns=(0.1,), ratio=ratio, range=(0.0, 1.0),
        processor=name,
    )  # fmt: skip


def timed(proof: Proof, **ratios: float) -> Proof:
    names = {"zen4": ZEN4, "rapids": RAPIDS}
    return replace(proof, times=tuple(taken(ratio, names[n]) for n, ratio in ratios.items()))


def test_times_of_this_processor_go_before_those_of_its_maker_and_those_before_any() -> None:
    proof = timed(program_for_exp().proofs("inline")[0], rapids=1.5, zen4=2.0)
    for name, ratio in ((ZEN4, 2.0), (ZEN5, 2.0), (RAPIDS, 1.5), ("Intel(R) (6.143)", 1.5)):
        assert proof.ratio_on(name) == ratio
    assert proof.ratio_on("aarch64") in (1.5, 2.0)
    assert replace(proof, times=()).ratio_on(ZEN4) == 0
    assert same_processor("INTEL(R) XEON(R) PLATINUM 8592+ (6.207)", RAPIDS)
    assert not same_processor("aarch64", "x86_64")


def test_new_times_replace_those_of_their_processor_alone() -> None:
    entry = program_for_exp()
    proof = timed(entry.proofs("inline")[0], zen4=2.0, rapids=1.5)
    fresh = proof.with_times([taken(1.75, RAPIDS)])
    assert {time.processor: time.ratio for time in fresh.times} == {ZEN4: 2.0, RAPIDS: 1.75}
    known = Entry(entry.program, replace(entry.certificate, proofs=(proof,)))
    assert add_proof(known, replace(proof, times=())).certificate.proofs[0].times
    renewed = add_proof(known, replace(proof, times=(taken(1.0, ZEN4),)))
    assert renewed.certificate.proofs[0].ratio_on(ZEN4) == 1.0
    assert renewed.certificate.proofs[0].ratio_on(RAPIDS) == 1.5
    other = {**proof.fingerprint, "native": "other code"}
    replaced = add_proof(known, replace(proof, times=(), fingerprint=other))
    assert not replaced.certificate.proofs[0].times


def test_choice_follows_the_times_of_the_processor(tmp_path) -> None:
    first, second = entries("exp", "float32")[:2]
    for entry, ratios in ((first, (2.0, 1.1)), (second, (1.2, 1.9))):
        proof = timed(entry.proofs("inline")[0], zen4=ratios[0], rapids=ratios[1])
        write_entry(Entry(entry.program, replace(entry.certificate, proofs=(proof,))), tmp_path)
    base = dict(first.proofs("inline")[0].fingerprint)
    for name, entry in ((ZEN4, first), (RAPIDS, second)):
        found = choose("exp", max_ulp=5.0, folder=tmp_path, fingerprint={**base, "device": name})
        assert found.entry == entry
        assert " on " not in found.reasons[0]
    elsewhere = choose("exp", max_ulp=5.0, folder=tmp_path, fingerprint={**base, "device": ZEN5})
    assert elsewhere.entry == first
    assert f"times the built-in's speed on {ZEN4}" in elsewhere.reasons[0]


def test_only_ratios_of_one_processor_are_compared(tmp_path) -> None:
    first, second = entries("exp", "float32")[:2]
    both = timed(first.proofs("inline")[0], zen4=2.0, rapids=8.0)
    one = timed(second.proofs("inline")[0], rapids=4.0)
    for entry, proof in ((first, both), (second, one)):
        write_entry(Entry(entry.program, replace(entry.certificate, proofs=(proof,))), tmp_path)
    live = {**both.fingerprint, "device": ZEN4}
    # By the nearest times of each the second would be taken: 4 on another processor against 2.
    assert choose("exp", max_ulp=5.0, folder=tmp_path, fingerprint=live).entry == first
    shown = places(entries("exp", "float32", folder=tmp_path), live)["fast"]
    assert shown is not None
    assert (shown.entry, shown.here, shown.ratio) == (first, True, 2.0)
    assert timed_all([both, one], ZEN4) == RAPIDS
    assert timed_all([timed(both, zen4=1.0), one], ZEN5) == ZEN5


def test_timing_again_is_of_this_machine_and_leaves_the_rest() -> None:
    entry = program_for_exp()
    (again,) = retime([entry])
    proof, _ = best_proof(again, "inline", "cpu", LIVE)
    before, _ = best_proof(entry, "inline", "cpu", LIVE)
    assert proof is not None
    assert before is not None
    time = proof.time_on(processor())
    assert time is not None
    assert time.processor == processor()
    assert time not in before.times
    others = [t for t in before.times if not same_processor(t.processor, processor())]
    assert set(others) == {t for t in proof.times if t is not time}
    assert replace(proof, times=()) == replace(before, times=())
    no_proof = Entry(entry.program, replace(entry.certificate, proofs=()))
    assert retime([no_proof]) == [no_proof]


def test_certificates_of_the_first_schema_are_read() -> None:
    data = program_for_exp().certificate.to_json()
    for proof in data["proofs"]:
        (*_, time) = proof.pop("times")
        del time["processor"]
        proof["time"] = time
        proof["fingerprint"]["device"] = ZEN4
    data["proofs"][-1]["time"] = None
    read = Certificate.from_json({**data, "schema": 1})
    assert [time.processor for time in read.proofs[0].times] == [ZEN4]
    assert not read.proofs[-1].times


def test_float16_arithmetic_is_of_the_code_of_float16_programs_alone() -> None:
    live = {**LIVE, "isa": "avx512+fma+fp16"}
    single = program_for_exp().program
    half = entries("exp", "float16")[0].program
    assert F16 in half.types
    assert code_fingerprint(single, "inline", live)["isa"] == "avx512+fma"
    assert code_fingerprint(half, "inline", live)["isa"] == "avx512+fma+fp16"
