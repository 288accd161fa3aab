"""``xla-evo report``: a run as a page with figures, in the folder of the run."""

import argparse
from pathlib import Path

from xla_evo.cli.output import print_line
from xla_evo.cli.runs import read_outcome

NAME = "report"
HELP = "Writes report.md and figures into the run's folder."
EXAMPLES = """\
  xla-evo report runs/exp2
  xla-evo report runs/exp2-real-seed0"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")


def run(args: argparse.Namespace) -> int:
    """Writes the report and prints the names of its files."""
    from xla_evo.cli import real
    from xla_evo.discovery.checkpoint import is_discovery
    from xla_evo.reports.figure import NO_FIGURES, can_draw
    from xla_evo.reports.page import write_page

    files = real.report(args) if is_discovery(args.run) else write_page(read_outcome(args.run))
    for path in files:
        print_line(str(path))
    if not can_draw():
        print_line(NO_FIGURES)
    return 0
