"""Text files that a user names."""

from pathlib import Path

from xla_evo.errors import ConfigError


def read_text(path: Path, what: str = "", hint: str = "") -> str:
    """Returns the text of a file.

    Args:
        path: of the file.
        what: what it should be, for the message, e.g. ``the program``.
        hint: what to do, for the message.

    Raises:
        ConfigError: there is no such file, it cannot be read, or it is not text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
    name = f"{what} {path}" if what else str(path)
    raise ConfigError(f"cannot read {name}: {reason}{f'; {hint}' if hint else ''}")
