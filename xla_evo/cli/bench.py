"""``xla-evo bench``: times programs and built-ins in turn, as ratios within one process."""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xla_evo._files import read_text
from xla_evo.cli.arguments import add_json, refuse
from xla_evo.cli.output import print_json, print_table
from xla_evo.cli.runs import no_winner, refuse_discovery
from xla_evo.errors import ConfigError, RunError
from xla_evo.search.run import PROGRAM, RunFolder
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program

NAME = "bench"
HELP = "Times programs against the built-in, in turn, in a loop over an array in cache."
EXAMPLES = """\
  xla-evo bench runs/exp2
  xla-evo bench best.prog --function exp2 --domain 0 1
  xla-evo bench jnp.exp jnp.tanh jnp.log2 --domain 0.5 2"""

_DOMAIN = (0.5, 1.0)
"""Inputs where neither the command line nor the subject has a finite domain."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "subjects", nargs="+", metavar="SUBJECT",
        help="runs, program files, or jnp.NAME for a function of the catalogue",
    )  # fmt: skip
    parser.add_argument("--function", metavar="NAME", help="built-in to compare program files with")
    parser.add_argument(
        "--domain", nargs=2, type=float, metavar=("LOW", "HIGH"), default=None,
        help="inputs are uniform in it (default: the run's, or 0.5 to 1)",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=int, default=31, metavar="N", help="samples of each (default: 31)"
    )
    add_json(parser)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is timed.

    Attributes:
        name: as given.
        function: of a JAX array.
        target: whose built-in it is compared with; None: with nothing.
        low: least input.
        high: greatest input.
    """

    name: str
    function: Callable[..., Any]
    target: Target | None
    low: float
    high: float


def run(args: argparse.Namespace) -> int:
    """Times and prints."""
    from xla_evo_lowering.timing import (
        ELEMENTS,
        ROWS,
        compile_loop,
        floor_function,
        ratio,
        time_loops,
    )

    if args.rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, not {args.rounds}")
    if args.domain is not None:
        _check_domain(*args.domain)
    rows: list[tuple[Any, ...]] = []
    data: list[dict[str, Any]] = []
    # All are read before any is timed: a mistake in the last should not cost the work of the first.
    for subject in [_subject(name, args) for name in args.subjects]:
        target = subject.target
        random = np.random.default_rng(0)
        xs = random.uniform(subject.low, subject.high, (ROWS, ELEMENTS)).astype(np.float32)
        builtin = target.function.builtin_function() if target else None
        functions = [floor_function, builtin or floor_function, subject.function]
        loops = [compile_loop(item, F32) for item in functions]
        floor, reference, own = time_loops(loops, xs, rounds=args.rounds)
        speed = ratio(reference, own)
        name = target.function.builtin if target else ""
        rows.append((
            subject.name, f"{own.best_ns:.3f}", f"{floor.best_ns:.3f}",
            f"{reference.best_ns:.3f}" if builtin else "-", name,
            f"{speed:.2f}x" if builtin else "-",
        ))  # fmt: skip
        data.append({
            "subject": subject.name, "ns": own.best_ns, "floor_ns": floor.best_ns,
            "builtin": name, "builtin_ns": reference.best_ns if builtin else None,
            "speedup": speed if builtin else None, "domain": [subject.low, subject.high],
            "samples_ns": {"own": own.samples_ns, "builtin": reference.samples_ns},
        })  # fmt: skip
    if args.json:
        print_json(data)
    else:
        columns = ["subject", "ns/element", "loop floor", "built-in", "", "speed"]
        print_table(columns, rows)
    return 0


def _check_domain(low: float, high: float) -> None:
    """Refuses what inputs cannot be uniform in.

    Raises:
        ConfigError: an end is no finite float32 number, or the domain is reversed.
    """
    if not all(abs(end) <= float(np.finfo(np.float32).max) for end in (low, high)):
        raise ConfigError(f"inputs cannot be uniform in {low:g} to {high:g}; give finite ends")
    if low >= high:
        raise ConfigError(f"the domain {low:g} to {high:g} is reversed or one point")


def _subject(name: str, args: argparse.Namespace) -> _Subject:
    """Finds what a name stands for, and where to time it.

    Raises:
        ConfigError: it stands for nothing, or for a function of other inputs than one of float32.
        RunError: the run has no program yet.
    """
    path = Path(name)
    target: Target | None = None
    if name.startswith("jnp."):
        target = _target(name.removeprefix("jnp."), args)
        function = target.function.builtin_function()
    elif path.is_dir():
        refuse_discovery(path, "timed")
        if all(Path(other).is_dir() for other in args.subjects):
            refuse(args, ["--function"], "for program files; a run knows its own")
        config = RunFolder(path).config()
        if not (path / PROGRAM).exists():
            raise RunError(no_winner(config, path))
        target, function = config.target, _program(path / PROGRAM)
    else:
        target = None if args.function is None else _target(args.function, args)
        function = _program(path)
    low, high = args.domain or ((target.low, target.high) if target else _DOMAIN)
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = _DOMAIN
    return _Subject(name=name, function=function, target=target, low=low, high=high)


def _target(name: str, args: argparse.Namespace) -> Target:
    """A function of one argument in float32, over the domain that was asked."""
    low, high = args.domain or (None, None)
    target = make_target(name, "float32", low, high)
    if target.function.arity != 1:
        raise ConfigError(f"{name} has {target.function.arity} arguments; bench times those of one")
    return target


def _program(path: Path) -> Callable[..., Any]:
    text = read_text(path, hint="give a run, a program file or jnp.NAME")
    program = parse_program(text, source=str(path))
    if [*(one.dtype for one in program.parameters), program.dtype] != [F32, F32]:
        raise ConfigError(f"{path} is not a program from float32 to float32, which bench times")
    return as_function(program)
