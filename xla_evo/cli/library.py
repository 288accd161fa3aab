"""``xla-evo library``: the programs that ship, with what is proven of them."""

import argparse
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xla_evo.cli.arguments import add_json
from xla_evo.cli.output import print_json, print_line, print_table
from xla_evo.errors import ConfigError
from xla_evo.library import Entry, Proof, entries
from xla_evo.library.certificate import same_processor
from xla_evo.library.choice import best_proof
from xla_evo.library.published import published_ulp
from xla_evo.library.retime import retime
from xla_evo.library.tiers import TIERS, Place, geometric_mean, places, tier
from xla_evo.library.tuned import record_ratios
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.backends import backend, fingerprint, processor
from xla_evo_lowering.dtypes import dtype

NAME = "library"
HELP = "The programs that ship, each with its proven error and its measured time."
EXAMPLES = """\
  xla-evo library
  xla-evo library exp tanh --dtype float32
  xla-evo library --compare
  xla-evo library --compare --dtype bfloat16
  xla-evo library --compare --measure --dtype float32
  xla-evo library --compare --backend tpu:v5e --dtype float32
  xla-evo library --json"""

FORMATS = ("float32", "bfloat16", "float16", "float64")
"""Formats of the comparison, in the order of their rows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="only these functions")
    parser.add_argument("--dtype", help="only this format, e.g. float32")
    parser.add_argument(
        "--compare", action="store_true",
        help="every function and format: the built-in beside the best of each tier",
    )  # fmt: skip
    parser.add_argument(
        "--measure", action="store_true",
        help="with --compare: time every program here, a second or two each; use and install"
        " follow these times from then on",
    )  # fmt: skip
    parser.add_argument(
        "--processor", metavar="P",
        help="with --compare: show the times of another processor, by a part of its name, e.g."
        " 25.17; all names are told when none has it",
    )  # fmt: skip
    parser.add_argument(
        "--backend", metavar="B",
        help="programs for a device, such as tpu:v5e or cuda:sm_90, by static cost (default: cpu)",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Prints the table.

    Raises:
        ConfigError: options that do not go together, or no such processor.
    """
    if args.backend not in (None, "cpu"):
        from xla_evo.cli import library_devices

        return library_devices.run(args)
    if (args.measure or args.processor) and not args.compare:
        raise ConfigError("--measure and --processor are of the times of --compare; give it too")
    if args.measure and args.processor:
        raise ConfigError("--measure takes the times of this machine; leave --processor out")
    names = list(dict.fromkeys(args.functions))
    if args.compare:
        wanted = _known_processor(args.processor) if args.processor else processor()
        compared = _comparison(args, names, wanted)
        if args.json:
            print_json(compared)
        else:
            _print_comparison(compared, wanted)
        return 0
    rows = [
        _row(entry, proof)
        for name in names or [None]
        for entry in entries(name, args.dtype)
        for proof in _proofs(entry)
    ]
    if args.json:
        print_json(rows)
    elif rows:
        _print_entries(rows)
    else:
        named = f" for {' or '.join(names)}" if names else ""
        print_line(f"no program ships{named}{f' in {args.dtype}' if args.dtype else ''}")
    return 0


def _proofs(entry: Entry) -> list[Proof]:
    """One proof a lowering: that of this machine where there is one."""
    live = fingerprint(backend("cpu"))
    found = [best_proof(entry, lowering, "cpu", live)[0] for lowering in ("inline", "custom_call")]
    return [proof for proof in found if proof is not None]


def _row(entry: Entry, proof: Proof) -> dict[str, Any]:
    certificate, time = entry.certificate, proof.time_on(processor())
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
        "processor": time.processor if time else None,
        "builtin_max_ulp": certificate.builtin_max_ulp,
        "builtin_ns": statistics.median(time.builtin_ns) if time and time.builtin_ns else None,
        "provenance": certificate.provenance.kind,
        "run": certificate.provenance.run,
        "seed": certificate.provenance.seed,
        "note": certificate.provenance.note,
        "fingerprint": dict(proof.fingerprint),
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _origin(row: dict[str, Any]) -> str:
    """Provenance in one cell: for what was evolved also its run and seed."""
    if not row["run"]:
        return row["provenance"]
    return f"{row['provenance']}, run {row['run'][:8]}, seed {row['seed']}"


def _print_entries(rows: list[dict[str, Any]]) -> None:
    columns = [
        "function", "dtype", "program", "lowering", "tier", "max ULP", "proof", "ops", "ns",
        "times built-in", "provenance",
    ]  # fmt: skip
    cells = [
        (
            row["function"], row["dtype"], row["program"], row["lowering"], row["tier"],
            f"{row['max_ulp']:.4f}", "exhaustive" if row["exhaustive"] else "sampled",
            row["operations"], _number(row["ns"]), _number(row["ratio"]), _origin(row),
        )
        for row in rows
    ]  # fmt: skip
    print_table(columns, cells)


