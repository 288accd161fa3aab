"""``xla-evo resume``: goes on with a run that was stopped, killed or should go further."""

import argparse
from pathlib import Path

from xla_evo.budget import parse_budget
from xla_evo.cli import real
from xla_evo.cli.arguments import add_json, argument
from xla_evo.cli.common import print_outcome
from xla_evo.cli.output import print_line
from xla_evo.runs import resume_command

NAME = "resume"
HELP = "Goes on with a run that was stopped or killed, or should go further."
EXAMPLES = """\
  xla-evo resume runs/exp2
  xla-evo resume runs/exp2 --budget 10m"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument(
        "--budget", type=argument(parse_budget),
        help="in all, what was spent before included (default: the run's own)",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Resumes a run and prints how it ended."""
    from xla_evo.discovery.checkpoint import is_discovery

    if is_discovery(args.run):
        return real.resume(args)
    from xla_evo.reports.progress import Progress
    from xla_evo.search.checkpoint import read_state
    from xla_evo.search.run import RunFolder, resume

    folder = RunFolder(args.run)
    config = folder.config()
    if folder.checkpoint.exists():
        read_state(folder.checkpoint)  # says what is wrong with it before anything begins
    if args.budget is not None:
        config = config.with_budget(args.budget)
    with Progress(config) as progress:
        try:
            outcome = resume(args.run, budget=args.budget, observer=progress)
        except KeyboardInterrupt:
            print_line(f"stopped; everything is kept: {resume_command(args.run)}")
            raise
    return print_outcome(outcome, json=args.json)
