import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import xla_evo
from xla_evo.budget import Budget
from xla_evo.cli.main import main
from xla_evo.errors import ConfigError, RunError
from xla_evo.runs import locked
from xla_evo.search import run as run_module
from xla_evo.search.checkpoint import State, read_state, state_from_json, state_to_json
from xla_evo.search.config import SearchConfig
from xla_evo.search.population import Population
from xla_evo.search.run import CHECKPOINT, CONFIG, PROGRAM, RESULT, RunFolder, evolve, resume
from xla_evo.targets.target import make_target
from xla_evo_lowering.text import parse_program


@pytest.fixture(scope="module")
def small_config():
    # A wide bound on a narrow domain: found in a few generations, proven in a blink.
    return SearchConfig(
        target=make_target("exp2", "float32", 0.5, 0.75),
        max_ulp=400.0,
        budget=Budget(candidates=1500),
        offspring=300,
        workers=1,
    )


@pytest.fixture(scope="module")
def finished(small_config, tmp_path_factory):
    from xla_evo.store import Store

    folder = tmp_path_factory.mktemp("run")
    with Store.open(folder / "store") as store:
        first = evolve(small_config, folder / "one", store=store)
        second = evolve(small_config, folder / "two", store=store)
    return folder, first, second


def test_a_program_is_evolved_from_nothing_and_proven(finished):
    _, outcome, _ = finished
    winner = outcome.winner
    assert winner is not None
    assert winner.error.exhaustive
    assert winner.error.count == outcome.config.target.count() == 4194305
    assert winner.error.bound_ulp <= 400
    assert winner.examination.holds
    assert winner.builtin is not None
    assert winner.builtin.exhaustive
    assert parse_program(winner.text).operation_count() >= 2


def test_a_second_run_with_a_warm_store_compiles_nothing_anew(finished):
    _, first, second = finished
    one, two = first.state.counters, second.state.counters
    assert one.compiled > 10
    assert two.compiled <= 0.05 * one.compiled
    assert two.timed <= 0.05 * one.timed
    assert (one.screened, one.proposed, one.steps) == (two.screened, two.proposed, two.steps)
    assert set(first.state.tried) == set(second.state.tried)


def test_results_are_read_back(finished):
    folder, outcome, _ = finished
    run = RunFolder(folder / "one")
    assert run.result() == outcome.winner
    assert run.config() == outcome.config
    state = read_state(run.checkpoint)
    assert state_to_json(state) == state_to_json(outcome.state)


def test_an_expression_is_evolved_and_its_run_read_back(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "store"))
    target = make_target(expr="sin(x)/x", low=0.5, high=0.500244140625)
    out = tmp_path / "run"
    outcome = xla_evo.evolve(target, max_ulp=20, budget="300c", out=out)
    assert outcome.winner is not None
    assert outcome.winner.error.exhaustive
    assert "refused" not in outcome.state.counters.failures
    program = parse_program((out / PROGRAM).read_text())
    assert program.name == "f"
    assert xla_evo.verify(program, target, max_ulp=20).error.bound_ulp <= 20
    for command in ("resume", "show", "report", "verify"):
        assert main([command, str(out)]) == 0
        told = capsys.readouterr().out
        assert ("speed vs empty loop" in told) == (command in ("resume", "show"))
        assert "speed vs built-in" not in told


def test_resume_goes_on(finished, small_config):
    folder, outcome, _ = finished
    from xla_evo.store import Store

    with Store.open(folder / "store") as store:
        again = resume(folder / "two", budget=Budget(candidates=2000), store=store)
    assert again.state.counters.screened >= 2000 > outcome.state.counters.screened - 300


def test_a_run_is_not_overwritten(finished, small_config):
    folder, _, _ = finished
    with pytest.raises(RunError, match="resume"):
        evolve(small_config, folder / "one")


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"has no config\.json"):
        resume(tmp_path)


def test_a_damaged_checkpoint_is_told(finished):
    folder, _, _ = finished
    path = folder / "one" / "damaged.json"
    path.write_text("{")
    with pytest.raises(RunError, match="cannot read"):
        read_state(path)
    with pytest.raises(RunError, match="format"):
        state_from_json({"format": 99})
    with pytest.raises(RunError, match="damaged"):
        state_from_json({**state_to_json(State(Population(3))), "seen": 5})


def put(data, place, value):
    """Sets what lies at a place such as ``front.0.time``."""
    *way, last = (int(name) if name.isdigit() else name for name in place.split("."))
    for name in way:
        data = data[name]
    data[last] = value


