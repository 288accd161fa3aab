"""Prints scaffolds and hand-made programs for GPUs and TPUs, with constants fitted anew.

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
from cores import LN2, form
from expression import Value, build, horner, sign_of, with_sign
from fit import fit

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.sweep import measure_sampled
from xla_evo.scaffolds import SCAFFOLDS, scaffold
from xla_evo.search.frame import Frame
from xla_evo.search.genome import from_program, to_program
from xla_evo.search.screen import improve
from xla_evo.targets.target import make_target
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.dtypes import F32, I32, U32
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import print_program

_ROUNDS, _LIMITS = 6, 40
MAGIC = form(F32).magic
HIGH = 0.693359375  # of log(2), eight bits
LOW = float(mp.log(2) - mp.mpf(HIGH))
# The form of a scaffold takes the input, the hole, and what names the input of the hole.


def exp_gradual(x, hole, named):
    """2^n times the hole, in a step from 2^-63 below -86 and from 2 elsewhere; nan stays."""
    t = x.clamp(-105.0, 89.0)
    low = t < -86.0
    magic = low.where(x.constant(MAGIC + 190), MAGIC + 126)
    last = low.where(x.constant(2.0**-63), 2.0)
    shifted = (t * (1 / LN2) + magic).guard()
    power = (shifted.signed() << 23).floating()
    n = shifted - magic
    named(n * -LOW + (n * -HIGH + t))
    return (hole * power) * last


def log_gradual(x, hole, named):
    """K log(2) + r + r^2 hole; subnormal inputs are scaled by 2^24."""
    first = 1059760811  # bits of 2/3
    tiny = x < 2.0**-126
    bits = tiny.where(x * 2.0**24, x).signed() - first
    k = (bits >> 23).to(F32) + tiny.where(x.constant(-24.0), 0.0)
    r = named(((bits & 0x7FFFFF) + first).floating() - 1.0)
    y = k * HIGH + (r + (r * (r * hole) + k * LOW))
    y = (x < math.inf).where(y, x)
    ends = x.equals(0.0).where(x.constant(-math.inf), math.nan)
    return (x > 0.0).where(y, ends)


def masked(x):
    """(k in units of the exponent's bits, m - 1) for positive x = 2^k m, m from 0.7 to 1.4.

    The exponent is masked once: it is subtracted from the bits, and converted as it stands.
    """
    bits = x.signed()
    exponent = (bits - 0x3F333333) & -0x800000
    return exponent.to(F32), (bits - exponent).floating() - 1.0


_OCTAVE = LN2 * 2.0**-23  # a step of the exponent's bits


def log_masked(x, hole, named):
    """K log(2), rounded once, + r + r^2 hole; subnormal inputs are zero."""
    k, r = masked(x)
    named(r)
    y = k * _OCTAVE + (r + r * (r * hole))
    y = (x < math.inf).where(y, x)
    ends = (x > -(2.0**-126)).where(x.constant(-math.inf), math.nan)
    return (x < 2.0**-126).where(ends, y)


def log_masked_gradual(x, hole, named):
    """As `log_masked`, with subnormal inputs scaled by 2^24."""
    tiny = x < 2.0**-126
    k, r = masked(tiny.where(x * 2.0**24, x))
    k = k + tiny.where(x.constant(-24.0 * 2.0**23), 0.0)
    named(r)
    y = (x < math.inf).where(k * _OCTAVE + (r + r * (r * hole)), x)
    ends = x.equals(0.0).where(x.constant(-math.inf), math.nan)
    return (x > 0.0).where(y, ends)


def exp2_of(power, shifted):
    """2^power, given power + MAGIC behind a guard."""
    root = fit(lambda r: mp.mpf(2) ** r, -0.5001, 0.5001, range(6))
    h = horner(power - (shifted - MAGIC), root.numerator)
    return (h.signed() + (shifted.signed() << 23)).floating()


_TANH_SPLIT = 0.9


def tanh_exp2(x, hole, named):
    """T + t^3 hole below 0.9; above, a polynomial in e^-2t near (1 - e) / (1 + e)."""
    a = abs(x)
    t = a.min(9.2)
    near = t + (t * named(t * t)) * hole
    power = t * (-2 / LN2)
    e = exp2_of(power, (power + MAGIC).guard())
    tail = fit(
        lambda e: -2 / (1 + e), 0, math.exp(-2 * _TANH_SPLIT), range(5),
        weight=lambda e: e + mp.mpf(2) ** -6,
    )  # fmt: skip
    far = e * horner(e, tail.numerator) + 1.0
    return with_sign((a >= _TANH_SPLIT).where(far, near), sign_of(x))


_ERF_SPLIT = 0.9


def erf_exp2(x, hole, named):
    """T + t hole below 0.9, scaled so that the product of the least t is not flushed; above,
    1 - 2^p with a polynomial p near log2(erfc(t)).
    """  # noqa: D205
    a = abs(x)
    t = a.min(3.95)
    named(t * t)
    scaled = t * 2.0**24
    near = (scaled + scaled * hole) * 2.0**-24
    exponent = fit(
        lambda v: mp.log(mp.erfc(v), 2), _ERF_SPLIT, 3.95, range(7),
        weight=lambda v: mp.erfc(v) * mp.log(2),
    )  # fmt: skip
    power = horner(t, exponent.numerator)
    far = 1.0 - exp2_of(power, (power + MAGIC).guard())
    return with_sign((a >= _ERF_SPLIT).where(far, near), sign_of(x))


_ERF_FROM, _ERF_TO, _SQUARINGS = 1.2, 3.93, 2


def erf_power(x, hole, named):
    """T hole below 1.2, of t^2 - 3/4; above, 1 - p^4 with a polynomial p near erfc(t)^(1/4).

    After Abramowitz and Stegun 7.1.28, which has the sixteenth power of a reciprocal.
    """
    power = 2**_SQUARINGS

    def root(v):
        return mp.erfc(v) ** (mp.mpf(1) / power)

    a = abs(x)
    t = a.min(_ERF_TO)
    near = t * (named(t * t - 0.75), hole)[1]
    found = fit(
        root, _ERF_FROM, _ERF_TO, range(8), points=300,
        weight=lambda v: power * mp.erfc(v) / root(v),
    )  # fmt: skip
    p = horner(t, found.numerator)
    for _ in range(_SQUARINGS):
        p = p * p
    return with_sign((a >= _ERF_FROM).where(1.0 - p, near), sign_of(x))


_ERF_NEAR = tuple(map(float.fromhex, (
    "0x1.ccbe8ap-1", "-0x1.f4ead6p-3", "0x1.1219bp-4", "-0x1.efc168p-7", "0x1.750dap-9",
    "-0x1.e50c72p-12", "0x1.11d9f2p-14",
)))  # fmt: skip
"""Of erf(t)/t in t^2 - 3/4: a minimax polynomial whose constants a search in scaffold erf-power
moved until every input below 1.2 was within 1.981 ULP."""


def erf_tail(x, hole, named):
    """1 - hole from 1.2 on; below it t times a polynomial in t^2 - 3/4."""
    a = abs(x)
    t = a.min(_ERF_TO)
    named(t)
    near = t * horner(t * t - 0.75, _ERF_NEAR)
    return with_sign((a >= _ERF_FROM).where(1.0 - hole, near), sign_of(x))


_WORDS = 8
_SPLIT = 16  # bits of the angle in its second part
_PI = 3.140625  # eight bits


def _word(place):
    """The 32 bits of 1/(2 pi) that begin 23 places before the point, or 32 times `place` later."""
    with mp.workdps(120):
        return int(mp.floor(mp.mpf(2) ** (9 + 32 * place) / (2 * mp.pi))) & 0xFFFFFFFF


def sin_words(x, hole, named):
    """The angle from three words of 1/(2 pi) and 24 bits of x, less the nearest half turn.

    |x| = m 2^(s + 32 k) with an integer m of 24 bits, for |x| >= 1; the words begin at the bit of
    weight 1/2 in 2^(s + 32 k) / (2 pi). Smaller inputs are angles themselves.
    """

    def word(value):
        return x.constant(value, U32)

    def right(value, amount):
        return value._two("shr_logical", amount)

    bits = x.unsigned()
    size = bits & 0x7FFFFFFF
    above = size._bits(I32) - form(F32).one
    place = above._bits(U32)
    s = right(place, 23) & 31
    back = word(32) - s
    m = (size & 0x7FFFFF) | 0x800000
    table = [word(_word(i)) for i in range(_WORDS)]
    second, odd = above >= (64 << 23), (place & (32 << 23)).equals(0)
    first = [second.where(table[i + 2], table[i]) for i in range(5)]
    chosen = [odd.where(first[i], first[i + 1]) for i in range(4)]
    one, two, three = ((chosen[i] << s) | right(chosen[i + 1], back) for i in range(3))
    # m times 24 bits of `two` by digits of 12 bits; times the next 24 bits as floats.
    (m1, m0), (d1, d0) = (right(m, 12), m & 0xFFF), (right(two, 20), right(two, 8) & 0xFFF)
    middle = m1 * d0 + m0 * d1
    high = m * one + (m1 * d1 + right(middle, 12))  # turns in units of 2^-32
    low = ((middle & 0xFFF) << 12) + m0 * d0  # 2^-56
    rest = ((two << 16) & 0xFF0000) | right(three, 16)  # 2^-80, for a unit of m
    tail = low._bits(I32).to(F32) + m._bits(I32).to(F32) * rest._bits(I32).to(F32) * 2**-24
    half = (high << 1)._bits(I32)  # half turns less the nearest, in units of 2^-32
    step = 1 << (_SPLIT - 1)
    coarse = (half.min((1 << 31) - 1 - step) + step) & -(1 << _SPLIT)
    fine = (half - coarse).to(F32) + tail * 2**-23
    coarse = coarse.to(F32)
    scale = 2.0**-32
    angle = coarse * (_PI * scale) + (
        coarse * (float(mp.pi - _PI) * scale) + fine * (math.pi * scale)
    )
    small = above < 0
    r = small.where(size.floating(F32), angle)
    z = named(r * r)
    y = r + (r * z) * hole
    flip = (small.where(word(0), high + (1 << 30)) ^ bits) & (1 << 31)
    y = (y.unsigned() ^ flip).floating()
    return (size._bits(I32) < form(F32).one + (128 << 23)).where(y, math.nan)


SCAFFOLD_FORMS = {
    "exp-gradual": exp_gradual, "log-gradual": log_gradual, "tanh-exp2": tanh_exp2,
    "erf-exp2": erf_exp2, "sin-words": sin_words, "log-masked": log_masked,
    "log-masked-gradual": log_masked_gradual, "erf-power": erf_power,
    "erf-tail": erf_tail,
}  # fmt: skip


def reciprocal_times(top: Value, bottom: Value) -> Value:
    """Top / bottom: an estimate of 1 / bottom by its bits, a step of Newton's method, one of third
    order that takes in the product. The bits of 1 / bottom are nearly a constant less those of it
    (Blinn 1997, "Floating-point tricks").
    """  # noqa: D205
    y = (top.constant(0x7EF311C7, I32) - bottom.signed()).floating()
    y = y * (2.00128 - bottom * y)
    e = 1.0 - bottom * y
    q = top * y
    return q + q * (e + e * e)


def quotient(name, limit, above, below):
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
            return t * reciprocal_times(top, bottom)

        made = build(name, program, F32)
        if evaluate(made, np.array([np.inf], np.float32)) == 1.0:
            return made
        limit += 1 / 256
    raise ValueError(f"no limit near {limit} gives 1 for {name}")


PROGRAMS = {
    "tanh-quotient": lambda: quotient("tanh", 9.02, 4, 4),
    "erf-quotient": lambda: quotient("erf", 3.92, 5, 5),
}


def scaffold_text(name):
    """The text of a scaffold."""
    row = scaffold(name)
    builder = Builder(row.function, x=F32, hole=F32)
    numbers = []

    def named(value):
        numbers.append(value.number)
        return value

    result = SCAFFOLD_FORMS[name](Value(builder, 0, F32).guard(), Value(builder, 1, F32), named)
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
    builder = Builder("hole", r=F32)
    return builder.build(horner(Value(builder, 0, F32), best).number)


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
    elif args.name in SCAFFOLD_FORMS:
        print(scaffold_text(args.name), end="")
    else:
        parser.error(f"{args.name} is not made here; it can be filled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
