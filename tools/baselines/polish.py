"""Moves the constants of a whole program by units in the last place, to make its worst error less.

python tools/baselines/polish.py tanh tanh.prog --seconds 20 > better.prog

The program is evaluated as a device without contraction of a*b + c computes it. A move of one or
two constants is kept when the largest error over a sample does not grow; most are refused on the
few inputs that are worst at present. The sample is renewed as it goes. Constants that are short,
such as 1 and the magic numbers of rounding, and those that are compared with stay as they are.
"""

import argparse
import re
import sys
import time
from pathlib import Path

import numba
import numpy as np

from xla_evo.accuracy import generated
from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.kernels import compute_errors, format_constants
from xla_evo.targets.target import make_target
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Instruction, Program
from xla_evo_lowering.text import parse_program, print_program

_ARITHMETIC = ("add", "sub", "mul")
_SHORT_BITS = 8
_WATCHED = 400
_RENEWED_S = 4.0


def free_constants(program, kept=()):
    """Places in the body of constants that may move, those with the bits of ``kept`` left out."""
    first = len(program.parameters)
    users = {}
    for instruction in program.body:
        for operand in instruction.operands:
            users.setdefault(operand, set()).add(instruction.op)
    return [
        place
        for place, item in enumerate(program.body)
        if item.op == "const" and item.dtype is F32 and item.value & ((1 << _SHORT_BITS) - 1)
        and users[first + place] <= set(_ARITHMETIC) and item.value not in kept
    ]  # fmt: skip


def loop_of(program, places, *, flush):
    """The program as a compiled loop that takes its free constants as an array."""
    source = generated.source_of(program, flush=flush)
    first = len(program.parameters)
    for number, place in enumerate(places):
        source = re.sub(rf"(\bv{first + place} = ).*", rf"\g<1>c[{number}]", source)
    source = source.replace("def loop(x0, out):", "def loop(x0, c, out):")
    scope = dict(vars(generated))
    exec(compile(source, "<program>", "exec"), scope)  # noqa: S102 - of the table of `generated`
    return numba.njit(nogil=True, error_model="numpy")(scope["loop"])


def with_constants(program, places, values):
    body = list(program.body)
    for place, value in zip(places, values, strict=True):
        bits = int(np.float32(value).view(np.uint32))
        body[place] = Instruction("const", F32, (), bits)
    return Program(program.name, program.parameters, tuple(body), program.result)


class Polisher:
    """A program, its constants as they stand, a sample, and what is worst on it."""

    def __init__(self, program, target, samples, flush, seed, kept):
        self.places = free_constants(program, kept)
        self.values = np.array(
            [np.uint32(program.body[p].value).view(np.float32) for p in self.places], np.float32
        )
        self.loop = loop_of(program, self.places, flush=flush)
        self.target, self.samples = target, samples
        self.form = format_constants(F32, flush_to_zero=flush)
        self.random = np.random.default_rng(seed)
        self.hard = np.empty(0, np.float32)
        self.renew()

    def errors(self, x, reference, values):
        """Errors in ULP with other constants; infinite where a result is nan."""
        out = np.empty(x.size, np.float32)
        self.loop(x, values, out)
        return np.nan_to_num(compute_errors(out, reference, self.form), nan=np.inf)

    def renew(self):
        """Another sample, and what was worst before."""
        fresh = sample_inputs(self.target, self.samples, int(self.random.integers(1 << 30)))
        fresh = fresh[np.abs(fresh) >= np.finfo(np.float32).tiny].astype(np.float32)
        self.x = np.concatenate([fresh, self.hard])
        self.reference = self.target.function.f64(self.x.astype(np.float64))
        self.watch()

    def watch(self):
        """Finds the inputs that are worst now."""
        errors = self.errors(self.x, self.reference, self.values)
        worst = np.argsort(-errors)[:_WATCHED]
        self.few, self.few_reference = self.x[worst], self.reference[worst]
        self.best = errors[worst[0]]
        self.hard = np.unique(np.concatenate([self.hard, self.few[:40]]))

    def step(self):
        """Tries a move."""
        moved = self.values.copy()
        for place in self.random.choice(moved.size, self.random.integers(1, 3), replace=False):
            units = int(self.random.integers(1, 1 + (1 << self.random.integers(7))))
            bits = moved[place : place + 1].view(np.int32)
            bits += units if self.random.random() < 0.5 else -units
        if self.errors(self.few, self.few_reference, moved).max() > self.best:
            return
        errors = self.errors(self.x, self.reference, moved)
        if errors.max() <= self.best:
            improved = errors.max() < self.best
            self.values = moved
            if improved:
                self.watch()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("function")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--samples", type=int, default=1 << 17)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--range", type=float, nargs=2, help="of the inputs of the sample")
    parser.add_argument("--gradual", action="store_true", help="subnormal numbers are kept")
    parser.add_argument("--keep", type=float, nargs="*", default=(), help="constants that stay")
    args = parser.parse_args()
    program = parse_program(args.file.read_text(encoding="utf-8"), source=str(args.file))
    target = make_target(args.function, "float32", *(args.range or ()))
    kept = {int(np.float32(value).view(np.uint32)) for value in args.keep}
    polisher = Polisher(program, target, args.samples, not args.gradual, args.seed, kept)
    print(f"{polisher.best:.4g} ULP, {polisher.values.size} constants", file=sys.stderr)
    end, tries = time.monotonic() + args.seconds, 0
    renewed = time.monotonic()
    while time.monotonic() < end:
        polisher.step()
        tries += 1
        if time.monotonic() - renewed > _RENEWED_S:
            polisher.renew()
            renewed = time.monotonic()
    polisher.renew()
    print(f"{polisher.best:.4g} ULP on a new sample after {tries} moves", file=sys.stderr)
    print(print_program(with_constants(program, polisher.places, polisher.values)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
