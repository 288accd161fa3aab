"""Files of runs that are damaged or cannot be written."""

import json
import re
import shutil

import pytest

from xla_evo._fields import misfit
from xla_evo.cli.main import main
from xla_evo.search.checkpoint import Counters
from xla_evo.search.run import RunFolder


def changed(path, keys, value):
    """Puts a value at a place of a JSON file; without keys the whole file is that text."""
    if not keys:
        path.write_bytes(value)
        return
    data = json.loads(path.read_text())
    inner = data
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(data))


DAMAGES = [
    ("config.json", (), b"\xff\xfe{}"),
    ("config.json", (), b"[1]"),
    ("config.json", (), b"7"),
    ("config.json", (), b'{"target": "exp"}'),
    ("config.json", ("seed",), "one"),
    ("config.json", ("ops",), [1]),
    ("config.json", ("max_ulp",), "9"),
    ("config.json", ("budget",), 5),
    ("config.json", ("target", "low"), "here"),
    ("checkpoint.json", (), b"\xff\xfe{}"),
    ("checkpoint.json", (), b"[1]"),
    ("checkpoint.json", ("front",), 5),
    ("checkpoint.json", ("front", 0, "time"), 0.0),
    ("checkpoint.json", ("front", 0, "ulp"), "2"),
    ("checkpoint.json", ("counters", "screened"), "many"),
    ("checkpoint.json", ("counters", "seconds"), [1]),
    ("result.json", (), b"\xff\xfe{}"),
    ("result.json", (), b"[1]"),
    ("result.json", ("text",), "program"),
    ("result.json", ("error",), [1]),
    ("result.json", ("error", "count"), "many"),
    ("result.json", ("timed", "candidate"), []),
    ("result.json", ("timed", "builtin"), ["a"]),
    ("result.json", ("examination", "specials"), 3),
]


@pytest.mark.parametrize(
    ("command", "name", "keys", "value"),
    [
        (command, *damage)
        for command in ("show", "resume", "report")
        for damage in DAMAGES
        if (command, damage[0]) != ("resume", "result.json")  # it writes that anew
    ],
)
def test_a_damaged_file_is_told_by_its_name(capsys, finished, command, name, keys, value):
    changed(finished / name, keys, value)
    assert main([command, str(finished)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert str(finished / name) in err
    assert "internal error" not in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def discovered(tmp_path_factory):
    out = tmp_path_factory.mktemp("discovered") / "run"
    words = [
        "evolve",
        "exp2",
        "--dtype",
        "real",
        "--domain",
        "0",
        "1",
        "--max-ops",
        "1",
        "--budget",
        "200c",
        "--out",
    ]
    assert main([*words, str(out)]) == 0
    return out


STEP = ("records", "removable", 0, "steps", 0)


@pytest.mark.parametrize(
    ("command", "name", "keys", "value"),
    [
        ("show", "front.json", (), b"[1]"),
        ("show", "front.json", ("candidates",), "many"),
        ("show", "front.json", ("records",), [1]),
        ("show", "front.json", (*STEP, "code"), 999),
        ("show", "front.json", (*STEP, "constant"), "abc"),
        ("show", "front.json", (*STEP, "a"), 50),
        ("report", "front.json", ("seconds",), None),
        ("resume", "config.json", ("config", "seed"), "one"),
        ("resume", "config.json", (), b"\xff"),
    ],
)
def test_a_damaged_file_of_the_reals(capsys, discovered, tmp_path, command, name, keys, value):
    run = shutil.copytree(discovered, tmp_path / "run")
    changed(run / name, keys, value)
    assert main([command, str(run)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{run / name}" in err
    assert "; put a whole copy in its place, or " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (1, float, ""),
        (True, int, "it is 'True'"),
        ("x", int | None, "it is 'x'"),
        (None, int | None, ""),
        ({"a": [1, "b"]}, dict[str, list[int]], "it.a is 'b'"),
        ((1, 2.5), tuple[int, ...], "it is '2.5'"),
        (Counters(failures={"timeout": "x"}), Counters, "it.failures.timeout is 'x'"),
    ],
)
def test_what_is_not_of_its_type(value, kind, found):
    assert misfit(value, kind, "it") == found


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_proof_that_cannot_be_kept_is_shown(capsys, finished, words, monkeypatch):
    monkeypatch.setattr("xla_evo.search.run.PROOF", "no folder/proof.json")
    assert main(["verify", str(finished), *words]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"holds 9 ULP|\"holds\": true", out)
    assert err.startswith("xla-evo: the proof is not kept in the run: cannot write ")
    assert "--out" not in err
    assert err.count("\n") == 1


def test_a_run_that_had_no_time_says_so(capsys, unfinished):
    assert main(["show", str(unfinished)]) == 1
    out = capsys.readouterr().out
    assert "the budget of 10s ended before a candidate was screened: no program for exp2" in out
    changed(unfinished / "checkpoint.json", ("counters", "screened"), 1)
    assert main(["show", str(unfinished)]) == 1
    assert "\nno program for exp2" in capsys.readouterr().out


def test_a_report_of_no_candidates_has_no_figure(capsys, unfinished):
    changed(unfinished / "checkpoint.json", ("front",), [])
    assert main(["report", str(unfinished)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(unfinished / "report.md")
    assert not (unfinished / "front.png").exists()
    assert "![" not in (unfinished / "report.md").read_text()


def test_a_proof_is_kept(capsys, finished):
    assert main(["verify", str(finished)]) == 0
    assert capsys.readouterr().err == ""
    assert "measured on" in RunFolder(finished).proof()


def test_bench_times_a_run_where_it_is_told(capsys, finished):
    for words, domain in (((), [1.0, 1.001]), (("--domain", "-2", "-1e-3"), [-2.0, -1e-3])):
        assert main(["bench", str(finished), "--rounds", "1", "--json", *words]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["domain"] == pytest.approx(domain)
