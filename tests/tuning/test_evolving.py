"""Tuning that evolves: what a search proves is certified, recorded, and followed from then on.

Whole functions take minutes to sweep, so the function here ends early: exp on [0.5, 0.75] with a
wide bound, in its own scaffold. Search, proof, certificate and choice are the real ones.
"""

import functools
import json
import math
import sys
from types import SimpleNamespace

import pytest

from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.budget import Budget
from xla_evo.errors import RunError
from xla_evo.integration.dispatch import forget_choices
from xla_evo.library import CertificationError, choose, entries
from xla_evo.library.narrow import roundings, widened
from xla_evo.library.tuned import record_ratios, tuned_ratios, user_library
from xla_evo.scaffolds import scaffold
from xla_evo.search.run import CONFIG
from xla_evo.store import Store
from xla_evo.targets.target import make_target
from xla_evo.tuning import tune
from xla_evo.tuning.beginning import beginning
from xla_evo.tuning.record import found_programs
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.dtypes import BF16, F32
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import parse_program, print_program

LOW, HIGH, BOUND = 0.5, 0.75, 2000.0
BEGIN = "program h(x: f32) -> f32 { %0: f32 = const 0x1p+0 %1: f32 = add x, %0 return %1 }"
BUDGET = Budget(candidates=300)
MODULE = sys.modules["xla_evo.tuning.tune"]  # the name of the package is that of the function
NARROW = sys.modules["xla_evo.library.narrow"]
CERTIFY = sys.modules["xla_evo.library.certify"]
pytestmark = pytest.mark.usefixtures("fresh_store")


@pytest.fixture(autouse=True)
def short_function(monkeypatch):
    """The function ends early for the search and for its certificate alike."""
    narrow = functools.partial(make_target, low=LOW, high=HIGH)

    def sweep(*args, every_pattern, **others):
        assert every_pattern
        return measure_exhaustive(*args, **others)

    monkeypatch.setattr(MODULE, "make_target", narrow)
    monkeypatch.setattr(MODULE, "scaffolds_of", lambda *_: [scaffold("exp")])
    monkeypatch.setattr(CERTIFY, "make_target", narrow)
    monkeypatch.setattr(CERTIFY, "measure_exhaustive", sweep)
    # Of so few inputs a sample of millions of different ones would be looked for in vain.
    monkeypatch.setattr(CERTIFY, "_BUILTIN_SAMPLES", 4096)


def _tune(budget=BUDGET):
    (found,) = tune("exp", max_ulp=BOUND, budget=budget)
    return found


def test_what_is_evolved_is_certified_recorded_and_followed(monkeypatch):
    monkeypatch.setattr(MODULE, "beginning", lambda *_: BEGIN)
    first = _tune()
    (entry,) = entries("exp", "float32", folder=user_library()) or [first.notes]
    digest = entry.certificate.program_hash
    assert first.evolved == 1
    assert f"scaffold exp: {digest[:8]} certified" in first.notes
    assert entry.certificate.provenance.kind == "from scaffold exp"
    assert (
        entry.certificate.provenance.note == f"begun with {content_hash(parse_program(BEGIN))[:8]}"
    )
    (proof,) = entry.certificate.proofs
    assert proof.measurement.exhaustive
    assert proof.measurement.bound_ulp <= BOUND
    live = fingerprint(backend("cpu"))
    ratios = tuned_ratios("exp", "float32", live)
    assert digest in ratios
    assert ratios[first.chosen] == max(ratios.values())

    record_ratios("exp", "float32", live, {**ratios, digest: 9.0})
    forget_choices()
    choice = choose("exp", max_ulp=BOUND)
    assert choice.entry == entry
    assert "9 times as tuned" in str(choice)
    assert choose("exp", max_ulp=proof.max_ulp / 2).entry != entry

    monkeypatch.setattr(MODULE, "resume", None)
    monkeypatch.setattr(MODULE, "evolve", None)
    again = _tune()
    assert again.from_store
    assert (again.chosen, again.notes) == (first.chosen, first.notes)


