"""``xla-evo library --backend``: the programs for a device, by error and static cost."""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

from xla_evo.cli.library import print_sampled
from xla_evo.cli.output import print_json, print_line, print_table
from xla_evo.errors import ConfigError
from xla_evo.library import Entry, Proof
from xla_evo.library.choice import best_proof, own_entries
from xla_evo.library.loader import MODELLED, entries, joined
from xla_evo.library.published import published_ulp
from xla_evo.library.recheck_modelled import device_row
from xla_evo.library.tiers import TIERS, Place, geometric_mean, places, tier
from xla_evo.targets.catalogue import CATALOGUE, function
from xla_evo_lowering.backends import Backend, backend, fingerprint
from xla_evo_lowering.dtypes import dtype


def run(args: argparse.Namespace) -> int:
    """Prints the programs for a backend, or with --compare its built-ins beside them.

    Raises:
        ConfigError: --measure or --processor, which are of times on this CPU.
        BackendError: there is no such backend.
    """
    if args.measure or args.processor:
        raise ConfigError("--measure and --processor are of times on this CPU; leave --backend out")
    row = backend(args.backend) if ":" in args.backend else device_row(args.backend)[0]
    names = [function(name).name for name in dict.fromkeys(args.functions)] or list(CATALOGUE)
    formats = [dtype(args.dtype).name] if args.dtype else [kind.name for kind in row.formats]
    found = {(name, kind): _of_backend(name, kind, row) for kind in formats for name in names}
    if not args.json and not any(found.values()):
        print_line(f"no such program ships for {row.name} (see xla-evo library)")
    elif args.compare:
        _compare(args, row, found)
    else:
        _list(args, row, found)
    return 0


Found = Mapping[tuple[str, str], Sequence[Entry]]


def _of_backend(name: str, kind: str, row: Backend) -> list[Entry]:
    """What ships for a backend, and what the user's library has of it."""
    found = joined((*own_entries(name, kind), *entries(name, kind, row.name, folder=MODELLED)))
    return [entry for entry in found if entry.proofs("inline", row.name)]


def _list(args: argparse.Namespace, row: Backend, found: Found) -> None:
    live = fingerprint(row)
    proven = [
        (entry, proof)
        for those in found.values()
        for entry in those
        if (proof := best_proof(entry, "inline", row.name, live)[0]) is not None
    ]
    rows = [_row(entry, proof) for entry, proof in proven]
    if args.json:
        print_json(rows)
        return
    columns = ["function", "dtype", "program", "tier", "max ULP", "proof", "ops", "cost", "x"]
    cells = [
        (
            row["function"], row["dtype"], row["program"], row["tier"], f"{row['max_ulp']:.4f}",
            _proof(row), row["operations"], _number(row["cost"]), _number(row["ratio"]),
            row["provenance"],
        )
        for row in rows
    ]  # fmt: skip
    print_table([*columns, "provenance"], cells)
    print_line(_footer(row, [proof for _, proof in proven]))


def _row(entry: Entry, proof: Proof) -> dict[str, Any]:
    certificate, cost = entry.certificate, proof.cost
    return {
        "function": entry.function,
        "dtype": entry.dtype,
        "program": certificate.program_hash[:16],
        "operations": entry.program.operation_count(),
        "tier": tier(proof.max_ulp),
        "max_ulp": proof.max_ulp,
        "exhaustive": proof.measurement.exhaustive,
        "modelled": proof.modelled,
        "cost": cost.value if cost else None,
        "unit": cost.unit if cost else None,
        "builtins": dict(cost.builtins) if cost else {},
        "ratio": cost.ratio or None if cost else None,
        "provenance": certificate.provenance.kind,
        "run": certificate.provenance.run,
        "seed": certificate.provenance.seed,
        "note": certificate.provenance.note,
        "fingerprint": dict(proof.fingerprint),
    }


def _proof(row: Mapping[str, Any]) -> str:
    how = "exhaustive" if row["exhaustive"] else "sampled"
    return f"{how}, modelled" if row["modelled"] else how


