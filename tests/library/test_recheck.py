import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xla_evo.errors import XlaEvoError
from xla_evo.library import DATA, Entry, entries, processes, same_bits
from xla_evo.library.certificate import Proof, code_fingerprint, machine_identity
from xla_evo.library.choice import best_proof
from xla_evo.library.recheck import (
    difference,
    recheck,
    recheck_all,
    recheck_part,
    recheck_rotating,
)
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import F32

LIVE = fingerprint(backend("cpu"))
recheck_module = importlib.import_module("xla_evo.library.recheck")


@pytest.fixture
def small(tmp_path: Path) -> Entry:
    """An entry of 16 bits, whose full proof takes a second or two."""
    shutil.copytree(DATA / "rsqrt" / "float16", tmp_path / "rsqrt" / "float16")
    return entries("rsqrt", "float16", folder=tmp_path)[0]


def claiming(entry: Entry, **changes) -> Entry:
    """The entry with a certificate that says something else of every proof."""
    proofs = tuple(
        replace(proof, contexts={}, measurement=replace(proof.measurement, **changes))
        for proof in entry.certificate.proofs
    )
    return Entry(entry.program, replace(entry.certificate, proofs=proofs))


def test_full_check_confirms_and_refutes(small: Entry) -> None:
    found = recheck(small)
    assert found is not None
    assert not found.problem
    assert found.count == 1 << 16
    worse = recheck(claiming(small, max_ulp=0.25, bound_ulp=0.25))
    assert worse is not None
    assert "0.25" in worse.problem
    code = code_fingerprint(small.program, "inline", LIVE)
    if machine_identity(small.proofs("inline")[0].fingerprint) == machine_identity(code):
        miscounted = recheck(claiming(small, not_correctly_rounded=7))
        assert miscounted is not None
        assert "not_correctly_rounded 7" in miscounted.problem


def test_counts_differ_by_no_more_than_what_was_left_undecided(small: Entry) -> None:
    proof = small.proofs("inline")[0]

    def counting(wrong: int, undecided: int) -> Proof:
        changes = {"not_correctly_rounded": wrong, "undecided": undecided}
        return replace(proof, measurement=replace(proof.measurement, **changes))

    assert not difference(counting(26, 1395), counting(24, 1395), exact=True)
    assert "26, measured 24" in difference(counting(26, 1), counting(24, 1), exact=True)
    assert "7, measured 8" in difference(counting(7, 0), counting(8, 0), exact=True)


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
def test_a_custom_call_of_the_same_bits_has_the_errors_measured_inlined(monkeypatch) -> None:
    entry = entries("exp", "float32")[0]
    proof, here = best_proof(entry, "inline", "cpu", LIVE)
    if proof is None or not here:
        pytest.skip("no proof of the inlined form here to hold another form against")
    for check in ("_hold_against", "check_length_invariance"):
        monkeypatch.setattr(same_bits, check, lambda *_, **__: None)
    fresh = replace(proof.measurement, seconds=1e9)
    found = recheck(entry, "custom_call", measurement=fresh)
    assert found is not None
    assert not found.problem
    assert (found.found_ulp, found.count) == (fresh.max_ulp, 1 << 32)
    assert found.seconds < 1e6
    worse = recheck(entry, "custom_call", measurement=replace(fresh, max_ulp=9.0, bound_ulp=9.0))
    assert worse is not None
    assert worse.found_ulp == 9.0
    assert "9.0" in worse.problem


def test_programs_of_one_function_are_swept_together(small: Entry) -> None:
    other = claiming(small, max_ulp=0.25, bound_ulp=0.25)
    seen: list[str] = []
    found = recheck_all([small, other], report=lambda outcome: seen.append(outcome.problem))
    assert [outcome.count for outcome in found] == [1 << 16] * 2
    assert not found[0].problem
    assert "0.25" in found[1].problem
    assert seen == [outcome.problem for outcome in found]


