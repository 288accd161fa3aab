"""The page of a run over machine numbers."""

import pytest

from tests.winners import CONFIG, TEXT, winner
from xla_evo.cli.main import main
from xla_evo.reports.page import write_page
from xla_evo.reports.summary import refusals
from xla_evo.search.checkpoint import State, write_state
from xla_evo.search.finish import OUT_OF_TIME
from xla_evo.search.population import Measured, Population
from xla_evo.search.run import Outcome, RunFolder


@pytest.fixture
def outcome(tmp_path):
    state = State(Population(4))
    for program, ulp, time in (("a", 0.7, 0.9), ("b", 2.0, 0.4), ("c", 2.5, 0.5)):
        state.population.front.append(Measured(program, 1, 3.0, (), (), ulp, time, program))
    state.counters.fail("timeout")
    return Outcome(path=tmp_path, config=CONFIG, state=state, winner=winner("b", 99.0))


def test_the_page_says_what_was_found(outcome):
    pytest.importorskip("matplotlib")
    files = write_page(outcome)
    assert [path.name for path in files] == ["report.md", "front.png", "errors.png"]
    assert all(path.stat().st_size for path in files)
    text = files[0].read_text()
    assert f"all {outcome.config.target.count():,} inputs" in text
    assert "| 2 | 2.50x | 3 | sampled |" in text
    assert "2.5 |" not in text  # dominated
    assert "| timeout | 1 |" in text
    assert TEXT.strip() in text
    assert "![errors](errors.png)" in text


def test_a_summary_says_what_failed(outcome):
    """Where all candidates end as timeouts, a person should know why nothing holds."""
    outcome.state.counters.fail("timeout")
    outcome.state.counters.fail(OUT_OF_TIME)
    held, failed = refusals(outcome)
    assert held.startswith("hold on the sample")
    assert failed == "failed: 2 timeout"


def test_the_command_reads_a_run_without_a_winner(outcome, capsys):
    folder = RunFolder(outcome.path / "run")
    folder.path.mkdir()
    folder.create(outcome.config)
    write_state(folder.checkpoint, outcome.state)
    assert main(["report", str(folder.path)]) == 0
    assert "report.md" in capsys.readouterr().out
    assert "No program holds the bound" in (folder.path / "report.md").read_text()


def test_without_matplotlib_there_is_a_page_and_a_line(outcome, capsys, monkeypatch):
    monkeypatch.setattr("xla_evo.reports.figure.find_spec", lambda _: None)
    assert [path.name for path in write_page(outcome)] == ["report.md"]
    assert "![" not in (outcome.path / "report.md").read_text()
    folder = RunFolder(outcome.path / "run")
    folder.path.mkdir()
    folder.create(outcome.config)
    write_state(folder.checkpoint, outcome.state)
    assert main(["report", str(folder.path)]) == 0
    assert "no figures: they need matplotlib" in capsys.readouterr().out
