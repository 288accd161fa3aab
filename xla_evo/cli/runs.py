"""What commands read from the folder of a run: a damaged file is told by its name."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xla_evo._fields import misfit
from xla_evo.errors import ConfigError, RunError, XlaEvoError
from xla_evo.runs import resume_command
from xla_evo.search.checkpoint import Counters, State, read_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.finish import Winner
from xla_evo.search.population import Measured
from xla_evo.search.run import CONFIG, RESULT, Outcome, RunFolder
from xla_evo_lowering.text import parse_program

if TYPE_CHECKING:
    from xla_evo.discovery import DiscoveryConfig, Front

_RESUME = "resume the run, which writes it anew"


def read_config(folder: RunFolder) -> SearchConfig:
    """Reads the settings of a run over machine numbers.

    Raises:
        RunError: there is no run, or they are damaged.
    """
    with _reading(folder.path / CONFIG):
        config = folder.config()
        _check(misfit(config, SearchConfig, "settings"))
    return config


def read_work(folder: RunFolder) -> State:
    """Reads the checkpoint of a run over machine numbers.

    Raises:
        RunError: there is none, or it is damaged.
    """
    with _reading(folder.checkpoint):
        state = read_state(folder.checkpoint)
        _check_state(state)
    return state


def read_outcome(path: Path) -> Outcome:
    """Reads what a run over machine numbers has found so far.

    Raises:
        RunError: there is no run, or it is damaged.
    """
    folder = RunFolder(path)
    config = read_config(folder)
    state = read_work(folder)
    with _reading(folder.path / RESULT, _RESUME):
        winner = folder.result()
        if winner is not None:
            _check_winner(winner)
    return Outcome(path=path, config=config, state=state, winner=winner)


def read_front(path: Path) -> "Front":
    """Reads the front of a run over the reals.

    Raises:
        RunError: it has none yet, or one that is damaged.
    """
    from xla_evo import discovery
    from xla_evo.discovery.checkpoint import FRONT

    with _reading(path / FRONT, _RESUME):
        front = discovery.load_front(path)
        _check(misfit(front, discovery.Front, "front"))
        front.to_json()  # goes through the steps of every record
    return front


def read_real_config(path: Path) -> "DiscoveryConfig":
    """Reads the settings of a run over the reals.

    Raises:
        RunError: there is no run, or they are damaged.
    """
    from xla_evo import discovery
    from xla_evo.discovery import checkpoint

    with _reading(path / CONFIG):
        config = checkpoint.read_config(path)
        _check(misfit(config, discovery.DiscoveryConfig, "settings"))
    return config


def refuse_discovery(path: Path, what: str) -> None:
    """Refuses a run over the reals.

    Args:
        path: of a run.
        what: what is not done with it, e.g. ``timed``.

    Raises:
        ConfigError: it is one.
    """
    from xla_evo.discovery.checkpoint import is_discovery

    if is_discovery(path):
        raise ConfigError(
            f"{path} is a run over the reals, which is not {what} here; xla-evo show {path} tells"
            " its errors, and with --ops N --emit float32 a program"
        )


def no_winner(config: SearchConfig, path: Path, state: State | None = None) -> str:
    """A line that says that a run has no program yet, and how to go on.

    Args:
        config: of the run.
        path: of the run.
        state: what was done so far, where it is known.
    """
    early = state is not None and state.counters.screened == 0
    return (
        f"the budget of {config.budget} ended before a candidate was screened: " if early else ""
    ) + (
        f"no program for {config.target.describe()} holds {config.max_ulp:g} ULP on every input"
        f" yet; go on with: {resume_command(path)} --budget 10m"
    )


@contextmanager
def _reading(file: Path, hint: str = "start the run anew") -> Generator[None]:
    """Names the file in whatever goes wrong while it is read, and what to do.

    Args:
        file: of a run.
        hint: how else than by a whole copy it can be had.
    """
    remedy = f"put a whole copy in its place, or {hint}"
    try:
        yield
    except RunError as error:
        if str(file.parent) in str(error):
            raise
        told = str(error)
        raise RunError(f"{file}: {told}{'' if ';' in told else f'; {remedy}'}") from error
    except (
        XlaEvoError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError,
    ) as error:  # fmt: skip
        raise RunError(f"{file} is damaged or of another version: {error}; {remedy}") from error


def _check(problem: str) -> None:
    if problem:
        raise ValueError(problem)


def _check_state(state: State) -> None:
    front = state.population.front
    _check(misfit(state.counters, Counters, "counters"))
    _check(misfit(front, list[Measured], "front"))
    _check("" if all(item.time > 0 for item in front) else "a time in the front is 0")


def _check_winner(winner: Winner) -> None:
    timed = winner.timed
    _check(misfit(winner, Winner, "winner"))
    parse_program(winner.text)
    times = min(timed.candidate, default=0.0), min(timed.builtin, default=0.0)
    _check("" if min(times) > 0 else "a time of the winner is 0 or missing")