def test_a_16_bit_program_is_evolved_in_float32(monkeypatch):
    monkeypatch.setattr(MODULE, "beginning", lambda *_: BEGIN)
    monkeypatch.setattr(NARROW, "_SHARE", BOUND / 2**16)
    (found,) = tune("exp", dtype="bfloat16", max_ulp=0.54, budget=BUDGET)
    (entry,) = entries("exp", "bfloat16", folder=user_library()) or [found.notes]
    assert found.evolved == 1
    assert entry.certificate.provenance.kind == "from scaffold exp"
    assert " between conversions; begun with " in entry.certificate.provenance.note
    (proof,) = entry.certificate.proofs
    assert proof.measurement.bound_ulp <= 0.54
    assert entry.certificate.program_hash in tuned_ratios(
        "exp", "bfloat16", fingerprint(backend("cpu"))
    )


def test_for_a_backend_that_is_not_here_a_16_bit_program_is_evolved_too(monkeypatch, tmp_path):
    monkeypatch.setattr(NARROW, "_SHARE", BOUND / 2**16)
    row = backend("cpu:sse4")
    with Store.open(tmp_path) as store:
        (found,) = tune(
            "exp", dtype="bfloat16", max_ulp=0.54, budget=BUDGET, backend=row.name, store=store
        )
        programs = [one.program for one in found_programs(store, "exp", "bfloat16")]
    assert found.evolved == len(programs) == len(roundings(BF16, row.platform))
    assert len({content_hash(widened(program)) for program in programs}) == 1


def test_half_a_unit_leaves_a_16_bit_search_nothing():
    (found,) = tune("exp", dtype="bfloat16", max_ulp=0.5, budget=BUDGET)
    assert any("needs a bound above 0.5 ULP" in line for line in found.notes)


class _Search:
    """Stands for the search: what `evolve` and `resume` were called with, and one winner."""

    def __init__(self, monkeypatch, stop=None):
        self.calls, self.stop = [], stop
        monkeypatch.setattr(MODULE, "evolve", self.evolve)
        monkeypatch.setattr(MODULE, "resume", self.resume)

    def evolve(self, config, folder, **_others):
        self.calls.append(("evolve", config.budget))
        assert config.begin == beginning(scaffold("exp"), BOUND) != ""
        folder.mkdir(parents=True)
        (folder / CONFIG).write_text(json.dumps(config.to_json()))
        if self.stop:
            raise self.stop
        return self._outcome()

    def resume(self, folder, *, budget, **_others):
        assert (folder / CONFIG).exists()
        self.calls.append(("resume", budget))
        return self._outcome()

    @staticmethod
    def _outcome():
        """What is not in the library: the Taylor polynomial of degree 6 in the scaffold."""
        builder = Builder("hole", r=F32)
        result = builder.const(1 / math.factorial(6), F32)
        for degree in range(5, -1, -1):
            product = builder.apply("mul", result, 0)
            coefficient = builder.const(1 / math.factorial(degree), F32)
            result = builder.apply("add", product, coefficient)
        text = print_program(scaffold("exp").fill(builder.build(result)))
        return SimpleNamespace(winner=SimpleNamespace(text=text))


def test_a_stopped_search_goes_on_and_nothing_is_certified_twice(monkeypatch):
    search = _Search(monkeypatch, stop=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        _tune()
    assert tuned_ratios("exp", "float32", fingerprint(backend("cpu"))) == {}
    first = _tune()
    assert search.calls == [("evolve", BUDGET), ("resume", BUDGET)]
    assert first.evolved == 1
    # A larger budget goes on with the same search, which may find the same program.
    monkeypatch.setattr(MODULE, "certify", None)
    more = _tune(Budget(candidates=400))
    assert search.calls[2:] == [("resume", Budget(candidates=400))]
    assert not more.from_store
    assert more.evolved == 0
    assert any("was certified before" in note for note in more.notes)
    assert _tune().from_store
    assert not _tune(Budget(candidates=500)).from_store


def test_what_a_certificate_refuses_is_told_and_the_rest_goes_on(monkeypatch):
    def refuse(*_args, **_others):
        raise CertificationError("exp float32: 3 ULP at 0x1p+0, more than 1")

    _Search(monkeypatch)
    monkeypatch.setattr(MODULE, "certify", refuse)
    found = _tune()
    assert found.evolved == 0
    assert "scaffold exp: what was evolved is refused: exp float32: 3 ULP" in found.notes[0]
    assert found.chosen
    assert _tune().from_store


def test_a_search_that_could_not_run_is_tried_again(monkeypatch):
    search = _Search(monkeypatch, stop=RunError("no disk"))
    found = _tune()
    assert "scaffold exp: no disk" in found.notes
    assert not _tune().from_store
    assert [name for name, _ in search.calls] == ["evolve", "resume"]
