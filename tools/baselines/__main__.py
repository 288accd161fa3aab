"""Prints a hand-made program of the library, with constants fitted anew; checks it on a sample.

python tools/baselines erfc > erfc.prog
python tools/baselines erfc sinh --check --time
python tools/baselines all --dtype bfloat16 --certify
python tools/baselines tanh --form single --certify --time
python tools/baselines cos tan --form near --certify --time
python tools/baselines sin cos tan --form call --certify --time
python tools/baselines lgamma --form branch --certify --time
python tools/baselines log --form gradual > log.prog
python tools/baselines expm1 --dtype float64 --certify --time
python tools/baselines erfc --dtype float64 --form fast --max-ulp 500 --certify --time
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

from expression import build
from gradual import GRADUAL
from single import PROGRAMS
from single_table import BRANCH, CALL, FAST, NEAR, ONE, SINGLE
from table import FORMS, WIDE_FORMS, bits_of, forms
from wide_fast import FORMS as WIDE_FAST

from xla_evo.accuracy.directed import measure_directed
from xla_evo.accuracy.specials import check_specials
from xla_evo.accuracy.sweep import measure_exhaustive, measure_sampled
from xla_evo.library import CertificateError, CertificationError, Provenance, certify, write_entry
from xla_evo.library.choice import describe
from xla_evo.library.narrow import Rounding, between_conversions
from xla_evo.library.times import time_ratio
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, processor
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import BF16, F32, F64, dtype
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import print_program

KINDS = ("float32", "bfloat16", "float16", "float64")
SINGLE_FORMS = {
    "single": {**SINGLE, **PROGRAMS}, "one": ONE, "near": NEAR, "fast": FAST, "call": CALL,
    "branch": BRANCH, "gradual": GRADUAL,
}  # fmt: skip
"""Forms of float32 by tier: in float32 alone at 1 ULP, not alone, at 0.51 ULP where the wide one is
slower, and at the built-in's error; and those for custom calls, with a branch, and for GPUs."""


def forms_of(form, kind):
    """Forms by function of a tier, or the wide ones; none where a format has no such tier."""
    if kind is F32 and form != "wide":
        return SINGLE_FORMS[form]
    if kind is F64:
        return {"wide": WIDE_FORMS, "fast": WIDE_FAST}.get(form, {})
    return FORMS if form == "wide" else {}


def programs(name, kind, bits=None, form="wide", rounding="up"):
    """The programs of a function in a format: float64 inside float32, float32 inside 16 bits.

    Those of bfloat16 are float32 programs of its 17 bits between conversions.
    """
    if form == "single" and name in PROGRAMS:
        yield PROGRAMS[name]()
        return
    if form != "wide":
        yield build(name, forms_of(form, kind)[name], kind)
        return
    working = F64 if kind.bits >= 32 else F32
    arity = make_target(name, kind).function.arity
    bits = bits or bits_of(name, kind)
    outside = F32 if kind is BF16 else kind
    for form in forms(name, kind):
        made = build(name, lambda *x, form=form: form(*x, working, bits), outside, arity)
        yield between_conversions(made, kind, rounding) if kind is BF16 else made


def check(name, made, kind, samples):
    target = make_target(name, kind)
    run, flush = Executable.of_program(made), backend("cpu").flushes(kind)
    failures = check_specials(
        run, target.function, kind, target.low, target.high, flush_to_zero=flush
    )
    for failure in failures[:6]:
        print("   ", failure)
    if kind is F64:
        found = measure_directed(run, target, flush_to_zero=flush, samples=samples)
    elif kind.bits == 16 and target.function.arity == 1:
        found = measure_exhaustive(run, target, flush_to_zero=flush, every_pattern=True)
    else:
        found = measure_sampled(run, target, flush_to_zero=flush, samples=samples)
    print(
        f"{name} {kind.short} {made.operation_count()} operations, {found.bound()},"
        f" at {found.worst_input_hex}",
        flush=True,
    )


def put_into_library(name, made, kind, form, max_ulp, *, time, threads):
    inside = "float64" if F64 in made.types else "float32"
    wide = "each sum as it is rounded" if form == "fast" else "sums and products in two parts"
    note = wide if kind is F64 else f"{inside} inside"
    note += ", for huge arguments alone; for custom calls" if form == "call" else ""
    provenance = Provenance(kind="baseline by hand", note=f"{note}; tools/baselines")
    try:
        entry = certify(
            made, name, kind, provenance=provenance, max_ulp=max_ulp, time=time, threads=threads
        )
        write_entry(entry)
    except (CertificationError, CertificateError) as error:
        print(f"not certified: {error}", flush=True)
        return
    print(f"{entry.name}: {describe(entry.certificate.proofs[-1], processor())}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("functions", nargs="+")
    parser.add_argument("--dtype", default="float32", choices=KINDS)
    parser.add_argument("--form", default="wide", choices=("wide", *SINGLE_FORMS))
    parser.add_argument("--bits", type=float, help="accuracy of the polynomials")
    parser.add_argument("--check", action="store_true", help="measure on a sample")
    parser.add_argument("--time", action="store_true", help="against the built-in")
    parser.add_argument("--certify", action="store_true", help="put it into the library")
    parser.add_argument(
        "--max-ulp",
        type=float,
        help="bound to certify; when left out 0.51, or 1 in float64 and for the other forms",
    )
    parser.add_argument("--rounding", default="up", choices=get_args(Rounding), help="of bfloat16")
    parser.add_argument("--samples", type=int, default=1 << 20)
    parser.add_argument("--threads", type=int, help="of the measurement to certify")
    parser.add_argument("--out", type=Path, help="folder for NAME.prog")
    args = parser.parse_args()
    kind = dtype(args.dtype)
    known = forms_of(args.form, kind)
    if not known:
        parser.error(f"no {args.form} forms of {args.dtype}")
    unknown = set(args.functions) - {"all", *known}
    if unknown:
        parser.error(f"no form for {', '.join(sorted(unknown))}; choose among {', '.join(known)}")
    names = known if args.functions == ["all"] else args.functions
    for name, made in (
        (n, made) for n in names for made in programs(n, kind, args.bits, args.form, args.rounding)
    ):
        if args.out:
            (args.out / f"{name}.prog").write_text(print_program(made), encoding="utf-8")
        if args.check:
            check(name, made, kind, args.samples)
        if args.time and not args.certify:
            t = time_ratio(as_function(made), make_target(name, kind), rounds=9)
            print(f"   {name} {min(t.candidate_ns):.3f} ns, {t.ratio:.2f} times the built-in")
        if args.certify:
            near = kind is not F64 and args.form in ("wide", "near")
            bound = args.max_ulp or (0.51 if near else 1.0)
            put_into_library(
                name, made, kind, args.form, bound, time=args.time, threads=args.threads
            )
        if not (args.out or args.check or args.time or args.certify):
            print(print_program(made), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
