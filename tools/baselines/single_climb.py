"""Moves the constants of a float32 form by units in the last place, judged by the compiled program.

python tools/baselines/single_climb.py erf near far --seconds 40

What is moved are the parts named, one to three constants at a time; a move is kept where the
largest error over the hard points does not grow. Hard points are the worst of a large sample, drawn
anew when the moves have run for a while.
"""

import argparse
import sys
import time

import jax
import numpy as np
from expression import Value, build
from jax import numpy as jnp
from single_constants import store, stored
from single_table import TUNED

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.kernels import compute_errors, format_constants
from xla_evo.targets.target import make_target
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.program import Builder
from xla_evo_lowering.stablehlo import as_function

HARD, ROUNDS, TOGETHER = 1000, 5, 16

SPANS = {
    "exp": (0.3, 88.0), "erf": (0.3, 4.2), "erfc": (0.02, 9.3), "gelu": (0.02, 13.0),
    "erf_inv": (0.05, 0.99999994), "log": (0.6, 2.8), "log1p": (0.1, 8.0), "log2": (0.3, 3.0),
    "log10": (0.3, 3.0), "tanh": (0.8, 1.7), "atanh": (0.1, 0.99999994), "cbrt": (1.0, 8.0),
}  # fmt: skip
"""Sizes of inputs where the errors are largest: half of the sample."""


class Sample:
    """Inputs, references, and the errors of results in ULP."""

    def __init__(self, name, count, seed):
        target = make_target(name, "float32")
        low, high = (int(np.float32(v).view(np.int32)) for v in SPANS[name])
        random = np.random.default_rng(seed)
        dense = random.integers(low, high + 1, count).astype(np.int32).view(np.float32)
        dense = np.where(random.random(count) < 0.5, -dense, dense)
        x = np.concatenate([sample_inputs(target, count, seed), dense])
        self.x = x[(np.abs(x) >= 2.0**-126) & (x >= target.low) & (x <= target.high)]
        with np.errstate(all="ignore"):
            self.reference = target.function.f64(self.x.astype(np.float64))
        self._format = format_constants(target.dtype, flush_to_zero=True)

    def errors(self, results):
        """In ULP; infinite where a nan is wrong."""
        found = compute_errors(results, self.reference, self._format)
        return np.where(np.isnan(found), np.inf, found)


def with_arguments(name, constants, free):
    """The program with the free constants as arguments behind the input."""
    builder = Builder(name, **dict.fromkeys(["x", *(f"c{j}" for j in range(len(free)))], F32))
    found = {
        part: [
            Value(builder, 1 + free.index((part, i)), F32) if (part, i) in free else value
            for i, value in enumerate(values)
        ]
        for part, values in constants.items()
    }
    result = TUNED[name](Value(builder, 0, F32).guard(), found).guard()
    return as_function(builder.build(result.number))


def climb(name, constants, parts, seconds, seed=0, count=1 << 18):
    """Improves the constants in place; returns the largest error over the sample."""
    random = np.random.default_rng(seed)
    sample = Sample(name, count, seed)
    free = [(part, i) for part in parts for i in range(len(constants[part]))]
    function = with_arguments(name, constants, free)

    @jax.jit
    def many(x, sets):
        return jax.lax.map(lambda c: function(x, *(jnp.broadcast_to(v, x.shape) for v in c)), sets)

    def full():
        made = build(name, lambda x: TUNED[name](x, constants), F32)
        return sample.errors(Executable.of_program(made)(sample.x))

    def put(values):
        for (part, i), value in zip(free, values, strict=True):
            constants[part][i] = float(value)

    now = np.asarray([constants[part][i] for part, i in free], np.float32)
    hard = np.zeros(0, np.int64)
    others = random.choice(len(sample.x), 4 * HARD, replace=False)
    best_error, best_set = np.inf, now
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        errors = full()
        print(f"   {name}: {errors.max():.4f} ULP, sampled {len(errors)}", flush=True)
        if errors.max() < best_error:
            best_error, best_set = errors.max(), now
        finite = np.isfinite(errors) & (np.abs(sample.reference) >= 2.0**-120)
        worst = np.argsort(np.where(finite, -errors, 0.0))[:HARD]
        hard = np.union1d(worst, hard[-2 * HARD :])
        known = others[finite[others]]
        points = np.resize(np.concatenate([hard, known]), 7 * HARD)
        x, reference = jnp.asarray(sample.x[points]), sample.reference[points]
        unit = 2.0 ** (np.floor(np.log2(np.abs(reference))) - 23)

        def score(sets, x=x, reference=reference, unit=unit):
            found = np.abs(np.asarray(many(x, sets)).astype(np.float64) - reference) / unit
            return np.where(np.isnan(found), np.inf, found).max(axis=1)

        best = score(np.tile(now, (TOGETHER, 1)))[0]
        pause = min(end, time.monotonic() + seconds / ROUNDS)
        while time.monotonic() < pause:
            sets = np.tile(now, (TOGETHER, 1))
            for row in sets:
                places = random.choice(len(now), random.integers(1, min(3, len(now)) + 1), False)
                reach = 1 << random.integers(0, 8, len(places))
                row.view(np.int32)[places] += random.integers(-reach, reach + 1, dtype=np.int32)
            scores = score(sets)
            chosen = scores.argmin()
            if scores[chosen] <= best:
                best, now = scores[chosen], sets[chosen]
        put(now)
    if full().max() >= best_error:
        put(best_set)
    return full().max()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("function", choices=tuple(TUNED))
    parser.add_argument("parts", nargs="+")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--samples", type=int, default=1 << 18, help="in the span, and as many more"
    )
    args = parser.parse_args()
    constants = stored()[args.function]
    before = {part: list(values) for part, values in constants.items()}
    least = climb(args.function, constants, args.parts, args.seconds, args.seed, args.samples)
    print(f"   {args.function}: {least:.4f} ULP")
    if constants != before:
        store(args.function, constants)
    return 0


if __name__ == "__main__":
    sys.exit(main())
