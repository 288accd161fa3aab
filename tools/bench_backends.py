"""Compile times and static costs on backends that need not be in the machine.

    python tools/bench_backends.py cpu cpu:avx2 cuda:sm_90 tpu:v5e --programs 100

For each backend: seconds to start its compiler process, to compile exp with every stage, and to
cost a batch of random float32 programs in that one process; then the static cost of built-ins
(``--programs 0`` leaves both out).
Backends whose plugin is missing are named with what to install.
"""

import argparse
import time
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.artifacts import make_artifacts
from xla_evo_lowering.backends import BACKENDS, backend
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.costs import static_cost
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.errors import BackendError, XlaEvoError
from xla_evo_lowering.generate import Generator, random_program
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

HIGHEST = lax.AccuracyMode.HIGHEST
BUILT_INS = {
    "exp": jnp.exp,
    "exp HIGHEST": lambda x: lax.exp(x, accuracy=HIGHEST),
    "log": jnp.log,
    "log HIGHEST": lambda x: lax.log(x, accuracy=HIGHEST),
    "tanh": jnp.tanh,
    "tanh HIGHEST": lambda x: lax.tanh(x, accuracy=HIGHEST),
    "sin": jnp.sin,
    "erf": lax.erf,
}
WEIGHTS = dict.fromkeys(("const", "add", "sub", "mul", "min", "max", "abs", "guard"), 1.0)


def random_programs(count: int, seed: int) -> list[Program]:
    """Programs in canonical form whose result depends on the input."""
    rng = np.random.default_rng(seed)
    settings = Generator(weights=WEIGHTS, size=24, specials=0.0)
    found: list[Program] = []
    while len(found) < count:
        program = canonical(random_program(rng, settings))
        if any(0 in item.operands for item in program.body):
            found.append(program)
    return found


def bench(name: str, programs: int, seed: int) -> None:
    row = backend(name)
    start = time.perf_counter()
    process = None if row.live else AheadOfTime(row)
    started = time.perf_counter()
    spec = [jax.ShapeDtypeStruct((65536,), F32.numpy)]
    made = make_artifacts(row, lower_for(row, jnp.exp, spec), process=process)
    compiled = time.perf_counter()
    print(f"{name}: {'live' if process is None else process.device}")
    print(f"  start {started - start:.2f} s, exp with {len(made.texts)} stages"
          f" {compiled - started:.2f} s")  # fmt: skip
    failed = []
    for program in random_programs(programs, seed):
        try:
            static_cost(row, as_function(program), (F32,), process)
        except XlaEvoError as error:
            failed.append(str(error)[:100])
    spent = time.perf_counter() - compiled
    if programs:
        print(f"  {programs} random programs costed in {spent:.1f} s, {len(failed)} could not be")
        for reason, times in Counter(failed).items():
            print(f"    {times} times: {reason}")
    for title, function in BUILT_INS.items() if programs else ():
        try:
            cost = static_cost(row, function, (F32,), process)
            print(f"  {title:13} {cost.value:9.3f} {cost.unit}")
        except XlaEvoError as error:
            print(f"  {title:13} {error}")
    if process is not None:
        process.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backends", nargs="*", default=list(BACKENDS))
    parser.add_argument("--programs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in args.backends:
        try:
            backend(name)
        except BackendError as error:
            parser.error(str(error))
    if args.programs < 0:
        parser.error(f"--programs must be at least 0, not {args.programs}")
    settle_on_cpu()
    print(f"jax {jax.__version__}")
    for name in args.backends:
        try:
            bench(name, args.programs, args.seed)
        except XlaEvoError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main()
