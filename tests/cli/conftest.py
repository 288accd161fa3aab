"""A run over machine numbers with a winner, made without a search."""

import shutil

import pytest

from xla_evo.budget import parse_budget
from xla_evo.proof import examine, sweep
from xla_evo.search.checkpoint import State, write_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.finish import Winner
from xla_evo.search.population import Measured, Population
from xla_evo.search.run import RunFolder
from xla_evo.search.tasks import Timed
from xla_evo.targets.target import make_target
from xla_evo_lowering.text import parse_program

_TEXT = """\
program exp2(x: f32) -> f32 {
  %0: f32 = const 0x1.62e43p+0
  %1: f32 = mul x, %0
  %2: f32 = const 0x1.3a37ap-1
  %3: f32 = add %1, %2
  return %3
}
"""


@pytest.fixture(scope="session")
def _finished(tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("finished") / "run")
    target = make_target("exp2", "float32", 1.0, 1.001)
    config = SearchConfig(target=target, max_ulp=9.0, budget=parse_budget("10s"))
    state = State(Population(4))
    state.population.front.append(Measured("a", 1, 3.0, (), (), 2.0, 0.4, "a"))
    state.counters.spend("screen", 2.0)
    program = parse_program(_TEXT)
    winner = Winner(
        text=_TEXT, program="a", error=sweep(program, target),
        examination=examine(program, target, max_ulp=9.0),
        timed=Timed((0.1,), (0.3,), (0.05,), 16000), builtin=None,
    )  # fmt: skip
    folder.create(config)
    write_state(folder.checkpoint, state)
    folder.write_result(config, winner)
    return folder.path


@pytest.fixture
def finished(_finished, tmp_path):
    """The folder of a run whose winner holds its bound."""
    return shutil.copytree(_finished, tmp_path / "finished")


@pytest.fixture
def unfinished(finished):
    """The folder of a run without a winner."""
    for name in ("result.json", "best.prog"):
        (finished / name).unlink()
    return finished


@pytest.fixture
def real(tmp_path):
    """The folder of a run over the reals that has only begun."""
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "config.json").write_text('{"kind": "discovery"}')
    return folder
