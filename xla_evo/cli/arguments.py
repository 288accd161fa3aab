"""Arguments that several commands share: their parsers and how they are declared."""

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from xla_evo.errors import ConfigError

T = TypeVar("T")
_NUMBERS = {"--domain": 2, "--max-ulp": 1}
"""Options to how many numbers follow them."""
_EXPRESSIONS = ("--expr", "--weight")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


class Command(Protocol):
    """What a module of a subcommand offers.

    Attributes:
        NAME: the word after ``xla-evo``.
        HELP: one line.
        EXAMPLES: lines of commands, shown under ``--help``.
    """

    NAME: str
    HELP: str
    EXAMPLES: str

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declares the arguments of the subcommand."""
        ...

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Does the work; returns the exit code: 0 done, 1 the asked property does not hold."""
        ...


def spare_values(words: Sequence[str]) -> list[str]:
    """Returns a command line whose values that begin with a minus are no options to argparse.

    It takes ``-1e-3``, ``-inf`` and ``-sin(x)`` for options, but no word that begins with a space;
    a number or an expression is the same with one.
    """
    spared = list(words)
    for place, word in enumerate(words):
        for value in range(place + 1, min(len(words), place + 1 + _NUMBERS.get(word, 0))):
            if _is_number(words[value]):
                spared[value] = f" {words[value]}"
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in _EXPRESSIONS and after.startswith("-") and not after.startswith("--"):
            spared[place + 1] = f" {after}"
    return spared


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declares ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Returns `parse` for use as argparse's ``type``: its ConfigError becomes argparse's error."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def parse_size(text: str) -> int:
    """Returns bytes of ``500M``, ``2G`` or ``4096``; units are powers of 1024.

    Raises:
        ConfigError: it is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is not a size; write it as 4096, 500M or 2G")
    return int(float(match[1]) * _UNITS[match[2].upper()])
