"""Evolves functions from nothing and prints the table of README: errors, times, rates.

python tools/bench_search.py                        # exp2 with seeds 0 1 2, and four more functions
python tools/bench_search.py exp2 --seeds 0 --budget 60s
python tools/bench_search.py exp2 --warm --budget 20000c    # twice with one store
"""

import argparse
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import jax

from xla_evo.budget import Budget, parse_budget
from xla_evo.cli.arguments import argument
from xla_evo.cli.output import print_line, print_table
from xla_evo.reports.progress import Progress
from xla_evo.search.config import SearchConfig
from xla_evo.search.run import Outcome, evolve
from xla_evo.store import Store
from xla_evo.targets.target import make_target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.backends import processor

DOMAINS = {
    "exp2": (0.0, 1.0),
    "log2": (1.0, 2.0),
    "exp": (-0.34657359, 0.34657359),
    "tanh": (-0.5, 0.5),
    "erf": (0.0, 1.0),
}
COLUMNS = (
    "function", "domain", "seed", "inputs", "max ULP", "built-in", "ns", "built-in ns", "speed",
    "screened/s", "compiled+timed/s", "minutes",
)  # fmt: skip


def search(name: str, seed: int, budget: Budget, folder: Path, store: Path) -> Outcome:
    """One run in a folder of its own."""
    low, high = DOMAINS[name]
    config = SearchConfig(
        target=make_target(name, "float32", low, high),
        max_ulp=1.0,
        budget=budget,
        seed=seed,
    )
    with Store.open(store) as opened, Progress(config) as progress:
        return evolve(config, folder, store=opened, observer=progress)


def row(name: str, seed: int, outcome: Outcome) -> tuple[object, ...]:
    """One line of the table."""
    done, winner = outcome.state.counters, outcome.winner
    low, high = DOMAINS[name]
    measuring = done.seconds.get("compile", 0.0) + done.seconds.get("time", 0.0)
    rates = (
        f"{done.screened / max(1e-9, done.seconds.get('screen', 0.0)):,.0f}",
        f"{(done.compiled + done.compile_hits) / max(1e-9, measuring):.1f}",
        f"{done.elapsed / 60:.1f}",
    )
    first = (name, f"[{low:g}, {high:g}]", seed)
    if winner is None:
        return (*first, "", "none holds", "", "", "", "", *rates)
    builtin = winner.builtin
    return (
        *first, f"{winner.error.count:,}", f"{winner.error.bound_ulp:.4f}",
        "" if builtin is None else f"{builtin.bound_ulp:.4g}",
        f"{min(winner.timed.candidate):.3f}", f"{min(winner.timed.builtin):.3f}",
        f"{winner.speedup:.2f}x", *rates,
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=None)
    parser.add_argument("--budget", type=argument(parse_budget), default="3m")
    parser.add_argument("--warm", action="store_true", help="run twice with one store")
    args = parser.parse_args()
    unknown = [name for name in args.functions if name not in DOMAINS]
    if unknown:
        parser.error(f"no domain for {unknown[0]}; choose from {', '.join(DOMAINS)}")
    settle_on_cpu()
    print_line(f"{processor()}, {platform.python_version()}, jax {jax.__version__}")
    work = Path(tempfile.mkdtemp(prefix="xla-evo-bench-"))
    rows: list[tuple[object, ...]] = []
    try:
        for name in args.functions or DOMAINS:
            seeds = args.seeds or ([0, 1, 2] if name == "exp2" else [0])
            for seed in seeds:
                store = work / f"store-{name}-{seed}"
                outcome = search(name, seed, args.budget, work / f"{name}-{seed}", store)
                rows.append(row(name, seed, outcome))
                if args.warm:
                    again = search(name, seed, args.budget, work / f"{name}-{seed}-warm", store)
                    rows.append(row(name, seed, again))
                    one, two = outcome.state.counters, again.state.counters
                    print_line(
                        f"{name} seed {seed}: {one.compiled} compiled, the second time"
                        f" {two.compiled} ({two.compiled / max(1, one.compiled):.1%})"
                    )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print_table(COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
