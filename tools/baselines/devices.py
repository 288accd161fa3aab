"""Prints scaffolds and hand-made programs for GPUs and TPUs, with constants fitted anew.

And scaffolds for CPUs, see `cpu_scaffolds` and `windows`.

python tools/baselines/devices.py tanh-exp2 > xla_evo/scaffolds/data/tanh-exp2.prog
python tools/baselines/devices.py sin-words --fill 4 > sin.prog
python tools/baselines/devices.py tanh-quotient > tanh.prog

float32 alone, without division and without contraction of a*b + c; see `xla_evo.scaffolds.devices`
for the methods. ``--fill`` puts the minimax polynomial with so many terms into the hole of any
scaffold, and ``--polish`` moves its constants by units in the last place, also against the worst
inputs of sweeps before (``--hard CERTIFICATE``), which samples miss.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

import mpmath as mp
import numpy as np
from cpu_scaffolds import SCAFFOLD_FORMS as CPU_FORMS
from device_exponential import SCAFFOLD_FORMS as EXPONENTIAL_FORMS
from device_scaffolds import SCAFFOLD_FORMS
from device_special import SCAFFOLD_FORMS as SPECIAL_FORMS
from device_tier_activations import SCAFFOLD_FORMS as ACTIVATION_FORMS
from device_tier_errors import SCAFFOLD_FORMS as TIER_ERROR_FORMS
from device_tier_errors import bessel_near
from device_tier_logs import SCAFFOLD_FORMS as LOG_FORMS
from device_tier_pairs import PROGRAMS as PAIRS
from device_tier_pairs import SCAFFOLD_FORMS as PAIR_FORMS
from device_trigonometric import SCAFFOLD_FORMS as TRIGONOMETRIC_FORMS
from expression import Value, build, horner
from fit import fit
from inverses import quotient
from windows import SCAFFOLD_FORMS as FUSED_FORMS

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.scaffolds import SCAFFOLDS, scaffold
from xla_evo.search.frame import Frame
from xla_evo.search.genome import from_program, to_program
from xla_evo.search.screen import improve
from xla_evo.targets.target import make_target
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import print_program

_ROUNDS, _LIMITS = 6, 40


def odd_quotient(name, limit, above, below):
    """A rational function of x^2 times x, of the input clamped to where the result is 1.

    The clamp is moved up from ``limit`` until the result there, rounded as it goes, is 1 itself.
    """
    mp_function = make_target(name, "float32").function.mp

    def over_x(z):
        root = mp.sqrt(z)
        return mp_function(root) / root

    for _ in range(_LIMITS):
        powers, below_powers = range(above + 1), range(1, below + 1)
        found = fit(over_x, 1e-12, limit**2, powers, below=below_powers, points=300)

        def program(x, found=found, limit=limit):
            t = x.clamp(-limit, limit)
            z = t * t
            top, bottom = horner(z, found.numerator), horner(z, (1.0, *found.denominator))
            return t * quotient(top, bottom)

        made = build(name, program, F32)
        if evaluate(made, np.array([np.inf], np.float32)) == 1.0:
            return made
        limit += 1 / 256
    raise ValueError(f"no limit near {limit} gives 1 for {name}")


def hole_of_terms(coefficients):
    """A polynomial as what a hole is filled with."""
    builder = Builder("hole", r=F32)
    return builder.build(horner(Value(builder, 0, F32), coefficients).number)


def filled(name, coefficients):
    """A scaffold with a polynomial in its hole."""
    return scaffold(name).fill(hole_of_terms(coefficients))


PROGRAMS = {
    "tanh-quotient": lambda: odd_quotient("tanh", 9.02, 4, 4),
    "erf-quotient": lambda: odd_quotient("erf", 3.92, 5, 5),
    "bessel-i0e": lambda: filled("bessel-i0e-inverse", bessel_near(0)),
    "bessel-i1e": lambda: filled("bessel-i1e-inverse", bessel_near(1)),
    **PAIRS,
}


PRINTED = {
    **SCAFFOLD_FORMS,
    **CPU_FORMS,
    **FUSED_FORMS,
    **EXPONENTIAL_FORMS,
    **SPECIAL_FORMS,
    **TRIGONOMETRIC_FORMS,
    **ACTIVATION_FORMS,
    **TIER_ERROR_FORMS,
    **PAIR_FORMS,
    **LOG_FORMS,
}


def scaffold_text(name):
    """The text of a scaffold."""
    row = scaffold(name)
    builder = Builder(row.function, x=F32, hole=row.dtype)
    numbers = []

    def named(value):
        numbers.append(value.number)
        return value

    hole = Value(builder, 1, row.dtype)
    result = PRINTED[name](Value(builder, 0, F32).guard(), hole, named)
    text = print_program(builder.build(result.guard().number), comments=False)
    return re.sub(rf"%{numbers[0] - 2}\b", "%r", text)


def polynomial(name, terms):
    """The minimax polynomial of a hole, errors weighted as the whole function feels them."""
    row = scaffold(name)
    frame = Frame(row, contracts=False)
    points = frame.fit_points(frame.pool(make_target(row.function, "float32"), 0))
    lawson = np.ones(points.x.size)
    best, least = None, math.inf
    for _ in range(60):
        factor = np.sqrt(lawson) * points.weight
        powers = np.vander(points.x, terms, increasing=True)
        found, *_ = np.linalg.lstsq(powers * factor[:, None], points.reference * factor, rcond=None)
        error = np.abs(powers @ found - points.reference) * points.weight
        if error.max() < least:
            best, least = found, error.max()
        lawson = lawson * (error / error.max() + 1e-6)
        lawson /= lawson.sum()
    print(f"{name}: {terms} terms, {least:.3g} ULP over the reals", file=sys.stderr)
    return hole_of_terms(best)


def worst_of(certificates):
    """The worst inputs of some certificates, as an array; 0 is among the test points anyway."""
    found = [
        point["input"]
        for path in certificates
        for proof in json.loads(path.read_text(encoding="utf-8"))["proofs"]
        for point in proof["measurement"]["worst_inputs"]
    ]
    return np.array(found or [0.0])


def polished(name, hole, tries, flush, hard):
    """The hole with its constants moved by units in the last place, against ever more hard inputs.

    The error is that of the whole function without contraction; see `xla_evo.search.polish`.
    """
    row = scaffold(name)
    frame, target = Frame(row, contracts=False, flush=flush), make_target(row.function, "float32")
    points, nodes = frame.pool(target, 0), from_program(hole)
    points = points.join(frame.select(target, np.setdiff1d(hard, points.x)))
    for number in range(_ROUNDS):
        nodes, known = improve(nodes, points, tries, 0.5, number, frame)
        whole = row.fill(to_program(nodes, row.function))
        run = generated(DeviceModel(whole, flush))
        found = measure_sampled(run, target, flush_to_zero=flush, samples=1 << 21, seed=number)
        print(f"{name}: {known:.4g} ULP, {found.max_ulp:.4g} on a sample", file=sys.stderr)
        worst = np.array([point.input for point in found.worst_inputs])
        points = points.join(frame.select(target, np.setdiff1d(worst, points.x)))
    return to_program(nodes, row.function)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=(*SCAFFOLDS, *PROGRAMS))
    parser.add_argument("--fill", type=int, metavar="TERMS")
    parser.add_argument("--polish", type=int, metavar="TRIES", default=0)
    parser.add_argument("--hard", type=Path, nargs="*", default=[], metavar="CERTIFICATE")
    parser.add_argument("--gradual", action="store_true", help="subnormal numbers are kept")
    args = parser.parse_args()
    if args.name in PROGRAMS:
        print(print_program(PROGRAMS[args.name](), comments=False), end="")
    elif args.fill:
        hole = polynomial(args.name, args.fill)
        if args.polish:
            hard = worst_of(args.hard)
            hole = polished(args.name, hole, args.polish, not args.gradual, hard)
        print(print_program(scaffold(args.name).fill(hole), comments=False), end="")
    elif args.name in PRINTED:
        print(scaffold_text(args.name), end="")
    else:
        parser.error(f"{args.name} is not made here; it can be filled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
