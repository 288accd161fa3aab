"""A search for a backend that is not the machine's own: static cost, modelled results."""

import dataclasses

import numpy as np
import pytest

from xla_evo.api import verify_model
from xla_evo.budget import Budget
from xla_evo.cli.main import main
from xla_evo.errors import BackendError
from xla_evo.reports import summary
from xla_evo.search.config import SearchConfig
from xla_evo.search.genome import ADD, MUL, float_constant, node, static_cost
from xla_evo.search.modelled import ModelledTasks
from xla_evo.search.points import Points
from xla_evo.search.run import PROGRAM, RunFolder, evolve, resume
from xla_evo.search.screen import improve
from xla_evo.store import Store
from xla_evo.targets.target import make_target
from xla_evo_lowering.text import parse_program


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    config = SearchConfig(
        target=make_target("exp2", "float32", 0.5, 0.75),
        max_ulp=400.0,
        budget=Budget(candidates=900),
        backend="cpu:sse4",
        offspring=300,
        workers=1,
    )
    folder = tmp_path_factory.mktemp("modelled")
    with Store.open(folder / "store") as store:
        return evolve(config, folder / "run", store=store)


def test_a_program_is_evolved_with_a_static_cost_and_a_modelled_error(outcome):
    winner = outcome.winner
    assert winner is not None
    assert winner.error.exhaustive
    assert winner.error.bound_ulp <= 400
    assert winner.timed.unit == "cycles an element"
    assert winner.timed.floor == ()
    assert winner.speedup == winner.timed.builtin[0] / winner.timed.candidate[0] > 1
    assert winner.builtin is None
    assert RunFolder(outcome.path).result() == winner
    told = summary.to_json(outcome)["winner"]
    assert told["modelled"]
    assert told["cost"] == winner.timed.candidate[0]
    assert all("modelled" in str(row[-1]) for row in summary.hall_of_fame(outcome))


def test_what_is_shown_says_modelled_and_how_to_measure(outcome, capsys):
    assert main(["show", str(outcome.path)]) == 0
    shown = capsys.readouterr().out
    assert "modelled, not measured; static cost" in shown
    assert "known: IEEE 754" in shown
    assert f"xla-evo verify {outcome.path} --backend cpu" in shown


def test_the_model_is_repeated_and_a_missing_device_is_told(outcome, capsys, monkeypatch):
    program = parse_program(outcome.winner.text)
    target = outcome.config.target
    again = verify_model(program, target, backend="cpu:sse4", max_ulp=400.0)
    assert again.holds
    assert again.device == ""
    assert again.error.bound_ulp == outcome.winner.error.bound_ulp
    assert main(["verify", str(outcome.path)]) == 0
    assert "modelled for cpu:sse4, not measured" in capsys.readouterr().out
    assert not RunFolder(outcome.path).proof()

    def none(backend):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr("jax.local_devices", none)
    assert main(["verify", str(outcome.path), "--backend", "cuda"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "there is no NVIDIA GPU in this machine" in error


def test_a_device_of_this_machine_turns_a_model_into_a_proof(outcome, capsys):
    # The CPU contracts, sse4 does not, so the bound may be another; 400 ULP leaves room.
    assert main(["verify", str(outcome.path), "--backend", "cpu"]) == 0
    capsys.readouterr()
    assert "measured on" in RunFolder(outcome.path).proof()
    assert main(["show", str(outcome.path)]) == 0
    assert "measured on" in capsys.readouterr().out
    program = outcome.path / PROGRAM
    text = program.read_text()
    program.write_text(f"{text}# another one")
    assert not RunFolder(outcome.path).proof()
    program.write_text(text)


def test_it_can_be_resumed(outcome, tmp_path):
    with Store.open(tmp_path / "store") as store:
        again = resume(outcome.path, budget=Budget(candidates=1200), store=store)
    assert again.state.counters.screened >= 1200


def test_without_contraction_products_keep_their_rounding_and_their_cost():
    nodes = (float_constant(1 / 3), node(MUL, 0, 1), float_constant(1.0), node(ADD, 2, 3))
    assert static_cost(nodes) == 1.0
    assert static_cost(nodes, contracts=False) == 2.0
    x = np.linspace(0.5, 0.75, 256).astype(np.float32)
    plain = (x * np.float32(1 / 3) + np.float32(1)).astype(np.float64)
    points = Points(x.astype(np.float64), plain, np.ones(256))
    assert improve(nodes, points, 0, 0.0, 0, contracts=False)[1] == 0
    assert improve(nodes, points, 0, 0.0, 0)[1] > 0


def test_operations_without_a_model_are_not_searched(outcome):
    gpu = dataclasses.replace(outcome.config, backend="cuda:sm_90")
    assert "div" in outcome.config.mutation_ops()
    assert not {"div", "sqrt"} & set(gpu.mutation_ops())


def test_a_missing_plugin_is_told_before_a_folder_is_made(outcome, tmp_path, monkeypatch):
    monkeypatch.setattr("xla_evo_lowering.backends._is_installed", lambda module: False)
    config = dataclasses.replace(outcome.config, backend="tpu:v5e")
    with pytest.raises(BackendError, match=r"pip install 'xla-evo\[tpu\]'"):
        evolve(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_compilation_tells_the_worst_of_several_rows():
    """They join the hard points, so that the next candidates are not compiled to fail there."""
    tasks = ModelledTasks(make_target("exp2", "float32", 0.5, 0.75), 1.0, 64, 0, backend="cpu:sse4")
    text = "program exp2(x: f32) -> f32 { %0: f32 = const 0x1.8p+0 %1: f32 = mul x, %0 return %1 }"
    try:
        found = tasks.compile("crude", text)
        assert tasks.compile("swapped", text.replace("x, %0", "%0, x")) == found
    finally:
        tasks.close()
    told = np.array([found.worst, *found.others])
    assert len(np.unique(told)) > 8
    errors = np.abs(1.5 * told - np.exp2(told)) * 2.0**23
    assert errors[0] == pytest.approx(found.ulp, abs=1)
    assert errors.min() > 0.99 * errors[0]
