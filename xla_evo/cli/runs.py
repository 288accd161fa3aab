"""What commands read from the folder of a run: a damaged file is told by its name."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from xla_evo._fields import check_fields
from xla_evo.errors import ConfigError, RunError, XlaEvoError
from xla_evo.runs import resume_command
from xla_evo.search.checkpoint import State, read_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.run import Outcome, RunFolder

if TYPE_CHECKING:
    from xla_evo.discovery import Front


def read_outcome(path: Path) -> Outcome:
    """Reads what a run over machine numbers has found so far.

    Raises:
        RunError: there is no run, or it is damaged.
    """
    folder = RunFolder(path)
    config, state = folder.config(), read_state(folder.checkpoint)
    return Outcome(path=path, config=config, state=state, winner=folder.result())


def read_front(path: Path) -> "Front":
    """Reads the front of a run over the reals.

    Raises:
        RunError: it has none yet, or one that is damaged.
    """
    from xla_evo import discovery
    from xla_evo.discovery.checkpoint import FRONT

    front = discovery.load_front(path)
    try:
        check_fields(front)
        front.to_json()  # goes through the steps of every record
    except (
        XlaEvoError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError,
    ) as error:  # fmt: skip
        raise RunError(
            f"{path / FRONT} is damaged or of another version: {error}; put a whole copy in its"
            " place, or resume the run, which writes it anew"
        ) from error
    return front


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
            f"{path} is a run over the reals, which is not {what} here;"
            f" `xla-evo show {quote(str(path))}` tells its errors, and with --ops N --emit float32"
            " a program"
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
