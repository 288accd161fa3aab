"""What the commands do for ``--dtype real``: discovery over the real numbers."""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from xla_evo import runs
from xla_evo.budget import Budget
from xla_evo.cli.arguments import refuse
from xla_evo.cli.output import Column, print_json, print_line, print_table
from xla_evo.errors import ConfigError

if TYPE_CHECKING:
    from xla_evo.discovery import DiscoveryConfig, Front, Progress

_DEFAULT_OPS = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``evolve`` that belong to the real numbers."""
    group = parser.add_argument_group("with --dtype real (real numbers, no rounding)")
    group.add_argument(
        "--max-ops", type=int, metavar="N",
        help=f"most operations + - * / (default: {_DEFAULT_OPS})",
    )  # fmt: skip
    group.add_argument(
        "--finite", action="store_true", help="every intermediate value is finite on the domain"
    )
    group.add_argument(
        "--measure", choices=("relative", "absolute", "weighted"),
        help="error measure (default: relative; absolute next to a zero that is no float64)",
    )  # fmt: skip
    group.add_argument(
        "--weight", type=str.strip, metavar="TEXT", help="expression of w(x) for |p - f| w(x)"
    )


def refuse_arguments(args: argparse.Namespace) -> None:
    """Refuses the arguments of `add_arguments` where the numbers are of a machine.

    Raises:
        ConfigError: one of them was given.
    """
    refuse(args, ["--max-ops", "--finite", "--measure", "--weight"], "for --dtype real; add that")


def add_show_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``show`` that belong to the real numbers."""
    group = parser.add_argument_group("for runs with --dtype real")
    group.add_argument("--ops", type=int, metavar="N", help="the record of N operations alone")
    group.add_argument(
        "--explain", action="store_true", help="which constants of each record are redundant"
    )
    group.add_argument(
        "--graph", action="store_true", help="print the record of --ops in Graphviz's language"
    )
    group.add_argument(
        "--emit", metavar="DTYPE", help="print the record of --ops as a program, e.g. float32"
    )


def evolve(args: argparse.Namespace) -> int:
    """Starts a discovery and prints its front."""
    from xla_evo import discovery
    from xla_evo.discovery.reference import default_measure

    refuse(
        args, ["--scaffold", "--begin", "--only", "--backend", "--max-ulp"],
        "for machine numbers; leave it out with --dtype real",
    )  # fmt: skip
    if args.domain is None:
        raise ConfigError("discovery over the reals needs a finite domain: --domain LOW HIGH")
    budget: Budget = args.budget
    low, high = args.domain
    config = discovery.DiscoveryConfig(
        function=args.function or "", expression=args.expr,
        low=low, high=high,
        max_ops=_DEFAULT_OPS if args.max_ops is None else args.max_ops,
        seconds=budget.seconds, candidates=budget.candidates, seed=args.seed,
        finite=args.finite, measure=args.measure or "relative",
        weight=args.weight, workers=args.workers,
    )  # fmt: skip
    if args.measure is None and default_measure(config.target(), low, high) == "absolute":
        config = dataclasses.replace(config, measure="absolute")
    out: Path = args.out or default_folder(config)
    with _Lines(config) as lines:
        try:
            front = discovery.run(config, progress=lines, out=out)
        except KeyboardInterrupt:
            _stopped(out)
            raise
    return print_front(front, json=args.json)


def resume(args: argparse.Namespace) -> int:
    """Goes on with a discovery and prints its front."""
    from xla_evo import discovery
    from xla_evo.discovery.checkpoint import read_config

    with _Lines(read_config(args.run)) as lines:
        try:
            front = discovery.resume(args.run, budget=args.budget, progress=lines)
        except KeyboardInterrupt:
            _stopped(args.run)
            raise
    return print_front(front, json=args.json)


