"""A run over machine numbers with a winner, made without a search."""

import shutil

import pytest

from tests.winners import CONFIG, winner
from xla_evo.search.checkpoint import State, write_state
from xla_evo.search.population import Measured, Population
from xla_evo.search.run import RunFolder


@pytest.fixture(scope="session")
def _finished(tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("finished") / "run")
    state = State(Population(4))
    state.population.front.append(Measured("a", 1, 3.0, (), (), 2.0, 0.4, "a"))
    state.counters.spend("screen", 2.0)
    folder.path.mkdir()
    folder.create(CONFIG)
    write_state(folder.checkpoint, state)
    folder.write_result(CONFIG, winner("a", 9.0))
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
