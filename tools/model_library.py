#!/usr/bin/env python3
"""Models what ships for backends that are not here, and keeps the cheapest of each tier there.

    tools/model_library.py all --backend cuda:sm_90,cuda:sm_80
    tools/model_library.py exp2,log2 --backend tpu:v5e,tpu:v6e --dtype bfloat16

Programs of the library for CPUs and those for devices are compiled for each backend and costed; for
a 16-bit format also the float32 programs between conversions. The cheapest that hold a tier there
on a sample (`xla_evo.library.tiers`) are modelled on every input, or as `certify` does where inputs
are too many, and join the library for devices. Programs that are there
already stay, and proofs that they have of the compilers at hand are not made again. Kinds of a
platform compile mostly alike: of the second and further ones only programs that are there already
are looked at. It needs the extras ``cuda`` or ``tpu``.
"""

import argparse
import math
import sys
from dataclasses import dataclass
from functools import cached_property

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.errors import BackendError, CompileError, TargetError
from xla_evo.library import (
    CertificationError,
    Provenance,
    add_proof,
    entries,
    modelled,
    write_entry,
)
from xla_evo.library.certify import is_swept
from xla_evo.library.choice import DEFAULT_ULP
from xla_evo.library.loader import MODELLED
from xla_evo.library.modelled import (
    builtin_costs,
    compile_modelled,
    device_proof,
    known_key,
    measure_models,
    modelled_entry,
    prove_modelled,
)
from xla_evo.library.narrow import between_conversions, narrowed, roundings, widened
from xla_evo.library.published import published_ulp
from xla_evo.library.tiers import BOUNDS
from xla_evo.targets.catalogue import CATALOGUE, function
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.compile import dispatch_on_calling_thread
from xla_evo_lowering.dtypes import BF16
from xla_evo_lowering.program import Program

SAMPLES = 1 << 20


@dataclass(frozen=True)
class Compiled:
    """A program with its cost and its model on a backend."""

    digest: str
    program: Program
    provenance: Provenance
    parts: modelled.Compiled
    target: Target
    flush: bool

    @property
    def cost(self):
        """In the unit of the backend."""
        return self.parts[0].value

    @property
    def model(self):
        """What it computes there."""
        return self.parts[1]

    @cached_property
    def max_ulp(self):
        """Its error there on a sample."""
        run = generated(self.model)
        found = measure_sampled(run, self.target, flush_to_zero=self.flush, samples=SAMPLES)
        return found.max_ulp

    def rank(self):
        """Cheapest first; of equal cost what was evolved."""
        return self.cost, self.provenance.kind == "baseline by hand"


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
                made = candidates(target, row.platform, devices_only=row.platform in begun)
                extend(target, made, process, known)
        begun.add(row.platform)
    return 0


def extend(target, made, process, known):
    """Puts the cheapest of some programs of one function into the library for a backend."""
    name, kind, row = target.function.name, target.dtype.name, process.row
    there = {e.certificate.program_hash: e for e in entries(name, kind, folder=MODELLED)}
    cheapest = sorted(compiled(made, target, process), key=Compiled.rank)
    proven = {}
    for one in cheapest:
        proof = one.digest in there and device_proof(there[one.digest], row)
        if proof and (proof.measurement.exhaustive or not is_swept(target)):
            proven[one.digest] = proof
            known[known_key(one.model, target)] = proof.measurement
    stored = set(proven)
    builtin = next(iter(builtin_costs(target, process).values()), 0.0)
    tiers = [(tier, bound, math.inf) for tier, bound in BOUNDS.items()]
    tiers.append(("fast", published_ulp(name, kind, row.name) or DEFAULT_ULP, builtin))
    first = [next(serving(cheapest, proven, *limits), None) for _, *limits in tiers]
    likely = [one.model for one in first if one and one.digest not in stored]
    measure_models(likely, target, known, flush_to_zero=row.flushes(target.dtype))
    for tier, bound, below in tiers:
        for one in serving(cheapest, proven, bound, below):
            if one.digest not in proven:
                proven[one.digest] = proof_of(one, target, process, known)
            proof = proven[one.digest]
            if proof is not None and proof.max_ulp <= bound:
                break
        else:
            print(f"{name} {kind} {row.name}: none of tier {tier}", flush=True)
            continue
        if one.digest not in stored:
            entry = modelled_entry(one.program, name, kind, one.provenance, proof)
            write_entry(add_proof(there.get(one.digest, entry), proof), MODELLED)
            stored.add(one.digest)
        error, cost = proof.measurement.bound(), proof.cost
        print(
            f"{name} {kind} {row.name}: {tier}, {one.digest[:16]}, {error}, {cost.value:.4g}"
            f" {cost.unit}, {cost.ratio:.3g} times the built-in",
            flush=True,
        )


def candidates(target, platform, *, devices_only):
    """Programs that may serve, each once, with their provenance; or those for devices alone."""
    name, kind = target.function.name, target.dtype
    found = list(entries(name, kind.name, folder=MODELLED))
    if not devices_only:
        found += entries(name, kind.name)
    made = [(entry.program, entry.certificate.provenance) for entry in found]
    if kind.bits == 16 and not devices_only:
        made += between(name, kind, roundings(kind, platform))
    once = {}
    for program, provenance in made:
        once.setdefault(content_hash(program), (program, provenance))
    return once


def between(name, kind, ways):
    """The float32 programs, and those inside programs of bfloat16, between other conversions."""
    for entry in (*entries(name, "float32", folder=MODELLED), *entries(name, "float32")):
        for way in ways:
            yield narrowed(entry.program, entry.certificate.provenance, kind, way)
    if kind is BF16:
        for entry in (*entries(name, "bfloat16", folder=MODELLED), *entries(name, "bfloat16")):
            wide = widened(entry.program)
            for way in ways:
                yield between_conversions(wide, kind, way), entry.certificate.provenance


def compiled(made, target, process):
    """Those that have a model, with their costs."""
    flush = process.row.flushes(target.dtype)
    for digest, (program, provenance) in made.items():
        try:
            parts = compile_modelled(program, target, process)
        except (BackendError, CompileError):
            continue
        yield Compiled(digest, program, provenance, parts, target, flush)


def serving(cheapest, proven, bound, below):
    """Those that may be within a bound and cost less than a limit; what is dearer waits."""
    for one in cheapest:
        proof = proven.get(one.digest)
        if one.cost < below and (proof or one).max_ulp <= bound:
            yield one


def proof_of(one, target, process, known):
    """A proof on the whole domain, or None where a special value or a result is wrong."""
    try:
        return prove_modelled(one.program, target, process, known=known, compiled=one.parts)
    except CertificationError as error:
        print(f"{one.digest[:16]}: {error}", flush=True)
        return None


if __name__ == "__main__":
    sys.exit(main())
