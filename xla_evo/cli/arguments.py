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
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
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


def refuse(args: argparse.Namespace, options: Sequence[str], why: str) -> None:
    """Refuses options that would be ignored.

    Args:
        args: the arguments; an option that was not given is None or false.
        options: as on the command line.
        why: what they do not go with, after ``is`` in the message.

    Raises:
        ConfigError: one of them was given.
    """
    for option in options:
        if getattr(args, option.lstrip("-").replace("-", "_")) not in (None, False):
            raise ConfigError(f"{option} is {why}")


def parse_bound(text: str) -> float:
    """Returns an error bound in units in the last place.

    Raises:
        ConfigError: it is not a number above 0.
    """
    if not (_is_number(text) and float(text) > 0):
        raise ConfigError(f"an error bound must be a number above 0, not {text.strip()}")
    return float(text)


def parse_seed(text: str) -> int:
    """Returns the seed of random choices.

    Raises:
        ConfigError: it is not a whole number from 0 on.
    """
    if not re.fullmatch(r"\d{1,18}", text):
        raise ConfigError(f"a seed must be a whole number from 0 on, not {text}")
    return int(text)


def parse_size(text: str) -> int:
    """Returns bytes of ``500M``, ``2G`` or ``4096``; units are powers of 1024.

    Raises:
        ConfigError: it is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is not a size; write it as 4096, 500M or 2G")
    return int(float(match[1]) * _UNITS[match[2].upper()])
