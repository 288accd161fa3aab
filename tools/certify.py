#!/usr/bin/env python3
"""Certifies a program file and puts it into the library, or proves shipped entries anew.

    tools/certify.py exp candidate.prog --provenance 'baseline by hand' --max-ulp 1
    tools/certify.py exp --run runs/exp
    tools/certify.py exp --run runs/exp --program 3c660df2
    tools/certify.py atan2 --run runs/atan --scaffold atan2
    tools/certify.py exp --dtype bfloat16 --of 7a8e52c8 --rounding up
    XLA_FLAGS=--xla_cpu_max_isa=AVX tools/certify.py exp --again
    tools/certify.py all --again --lowering custom_call --no-time
    tools/certify.py exp --again --retime
    tools/certify.py exp2,log10 --again --retime --dtype bfloat16
    tools/certify.py tanh candidate.prog --backend tpu:v5e,cuda:sm_90 --max-ulp 2
    tools/certify.py exp,log,tanh,sin,erf --again --backend tpu:v5e

The text of a candidate may carry comments and any value names; what is shipped is its canonical
form. With `--run` it is the winner of a run, or another program of its front, and its provenance
is that of the run; `--scaffold` takes the evolved hole alone and puts it into another scaffold,
which is how functions of two arguments come by theirs. With a 16-bit format it is that program
between conversions, as with `--of` a float32 program of the library. `--again` measures the shipped
entries of some functions, or of all, under the compiler at hand and adds the proof to their
certificates. A custom call is held against its inlined form bit by bit, and measured by itself
where bits differ or inputs are too many; `all` leaves those alone that were proven of the very same
machine code. With `--backend` the program is modelled for devices that are not here, and joins the
library for those; `--sampled` leaves the sweep for later, and `--again` makes up for it.
"""

import argparse
import sys
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import get_args

from xla_evo.errors import RunError
from xla_evo.library import (
    CertificationError,
    Provenance,
    add_proof,
    certify,
    entries,
    prove,
    write_entry,
)
from xla_evo.library.certify import sweep_together
from xla_evo.library.choice import best_proof, describe
from xla_evo.library.evolved import program_of_run
from xla_evo.library.loader import MODELLED
from xla_evo.library.modelled import certify_modelled, prove_modelled
from xla_evo.library.narrow import Rounding, narrowed
from xla_evo.library.retime import FORMS, retime
from xla_evo.library.same_bits import prove_other_form
from xla_evo.targets.target import make_target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend, fingerprint, processor
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.compile import dispatch_on_calling_thread
from xla_evo_lowering.dtypes import dtype
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.text import parse_program

NARROW = ("bfloat16", "float16")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "function", help="of the catalogue; with --again several with commas between, or all"
    )
    parser.add_argument("file", type=Path, nargs="?", help="the text of a program")
    parser.add_argument("--dtype", default="float32", help="format (default: float32)")
    parser.add_argument("--provenance", help="of a file (default: baseline by hand)")
    parser.add_argument("--run", type=Path, help="folder of a run of the search")
    parser.add_argument(
        "--program", default="", help="first digits of the hash of one of its front"
    )
    parser.add_argument("--scaffold", default="", help="put the hole of a run into another one")
    parser.add_argument(
        "--of", default="", help="first digits of the hash of a float32 program of the library"
    )
    parser.add_argument(
        "--rounding", default="even", choices=get_args(Rounding), help="of a bfloat16 program"
    )
    parser.add_argument("--seed", type=int, help="of the fit, for a file")
    parser.add_argument("--note", default="", help="of a file")
    parser.add_argument("--max-ulp", type=float, help="refuse a program with a larger error")
    parser.add_argument("--threads", type=int, help="of a sweep (default: one per processor)")
    parser.add_argument(
        "--lowering", default="inline", choices=FORMS, help="which proof to make (default: inline)"
    )
    parser.add_argument("--again", action="store_true", help="prove what ships anew")
    parser.add_argument("--entry", default="", help="first digits of the hash of the one to take")
    parser.add_argument("--retime", action="store_true", help="with --again: only take times")
    parser.add_argument("--no-time", action="store_true", help="leave times as they are")
    parser.add_argument("--backend", help="backends that are not here, with commas between")
    parser.add_argument("--sampled", type=int, default=0, help="model so many inputs only")
    args = parser.parse_args()
    given = (args.again, args.file is not None, args.run is not None, bool(args.of))
    if sum(given) != 1:
        parser.error("give the file of a program, --run, --of or --again")
    if args.file is None and (args.provenance or args.note or args.seed is not None):
        parser.error("--provenance, --seed and --note are those of a file; others have their own")
    if args.of and args.dtype not in NARROW:
        parser.error(f"--of is for --dtype {' or '.join(NARROW)}")
    dispatch_on_calling_thread()
    settle_on_cpu()
    failed = 0
    for make in calls(args):
        try:
            make()
        except (CertificationError, BackendError, RunError) as error:
            print(f"not certified: {error}", file=sys.stderr, flush=True)
            failed = 1
    return failed


def calls(args):
    """A call for each certificate that is to be made and written."""
    if args.backend:
        yield partial(model_again if args.again else model, args)
        return
    for make in again(args) if args.again else [partial(candidate, args)]:
        yield partial(write, make, args.lowering)


