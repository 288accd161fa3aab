"""The command ``xla-evo``: finds the subcommand, turns errors into one line and an exit code.

Modules of commands are imported only when asked for, so that ``--help`` and completion are fast.
"""

import argparse
import importlib
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn, cast

from absl import app, flags, logging
from absl.flags import argparse_flags

from xla_evo.cli.arguments import Command, spare_values
from xla_evo.cli.output import print_line
from xla_evo.errors import (
    BackendError,
    ConfigError,
    ProgramError,
    TargetError,
    XlaEvoError,
)
from xla_evo_lowering.absent import settle_on_cpu

COMMANDS: dict[str, str] = {
    "evolve": "a program for a function from nothing, proven over every input",
    "resume": "go on with a run that was stopped, killed or should go further",
    "show": "what a run has found",
    "report": "a run as a page with figures",
    "verify": "prove a program over every input of a domain",
    "bench": "time programs against the built-in, in turn",
    "dump": "what XLA makes of a function at every stage, for any backend",
    "tune": "choose the best program for a backend, or compare what backends would choose",
    "library": "the programs that ship, with their proven error and measured time",
    "cache": "counts and upkeep of the store of compiled and timed programs",
}
"""A row a subcommand: its name, which is that of its module in `xla_evo.cli`, and its help."""

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_PIPE = 1, 2, 130, 141
_BAD_INPUT = (ConfigError, TargetError, ProgramError, BackendError)

_DEBUG = "--debug"  # understood anywhere on the line
_DESCRIPTION = """\
Evolves transcendental functions for XLA, proves them over every input
and puts them under jax.numpy."""
_EPILOG = """\
examples:
  xla-evo evolve exp2 --domain 0 1 --max-ulp 1 --budget 3m --out runs/exp2
  xla-evo verify runs/exp2
  xla-evo cache stats
  xla-evo cache prune --max-bytes 2G

exit codes: 0 done, 1 the asked property does not hold or the run failed,
2 bad usage. `xla-evo COMMAND --help` shows a command's arguments and examples."""


class _Version(argparse.Action):
    """Prints the installed version; looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print_line(f"xla-evo {version('xla-evo')}")
        parser.exit()


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps names such as ``log-exact`` on one line, from which they can be copied."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class _Parser(argparse_flags.ArgumentParser):
    """A parser whose errors are raised, so that they too become one line.

    Given the name of a subcommand, it declares that command's arguments when it is first used.
    Absl's flags and ``--helpfull``, which lists them, belong to ``xla-evo`` alone.
    """

    def __init__(
        self, *, pending: str | None = None, inherited_absl_flags: Any = None, **options: Any
    ) -> None:
        super().__init__(
            formatter_class=_HelpFormatter, allow_abbrev=False,
            add_help=inherited_absl_flags is not None, inherited_absl_flags=inherited_absl_flags,
            **options,
        )  # fmt: skip
        if not self.add_help:
            self.add_argument("-h", "--help", action="help", help="show this help message and exit")
        self._pending = pending

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self._pending is not None:
            command = load(self._pending)
            self._pending = None
            self.description = command.HELP
            self.epilog = f"examples:\n{command.EXAMPLES}"
            command.add_arguments(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (see `{self.prog} --help`)")


def load(name: str) -> Command:
    """Imports the module of a subcommand."""
    return cast(Command, importlib.import_module(f"xla_evo.cli.{name}"))


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line; ``command`` is the name of the subcommand."""
    parser = _Parser(
        prog="xla-evo", description=_DESCRIPTION, epilog=_EPILOG, inherited_absl_flags=flags.FLAGS
    )
    parser.add_argument(_DEBUG, action="store_true", help="show the traceback of an error")
    parser.add_argument("--version", nargs=0, action=_Version, help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, help_ in COMMANDS.items():
        commands.add_parser(name, help=help_, pending=name)
    return parser


def main(argv: Sequence[str]) -> int:
    """Runs one command line, without the program's name, and returns its exit code.

    Errors are one line on standard error; ``--debug`` anywhere shows their traceback.
    """
    debug = _DEBUG in argv
    try:
        code = _command([word for word in argv if word != _DEBUG])
        sys.stdout.flush()  # while a closed pipe can still be told from a fault
    except KeyboardInterrupt:
        return _report("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        return _pipe_closed()
    except XlaEvoError as error:
        if debug:
            traceback.print_exc()
        code = EXIT_USAGE if isinstance(error, _BAD_INPUT) else EXIT_FAILED
        return _report(str(error), code)
    except flags.Error as error:
        return _report(str(error), EXIT_USAGE)
    except OSError as error:
        if debug:
            traceback.print_exc()
        return _report(str(error), EXIT_FAILED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        text = f"internal error: {type(error).__name__}: {error} (--debug shows where)"
        return _report(text, EXIT_FAILED)
    return code


def _command(argv: Sequence[str]) -> int:
    try:
        args = make_parser().parse_args(spare_values(argv))
        return load(args.command).run(args)
    except SystemExit as stop:  # after --help and --version
        return _exit_code(stop)


def _exit_code(stop: SystemExit) -> int:
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    return _report(str(stop.code), EXIT_FAILED)


def _report(text: str, code: int) -> int:
    line = " ".join(text.split())
    sys.stderr.write(f"xla-evo: {line}\n")
    return code


def _pipe_closed() -> int:
    """The reader has gone (``| head``): say nothing, and keep Python from flushing into it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_PIPE


def _open_closed_streams() -> None:
    """Opens what the caller has closed (``>&-``): none of our files may get a stream's number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def run() -> NoReturn:
    """Entry point of ``xla-evo`` and ``python -m xla_evo``."""
    _open_closed_streams()
    argv = sys.argv[1:]
    logging.set_verbosity(logging.WARNING)
    if argv and argv[0] in COMMANDS:
        settle_on_cpu()
    app.run(lambda _: main(argv), argv=sys.argv[:1])
    raise AssertionError("absl.app.run returned")