def test_functions_are_shared_out_over_processes(small: Entry, tmp_path: Path) -> None:
    shutil.copytree(DATA / "exp2" / "float16", tmp_path / "exp2" / "float16")
    chosen = [
        *entries("exp2", "float16", folder=tmp_path),
        claiming(small, max_ulp=0.25, bound_ulp=0.25),
    ]
    seen: list[str] = []
    found = recheck_all(chosen, processes=2, report=lambda outcome: seen.append(outcome.entry))
    assert seen == [outcome.entry for outcome in found]
    alone = {outcome.entry: outcome for outcome in recheck_all(chosen, processes=1)}
    assert set(alone) == set(seen)
    for outcome in found:
        assert replace(outcome, seconds=0) == replace(alone[outcome.entry], seconds=0)
    assert "0.25" in alone[small.name].problem


class Ends:
    """Ends the process that it is sent to."""

    def __reduce__(self):
        return os._exit, (3,)


def test_a_process_that_ends_early_is_told() -> None:
    with pytest.raises(XlaEvoError, match="ended before its time"):
        list(processes.shared_out(recheck_module._recheck_group, [[Ends()]], 1))


class Tells:
    """Writes the processors of the process that it is sent to into a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        text = "','.join(map(str, sorted(__import__('os').sched_getaffinity(0))))"
        return eval, (f"open({str(self.path)!r}, 'a').write({text} + ' ')",)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_a_process_is_kept_on_a_processor_if_there_is_one_for_each(tmp_path: Path) -> None:
    processors = sorted(os.sched_getaffinity(0))
    told = []
    for count in (1, len(processors) + 1):
        path = tmp_path / f"{count}"
        with pytest.raises(AttributeError):
            list(processes.shared_out(recheck_module._recheck_group, [[Tells(path)]], count))
        told.append(path.read_text().strip())
    assert told == [str(processors[0]), ",".join(map(str, processors))]


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
def test_custom_calls_are_held_against_the_sweep_of_their_function(monkeypatch) -> None:
    entry = entries("exp", "float32")[0]
    proof, here = best_proof(entry, "inline", "cpu", LIVE)
    if proof is None or not here:
        pytest.skip("no proof of the inlined form here to hold another form against")
    inputs = np.arange(1 << 16, dtype=np.uint32).view(np.float32)

    def sweep(of, *, others, threads, watch):
        assert not others
        for number, one in enumerate(of):
            watch(number, inputs, Executable.of_program(one.program)(inputs) + 1)
        return {one.name: proof.measurement for one in of}

    proven: list[str | None] = []

    def prove(*_, difference, **__):
        proven.append(difference)
        return proof

    monkeypatch.setattr(recheck_module, "sweep_together", sweep)
    monkeypatch.setattr(recheck_module, "prove_other_form", prove)
    monkeypatch.setattr(recheck_module, "prove", lambda *_, **__: proof)
    found = recheck_all([entry])
    assert [outcome.lowering for outcome in found] == ["inline", "custom_call"]
    assert len(proven) == 1
    assert "for 0.0, not" in str(proven[0])


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
@pytest.mark.parametrize("differs", ["", "1 for 2"])
def test_a_custom_call_measured_by_itself_is_swept_with_the_others(monkeypatch, differs) -> None:
    entry = entries("exp", "float32")[0]
    proof, here = best_proof(entry, "inline", "cpu", LIVE)
    call = best_proof(entry, "custom_call", "cpu", LIVE)[0]
    if proof is None or call is None or not here:
        pytest.skip("no proof of the inlined form here to hold another form against")
    claim = replace(call, measurement=replace(call.measurement, max_ulp=0.25, bound_ulp=0.25))
    proofs = tuple(claim if one == call else one for one in entry.certificate.proofs)
    claimed = Entry(entry.program, replace(entry.certificate, proofs=proofs))
    inputs = np.zeros(1 << 16, np.float32)
    swept: list[str] = []

    def sweep(of, *, others, threads, watch):
        swept.extend([*(one.name for one in of), *others])
        (form,) = others.values()
        watch(0, inputs, Executable.of_program(of[0].program)(inputs))
        watch(1, inputs, Executable(form, [F32])(inputs))
        watch.differences.update(dict.fromkeys(others, differs) if differs else {})
        return dict.fromkeys(swept, proof.measurement)

    def never(*_, **__):
        raise AssertionError

    monkeypatch.setattr(recheck_module, "sweep_together", sweep)
    monkeypatch.setattr(recheck_module, "prove_other_form", never)
    monkeypatch.setattr(recheck_module, "prove", lambda *_, **__: proof)
    monkeypatch.setattr(
        same_bits, "prove", lambda *_, measurement, **__: replace(call, measurement=measurement)
    )
    inlined, called = recheck_all([claimed])
    assert swept == [entry.name, f"{entry.name} by itself"]
    assert not inlined.problem
    wanted = f"custom_call gives {differs}" if differs else "the certificate says max_ulp 0.25"
    assert wanted in called.problem


def test_part_meets_the_worst_inputs_again(small: Entry) -> None:
    found = recheck_part(small, 5)
    assert found is not None
    assert not found.problem
    worse = recheck_part(claiming(small, max_ulp=0.25, bound_ulp=0.25), 5)
    assert worse is not None
    assert "0.25" in worse.problem


def test_part_meets_a_subtraction(small: Entry, monkeypatch) -> None:
    monkeypatch.setattr(recheck_module, "changed_beside", lambda *_: "other results")
    found = recheck_part(small, 5)
    assert found is not None
    assert found.problem == "other results"


def test_program_of_another_function_is_refuted(small: Entry) -> None:
    wrong = Entry(small.program, replace(small.certificate, function="sqrt"))
    found = recheck_part(wrong, 0)
    assert found is not None
    assert "should be" in found.problem


def test_rotation_starts_elsewhere_at_each_turn() -> None:
    chosen = [entry for entry in entries(None, "float16") if entry.function in ("log", "rsqrt")]
    first = recheck_rotating(chosen, 0, seconds=0.0)
    second = recheck_rotating(chosen, 1, seconds=0.0)
    assert len(first) == len(second) == 1
    assert first[0].entry != second[0].entry


@pytest.mark.parametrize("wide", [True, False])
def test_processes_compile_kernels_to_long_vectors_where_there_are_such(monkeypatch, wide) -> None:
    monkeypatch.delenv("NUMBA_CPU_FEATURES", raising=False)
    features = processes.binding.get_host_cpu_features()
    features["avx512f"] = wide
    monkeypatch.setattr(processes.binding, "get_host_cpu_features", lambda: features)
    with processes._long_vectors():
        said = os.environ.get("NUMBA_CPU_FEATURES", "")
    assert said.endswith(",-prefer-256-bit") == wide
    assert "NUMBA_CPU_FEATURES" not in os.environ


def test_features_that_the_user_chose_stay(monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+avx2")
    with processes._long_vectors():
        assert os.environ["NUMBA_CPU_FEATURES"] == "+avx2"
    assert os.environ["NUMBA_CPU_FEATURES"] == "+avx2"


_SLEEPS = """
import sys

from xla_evo.library.processes import shared_out

class Sleeps:
    def __reduce__(self):
        return exec, (f"import os, time; open({sys.argv[1]!r}, 'w').write(str(os.getpid()));"
                      " time.sleep(300)",)

list(shared_out(print, [Sleeps()], 1))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads states of processes")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    path = tmp_path / "process"
    with subprocess.Popen([sys.executable, "-c", _SLEEPS, str(path)]) as parent:
        assert _soon(lambda: path.exists() and path.read_text())
        parent.kill()
    assert _soon(lambda: not _runs(int(path.read_text())))


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _soon(holds: Callable[[], object]) -> bool:
    """Whether it comes to hold within a minute."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