def write(make, lowering):
    entry = make()
    path = write_entry(entry)
    proof, _ = best_proof(entry, lowering, "cpu", fingerprint(backend("cpu")))
    contexts = max(proof.contexts.values(), default=0.0)
    told = describe(proof, processor())
    print(f"{entry.name} {proof.lowering}: {told}; contexts {contexts:.3g}")
    print(f"  {path}", flush=True)


def candidate(args):
    made, source = origin(args)
    return certify(
        made, args.function, args.dtype, provenance=source,
        max_ulp=args.max_ulp, time=not args.no_time, threads=args.threads,
    )  # fmt: skip


def origin(args):
    """The program that is to be certified, and its provenance."""
    if args.run is not None:
        made, source = program_of_run(args.run, args.program, within=args.scaffold)
        return narrow(made, source, args) if args.dtype in NARROW else (made, source)
    if args.of:
        found = [
            entry
            for entry in entries(args.function, "float32")
            if entry.certificate.program_hash.startswith(args.of)
        ]
        if len(found) != 1:
            raise RunError(f"the library has {len(found)} float32 programs {args.of}..., not one")
        return narrow(found[0].program, found[0].certificate.provenance, args)
    made = parse_program(args.file.read_text(encoding="utf-8"), source=str(args.file))
    kind = args.provenance or "baseline by hand"
    return made, Provenance(kind=kind, seed=args.seed, note=args.note)


def narrow(made, source, args):
    return narrowed(made, source, dtype(args.dtype), args.rounding)


def model(args):
    """Models a program for each backend and writes the entry, proofs that it has already kept.

    A program that ships for the CPU keeps its provenance.
    """
    made, source = origin(args)
    known, digest = {}, content_hash(made)
    shipped = [
        e for e in entries(args.function, args.dtype) if e.certificate.program_hash == digest
    ]
    source = shipped[0].certificate.provenance if shipped else source
    for name in args.backend.split(","):
        with AheadOfTime(backend(name)) as process:
            entry = certify_modelled(
                made, args.function, args.dtype, process, provenance=source,
                max_ulp=args.max_ulp, samples=args.sampled, known=known,
            )  # fmt: skip
        proof = entry.certificate.proofs[0]
        for other in entries(args.function, args.dtype, folder=MODELLED):
            if other == entry:
                entry = add_proof(other, proof)
        put(entry, proof)


def model_again(args):
    """Models what ships for backends over every input."""
    known = {}
    for name in args.backend.split(","):
        with AheadOfTime(backend(name)) as process:
            for function in args.function.split(","):
                for entry in entries(function, args.dtype, name, folder=MODELLED):
                    if not entry.certificate.program_hash.startswith(args.entry):
                        continue
                    target = make_target(function, args.dtype)
                    proof = prove_modelled(entry.program, target, process, known=known)
                    put(add_proof(entry, proof), proof)


def put(entry, proof):
    path, name = write_entry(entry, MODELLED), proof.fingerprint["backend"]
    told = describe(proof, proof.fingerprint["device"])
    print(f"{entry.name} {name}: {told}, {proof.cost.value:.4g} {proof.cost.unit}")
    print(f"  {path}", flush=True)


def again(args):
    """A call for each proof that is to be made."""
    names = None if args.function == "all" else args.function.split(",")
    found = [
        entry
        for name in names or [None]
        for entry in entries(name, args.dtype)
        if entry.certificate.program_hash.startswith(args.entry)
    ]
    for _, group in groupby(found, key=lambda entry: (entry.function, entry.dtype)):
        of_function = list(group)
        if args.retime:
            yield from (partial(lambda one: one, entry) for entry in retimed(of_function))
            continue
        inlined = args.lowering == "inline"
        swept = sweep_together(of_function, threads=args.threads) if inlined else {}
        for entry in of_function:
            if args.lowering == "inline" or names or not is_proven(entry, args.lowering):
                yield partial(proven, entry, args, swept.get(entry.name))


def is_proven(entry, lowering):
    """Whether there is a proof of this very machine code; 16-bit programs have no custom call."""
    live = fingerprint(backend("cpu"))
    return entry.program.dtype.bits < 32 or best_proof(entry, lowering, "cpu", live)[1]


def proven(entry, args, measurement):
    time = not args.no_time
    graph = FORMS[args.lowering](entry.program)
    if args.lowering == "custom_call":
        proof = prove_other_form(entry, args.lowering, graph, time=time, threads=args.threads)
        return add_proof(entry, proof)
    target = make_target(entry.function, entry.dtype)
    return add_proof(entry, prove(
        entry.program, target, args.lowering, graph,
        max_ulp=args.max_ulp, time=time, threads=args.threads, measurement=measurement,
    ))  # fmt: skip


def retimed(of_function):
    """Entries of one function and format with the times of their proofs of this machine anew."""
    live = fingerprint(backend("cpu"))
    again = {entry.name: entry for entry in of_function}
    for lowering in FORMS:
        here = [e for e in again.values() if best_proof(e, lowering, "cpu", live)[1]]
        again.update({entry.name: entry for entry in retime(here, lowering)})
    return list(again.values())


if __name__ == "__main__":
    sys.exit(main())
