import json

import pytest

from xla_evo.cli import main as cli

EVOLVE = ("evolve", "--dtype", "real")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "run"
    words = [*EVOLVE, "exp2", "--domain", "0", "1", "--max-ops", "3", "--budget", "2000c"]
    assert cli.main([*words, "--out", str(out)]) == 0
    return out


def shown(capsys, *words):
    assert cli.main(list(words)) == 0
    return capsys.readouterr().out


def test_show_prints_the_front_against_the_baselines(folder, capsys):
    text = shown(capsys, "show", str(folder))
    assert "exp2 on [0, 1], relative error" in text
    assert "rational fraction" in text
    assert "float64: error" in text


def test_json_has_sources_that_run(folder, capsys):
    data = json.loads(shown(capsys, "show", str(folder), "--json"))
    records = {record["operations"]: record for record in data["records"]["removable"]}
    assert sorted(records) == [1, 2, 3]
    space = {}
    exec(records[3]["python"], space)  # noqa: S102
    assert space["f"](0.5) == pytest.approx(2**0.5, rel=1e-3)
    assert records[3]["verified_error"] == pytest.approx(8.7e-4, rel=0.02)


def test_single_records_are_shown_explained_and_emitted(folder, capsys):
    text = shown(capsys, "show", str(folder), "--ops", "3")
    assert text.startswith("# exp2 on [0, 1], relative error 0.0008702 with 3")
    assert "\ndef f(x):\n" in text
    assert shown(capsys, "show", str(folder), "--ops", "3", "--graph").startswith("digraph")
    assert "3 independent" in shown(capsys, "show", str(folder), "--ops", "3", "--explain")
    text = shown(capsys, "show", str(folder), "--ops", "3", "--emit", "float32")
    assert "ULP" in text
    assert "-> f32 {" in text


@pytest.mark.parametrize("flag", [("--graph",), ("--emit", "float32")])
def test_flags_of_one_record_need_its_operations(folder, capsys, flag):
    assert cli.main(["show", str(folder), *flag]) == 2
    assert f"{flag[0]} needs --ops" in capsys.readouterr().err


def test_a_run_is_not_overwritten(folder, capsys):
    before = (folder / "front.json").read_bytes()
    assert cli.main([*EVOLVE, "exp2", "--domain", "0", "1", "--out", str(folder)]) != 0
    assert "holds a run already" in capsys.readouterr().err
    assert (folder / "front.json").read_bytes() == before


def test_report_and_resume(folder, capsys):
    pytest.importorskip("matplotlib")
    assert "report.md" in shown(capsys, "report", str(folder))
    text = shown(capsys, "resume", str(folder), "--budget", "2400c", "--json")
    assert json.loads(text)["candidates"] == 2400


def test_a_zero_at_an_end_makes_the_error_absolute(tmp_path, capsys):
    text = shown(
        capsys, *EVOLVE, "cos", "--domain", "0", "1.5707963267948966", "--max-ops", "2",
        "--budget", "200c", "--out", str(tmp_path / "cos"),
    )  # fmt: skip
    assert "absolute error" in text


BAD = {
    "no domain": (["exp2"], "--domain"),
    "one point": (["exp2", "--domain", "1", "1"], "one point"),
    "no operations": (["exp2", "--domain", "0", "1", "--max-ops", "0"], "max-ops"),
    "an unknown name": (["--expr", "foo(x)", "--domain", "0", "1"], "foo"),
    "two variables": (["--expr", "x*y", "--domain", "0", "1"], "variables"),
    "a pole": (["--expr", "1/(x-0.3)", "--domain", "0", "1"], "pole"),
    "a branch": (["--expr", "sqrt(x-0.5)", "--domain", "0", "1"], "not a real number"),
    "a logarithm's end": (["log", "--domain", "-1", "1"], "not real on all"),
    "a jump": (["--expr", "sign(x-0.3)+2", "--domain", "0", "1"], "jumps at x = 0.3"),
    "a zero at no float64": (
        ["--expr", "cos(x)", "--domain", "0", "1.5707963267948966", "--measure", "relative"],
        "at no float64",
    ),
    "a reversed domain": (["exp2", "--domain", "1", "0"], "reversed"),
    "too many operations": (["exp2", "--domain", "0", "1", "--max-ops", "99"], "max-ops"),
    "a weight alone": (["exp2", "--domain", "0", "1", "--weight", "x"], "weight"),
    "no time": (["exp2", "--domain", "0", "1", "--budget", "0s"], "above zero"),
    "a sign change": (["sin", "--domain", "-1", "1"], "changes its sign"),
    "nothing": (["--domain", "0", "1"], "function"),
    "too short": (["exp2", "--domain", "0", "1", "--budget", "3c"], "too short"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(name, tmp_path, capsys):
    words, text = BAD[name]
    out = tmp_path / "run"
    assert cli.main([*EVOLVE, *words, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not out.exists()
