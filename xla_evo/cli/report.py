"""``xla-evo report``: a run as a page with a plot, in the folder of the run."""

import argparse
from pathlib import Path

from xla_evo.errors import ConfigError

NAME = "report"
HELP = "Writes report.md and a plot of the front against the baselines into the run's folder."
EXAMPLES = """\
  xla-evo report runs/exp2-real-seed0"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")


def run(args: argparse.Namespace) -> int:
    """Writes the report and prints the names of its files."""
    from xla_evo.cli import real
    from xla_evo.discovery.checkpoint import is_discovery

    if not is_discovery(args.run):
        raise ConfigError(
            f"{args.run} is no run with --dtype real; see it with: xla-evo show {args.run}"
        )
    return real.report(args)
