"""``xla-evo show``: what a run has found so far."""

import argparse
from pathlib import Path

from xla_evo.cli import real
from xla_evo.cli.arguments import add_json, refuse
from xla_evo.cli.common import print_outcome
from xla_evo.cli.runs import read_outcome

NAME = "show"
HELP = "Shows what a run has found: hall of fame, winner, work done."
EXAMPLES = """\
  xla-evo show runs/exp2
  xla-evo show runs/exp2 --json
  xla-evo show runs/exp2-real-seed0 --ops 8 --emit float32
  xla-evo show runs/exp2-real-seed0 --explain"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    real.add_show_arguments(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Reads a run and prints it."""
    from xla_evo.discovery.checkpoint import is_discovery

    if is_discovery(args.run):
        return real.show(args)
    refuse(args, ["--ops", "--explain", "--graph", "--emit"], "for runs with --dtype real")
    return print_outcome(read_outcome(args.run), json=args.json)
