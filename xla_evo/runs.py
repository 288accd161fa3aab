"""Folders of runs, of both kinds: their names, their locks, and how a user goes on with one."""

import fcntl
import re
import shlex
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from xla_evo.errors import RunError

_LONGEST = 40


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Keeps other processes off a run within the context; makes its folder where there is none.

    Raises:
        RunError: another process works on it, or the folder cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make {path}: {error.strerror}; choose --out") from None
    try:
        file = (path / "lock").open("w")
    except OSError as error:
        raise RunError(f"cannot lock {path}: {error.strerror}; choose --out") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"another process works on {path}; wait for it or end it") from None
        except OSError as error:
            raise RunError(f"cannot lock {path}: {error.strerror}; choose --out") from None
        yield


def default_folder(function: str, suffix: str) -> Path:
    """Returns a folder under ``runs`` that does not exist yet.

    Args:
        function: name of a function, or the text of an expression.
        suffix: what tells runs of one function apart, e.g. the seed.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", function).strip("_")[:_LONGEST].rstrip("_")
    base = Path("runs") / f"{name}-{suffix}"
    path, number = base, 2
    while path.exists():
        path, number = base.with_name(f"{base.name}-{number}"), number + 1
    return path


def resume_command(path: Path) -> str:
    """Returns the command that goes on with a run, for a shell."""
    return f"xla-evo resume {shlex.quote(str(path))}"
