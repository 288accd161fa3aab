"""What commands refuse before they begin: a line that says which, and exit code 2."""

import pytest

from xla_evo.cli.main import main

TWO = "program two(x: f32, y: f32) -> f32 { %0: f32 = add x, y return %0 }"
WIDE = "program wide(x: f64) -> f64 { %0: f64 = add x, x return %0 }"
EXP2 = ("evolve", "exp2", "--domain", "0", "1", "--out", "OUT")


@pytest.fixture
def places(tmp_path, finished, real):
    """What stands for a path in the command lines below."""
    (tmp_path / "two.prog").write_text(TWO)
    (tmp_path / "wide.prog").write_text(WIDE)
    (tmp_path / "binary.prog").write_bytes(b"\xff\xfe")
    names = {name: str(tmp_path / f"{name.lower()}.prog") for name in ("TWO", "WIDE", "BINARY")}
    return names | {"RUN": str(finished), "REAL": str(real), "OUT": str(tmp_path / "out")}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("verify", "RUN", "--function", "exp2"), "--function is for a program file"),
        (("verify", "RUN", "--expr", "x"), "--expr is for a program file"),
        (("verify", "RUN", "--domain", "0", "1"), "--domain is for a program file"),
        (("verify", "RUN", "--dtype", "float32"), "--dtype is for a program file"),
        (("verify", "RUN", "--turn", "1"), "--turn is of --quick"),
        (("verify", "--all", "--turn", "1"), "--turn is of --quick"),
        (("verify", "--all", "--max-ulp", "1"), "--max-ulp is for one program"),
        (("verify", "--quick", "--max-ulp", "1"), "--max-ulp is for one program"),
        (("verify", "jnp", "--function", "exp2", "--max-ulp", "nan"), "a number above 0, not nan"),
        (("verify", "jnp", "--function", "exp2", "--max-ulp", "-1"), "a number above 0, not -1"),
        (("verify", "jnp", "--function", "pow"), "verify takes functions of one argument"),
        (("verify", "jnp", "--function", "exp", "--dtype", "float64"), "at most 32 bits"),
        (("verify", "BINARY", "--function", "exp"), "it is not text in UTF-8"),
        (("verify", "nosuch"), "no such program file and no run"),
        (("verify", "REAL"), "is a run over the reals, which is not verified"),
        (("bench", "REAL"), "is a run over the reals, which is not timed"),
        (("bench", "RUN", "--function", "exp2"), "--function is for program files"),
        (("bench", "BINARY"), "it is not text in UTF-8"),
        (("bench", "TWO"), "is not a program from float32 to float32"),
        (("bench", "WIDE"), "is not a program from float32 to float32"),
        (("bench", "jnp.pow"), "pow has 2 arguments"),
        (("bench", "jnp.exp", "nosuch"), "cannot read nosuch"),
        (("bench", "jnp.exp", "--domain", "1", "0"), "reversed"),
        (("bench", "jnp.exp", "--domain", "nan", "1"), "give finite ends"),
        (("bench", "jnp.exp", "--domain", "0", "inf"), "give finite ends"),
        (("bench", "jnp.exp", "--domain", "0", "1e39"), "give finite ends"),
        ((*EXP2, "--max-ops", "3"), "--max-ops is for --dtype real"),
        (("evolve", "exp"), "with --domain LOW HIGH, or --scaffold NAME for the whole range"),
        ((*EXP2, "--finite"), "--finite is for --dtype real"),
        ((*EXP2, "--measure", "absolute"), "--measure is for --dtype real"),
        ((*EXP2, "--weight", "-x"), "--weight is for --dtype real"),
        ((*EXP2, "--dtype", "real", "--scaffold", "exp2"), "--scaffold is for machine numbers"),
        ((*EXP2, "--dtype", "real", "--begin", "x"), "--begin is for machine numbers"),
        ((*EXP2, "--dtype", "real", "--only", "add"), "--only is for machine numbers"),
        ((*EXP2, "--dtype", "real", "--backend", "cpu"), "--backend is for machine numbers"),
        ((*EXP2, "--dtype", "real", "--max-ulp", "1"), "--max-ulp is for machine numbers"),
        (("evolve", "--expr", "sin(x,2,3)", "--domain", "0", "1"), "evaluated with 3 arguments"),
        ((*EXP2, "--seed", "-1"), "a whole number from 0 on"),
        (("show", "RUN", "--ops", "3"), "--ops is for runs with --dtype real"),
        (("show", "RUN", "--emit", ""), "--emit is for runs with --dtype real"),
        (("show", "RUN", "--graph"), "--graph is for runs with --dtype real"),
        (("show", "RUN", "--explain"), "--explain is for runs with --dtype real"),
        (("show", "REAL", "--explain", "--json"), "--json is for another output"),
        (("show", "REAL", "--graph", "--json", "--ops", "3"), "--json is for another output"),
        (("show", "REAL", "--emit", "float32", "--json", "--ops", "3"), "--json is for another"),
        (("show", "REAL", "--emit", ""), "--emit needs --ops"),
        (("tune", "exp", "--max-ulp", "nan"), "a number above 0, not nan"),
        (("tune", "--compare", "exp", "--max-ulp", "nan"), "a number above 0, not nan"),
        (("tune", "exp", "--seed", "-1"), "a whole number from 0 on"),
        (("tune", "exp", "--dtype", "real"), "tune takes formats of numbers, not real"),
        (("tune", "exp", "pow"), "tune takes functions of one argument, not pow"),
        (("cache", "prune", "--max-bytes", "9" * 400), "is not a size"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_one_line_and_exit_code_2(capsys, places, words, message):
    assert main([places.get(word, word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["verify", "bench"])
def test_a_run_without_a_winner_is_told(capsys, unfinished, command):
    assert main([command, str(unfinished)]) == 1
    err = capsys.readouterr().err
    assert "no program for exp2" in err
    assert f"go on with: xla-evo resume {unfinished}" in err