def _comparison(
    args: argparse.Namespace, names: Sequence[str], wanted: str
) -> list[dict[str, Any]]:
    """A row for every function and format: the built-in, and the fastest program of each tier."""
    live = {**fingerprint(backend("cpu")), "device": wanted}
    formats = [dtype(args.dtype).name] if args.dtype else list(FORMATS)
    rows: list[dict[str, Any]] = []
    for kind in formats:
        for name in names or CATALOGUE:
            found = entries(name, kind)
            if not found and kind == "float64":
                continue
            if args.measure:
                found = _measured(found, live)
            chosen = places(found, live)
            rows.append({
                "function": name, "dtype": kind,
                "published_ulp": published_ulp(name, kind), **_builtin(found, chosen.values()),
                "tiers": {tier: _place(place) for tier, place in chosen.items()},
            })  # fmt: skip
    return rows


def _builtin(found: Sequence[Entry], chosen: Iterable[Place | None]) -> dict[str, Any]:
    """Largest error of the built-in in any certificate, time from those chosen."""
    errors = [entry.certificate.builtin_max_ulp for entry in found]
    bounded = [error for error in errors if error is not None]
    times = [
        min(place.time.builtin_ns)
        for place in chosen
        if place and place.time and place.time.builtin_ns
    ]
    return {
        "builtin_max_ulp": max(bounded, default=None) if len(bounded) == len(errors) else None,
        "builtin_unbounded": len(bounded) < len(errors),
        "builtin_ns": min(times, default=None),
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    time = place.time
    return {
        "program": place.entry.certificate.program_hash[:16],
        "max_ulp": place.proof.max_ulp,
        "exhaustive": place.proof.measurement.exhaustive,
        "ns": min(time.candidate_ns) if time else None,
        "ratio": place.ratio or None,
        "processor": time.processor if time else None,
        "provenance": place.entry.certificate.provenance.kind,
    }


def _known_processor(part: str) -> str:
    """The name of a processor that certificates have times of.

    Raises:
        ConfigError: there is none with that part in its name.
    """
    names = {
        time.processor
        for entry in entries(dtype="float32")
        for proof in entry.certificate.proofs
        for time in proof.times
    }
    found = sorted(name for name in names if part.lower() in name.lower())
    if not found:
        known = ", ".join(sorted(names))
        raise ConfigError(f"no times of a processor {part!r}; there are those of {known}")
    return found[0]


def _print_comparison(rows: list[dict[str, Any]], wanted: str) -> None:
    columns = ["function", "dtype", "JAX says", "built-in ULP", "ns"]
    columns += [f"{tier} {what}" for tier in TIERS for what in ("ULP", "ns", "x")]
    cells: list[tuple[object, ...]] = []
    for row in rows:
        line: list[object] = [
            row["function"], row["dtype"], _number(row["published_ulp"]),
            "wrong" if row["builtin_unbounded"] else _number(row["builtin_max_ulp"]),
            _number(row["builtin_ns"]),
        ]  # fmt: skip
        for place in row["tiers"].values():
            if place is None:
                line += ["-", "-", "-"]
            else:
                ulp = math.ceil(place["max_ulp"] * 1e3) / 1e3
                line += [f"{ulp:.3f}", _number(place["ns"]), _number(place["ratio"])]
        cells.append(tuple(line))
    print_table(columns, cells)
    for kind in dict.fromkeys(row["dtype"] for row in rows):
        of_kind = [row["tiers"]["one"] for row in rows if row["dtype"] == kind]
        there = [place for place in of_kind if place]
        ratios = [place["ratio"] for place in there if place["ratio"]]
        mean = _number(geometric_mean(ratios))
        print_line(
            f"{kind}: tier one for {len(there)} of {len(of_kind)} functions, {mean} times the"
            f" built-in's speed in geometric mean over {len(ratios)} timed"
        )
    print_sampled(rows)
    print_line(_processors(rows, wanted))


def print_sampled(rows: Sequence[Mapping[str, Any]]) -> None:
    """A line that names the rows of a comparison whose errors are of samples; none without any."""
    sampled = [
        row
        for row in rows
        if any(place and not place["exhaustive"] for place in row["tiers"].values())
    ]
    names = (
        "all in float64" if row["dtype"] == "float64" else f"{row['function']} in {row['dtype']}"
        for row in sampled
    )
    if sampled:
        print_line(f"sampled, not over every input: {', '.join(dict.fromkeys(names))}")


def _measured(found: Sequence[Entry], live: Mapping[str, str]) -> list[Entry]:
    """Entries of one function and format with times of this machine, which choices follow."""
    again = retime(found)
    ratios = {
        entry.certificate.program_hash: proof.ratio_on(processor())
        for entry in again
        if (proof := best_proof(entry, "inline", "cpu", live)[0]) is not None
    }
    if any(ratios.values()):
        record_ratios(again[0].function, again[0].dtype, live, ratios)
    return again


def _processors(rows: Sequence[dict[str, Any]], wanted: str) -> str:
    """A line that says whose times a comparison shows."""
    timed = [place["processor"] for row in rows for place in row["tiers"].values() if place]
    others = sorted({n for n in timed if n and not same_processor(n, wanted)})
    if not others:
        return f"times of {wanted}"
    count = sum(name in others for name in timed)
    part = "all" if count == len(timed) else f"{count} of {len(timed)}"
    return (
        f"{part} times are of {', '.join(others)}, none of {wanted};"
        " --measure times the programs on this machine"
    )
