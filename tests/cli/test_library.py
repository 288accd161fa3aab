import json

from xla_evo.cli.library import tier
from xla_evo.cli.main import main


def test_table_and_json(capsys) -> None:
    assert main(["library", "exp"]) == 0
    out = capsys.readouterr().out
    assert "exhaustive" in out
    assert "by hand" in out
    assert main(["library", "exp", "--dtype", "float32", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["function"] for row in rows} == {"exp"}
    assert all(row["exhaustive"] and row["max_ulp"] <= 1.0 for row in rows)


def test_comparison_lists_functions_without_a_program(capsys) -> None:
    assert main(["library", "--compare"]) == 0
    out = capsys.readouterr().out
    assert "lgamma" in out
    assert "none" in out


def test_unknown_function_is_bad_usage(capsys) -> None:
    assert main(["library", "expp"]) == 2
    assert "did you mean exp" in capsys.readouterr().err


def test_tiers() -> None:
    assert [tier(value) for value in (0.5, 0.51, 0.9, 1.0, 1.2)] == [
        "near", "near", "one", "one", "fast",
    ]  # fmt: skip