@pytest.mark.parametrize(
    ("file", "place", "value"),
    [
        (CONFIG, "target.low", "zzz"),
        (CONFIG, "ops", [1]),
        (CONFIG, "ops", {"add": "x"}),
        (CONFIG, "seed", "x"),
        (CONFIG, "", []),
        (CONFIG, "", b"\xff"),
        (CHECKPOINT, "front.0.time", 0),
        (CHECKPOINT, "front.0.ulp", "x"),
        (CHECKPOINT, "front.0.nodes.0.0", "x"),
        (CHECKPOINT, "front.0.nodes.0.0", 77),
        (CHECKPOINT, "front.0.nodes.0.0", -1),
        (CHECKPOINT, "front.0.nodes.0", [2, 0, 0, 9, 0, "0x0p+0"]),
        (CHECKPOINT, "counters.seconds", 5),
        (CHECKPOINT, "progress_at", "x"),
        (CHECKPOINT, "", 5),
        (CHECKPOINT, "", b"\xff"),
        (RESULT, "", []),
        (RESULT, "error.max_ulp", []),
    ],
)
def test_damage_is_told_in_one_line_that_names_the_file(
    finished, tmp_path, capsys, file, place, value
):
    folder, _, _ = finished
    out = tmp_path / "run"
    shutil.copytree(folder / "one", out)
    data = json.loads((out / file).read_text())
    if place:
        put(data, place, value)
        value = data
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    (out / file).write_bytes(text)
    assert main(["show", str(out)]) != 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(out / file) in error
    assert "internal" not in error


def test_a_run_that_was_killed_before_its_first_checkpoint(small_config, tmp_path, capsys):
    out = tmp_path / "a run"
    out.mkdir()
    RunFolder(out).create(small_config)
    for command in (
        ["show", str(out)],
        ["evolve", "exp2", "--domain", "0", "1", "--out", str(out)],
    ):
        assert main(command) != 0
        assert f"xla-evo resume '{out}'" in capsys.readouterr().err


def test_a_new_budget_is_kept_at_once(small_config, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "_locked_run", interrupted)
    RunFolder(tmp_path).create(small_config)
    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path, budget=Budget(seconds=60.0))
    assert RunFolder(tmp_path).config().budget == Budget(seconds=60.0)
    with locked(tmp_path):
        pass


@pytest.mark.parametrize(("cost", "checkpoints"), [(0.0, 25), (2.0, 3)])
def test_checkpoints_take_a_small_share_of_the_time(monkeypatch, cost, checkpoints):
    """Generations of a second, and states that take so many seconds to write."""
    now, written = [0.0], []

    def spend(seconds):
        now[0] += seconds

    def write(*_):
        written.append(now[0])
        spend(cost)

    search = SimpleNamespace(start=lambda: None, generation=lambda _: spend(1.0), state=None)
    clock = SimpleNamespace(over=lambda: now[0] >= 100.0)
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(run_module, "write_state", write)
    run_module._generations(search, RunFolder(Path("run")), clock, run_module.Silent())
    assert len(written) == checkpoints


def test_kill_loses_at_most_seconds(tmp_path):
    out = tmp_path / "run"
    environment = {**os.environ, "XLA_EVO_CACHE": str(tmp_path / "store")}
    command = [
        sys.executable, "-m", "xla_evo", "evolve", "exp2", "--domain", "0.5", "0.75",
        "--max-ulp", "0.6", "--budget", "10m", "--workers", "1", "--out", str(out),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not (out / CHECKPOINT).exists() and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    state = read_state(out / CHECKPOINT)
    assert state.counters.screened > 0
    assert json.loads((out / CONFIG).read_text())["seed"] == 0
    with (
        locked(out),  # the lock went with the process
        pytest.raises(RunError, match="another process"),
        locked(out),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backend": "npu"}, "unknown backend"),
        ({"max_ulp": 0.0}, "max-ulp"),
        ({"offspring": 0}, "at least 1"),
        ({"seed": -1}, "--seed"),
        ({"ops": {"sqrt": 1.0}}, "at least one of"),
        ({"ops": {"add": 1.0, "select": 1.0}}, "select need lt or le too"),
        ({"ops": {"sub": 1.0, "mul": 1.0}}, "sub need add too"),
        ({"ops": {"add": 1.0, "div": 1.0}}, "div need mul too"),
        ({"ops": {"add": 1.0, "neg": 1.0}}, "add and neg need sub too"),
        ({"ops": {"div": 1.0, "mul": 0.0}, "backend": "tpu:v5e"}, "at least one of"),
    ],
)
def test_settings_are_checked(small_config, change, message):
    fields = {name: getattr(small_config, name) for name in SearchConfig.__slots__}
    with pytest.raises((ConfigError, RuntimeError), match=message):
        SearchConfig(**{**fields, **change})


def test_two_that_begin_in_one_folder_keep_the_settings_of_the_first(small_config, tmp_path):
    with locked(tmp_path), pytest.raises(RunError, match="another process"):
        evolve(small_config, tmp_path)
    assert not (tmp_path / CONFIG).exists()


def test_settings_round_trip(small_config):
    data = json.loads(json.dumps(small_config.to_json()))
    assert SearchConfig.from_json(data) == small_config
    assert SearchConfig.from_json(data).digest() == small_config.digest()
    with pytest.raises(ConfigError, match="not search settings"):
        SearchConfig.from_json({**data, "unknown": 1})
