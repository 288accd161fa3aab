"""Discovery over the reals against its goals: errors by number of operations, median over seeds.

    .venv/bin/python tools/bench_real.py exp2 --seeds 0 1 2 3 4 --results real.jsonl
    .venv/bin/python tools/bench_real.py --results real.jsonl --table

Each case is searched from nothing for 3 minutes a seed on 2 cores (``--seconds``); the finish and
the verification at 50 digits come on top. ``--results`` keeps one line a run, so that the seeds
may be run one by one; ``--table`` prints the medians of what the file holds. Errors are those of
the shortened constants, which cost up to 1%; ``all digits`` is the least error before that.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xla_evo.cli.output import Column, print_line, print_table
from xla_evo.discovery import DiscoveryConfig, Front, Progress, run
from xla_evo.discovery.config import Measure
from xla_evo.discovery.enumeration import enumerate_all
from xla_evo.discovery.formula import structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A function on a domain, with the errors to reach."""

    function: str = ""
    expression: str | None = None
    low: float
    high: float
    finite: bool = False
    measure: Measure = "relative"
    max_ops: int = 12
    goals: dict[int, float] = field(default_factory=dict)
    known: dict[int, float] = field(default_factory=dict)


def _from(first: int, *errors: float) -> dict[int, float]:
    return dict(enumerate(errors, first))


LN2_HALF = 0.34657359027997264
CASES = {
    "exp2": Case(
        function="exp2", low=0.0, high=1.0,
        goals=_from(3, 9e-4, 2.3e-4, 4.8e-6, 3e-7, 6.1e-10, 9.6e-12, 2.7e-14, 1e-15, 2e-17, 1e-18),
        known=_from(3, 8.68e-4, 2.17e-4, 4.35e-6, 2.74e-7, 5.64e-10, 8.95e-12, 2.48e-14, 9.7e-17,
                    1.19e-18, 2.61e-19),
    ),
    "exp2-finite": Case(
        function="exp2", low=0.0, high=1.0, finite=True,
        goals=_from(3, 9e-4, 2.3e-4, 1.2e-5, 3e-7, 1.1e-7, 7.8e-9, 6.2e-10, 9.9e-12, 1.5e-13,
                    2.8e-15),
    ),
    "exp": Case(
        function="exp", low=-LN2_HALF, high=LN2_HALF,
        goals=_from(7, 1.1e-11, 1.8e-13, 3e-16, 1.3e-17),
    ),
    "cos": Case(
        function="cos", low=0.0, high=1.5707963267948966, measure="absolute", goals={10: 4e-11}
    ),
    "erf": Case(expression="erf(x)/x", low=0.0, high=1.0, goals={10: 3.1e-11}),
    "log2": Case(expression="log2(x)/(x-1)", low=0.5, high=1.0, goals={10: 1.1e-9}),
    "sin": Case(function="sin", low=0.0, high=1.5707963267948966),
    "tan": Case(function="tan", low=0.0, high=0.7853981633974483),
    "atan": Case(function="atan", low=0.0, high=1.0),
    "airyai": Case(expression="airyai(x)", low=0.0, high=1.0),
    "besselj0": Case(expression="besselj(0,x)", low=0.0, high=2.0),
    "gamma": Case(expression="gamma(x)", low=1.0, high=2.0),
}  # fmt: skip


def _config(name: str, seed: int, seconds: float) -> DiscoveryConfig:
    case = CASES[name]
    return DiscoveryConfig(
        function=case.function, expression=case.expression, low=case.low, high=case.high,
        finite=case.finite, measure=case.measure, max_ops=case.max_ops, seconds=seconds, seed=seed,
    )  # fmt: skip


def measure(name: str, seed: int, seconds: float, out: Path | None) -> dict[str, Any]:
    """Runs one case and returns a line of the results."""
    case = CASES[name]
    config = _config(name, seed, seconds)
    clock = _Clock()
    front = run(config, progress=clock, out=out)
    policy = "finite" if case.finite else "removable"
    return {
        "case": name,
        "seed": seed,
        "seconds": seconds,
        "per_second": round(front.rate),
        "per_cpu_second": round(clock.rate),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "errors": {n: r.verified.error for n, r in front.records[policy].items()},
        "full_errors": {n: r.full_error for n, r in front.records[policy].items()},
        "structures": {n: _shape(front, n) for n in front.records[policy]},
        "float64": {
            n: (r.verified.float64.error, r.verified.float64.not_finite)
            for n, r in front.records[policy].items()
        },
        "baselines": front.baselines,
    }


