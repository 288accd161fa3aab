#!/usr/bin/env python3
"""Certifies a program file and puts it into the library, or proves shipped entries anew.

    tools/certify.py exp candidate.prog --provenance 'baseline by hand' --max-ulp 1
    tools/certify.py exp candidate.prog --provenance 'from scratch' --run runs/exp --seed 7
    XLA_FLAGS=--xla_cpu_max_isa=AVX tools/certify.py exp --again
    tools/certify.py exp --again --lowering custom_call
    tools/certify.py exp --again --retime
    tools/certify.py exp2,log10 --again --retime --dtype bfloat16

The text of a candidate may carry comments and any value names; what is shipped is its canonical
form. `--again` measures the shipped entries of a function under the compiler at hand and adds the
proof to their certificates.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from xla_evo.library import (
    CertificationError,
    Provenance,
    add_proof,
    certify,
    entries,
    prove,
    write_entry,
)
from xla_evo.library.certificate import machine_identity
from xla_evo.library.certify import prove_same_bits, time_ratio
from xla_evo.library.choice import describe
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.custom_call import as_custom_call
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("function")
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--provenance", default="baseline by hand")
    parser.add_argument("--run", default="")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--note", default="")
    parser.add_argument("--max-ulp", type=float)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--lowering", default="inline", choices=("inline", "custom_call"))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--retime", action="store_true")
    parser.add_argument("--no-time", action="store_true")
    args = parser.parse_args()
    if args.again == (args.file is not None):
        parser.error("give the file of a program, or --again")
    try:
        for entry in again(args) if args.again else [candidate(args)]:
            path = write_entry(entry)
            proof = entry.certificate.proofs[-1]
            contexts = max(proof.contexts.values(), default=0.0)
            print(f"{entry.name} {proof.lowering}: {describe(proof)}; contexts {contexts:.3g}")
            print(f"  {path}")
    except CertificationError as error:
        print(f"not certified: {error}", file=sys.stderr)
        return 1
    return 0


def candidate(args):
    text = args.file.read_text(encoding="utf-8")
    return certify(
        parse_program(text, source=str(args.file)), args.function, args.dtype,
        provenance=Provenance(kind=args.provenance, run=args.run, seed=args.seed, note=args.note),
        max_ulp=args.max_ulp, time=not args.no_time, threads=args.threads,
    )  # fmt: skip


def again(args):
    for entry in [e for name in args.function.split(",") for e in entries(name, args.dtype)]:
        target = make_target(entry.function, entry.dtype)
        graph = as_function(entry.program)
        if args.retime:
            yield retimed(entry, target)
            continue
        if args.lowering == "custom_call":
            graph = as_custom_call(entry.program)
            time = not args.no_time
            yield add_proof(entry, prove_same_bits(entry, "custom_call", graph, time=time))
            continue
        proof = prove(
            entry.program, target, args.lowering, graph,
            max_ulp=args.max_ulp, time=not args.no_time, threads=args.threads,
        )  # fmt: skip
        yield add_proof(entry, proof)


def retimed(entry, target):
    """The entry with the times of its proofs of this compiler measured anew."""
    live = machine_identity(fingerprint(backend("cpu")))
    for proof in entry.certificate.proofs:
        if machine_identity(proof.fingerprint) == live:
            form = as_custom_call if proof.lowering == "custom_call" else as_function
            proof = replace(proof, time=time_ratio(form(entry.program), target))
            entry = add_proof(entry, proof)
    return entry


if __name__ == "__main__":
    sys.exit(main())
