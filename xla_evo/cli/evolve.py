"""``xla-evo evolve``: a program from nothing, proven over every input, faster than the built-in."""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xla_evo._files import read_text
from xla_evo.budget import parse_budget
from xla_evo.cli import real
from xla_evo.cli.arguments import add_json, argument, parse_bound, parse_seed
from xla_evo.cli.common import add_target, print_outcome, target_of
from xla_evo.cli.output import print_line
from xla_evo.errors import ConfigError
from xla_evo.runs import resume_command
from xla_evo.scaffolds import SCAFFOLDS, hole_of, scaffold
from xla_evo_lowering.text import parse_program, print_program

if TYPE_CHECKING:
    from xla_evo.targets.target import Target

_HASH = re.compile("[0-9a-f]{6,64}")
_LONG_S = 120.0
"""A proof that takes longer is told beforehand."""

NAME = "evolve"
HELP = "Evolves a program for a function from nothing and proves it over every input."
EXAMPLES = """\
  xla-evo evolve exp2 --domain 0 1 --max-ulp 1 --budget 3m --out runs/exp2
  xla-evo evolve tanh --domain -0.5 0.5 --max-ulp 1 --budget 10m
  xla-evo evolve exp --scaffold exp --max-ulp 0.9 --budget 10m
  xla-evo evolve exp --scaffold exp --begin 3c660df2 --max-ulp 0.85
  xla-evo evolve log2 --scaffold log2 --only add,sub,mul --budget 10m
  xla-evo evolve --expr 'sin(x)/x' --domain 0.1 1 --max-ulp 1 --budget 5m
  xla-evo evolve exp2 --dtype real --domain 0 1 --max-ops 12 --budget 3m
  xla-evo evolve log2 --domain 1 2 --budget 200000c --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "function", metavar="FUNCTION", nargs="?", help="a function of the catalogue, e.g. exp2"
    )
    add_target(parser)
    parser.add_argument(
        "--dtype", default="float32",
        help="float32, or real for the real numbers; xla-evo tune evolves for 16-bit formats"
        " (default: float32)",
    )  # fmt: skip
    parser.add_argument(
        "--max-ulp", type=argument(parse_bound), metavar="U",
        help="error bound in units in the last place (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--scaffold", metavar="NAME",
        help="evolve what fills the hole of a scaffold, for the whole range: "
        + ", ".join(name for name in SCAFFOLDS if scaffold(name).ranges),
    )  # fmt: skip
    parser.add_argument(
        "--begin", metavar="PROGRAM",
        help="begin with this program of one input: a file, or the hash of one of the library; with"
        " --scaffold, what fills its hole or a whole program that was made in it",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="OPS",
        help="only these operations, with commas between (add,sub,mul: a polynomial)",
    )  # fmt: skip
    parser.add_argument(
        "--backend", help="compiler, such as cpu, cuda:sm_90 or tpu:v5e (default: cpu)"
    )
    parser.add_argument(
        "--budget", type=argument(parse_budget), default="3m",
        help="time (90s, 3m, 1h) or candidates (200000c) (default: 3m)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=argument(parse_seed), default=0, help="of every random choice (default: 0)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: under runs/)"
    )
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="worker processes (default: 2)"
    )
    real.add_arguments(parser)
    add_json(parser)


def _beginning(given: str, frame: str) -> str:
    """Text of the program to begin with; of what fills the hole of a scaffold, where there is one.

    Args:
        given: path of a file, or the first digits of the hash of a program of the library.
        frame: name of the scaffold; empty: none.
    """
    if not given:
        return ""
    path = Path(given)
    if path.exists() or not _HASH.fullmatch(given):
        text = read_text(path)
        hole = hole_of(scaffold(frame), parse_program(text, source=given)) if frame else None
        return text if hole is None else print_program(hole)
    # Imported here: `--help` should not wait for the library.
    from xla_evo.library import entries

    found = [one for one in entries() if one.name.rpartition("/")[2].startswith(given)]
    if len(found) != 1:
        raise ConfigError(f"the library has {len(found)} programs {given}..., not one")
    program = found[0].program
    if not frame:
        return print_program(program)
    hole = hole_of(scaffold(frame), program)
    if hole is None:
        raise ConfigError(f"{found[0].name} was not made in scaffold {frame}; choose another")
    return print_program(hole)


def _tell_slow_references(target: "Target") -> None:
    """Says beforehand that proofs of an expression will take long, and why."""
    from xla_evo.accuracy.references import reference_seconds

    if target.function.expression is None:
        return
    seconds = reference_seconds(target)
    if seconds > _LONG_S:
        sys.stderr.write(
            f"xla-evo: a proof over the {target.count():,} inputs of {target.function.name} takes"
            f" about {seconds / 60:,.0f} minutes, since mpmath says what is right; a smaller"
            " --domain takes less\n"
        )


def run(args: argparse.Namespace) -> int:
    """Starts a run and prints how it ended."""
    if args.dtype == "real":
        return real.evolve(args)
    # Imported here: `--help` should not wait for numba and jax.
    from xla_evo.reports.progress import Progress
    from xla_evo.search.config import DEFAULT_OPS, SearchConfig, parse_ops
    from xla_evo.search.run import default_folder, evolve

    real.refuse_arguments(args)
    scaffold_name = args.scaffold or ""
    config = SearchConfig(
        target=target_of(args),
        max_ulp=1.0 if args.max_ulp is None else args.max_ulp,
        budget=args.budget,
        backend=args.backend or "cpu",
        seed=args.seed,
        workers=args.workers,
        scaffold=scaffold_name,
        begin=_beginning(args.begin or "", scaffold_name),
        ops=parse_ops(args.only) if args.only else dict(DEFAULT_OPS),
    )
    _tell_slow_references(config.target)
    out = args.out or default_folder(config)
    with Progress(config) as progress:
        try:
            outcome = evolve(config, out, observer=progress)
        except KeyboardInterrupt:
            print_line(f"stopped; everything is kept: {resume_command(out)}")
            raise
    return print_outcome(outcome, json=args.json)
