import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import mpmath as mp
import numpy as np
import pytest

from xla_evo.budget import Budget
from xla_evo.discovery import DiscoveryConfig, Front, engine, load_front, resume, run
from xla_evo.discovery.beginnings import EVERY
from xla_evo.discovery.checkpoint import State, is_discovery, read_config, read_state
from xla_evo.discovery.evolve import evolve
from xla_evo.discovery.reference import Reference
from xla_evo.errors import RunError
from xla_evo.runs import locked

SMALL = DiscoveryConfig(function="exp2", candidates=3000, max_ops=3, seed=1)


def programs(front):
    return {
        (policy, n): record.steps
        for policy, table in front.records.items()
        for n, record in table.items()
    }


def test_a_short_search_finds_the_small_records(front):
    for n, error in ((1, 3.6e-2), (2, 3.1e-2), (3, 9.0e-4), (4, 2.3e-4)):
        assert front.record(n).verified.error <= error
    assert front.record(5).verified.error <= 1.3e-5
    for record in front.records["finite"].values():
        assert record.verified.finite
    for table in front.records.values():
        for record in table.values():
            assert record.verified.error == pytest.approx(record.error, rel=0.02)
            assert record.verified.points >= 20_000


def test_sources_reproduce_the_verified_error_with_mpmath_at_fifty_digits(front):
    for table in front.records.values():
        for record in table.values():
            space = {}
            exec(record.python, space)  # noqa: S102
            with mp.workdps(50):
                x = mp.mpf(record.verified.worst) or mp.mpf("1e-25")
                error = abs(space["f"](x) / mp.power(2, x) - 1)
            assert float(error) == pytest.approx(record.verified.error, rel=1e-5)
            assert 0.98 * record.verified.error <= record.full_error
            assert record.full_error <= record.verified.error * (1 + 1e-6)


def test_the_front_beats_every_baseline_where_they_are_weak(front):
    assert set(front.baselines) >= {
        "Taylor (Horner)",
        "Pade (continued fraction)",
        "minimax polynomial (Horner)",
        "minimax polynomial (Knuth-Eve)",
        "minimax rational (Horner)",
        "minimax rational (continued fraction)",
        "even-part quotient with squarings",
    }
    assert front.baselines["minimax polynomial (Horner)"][4] == pytest.approx(1.73e-3, rel=0.01)
    assert front.baselines["minimax rational (Horner)"][4] == pytest.approx(8.67e-4, rel=0.01)
    best = min(row[5] for row in front.baselines.values())
    assert front.record(5).verified.error < best


def test_fronts_survive_json(front):
    text = json.dumps(front.to_json())
    again = Front.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    with pytest.raises(RunError, match="not the front"):
        Front.from_json({"config": {}})
    with pytest.raises(RunError, match="no removable record of 9"):
        front.record(9)


@pytest.mark.usefixtures("quick")
def test_the_same_seed_and_candidates_give_the_same_front():
    one, two = run(SMALL), run(SMALL)
    assert programs(one) == programs(two)
    assert one.candidates == 3000
    other = run(dataclasses.replace(SMALL, seed=2))
    assert programs(other) != programs(one)


@pytest.mark.usefixtures("quick")
def test_a_run_that_goes_on_ends_like_one_that_never_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "EPOCH", 100)  # so that young islands have their turns
    whole = run(dataclasses.replace(SMALL, candidates=12_000))
    part = run(dataclasses.replace(SMALL, candidates=8000), out=tmp_path / "run")
    assert part.candidates == 8000
    shown = []
    front = resume(tmp_path / "run", budget=Budget(candidates=12_000), progress=shown.append)
    assert programs(front) == programs(whole)
    assert shown[-1].stage == "finish"
    shares = [item.finished for item in shown if item.stage == "finish"]
    assert shares[0] == 0.0
    assert shares == sorted(set(shares))
    assert len(shares) == 2 * SMALL.max_ops
    assert shown[-1].candidates == 12_000
    assert read_config(tmp_path / "run").candidates == 12_000
    assert programs(load_front(tmp_path / "run")) == programs(front)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("text", "most"), [("x+1", 1), ("x*x", 1), ("1/x", 1), ("3*x", 2)])
def test_what_is_exactly_representable_is_found_with_error_zero(text, most):
    config = DiscoveryConfig(
        expression=text, low=1.0, high=2.0, max_ops=most, candidates=600, workers=1
    )
    record = run(config).records["removable"][1]
    assert record.verified.error < 1e-50


@pytest.mark.usefixtures("quick")
def test_run_folders_are_kept_apart_and_damage_is_told(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(RunError, match="holds no run"):
        resume(out)
    run(dataclasses.replace(SMALL, candidates=200), out=out)
    assert is_discovery(out)
    assert not is_discovery(tmp_path)
    assert read_config(out).function == "exp2"
    with pytest.raises(RunError, match="holds a run already"):
        run(SMALL, out=out)
    state = out / "state.npz"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(RunError, match="is damaged"):
        read_state(out, SMALL)
    (out / "front.json").write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        load_front(out)
    (out / "front.json").unlink()
    with pytest.raises(RunError, match="no front yet"):
        load_front(out)
    settings = json.loads((out / "config.json").read_text())
    seed = {**settings, "config": {**settings["config"], "seed": "x"}}
    for data in (b"[]", b'{"config": 5}', b"\xff", json.dumps(seed).encode()):
        (out / "config.json").write_bytes(data)
        with pytest.raises(RunError, match=r"config\.json are damaged"):
            read_config(out)


@pytest.mark.usefixtures("quick")
def test_finite_searches_finite_programs_alone():
    front = run(dataclasses.replace(SMALL, finite=True, candidates=2000))
    assert front.record(3).policy == "finite"
    assert front.record(3).verified.finite


def test_what_young_islands_found_is_left_to_the_old_ones_when_they_begin_anew(monkeypatch):
    config = dataclasses.replace(SMALL, finite=True, max_ops=2, workers=1)
    search = engine._Search(config, Reference(config), State.fresh(config), None, None)
    (old,), (young,) = search.state.islands["finite"], search.state.young["finite"]
    monkeypatch.setattr(
        engine, "evolve", lambda island, *rest: evolve(island, *rest) if island is young else 0
    )
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2 + 2 * EVERY - 1):  # a life has two epochs here
            search._epoch(pool, "finite", 300)
            search.state.epoch += 1
        found = young.error.min(axis=1)
        assert np.isfinite(found[1:3]).all()
        assert not np.isfinite(old.error).any()
        stream = young.rng.copy()
        search._epoch(pool, "finite", 300)
    assert (old.error.min(axis=1)[1:3] <= found[1:3]).all()
    assert not np.isfinite(young.error).any()
    assert not np.array_equal(young.rng, stream)


@pytest.mark.usefixtures("quick")
def test_a_run_is_worked_on_by_one_process(tmp_path):
    """Two that go on with one run would each replace the other's checkpoints."""
    short = dataclasses.replace(SMALL, candidates=200)
    with locked(tmp_path), pytest.raises(RunError, match="another process works on"):
        run(short, out=tmp_path)
    assert not is_discovery(tmp_path)
    run(short, out=tmp_path)
    with locked(tmp_path), pytest.raises(RunError, match="another process works on"):
        resume(tmp_path, budget=Budget(candidates=400))
    assert read_config(tmp_path) == short
