"""``xla-evo tune``: the best program for a backend, found, certified and recorded."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xla_evo.budget import Budget, parse_budget
from xla_evo.cli.arguments import add_json, argument, parse_bound, parse_seed
from xla_evo.cli.comparison import (
    comparison_to_json,
    number,
    print_comparison,
    print_reasons,
)
from xla_evo.cli.output import Column, print_json, print_line, print_table
from xla_evo.errors import BackendError, ConfigError

if TYPE_CHECKING:
    from xla_evo.tuning import Comparison, Tuned

NAME = "tune"
HELP = "Measures programs on a backend, evolves more, certifies and records the choice."
EXAMPLES = """\
  xla-evo tune exp tanh --max-ulp 1 --budget 2m
  xla-evo tune exp --backend tpu:v5e --max-ulp 1.5 --budget 5m
  xla-evo tune exp --budget none
  xla-evo tune --compare exp log tanh sin erf --max-ulp 2
  xla-evo tune --compare exp --backend cpu --backend tpu:v5e --backend tpu:v6e"""

SHOWN = ("exp", "log", "tanh", "sin", "erf")
COMPARED = ("cpu", "cuda:sm_90", "tpu:v5e")


def _limit(text: str) -> Budget | None:
    return None if text in ("none", "0", "0s") else parse_budget(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "functions", nargs="*", metavar="FUNCTION",
        help=f"functions of the catalogue (--compare without any: {' '.join(SHOWN)})",
    )  # fmt: skip
    parser.add_argument(
        "--backend", action="append", default=[],
        help="compiler, such as cpu or tpu:v5e (default: cpu); with --compare several"
        f" (default: those of {', '.join(COMPARED)} whose plugin is installed)",
    )  # fmt: skip
    parser.add_argument(
        "--max-ulp", type=argument(parse_bound), default=1.0, metavar="U",
        help="error bound in units in the last place over every input (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--budget", type=argument(_limit), default="1m",
        help="how long each function is evolved further: a time (30s, 5m), candidates (20000c) or"
        " none (default: 1m)",
    )  # fmt: skip
    parser.add_argument("--dtype", default="float32", help="format (default: float32)")
    parser.add_argument(
        "--seed", type=argument(parse_seed), default=0, help="of the searches (default: 0)"
    )
    parser.add_argument(
        "--compare", action="store_true",
        help="print what each backend would choose from the programs at hand, and why",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Tunes or compares; 0 when every function has a program within the bound."""
    _check(args.functions or SHOWN, args.dtype)
    if args.compare:
        return _compare(args)
    if not args.functions:
        raise ConfigError("say which functions to tune, e.g. xla-evo tune exp tanh")
    if len(args.backend) > 1:
        raise ConfigError("tune takes one --backend; with --compare it takes several")
    from xla_evo.tuning import tune

    try:
        found = tune(
            *args.functions, backend=args.backend[0] if args.backend else "cpu",
            max_ulp=args.max_ulp, budget=args.budget, dtype=args.dtype, seed=args.seed,
            report=_report,
        )  # fmt: skip
    except KeyboardInterrupt:
        _report("stopped; the same command goes on from here")
        raise
    if args.json:
        print_json([_tuned_to_json(item) for item in found])
    else:
        _print_tuned(found)
    return 0 if all(item.chosen for item in found) else 1


def _check(names: Sequence[str], dtype: str) -> None:
    """Refuses what cannot be tuned before anything is compiled.

    Raises:
        ConfigError: a function has several arguments, or the format is none of numbers.
        TargetError: there is no such function.
    """
    from xla_evo.targets.target import make_target

    for name in names:
        target = make_target(name, dtype)
        if target.function.arity != 1:
            raise ConfigError(f"tune takes functions of one argument, not {name}")
        if not target.dtype.is_float:
            raise ConfigError(f"tune takes formats of numbers, not {target.dtype.name}")


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _tuned_to_json(item: "Tuned") -> dict[str, Any]:
    return {name: getattr(item, name) for name in type(item).__slots__} | {"speedup": item.speedup}


def _print_tuned(found: "Sequence[Tuned]") -> None:
    columns = [
        Column(name="function", align="left"), Column(name="backend", align="left"),
        Column(name="chosen", align="left"), Column(name="max ULP"),
        Column(name="known by", align="left"), Column(name="cost"), Column(name="built-in"),
        Column(name="unit", align="left"), Column(name="speed"), Column(name="evolved"),
    ]  # fmt: skip
    cells = [
        (
            item.function, item.backend, item.chosen[:8] or "the built-in",
            number(item.error_ulp), item.known or "-", number(item.cost),
            number(item.builtin_cost), item.unit,
            f"{item.speedup:.2f}x" if item.speedup and item.chosen else "-", item.evolved,
        )
        for item in found
    ]  # fmt: skip
    print_table(columns, cells)
    for item in found:
        for line in item.notes:
            print_line(f"{item.function}: {line}")
        if item.from_store:
            print_line(f"{item.function}: as tuned before on this machine")


def _usable(names: Sequence[str]) -> list[str]:
    """The backends whose compiler is installed; a line for each of the others."""
    from xla_evo_lowering.backends import backend, require

    found: list[str] = []
    for name in names:
        try:
            require(backend(name))
            found.append(name)
        except BackendError as error:
            _report(f"left out: {error}")
    return found


def _compare(args: argparse.Namespace) -> int:
    """Compares; 0 when every backend that was named could be compared."""
    from xla_evo.store import Store
    from xla_evo.tuning import compare

    names = args.functions or list(SHOWN)
    backends = _usable(args.backend or COMPARED)
    if not backends:
        raise ConfigError("none of the backends can be used")
    found: list[Comparison] = []
    with Store.open() as store:
        for name in names:
            for backend in list(backends):
                try:
                    found += compare(
                        [name], [backend], max_ulp=args.max_ulp, dtype=args.dtype, store=store,
                        report=_report,
                    )  # fmt: skip
                except BackendError as error:
                    _report(f"left out from here on: {error}")
                    backends.remove(backend)
    missing = bool(args.backend) and len(backends) < len(args.backend)
    if args.json:
        print_json([comparison_to_json(item) for item in found])
        return int(missing)
    print_comparison(found)
    for name in names:
        print_reasons(name, [item for item in found if item.function == name])
    return int(missing)
