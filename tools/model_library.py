#!/usr/bin/env python3
"""Models what ships for backends that are not here, and keeps the cheapest of each tier there.

    tools/model_library.py all --backend cuda:sm_90,cuda:sm_80
    tools/model_library.py exp2,log2 --backend tpu:v5e,tpu:v6e --dtype bfloat16

Programs of the library for CPUs, and those for devices, are compiled for each backend, costed and
modelled on a sample. Of those that hold a tier there (`xla_evo.library.tiers`) the cheapest are
modelled on every input, or as `certify` does where inputs are too many, and join the library for
devices. Programs that are there already stay and get a proof for each further backend that
they hold a tier on. It needs the extras ``cuda`` or ``tpu``.
"""

import argparse
import sys
from dataclasses import dataclass

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.errors import BackendError, CompileError, TargetError
from xla_evo.library import CertificationError, add_proof, entries, write_entry
from xla_evo.library.certify import is_swept
from xla_evo.library.loader import MODELLED, Entry, joined
from xla_evo.library.modelled import (
    builtin_costs,
    device_proof,
    modelled_entry,
    prove_modelled,
)
from xla_evo.library.tiers import BOUNDS, builtin_ulp
from xla_evo.targets.catalogue import CATALOGUE, function
from xla_evo.targets.target import make_target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend
from xla_evo_lowering.compile import dispatch_on_calling_thread
from xla_evo_lowering.costs import cost_and_model
from xla_evo_lowering.stablehlo import as_function

SAMPLES = 1 << 20


@dataclass(frozen=True, slots=True)
class Screened:
    """A program with its cost on a backend and its error there on a sample, in ULP."""

    entry: Entry
    cost: float
    max_ulp: float


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", help="of the catalogue, with commas between, or all")
    parser.add_argument("--backend", required=True, help="rows of the table, with commas between")
    parser.add_argument("--dtype", default="float32", help="format (default: float32)")
    args = parser.parse_args()
    dispatch_on_calling_thread()
    settle_on_cpu()
    wanted = list(CATALOGUE) if args.functions == "all" else args.functions.split(",")
    try:
        names = [function(name).name for name in wanted]
        rows = [backend(name) for name in args.backend.split(",")]
    except (TargetError, BackendError) as error:
        parser.error(str(error))
    known = {}
    for row in rows:
        with AheadOfTime(row) as process:
            for name in names:
                extend(name, args.dtype, process, known)
    return 0


def extend(name, dtype, process, known):
    """Puts the cheapest programs of one function into the library for a backend."""
    target, row = make_target(name, dtype), process.row
    found = joined((*entries(name, dtype, folder=MODELLED), *entries(name, dtype)))
    screened = sorted(screen(found, target, process), key=rank)
    if not screened:
        print(f"{name} {dtype} {row.name}: no program has a model there", flush=True)
        return
    builtin = next(iter(builtin_costs(target, process).values()), 0.0)
    proven, kept = {}, set()
    for tier, bound in (*BOUNDS.items(), ("fast", builtin_ulp(screened[0].entry, row.name))):
        for one in screened:
            if one.max_ulp > bound or (tier == "fast" and one.cost >= builtin):
                continue
            digest = one.entry.certificate.program_hash
            if digest not in proven:
                proven[digest] = proof_of(one.entry, target, process, known)
            if proven[digest] and proven[digest].max_ulp <= bound:
                if digest not in kept:
                    keep(one.entry, proven[digest], tier)
                kept.add(digest)
                break
        else:
            print(f"{name} {dtype} {row.name}: none of tier {tier}", flush=True)


def rank(one):
    """Cheapest first; of equal cost what was evolved, then the more accurate."""
    return one.cost, one.entry.certificate.provenance.kind == "baseline by hand", one.max_ulp


def screen(found, target, process):
    """Those that have a model, with their costs."""
    row, types = process.row, (target.dtype,) * target.function.arity
    for entry in found:
        try:
            cost, model = cost_and_model(row, as_function(entry.program), types, process)
        except (BackendError, CompileError):
            continue
        error = measure_sampled(
            generated(model), target, flush_to_zero=row.flushes(target.dtype), samples=SAMPLES
        )
        yield Screened(entry, cost.value, error.max_ulp)


def proof_of(entry, target, process, known):
    """A proof on the whole domain, or None where a special value is wrong.

    One that the library has of the compilers at hand is not made again.
    """
    there = device_proof(entry, process.row)
    if there is not None and (there.measurement.exhaustive or not is_swept(target)):
        return there
    try:
        return prove_modelled(entry.program, target, process, known=known)
    except CertificationError as error:
        print(f"{entry.name}: {error}", flush=True)
        return None


def keep(entry, proof, tier):
    """Writes an entry with a proof beside those that the library for devices has of it."""
    there = entries(entry.function, entry.dtype, folder=MODELLED)
    before = next((other for other in there if other == entry), None)
    source = entry.certificate.provenance
    made = modelled_entry(entry.program, entry.function, entry.dtype, source, proof)
    if before is not None:
        made = add_proof(before, proof)
    write_entry(made, MODELLED)
    place, error, cost = proof.fingerprint["backend"], proof.measurement.bound(), proof.cost
    print(
        f"{entry.name} {place}: {tier}, {error}, {cost.value:.4g} {cost.unit},"
        f" {cost.ratio:.3g} times the built-in",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