def _compare(args: argparse.Namespace, row: Backend, found: Found) -> None:
    live = fingerprint(row)
    rows: list[dict[str, Any]] = []
    proofs: list[Proof] = []
    for (name, kind), those in found.items():
        chosen = places(those, live)
        known = [proof for entry in those for proof in entry.proofs("inline", row.name)]
        proofs += known
        builtins = next((dict(proof.cost.builtins) for proof in known if proof.cost), {})
        rows.append({
            "function": name, "dtype": kind, "published_ulp": published_ulp(name, kind, row.name),
            "builtins": builtins,
            "tiers": {tier: _place(place) for tier, place in chosen.items()},
        })  # fmt: skip
    if args.json:
        print_json(rows)
        return
    apart = any(default != highest for default, highest in map(_builtins, rows))
    columns = ["function", "dtype", "JAX says", "built-in", *(["HIGHEST"] if apart else [])]
    columns += [f"{tier} {what}" for tier in TIERS for what in ("ULP", "cost", "x")]
    print_table(columns, [_cells(one, apart=apart) for one in rows])
    for kind in dict.fromkeys(one["dtype"] for one in rows):
        print_line(_summary(kind, [one for one in rows if one["dtype"] == kind]))
    print_sampled(rows)
    print_line(_footer(row, proofs))


def _summary(kind: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Tier one beside the built-ins, and beside their HIGHEST forms where they have them."""
    there = [(row["tiers"]["one"]["cost"], *_builtins(row)) for row in rows if row["tiers"]["one"]]
    text = f"{kind}: tier one for {len(there)} of {len(rows)} functions"
    apart = any(default != highest for _, default, highest in there)
    for against, which in ("the built-in", 1), ("HIGHEST or the only built-in", 2):
        if which == 2 and not apart:
            break
        ratios = [costs[which] / costs[0] for costs in there if costs[which]]
        mean = _number(geometric_mean(ratios), ".3g")
        text += f"; cheaper than {against} for {sum(ratio > 1 for ratio in ratios)}"
        text += f" of {len(ratios)}, {mean} times in geometric mean"
    return text


def _builtins(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Cost of the default built-in, and of the one that is asked for accuracy."""
    costs = row["builtins"]
    default = next(iter(costs.values()), None)
    return default, next((costs[name] for name in costs if name.endswith("HIGHEST")), default)


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    cost = place.proof.cost
    return {
        "program": place.entry.certificate.program_hash[:16],
        "max_ulp": place.proof.max_ulp,
        "exhaustive": place.proof.measurement.exhaustive,
        "modelled": place.proof.modelled,
        "cost": cost.value if cost else None,
        "ratio": place.ratio or None,
        "provenance": place.entry.certificate.provenance.kind,
    }


def _cells(row: Mapping[str, Any], *, apart: bool) -> tuple[object, ...]:
    """Cells of a row; with that of the HIGHEST form where some function has one of its own."""
    default, highest = _builtins(row)
    line: list[object] = [
        row["function"], row["dtype"], _number(row["published_ulp"], ".6g"), _number(default),
    ]  # fmt: skip
    line += [_number(highest if highest != default else None)] if apart else []
    for place in row["tiers"].values():
        if place is None:
            line += ["-", "-", "-"]
        else:
            ulp = math.ceil(place["max_ulp"] * 1e3) / 1e3
            line += [f"{ulp:.3f}", _number(place["cost"]), _number(place["ratio"], ".3g")]
    return tuple(line)


def _number(value: float | None, form: str = ".4g") -> str:
    return "-" if value is None else format(value, form)


def _footer(row: Backend, proofs: Sequence[Proof]) -> str:
    """What costs count, and by which compilers they were found."""
    units = sorted({proof.cost.unit for proof in proofs if proof.cost})
    plugin = row.plugin.modules[0] if row.plugin else "jaxlib"
    prints = [proof.fingerprint for proof in proofs]
    compilers = sorted({f"jax {one['jax']}, {plugin} {one.get('plugin', '')}" for one in prints})
    modelled = sum(proof.modelled for proof in proofs)
    return (
        f"{row.name}: costs in {', '.join(units)} ({'; '.join(compilers)});"
        f" errors of {modelled} of {len(proofs)} proofs are modelled"
    )
