import json

from xla_evo.cli.main import main


def test_table_and_json(capsys) -> None:
    assert main(["library", "exp"]) == 0
    out = capsys.readouterr().out
    assert "exhaustive" in out
    assert "by hand" in out
    assert main(["library", "exp", "--dtype", "float32", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["function"] for row in rows} == {"exp"}
    assert all(
        row["exhaustive"] and row["max_ulp"] <= max(1.0, row["builtin_max_ulp"]) for row in rows
    )


def test_comparison_lists_functions_without_a_program(capsys) -> None:
    assert main(["library", "--compare"]) == 0
    out = capsys.readouterr().out
    assert "lgamma" in out
    assert "near ULP" in out
    assert "geometric mean" in out
    assert main(["library", "exp", "sqrt", "--compare", "--dtype", "float32", "--json"]) == 0
    exp, sqrt = json.loads(capsys.readouterr().out)
    assert exp["published_ulp"] == 1.5
    assert exp["tiers"]["one"]["max_ulp"] <= 1.0
    assert sqrt["tiers"] == {"fast": None, "one": None, "near": None}


def test_unknown_function_is_bad_usage(capsys) -> None:
    assert main(["library", "expp"]) == 2
    assert "did you mean exp" in capsys.readouterr().err
