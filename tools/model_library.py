#!/usr/bin/env python3
"""Models what ships for backends that are not here, and keeps the cheapest of each tier there.

    tools/model_library.py all --backend cuda:sm_90,cuda:sm_80
    tools/model_library.py exp2,log2 --backend tpu:v5e,tpu:v6e --dtype bfloat16

Programs of the library for CPUs and those for devices are compiled for each backend, costed and
modelled on a sample; for a 16-bit format also the float32 programs between conversions. Of those
that hold a tier there (`xla_evo.library.tiers`) the cheapest are modelled on every input, or as
`certify` does where inputs are too many, and join the library for devices. Programs that are there
already stay, and proofs that they have of the compilers at hand are not made again. Kinds of a
platform compile mostly alike: of the second and further ones only programs that are there already
are looked at. It needs the extras ``cuda`` or ``tpu``.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from typing import get_args

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.errors import BackendError, CompileError, TargetError
from xla_evo.library import CertificationError, Provenance, add_proof, entries, write_entry
from xla_evo.library.certify import is_swept
from xla_evo.library.choice import DEFAULT_ULP
from xla_evo.library.loader import MODELLED
from xla_evo.library.modelled import (
    builtin_costs,
    device_proof,
    known_key,
    measure_models,
    modelled_entry,
    prove_modelled,
)
from xla_evo.library.narrow import Ties, narrowed
from xla_evo.library.published import published_ulp
from xla_evo.library.tiers import BOUNDS
from xla_evo.targets.catalogue import CATALOGUE, function
from xla_evo.targets.target import make_target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.compile import dispatch_on_calling_thread
from xla_evo_lowering.costs import cost_and_model
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.dtypes import BF16
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

SAMPLES = 1 << 20


@dataclass(frozen=True, slots=True)
class Screened:
    """A program with its model and cost on a backend, and its error there on a sample, in ULP."""

    digest: str
    program: Program
    provenance: Provenance
    model: DeviceModel
    cost: float
    max_ulp: float

    def rank(self):
        """Cheapest first; of equal cost what was evolved, then the more accurate."""
        return self.cost, self.provenance.kind == "baseline by hand", self.max_ulp

    def serves(self, bound, below):
        """Whether it may be within a bound, and costs less than a limit."""
        return self.max_ulp <= bound and self.cost < below


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
    known, begun = {}, set()
    for row in rows:
        with AheadOfTime(row) as process:
            for name in names:
                target = make_target(name, args.dtype)
                made = candidates(target, devices_only=row.platform in begun)
                extend(target, made, process, known)
        begun.add(row.platform)
    return 0


def extend(target, made, process, known):
    """Puts the cheapest of some programs of one function into the library for a backend."""
    name, row = target.function.name, process.row
    what = f"{name} {target.dtype.name} {row.name}"
    there = {
        entry.certificate.program_hash: entry
        for entry in entries(name, target.dtype.name, folder=MODELLED)
    }
    screened = sorted(screen(made, target, process), key=Screened.rank)
    builtin = next(iter(builtin_costs(target, process).values()), 0.0)
    published = published_ulp(name, target.dtype.name, row.name) or DEFAULT_ULP
    tiers = [(tier, bound, math.inf) for tier, bound in BOUNDS.items()]
    tiers.append(("fast", published, builtin))
    likely = [next((s for s in screened if s.serves(*limits)), None) for _, *limits in tiers]
    proven = {}
    for one in screened:
        proof = one.digest in there and device_proof(there[one.digest], row)
        if proof and (proof.measurement.exhaustive or not is_swept(target)):
            proven[one.digest] = proof
            known[known_key(one.model, target)] = proof.measurement
    measure_models(
        [one.model for one in likely if one and one.digest not in proven], target, known,
        flush_to_zero=row.flushes(target.dtype),
    )  # fmt: skip
    stored = set(proven)
    for tier, *limits in tiers:
        for one in screened:
            if not one.serves(*limits):
                continue
            if one.digest not in proven:
                proven[one.digest] = proof_of(one, target, process, known)
            proof = proven[one.digest]
            if proof is None:
                continue
            if proof.max_ulp <= limits[0]:
                entry = modelled_entry(
                    one.program, name, target.dtype.name, one.provenance, proof
                )  # fmt: skip
                if one.digest in there:
                    entry = add_proof(there[one.digest], proof)
                if one.digest not in stored:
                    write_entry(entry, MODELLED)
                stored.add(one.digest)
                there[one.digest] = entry
                told = f"{proof.cost.value:.4g} {proof.cost.unit}, {proof.cost.ratio:.3g} times"
                print(f"{what}: {tier}, {entry.name}, {proof.measurement.bound()}, {told} the"
                      " built-in", flush=True)  # fmt: skip
                break
        else:
            print(f"{what}: none of tier {tier}", flush=True)


def candidates(target, *, devices_only):
    """Programs that may serve, each once, with their provenance; or those for devices alone."""
    name, kind = target.function.name, target.dtype
    found = list(entries(name, kind.name, folder=MODELLED))
    if not devices_only:
        found += entries(name, kind.name)
    made = [(entry.program, entry.certificate.provenance) for entry in found]
    if kind.bits == 16 and not devices_only:
        wide = [*entries(name, "float32", folder=MODELLED), *entries(name, "float32")]
        made += [
            narrowed(entry.program, entry.certificate.provenance, kind, ties)
            for entry in wide
            for ties in (get_args(Ties) if kind is BF16 else ("even",))
        ]
    once = {}
    for program, provenance in made:
        once.setdefault(content_hash(program), (program, provenance))
    return once


def screen(made, target, process):
    """Those that have a model, with their costs."""
    row, types = process.row, (target.dtype,) * target.function.arity
    for digest, (program, provenance) in made.items():
        try:
            cost, model = cost_and_model(row, as_function(program), types, process)
        except (BackendError, CompileError):
            continue
        error = measure_sampled(
            generated(model), target, flush_to_zero=row.flushes(target.dtype), samples=SAMPLES
        )
        yield Screened(digest, program, provenance, model, cost.value, error.max_ulp)


def proof_of(one, target, process, known):
    """A proof on the whole domain, or None where a special value or a result is wrong."""
    try:
        return prove_modelled(one.program, target, process, known=known)
    except CertificationError as error:
        print(f"{one.digest[:16]}: {error}", flush=True)
        return None


if __name__ == "__main__":
    sys.exit(main())
