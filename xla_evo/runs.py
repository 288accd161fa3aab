"""Folders of runs, of both kinds: what they are called, and how a user goes on with one."""

import re
import shlex
from pathlib import Path

_LONGEST = 40


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
