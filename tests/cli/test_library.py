import json
from dataclasses import replace

import pytest

from xla_evo.cli import library
from xla_evo.cli.main import main
from xla_evo.library import entries
from xla_evo.library.tuned import tuned_ratios
from xla_evo_lowering.backends import backend, fingerprint, processor


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


def test_the_error_of_the_builtin_is_the_largest_that_a_certificate_has(
    capsys, monkeypatch
) -> None:
    entry = entries("exp", "float32")[0]
    found = [
        replace(entry, certificate=replace(entry.certificate, builtin_max_ulp=error))
        for error in (2.0, 3.0, 2.5)
    ]
    monkeypatch.setattr(library, "entries", lambda *_: found)
    command = ["library", "exp", "--compare", "--dtype", "float32", "--json"]
    for error, unbounded in ((3.0, False), (None, True)):
        assert main(command) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["builtin_max_ulp"], row["builtin_unbounded"]) == (error, unbounded)
        found[0] = replace(entry, certificate=replace(entry.certificate, builtin_max_ulp=None))


def test_what_is_not_there_or_named_twice(capsys) -> None:
    for words, told in (
        (["sqrt"], "no program ships for sqrt\n"),
        (["--dtype", "int32"], "no program ships in int32\n"),
        (["sqrt", "--dtype", "float32"], "no program ships for sqrt in float32\n"),
    ):
        assert main(["library", *words]) == 0
        assert capsys.readouterr().out == told
    printed = []
    for words in (["exp"], ["exp", "exp"]):
        assert main(["library", *words, "--dtype", "float16", "--json"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != "[]\n"
    assert main(["library", "exp", "exp", "--compare", "--dtype", "float16", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_unknown_function_is_bad_usage(capsys) -> None:
    assert main(["library", "expp"]) == 2
    assert "did you mean exp" in capsys.readouterr().err


def test_measured_here(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    command = ["library", "rsqrt", "--compare", "--measure", "--dtype", "bfloat16"]
    assert main([*command, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["tiers"]["near"]["processor"] == processor()
    recorded = tuned_ratios("rsqrt", "bfloat16", fingerprint(backend("cpu")))
    assert row["tiers"]["near"]["ratio"] in recorded.values()
    for options, told in (
        (["--measure"], "give it too"),
        (["--processor", "25.17"], "give it too"),
        (["--compare", "--measure", "--processor", "25.17"], "leave --processor out"),
        (["--compare", "--processor", "Alpha"], "no times of a processor 'Alpha'; there are"),
    ):
        assert main(["library", *options]) == 2
        assert told in capsys.readouterr().err


def test_times_of_another_processor_are_told(capsys, monkeypatch):
    monkeypatch.setattr(library, "processor", lambda: "Alpha 21264 (1.2)")
    assert main(["library", "exp", "--compare", "--dtype", "float32"]) == 0
    assert "none of Alpha 21264 (1.2); --measure times" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["25.17", "6.207"])
def test_times_of_a_processor_that_certificates_know(capsys, name):
    command = ["library", "exp", "--compare", "--dtype", "float32", "--processor", name]
    assert main([*command, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert f"({name})" in row["tiers"]["one"]["processor"]
    assert main(command) == 0
    assert f"({name})\n" in capsys.readouterr().out


def test_programs_for_a_device(capsys):
    command = ["library", "sin", "--backend", "tpu:v5e"]
    assert main(command) == 0
    table, footer = capsys.readouterr().out.strip().rsplit("\n", 1)
    assert "exhaustive, modelled" in table
    assert footer.startswith("tpu:v5e: costs in bundles for 1,024 elements (jax ")
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["fingerprint"]["backend"] for row in rows} == {"tpu:v5e"}
    assert all(row["ratio"] == row["builtins"]["jax.numpy.sin"] / row["cost"] for row in rows)


def test_tiers_on_a_device(capsys):
    command = ["library", "sin", "sqrt", "--compare", "--backend", "tpu:v5e", "--dtype", "float32"]
    for name, apart in (("sin", False), ("exp", True)):
        assert main(["library", name, *command[3:]]) == 0
        out = capsys.readouterr().out
        assert "float32: tier one for 1 of 1 functions; cheaper than the built-in for" in out
        assert ("HIGHEST" in out) is apart
    assert main([*command, "--json"]) == 0
    sin, sqrt = json.loads(capsys.readouterr().out)
    assert sin["published_ulp"] == 3.5
    assert sin["tiers"]["fast"]["max_ulp"] <= 3.5
    assert sin["tiers"]["fast"]["ratio"] > 1
    assert sin["tiers"]["fast"]["modelled"]
    assert sqrt["tiers"] == {"fast": None, "one": None, "near": None}


@pytest.mark.parametrize("backend_name", ["cpu", "cuda:sm_90"])
def test_errors_of_samples_are_told(capsys, backend_name):
    command = ["library", "--compare", "--backend", backend_name, "--dtype", "float32"]
    for names, told in (("exp", False), ("exp pow", True)):
        assert main([*command, *names.split()]) == 0
        out = capsys.readouterr().out
        assert ("\nsampled, not over every input: pow in float32\n" in out) is told
        assert "exp in float32" not in out
    if backend_name == "cpu":
        assert main(["library", "--compare", "--dtype", "float64", "exp", "tanh"]) == 0
        assert "\nsampled, not over every input: all in float64\n" in capsys.readouterr().out


def test_a_device_without_programs_or_with_times(capsys):
    assert main(["library", "sqrt", "--backend", "tpu:v5e"]) == 0
    assert "no such program ships for tpu:v5e" in capsys.readouterr().out
    assert main(["library", "--compare", "--measure", "--backend", "tpu:v5e"]) == 2
    assert "times on this CPU; leave --backend out" in capsys.readouterr().err
    assert main(["library", "--backend", "tpu:v9"]) == 2
    assert "unknown backend 'tpu:v9'" in capsys.readouterr().err
    assert main(["library", "--backend", "tpu"]) == 2
    assert "there is no TPU in this machine" in capsys.readouterr().err
