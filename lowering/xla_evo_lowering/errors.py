"""The one exception hierarchy of the project.

It lives in the lowering package because that package stands alone; `xla_evo.errors` re-exports it.
Every class also inherits the built-in exception that fits, so that ``except ValueError`` works.
"""


class XlaEvoError(Exception):
    """Base of every error raised on purpose; its text is one line for a person."""


class ConfigError(XlaEvoError, ValueError):
    """A setting, flag or argument is wrong; nothing has been started."""


class ProgramError(XlaEvoError, ValueError):
    """A program is not well formed or not well typed."""


class ParseError(ProgramError):
    """A program text does not parse.

    Attributes:
        line: 1-based line of the offending text.
        column: 1-based column of the offending text.
    """

    def __init__(self, message: str, *, line: int, column: int, source: str = "program") -> None:
        super().__init__(f"{source}:{line}:{column}: {message}")
        self.line = line
        self.column = column


class BackendError(XlaEvoError, RuntimeError):
    """A backend is unknown, missing on this machine, or cannot do what was asked."""


class CompileError(XlaEvoError, RuntimeError):
    """XLA refused a program, or the compiler died or hung on it."""


class TargetError(XlaEvoError, ValueError):
    """A function, domain, format or expression cannot be a target."""


class StoreError(XlaEvoError, RuntimeError):
    """The store cannot be opened, read or written."""


class RunError(XlaEvoError, RuntimeError):
    """A run directory is missing, damaged, or does not fit what was asked."""
