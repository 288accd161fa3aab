"""``xla-evo library``: the programs that ship, with what is proven of them."""

import argparse
import statistics
from typing import Any

from xla_evo.cli.arguments import add_json
from xla_evo.cli.output import print_json, print_table
from xla_evo.library import Entry, Proof, entries
from xla_evo.library.choice import best_proof
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.backends import backend, fingerprint

NAME = "library"
HELP = "The programs that ship with the package, each with its proven error and measured time."
EXAMPLES = """\
  xla-evo library
  xla-evo library exp tanh --dtype float32
  xla-evo library --compare
  xla-evo library --json"""

TIERS: tuple[tuple[str, float], ...] = (("near", 0.51), ("one", 1.0))
"""Tier to the largest error in ULP that belongs to it; above all of them it is ``fast``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="only these functions")
    parser.add_argument("--dtype", help="only this format, e.g. float32")
    parser.add_argument(
        "--compare", action="store_true",
        help="every function of the catalogue beside the built-in's error and time",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the table."""
    found = [
        entry
        for name in args.functions or [None]
        for entry in entries(name, args.dtype)
    ]  # fmt: skip
    rows = [_row(entry, proof) for entry in found for proof in _proofs(entry)]
    if args.json:
        print_json(rows)
    elif args.compare:
        _print_comparison(args, rows)
    else:
        _print_entries(rows)
    return 0


def _proofs(entry: Entry) -> list[Proof]:
    """One proof a lowering: that of this machine where there is one."""
    live = fingerprint(backend("cpu"))
    found = [best_proof(entry, lowering, "cpu", live)[0] for lowering in ("inline", "custom_call")]
    return [proof for proof in found if proof is not None]


def tier(max_ulp: float) -> str:
    """Returns the tier of an error in ULP."""
    return next((name for name, bound in TIERS if max_ulp <= bound), "fast")


def _row(entry: Entry, proof: Proof) -> dict[str, Any]:
    certificate, time = entry.certificate, proof.time
    return {
        "function": entry.function,
        "dtype": entry.dtype,
        "program": certificate.program_hash[:16],
        "operations": entry.program.operation_count(),
        "lowering": proof.lowering,
        "tier": tier(proof.max_ulp),
        "max_ulp": proof.max_ulp,
        "exhaustive": proof.measurement.exhaustive,
        "not_correctly_rounded": proof.measurement.not_correctly_rounded,
        "ns": statistics.median(time.candidate_ns) if time else None,
        "ratio": time.ratio if time and time.ratio else None,
        "builtin_max_ulp": certificate.builtin_max_ulp,
        "builtin_ns": statistics.median(time.builtin_ns) if time and time.builtin_ns else None,
        "provenance": certificate.provenance.kind,
        "fingerprint": dict(proof.fingerprint),
    }


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def _print_entries(rows: list[dict[str, Any]]) -> None:
    columns = [
        "function", "dtype", "program", "lowering", "tier", "max ULP", "proof", "ops", "ns",
        "times built-in", "provenance",
    ]  # fmt: skip
    cells = [
        (
            row["function"], row["dtype"], row["program"], row["lowering"], row["tier"],
            f"{row['max_ulp']:.4f}", "exhaustive" if row["exhaustive"] else "sampled",
            row["operations"], _number(row["ns"]), _number(row["ratio"]), row["provenance"],
        )
        for row in rows
    ]  # fmt: skip
    print_table(columns, cells)


def _print_comparison(args: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    columns = [
        "function", "dtype", "built-in ULP", "built-in ns", "tier", "ULP", "ns", "ratio",
    ]  # fmt: skip
    cells: list[tuple[object, ...]] = []
    for name in args.functions or CATALOGUE:
        mine = [row for row in rows if row["function"] == name and row["lowering"] == "inline"]
        for row in mine:
            cells.append((
                name, row["dtype"], _number(row["builtin_max_ulp"]), _number(row["builtin_ns"]),
                row["tier"], f"{row['max_ulp']:.4f}", _number(row["ns"]), _number(row["ratio"]),
            ))  # fmt: skip
        if not mine:
            cells.append((name, args.dtype or "-", "-", "-", "none", "-", "-", "-"))
    print_table(columns, cells)
