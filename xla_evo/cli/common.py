"""Arguments and output that the commands about runs share."""

import argparse
from pathlib import Path

from xla_evo.cli.output import Column, print_json, print_line, print_table
from xla_evo.cli.runs import no_winner
from xla_evo.reports import summary
from xla_evo.search.run import Outcome, RunFolder
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.backends import backend
from xla_evo_lowering.device_model import ARITHMETIC


def add_target(parser: argparse.ArgumentParser) -> None:
    """Declares an expression in place of a function, and the domain."""
    parser.add_argument(
        "--expr", type=str.strip, metavar="TEXT",
        help="an mpmath expression of x in place of a function",
    )  # fmt: skip
    parser.add_argument(
        "--domain", nargs=2, type=float, metavar=("LOW", "HIGH"),
        help="least and greatest input (default: all of the function's domain)",
    )  # fmt: skip


def target_of(args: argparse.Namespace) -> Target:
    """Returns the target that the arguments name."""
    low, high = args.domain or (None, None)
    return make_target(args.function, args.dtype, low, high, expr=args.expr)


def print_outcome(outcome: Outcome, *, json: bool) -> int:
    """Prints a summary; returns 0 when a program holds the bound, else 1."""
    if json:
        print_json(summary.to_json(outcome))
        return 0 if outcome.winner else 1
    config = outcome.config
    target = config.target
    front = summary.hall_of_fame(outcome)
    if front:
        columns = [
            Column(name="max ULP"),
            Column(name=f"speed vs {summary.rival(target)}"),
            Column(name="vector ops"),
            Column(name="known by", align="left"),
        ]
        print_table(columns, front, title="hall of fame (error of the compiled program)")
        print_line()
    print_table(["stage", "candidates", "seconds", "per second"], summary.counts(outcome))
    print_line()
    for line in summary.refusals(outcome):
        print_line(line)
    winner = outcome.winner
    if winner is None:
        print_line(no_winner(config, outcome.path, outcome.state))
        return 1
    how = "modelled, not measured; static cost" if config.modelled else "timed in turn"
    title = f"{target.describe()}: over all {winner.error.count:,} inputs, {how}"
    columns = [
        Column(name="", align="left"),
        Column(name="max ULP"),
        Column(name=winner.timed.unit),
        Column(name="speed"),
    ]
    print_table(columns, summary.comparison(winner, target.function.builtin), title=title)
    proof = RunFolder(outcome.path).proof()
    if proof:
        print_line(proof)
    elif config.modelled:
        _print_model(outcome)
    print_line()
    if winner.provenance:
        print_line(f"# {winner.provenance}")
    print_line(winner.text.rstrip())
    print_line()
    print_line(f"kept in {outcome.path}: {Path(outcome.path) / 'best.prog'}")
    return 0


def _print_model(outcome: Outcome) -> None:
    """What the errors of a backend that is not here rest on, and how to turn them into a proof."""
    row = backend(outcome.config.backend)
    arithmetic = ARITHMETIC[row.platform]
    print_line(f"modelled for {row.name} ({row.description})")
    print_line(f"  known: {arithmetic.known}")
    if arithmetic.assumed:
        print_line(f"  assumed: {arithmetic.assumed}")
    print_line(
        f"  on a machine with the device: xla-evo verify {outcome.path} --backend {row.platform}"
    )