def enumerate_case(name: str, most: int, starts: int) -> None:
    """Prints the best of all structures of up to ``most`` operations: is anything missed?"""
    config = _config(name, seed=0, seconds=1.0)
    rows: list[list[object]] = []
    for n in range(1, most + 1):
        before = time.monotonic()
        found = enumerate_all(config, n, starts=starts)
        seconds = time.monotonic() - before
        record = found.record
        error = "none holds" if record is None else f"{record.full_error:.3g}"
        form = "" if record is None else structure(record.steps)
        rows.append([n, f"{found.structures:,}", error, f"{seconds:.0f}", form])
        sys.stderr.write(f"{n} operations: {found.structures:,} structures, {error}\n")
    last = Column(name="structure", align="left")
    headings = ["operations", "structures", "least error", "seconds", last]
    print_table(headings, rows, title=f"{config.title}: every structure, {starts} starts each")


def _shape(front: Front, operations: int) -> str:
    return front.record(operations).to_json()["structure"]


class _Clock:
    """Prints progress; counts candidates by the processor time that the search got.

    Attributes:
        rate: candidates a second of one core.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self._start: tuple[int, float] | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.finished:
            return
        now = time.process_time()
        if self._start is None and progress.candidates:
            self._start = progress.candidates, now
        elif self._start is not None and progress.stage == "search" and now > self._start[1]:
            self.rate = (progress.candidates - self._start[0]) / (now - self._start[1])
        if progress.stage == "finish" or int(progress.seconds) % 30 == 0:
            errors = " ".join(f"{n}:{e:.1e}" for n, e in progress.errors.items())
            sys.stderr.write(f"{progress.seconds:5.0f} s {progress.candidates:9,d} {errors}\n")


def show(lines: list[dict[str, Any]]) -> None:
    """Prints a table a case: median, least and greatest error over the seeds."""
    for name, case in CASES.items():
        runs = [line for line in lines if line["case"] == name]
        if not runs:
            continue
        rows: list[list[object]] = []
        for n in sorted({int(n) for line in runs for n in line["errors"]}):
            errors = [float(line["errors"].get(str(n), math.inf)) for line in runs]
            median = statistics.median(errors)
            full = min(float(line["full_errors"].get(str(n), math.inf)) for line in runs)
            goal, known = case.goals.get(n), case.known.get(n)
            best = [float(row[str(n)]) for row in runs[0]["baselines"].values() if str(n) in row]
            rows.append([
                n, f"{median:.3g}", f"{min(errors):.3g}", f"{max(errors):.3g}",
                f"{goal:.2g}" if goal else "",
                "" if goal is None else "yes" if median <= goal else "NO",
                f"{full:.3g}", f"{known:.3g}" if known else "",
                f"{min(best):.2g}" if best else "",
            ])  # fmt: skip
        seeds = ", ".join(str(line["seed"]) for line in runs)
        rate = statistics.median(line["per_second"] for line in runs)
        core = statistics.median(line.get("per_cpu_second", math.nan) for line in runs)
        headings = ["operations", "median", "least", "greatest", "goal", "met", "all digits",
                    "best known", "best baseline"]  # fmt: skip
        title = (
            f"{name}: {runs[0]['seconds']:g} s, seeds {seeds}, {rate:,.0f} candidates a second,"
            f" {core:,.0f} a second of one core ({runs[0]['machine']})"
        )
        print_table(headings, rows, title=title)
        print_line()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--results", type=Path, help="file of one JSON line a run; appended to")
    parser.add_argument("--runs", type=Path, help="folder to keep the runs in")
    parser.add_argument("--table", action="store_true", help="print what --results holds, alone")
    parser.add_argument(
        "--enumerate", type=int, metavar="N", help="fit all structures of up to N operations"
    )
    parser.add_argument("--starts", type=int, default=12, help="random starts with --enumerate")
    args = parser.parse_args()
    if unknown := [name for name in args.cases if name not in CASES]:
        parser.error(f"no case {unknown[0]}; choose of {', '.join(CASES)}")
    if not args.cases and not args.table:
        parser.error("name a case, or give --table")
    if args.enumerate:
        for name in args.cases:
            enumerate_case(name, args.enumerate, args.starts)
        return 0
    lines: list[dict[str, Any]] = []
    for name in [] if args.table else args.cases:
        for seed in args.seeds:
            out = args.runs / f"{name}-{seed}-{args.seconds:g}" if args.runs else None
            line = json.loads(json.dumps(measure(name, seed, args.seconds, out)))
            lines.append(line)
            if args.results:
                with args.results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    if args.results and args.results.exists():
        lines = [json.loads(text) for text in args.results.read_text().splitlines()]
    show(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
