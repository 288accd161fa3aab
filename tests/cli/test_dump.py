import json
import sys

import pytest

from xla_evo.cli.main import main
from xla_evo.dumping import resolve


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "store"))


def printed(capsys, *words):
    assert main(["dump", *words]) == 0
    return capsys.readouterr().out


def test_counts_of_every_stage(capsys):
    lines = printed(capsys, "jnp.exp").splitlines()
    assert lines[0].split() == ["stablehlo", "jnp.exp"]
    assert lines[1].split() == ["exponential", "1"]
    heads = [line.split()[0] for line in lines if line.endswith("jnp.exp")]
    assert heads[:5] == ["stablehlo", "hlo", "optimized", "llvm", "llvm_optimized"]


def test_one_stage(capsys):
    assert printed(capsys, "jnp.exp", "--stage", "stablehlo").startswith("module @")


def test_the_other_function_is_one_for_the_same_backend(capsys, monkeypatch):
    asked = []

    def resolved(name, specs=(), **settings):
        asked.append(settings["backend"])
        return resolve(name, specs, **settings)

    monkeypatch.setattr("xla_evo.dumping.resolve", resolved)
    printed(capsys, "exp", "--backend", "cpu:sse4", "--stage", "stablehlo", "--against", "log")
    assert asked == ["cpu:sse4"] * 2


def test_two_side_by_side(capsys, tmp_path):
    path = tmp_path / "tanh.prog"
    path.write_text("program tanh(x: f32) -> f32 { %0: f32 = mul x, x return %0 }")
    out = printed(capsys, str(path), "--stage", "stablehlo", "--against", "jnp")
    assert "==== tanh, cpu: StableHLO" in out
    table = out[out.index("stablehlo  ") :].splitlines()
    assert table[0].split() == ["stablehlo", "tanh", "jax.numpy.tanh"]
    assert [line.split() for line in table[1:4]] == [
        ["multiply", "1"],
        ["tanh", "1"],
        ["total", "1", "1"],
    ]


def test_json_and_files(capsys, tmp_path):
    words = ("jnp.exp", "--json", "--out", str(tmp_path / "out"))
    data = json.loads(printed(capsys, *words))
    (first,) = data["dumps"]
    assert first["stages"]["stablehlo"]["operations"] == {"exponential": 1}
    assert not first["from_store"]
    assert len(data["files"]) == len(first["stages"])
    (again,) = json.loads(printed(capsys, *words))["dumps"]
    assert again == {**first, "from_store": "asm" not in first["missing"]}


def test_a_module_of_the_current_folder(capsys, tmp_path, monkeypatch):
    (tmp_path / "a_module_here.py").write_text("def doubled(x): return x + x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    assert "add" in printed(capsys, "a_module_here:doubled", "--stage", "stablehlo")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("jnp.exp", "--stage", "ptx"), "a cpu compilation has no stage 'ptx'"),
        (("jnp.exp", "--stage", "object"), "stage object is binary"),
        (("jnp.exp", "--backend", "tpu:v9"), "unknown backend 'tpu:v9'"),
        (("jnp.exp", "--spec", "f32[8"), "is not an array"),
        (("jnp.exp", "--out", "/proc/none"), "cannot write to /proc/none"),
        (
            ("jnp.exp", "--backend", "cuda:sm_90", "--target-config", "/none"),
            "cannot read the target configuration /none: No such file",
        ),
        (("jnp.exp", "--target-config", __file__), "backend cpu takes no target configuration"),
        (("nosuch",), "unknown function 'nosuch'"),
        (("none.prog",), "cannot read the program none.prog"),
        (("jax.nn.relu", "--against", "jnp"), "say --against jnp.NAME"),
    ],
)
def test_bad_input_is_one_line(capsys, words, message):
    assert main(["dump", *words]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
