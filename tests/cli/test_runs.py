import json
from types import SimpleNamespace

import pytest

from xla_evo.accuracy import references
from xla_evo.cli.evolve import _beginning, _tell_slow_references
from xla_evo.cli.main import main
from xla_evo.library import entries
from xla_evo.scaffolds import hole_of, scaffold
from xla_evo.targets.target import make_target
from xla_evo_lowering.text import print_program

PROGRAM = """\
program p(x: f32) -> f32 {
  %0: f32 = const 0x1p+0
  %1: f32 = add x, %0
  return %1
}
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "p.prog"
    path.write_text(PROGRAM)
    return path


def fails(capsys, *words, code=2):
    """Runs a command line that must fail; returns its one line of complaint."""
    assert main([str(word) for word in words]) == code
    out, err = capsys.readouterr()
    assert err.startswith("xla-evo: ")
    assert err.count("\n") == 1
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sine", "--domain", "0", "1"], "unknown function 'sine'"),
        (["exp2", "--dtype", "float31"], "unknown dtype"),
        (["exp2", "--dtype", "bfloat16", "--domain", "0", "1"], "float32"),
        (["exp2", "--domain", "1", "0"], "reversed"),
        (["exp2", "--domain", "1", "1"], "widen"),
        (["exp2", "--domain", "0", "1", "--backend", "abacus"], "unknown backend"),
        (["exp2", "--domain", "0", "1", "--budget", "soon"], "not a time"),
        (["exp2", "--domain", "0", "1", "--max-ulp", "-1"], "above 0"),
        (["pow", "--domain", "1", "2"], "2 arguments"),
        ([], "function"),
        (["--expr", "foo(x)", "--domain", "0", "1"], "foo"),
        (["--expr", "x*y", "--domain", "0", "1"], "y"),
        (["exp2"], "domain"),
        (["exp2", "--domain", "0", "1", "--only", "add,power"], "no operation 'power'"),
        (["exp2", "--domain", "0", "1", "--only", "neg"], "at least one of"),
        (["exp2", "--domain", "0", "1", "--begin", "none.prog"], "cannot read none.prog: No such"),
        (["exp", "--scaffold", "exp", "--begin", "0123456789"], "0 programs 0123456789..., not"),
        (["exp2", "--scaffold", "exp2", "--begin", "3c660df2"], "not made in scaffold exp2"),
        (["exp2", "--scaffold", "none", "--begin", "3c660df2"], "none"),
    ],
)
def test_evolve_refuses_bad_input(capsys, tmp_path, words, message):
    out = tmp_path / "run"
    assert message in fails(capsys, "evolve", *words, "--out", out)
    assert not out.exists()


def test_what_a_run_begins_with(tmp_path):
    """A hash of the library, the file of that program, and the file of its hole are the same."""
    (entry,) = (one for one in entries("exp", "float32") if one.name.endswith("/3c660df240bd0be8"))
    hole = print_program(hole_of(scaffold("exp"), entry.program))
    paths = [tmp_path / "whole.prog", tmp_path / "hole.prog"]
    for path, text in zip(paths, (print_program(entry.program), hole), strict=True):
        path.write_text(text)
    assert _beginning("3c660df2", "exp") == hole
    assert {_beginning(str(path), "exp") for path in paths} == {hole}
    assert _beginning("3c660df2", "") == print_program(entry.program)
    assert _beginning("", "exp") == ""


def test_evolve_tells_of_proofs_that_mpmath_makes_long(capsys):
    slow = make_target(expr="besselj(0, x)", low=0.0, high=10.0)
    _tell_slow_references(slow)
    err = capsys.readouterr().err
    assert err.startswith("xla-evo: a proof over the 1,092,616,193 inputs of besselj(0, x) takes")
    assert err.endswith("since mpmath says what is right; a smaller --domain takes less\n")
    for quick in (make_target(expr="sin(x)/x", low=0.5, high=0.6), make_target("exp")):
        _tell_slow_references(quick)
    assert capsys.readouterr().err == ""


def test_time_of_references_is_of_the_whole_domain(monkeypatch):
    target = make_target(expr="x", low=0.5, high=0.6)
    clock = iter([0.0, 1e-3, 0.0, 0.5])
    monkeypatch.setattr(references, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(references, "references", lambda *_: None)
    assert references.reference_seconds(target) == pytest.approx(0.5 / 65536 * target.count(), 0.02)


def test_runs_that_are_not_there(capsys, tmp_path):
    assert "not a run" in fails(capsys, "resume", tmp_path, code=1)
    assert "not a run" in fails(capsys, "show", tmp_path / "none", code=1)


def test_a_file_in_the_way(capsys, tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    words = ["evolve", "exp2", "--domain", "0", "1", "--out", path / "run"]
    assert "choose --out" in fails(capsys, *words, code=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PROGRAM.replace("x, %0", "x"), ":3:"),
        (PROGRAM.replace("add", "plus"), "unknown operation"),
        (PROGRAM.replace("x, %0", "x, %1"), "not defined before"),
        (PROGRAM + "more", "after the end"),
        (PROGRAM.replace("f32", "f64"), "is not a program from float32"),
    ],
    ids=["type", "operation", "cycle", "trailing", "format"],
)
def test_verify_refuses_bad_programs(capsys, program, text, message):
    program.write_text(text)
    words = ["verify", program, "--function", "exp2", "--domain", "0", "1"]
    assert message in fails(capsys, *words)


def test_verify_needs_to_know_the_function(capsys, program):
    assert "--function" in fails(capsys, "verify", program)
    assert "cannot read" in fails(capsys, "verify", program.with_name("no"), "--function", "exp2")


def test_verify_measures_every_input(capsys, program):
    words = ["verify", str(program), "--function", "exp2", "--domain", "0.5", "0.515625", "--json"]
    assert main(words) == 1
    result = json.loads(capsys.readouterr().out)
    assert not result["holds"]
    assert result["error"]["exhaustive"]
    assert result["error"]["count"] == 262145
    # 1 + x is furthest from exp2(x) at the upper end, where its rounding adds up to half a unit.
    worst = (1.515625 - 2**0.515625) * 2**23
    assert result["error"]["max_ulp"] == pytest.approx(worst, abs=0.5)
    assert main([*words[:-1], "--max-ulp", "1e6"]) == 0
    assert "holds 1e+06 ULP" in capsys.readouterr().out


def test_bench_times_in_turn(capsys, program):
    words = ["bench", str(program), "jnp.exp2", "--function", "exp2", "--domain", "0", "1"]
    assert main([*words, "--rounds", "3", "--json"]) == 0
    own, builtin = json.loads(capsys.readouterr().out)
    assert len(own["samples_ns"]["own"]) == 3
    assert own["builtin"] == builtin["builtin"] == "jax.numpy.exp2"
    assert own["ns"] > 0
    assert "--rounds" in fails(capsys, "bench", program, "--rounds", "0")