def show(args: argparse.Namespace) -> int:
    """Prints the front of a discovery, or one record of it."""
    from xla_evo.cli.runs import read_front
    from xla_evo.discovery.emit import emit
    from xla_evo.discovery.formula import graph
    from xla_evo.discovery.report import record_head

    if args.graph or args.explain:
        refuse(args, ["--emit", "--json"], "for another output than --graph and --explain")
    if args.graph:
        refuse(args, ["--explain"], "for another output than --graph")
    if args.emit is not None:
        refuse(args, ["--json"], "for another output than --emit")
    if args.ops is None and (args.graph or args.emit is not None):
        flag = "--graph" if args.graph else "--emit"
        raise ConfigError(f"{flag} needs --ops N: which record is meant")
    front = read_front(args.run)
    if args.explain:
        return _explain(front, args.ops)
    if args.ops is None:
        return print_front(front, json=args.json)
    record = front.record(args.ops)
    if args.graph:
        sys.stdout.write(graph(record.steps))
    elif args.emit is not None:
        sys.stdout.write(emit(record, front.config, args.emit).text)
    elif args.json:
        print_json(record.to_json())
    else:
        for line in record_head(front, record):
            print_line(f"# {line}")
        print_line(record.python.rstrip())
    return 0


def report(args: argparse.Namespace) -> list[Path]:
    """Writes the report of a discovery into its folder; returns the files."""
    from xla_evo.cli.runs import read_front
    from xla_evo.discovery.report import write_report

    return write_report(read_front(args.run), args.run)


def default_folder(config: "DiscoveryConfig") -> Path:
    """Returns a folder under ``runs/`` that does not exist yet."""
    name = config.function or config.expression or ""
    return runs.default_folder(name, f"real-seed{config.seed}")


def print_front(front: "Front", *, json: bool) -> int:
    """Prints a front as a table with formulas, or as JSON."""
    if json:
        print_json(front.to_json())
        return 0
    from xla_evo.discovery.report import front_table, record_lines

    headings, rows = front_table(front)
    print_table([Column(name=name) for name in headings], rows, title=front.config.title)
    print_line()
    for line in record_lines(front):
        print_line(line)
    print_line()
    print_line(
        f"{front.candidates:,} candidates in {front.seconds:.0f} s ({front.rate:,.0f} a second)"
        + (f"; kept in {front.out}" if front.out else "")
    )
    return 0


def _explain(front: "Front", operations: int | None) -> int:
    from xla_evo.discovery.formula import structure

    policy = "finite" if front.config.finite else "removable"
    counts = sorted(front.records[policy]) if operations is None else [operations]
    for n in counts:
        record = front.record(n)
        print_line(f"{n} operations: {structure(record.steps)}")
        for line in record.explain(front.config).text().splitlines():
            print_line(f"  {line}")
    return 0


def _stopped(out: Path) -> None:
    print_line(f"stopped; everything is kept: {runs.resume_command(out)}")


class _Lines:
    """Progress: one line that is rewritten on a terminal, else a line every ten seconds."""

    def __init__(self, config: "DiscoveryConfig") -> None:
        self._title = config.title
        self._last = -1e9
        self._stage = ""
        self._live = sys.stderr.isatty()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._live:
            sys.stderr.write("\n")

    def __call__(self, progress: "Progress") -> None:
        """Shows how far the search is."""
        if progress.stage == "compile":
            sys.stderr.write(f"{self._title}: compiling (the first time takes half a minute)\n")
            return
        now = time.monotonic()
        if now - self._last < (1 if self._live else 10) and progress.stage == self._stage:
            return
        self._last, self._stage = now, progress.stage
        errors = " ".join(f"{n}:{e:.0e}" for n, e in progress.errors.items())
        stage = progress.stage
        if stage == "finish":
            stage = f"finish {progress.finished:.0%}, after"
        text = f"{stage} {progress.seconds:4.0f} s {progress.candidates:9,d} {errors}"
        sys.stderr.write(f"\r\x1b[K{text[:160]}" if self._live else f"{text}\n")
        sys.stderr.flush()
