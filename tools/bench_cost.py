"""How well the static cost on CPU orders programs by their measured time.

    .venv/bin/python tools/bench_cost.py --programs 200 --seed 0 --out cost.json

Random float32 programs of 4 to 40 operations and every float32 program of the library are compiled,
costed from their object code, and timed in turn. Prints Spearman's rank correlation of time with
each cost, with the machine and versions, and writes the pairs.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import jax
import numpy as np
from scipy.stats import spearmanr

from xla_evo.library.loader import entries
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.compile import SINGLE_THREAD, compile_stages
from xla_evo_lowering.cost_cpu import cpu_cost
from xla_evo_lowering.dtypes import BOOL, F32, I32
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.generate import Generator, random_program
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import print_program
from xla_evo_lowering.timing import ELEMENTS, ROWS, compile_loop, time_loops

WEIGHTS = {
    "const": 3, "add": 4, "sub": 2, "mul": 6, "div": 0.3, "neg": 0.5, "abs": 0.7, "min": 0.7,
    "max": 0.7, "clamp": 0.3, "sqrt": 0.2, "round_even": 0.7, "floor": 0.5, "convert": 0.5,
    "bitcast": 0.7, "shl": 0.4, "shr_logical": 0.3, "shr_arith": 0.3, "and": 0.3, "or": 0.3,
    "xor": 0.3, "lt": 0.4, "ge": 0.3, "select": 0.7, "guard": 0.5,
}  # fmt: skip


def random_programs(seed: int) -> Iterator[Program]:
    """Distinct programs in canonical form, sizes spread evenly; without end."""
    rng = np.random.default_rng(seed)
    found: list[Program] = []
    while True:
        size = int(rng.integers(8, 120))
        settings = Generator(dtypes=(F32, I32, BOOL), weights=WEIGHTS, size=size, specials=0.0)
        program = canonical(random_program(rng, settings))
        used = any(0 in item.operands for item in program.body)
        if used and program.operation_count() >= 3 and program not in found:
            found.append(program)
            yield program


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.programs < 2 or args.rounds < 1:
        parser.error("a correlation needs at least 2 --programs and 1 of --rounds")
    settle_on_cpu()
    library = [entry.program for entry in entries(dtype="float32")]
    library = [program for program in library if len(program.parameters) == 1]
    shipped = library[: args.programs // 2]
    spec = jax.ShapeDtypeStruct((ELEMENTS,), F32.numpy)
    kept, costs, loops = [], [], []
    # Those whose loop cannot be found are left out, and others take their place.
    for program in chain(shipped, random_programs(args.seed)):
        if len(kept) == args.programs:
            break
        function = as_function(program)
        try:
            cost = cpu_cost(compile_stages(function, [spec], SINGLE_THREAD).objects, 4)
        except BackendError:
            continue
        kept.append(program)
        costs.append(cost)
        loops.append(compile_loop(function, F32))
    xs = np.random.default_rng(args.seed).uniform(0.5, 2, (ROWS, ELEMENTS)).astype(np.float32)
    times = [timing.best_ns for timing in time_loops(loops, xs, rounds=args.rounds)]
    columns = {
        "cycles (ports)": [cost.cycles for cost in costs],
        "instructions": [cost.instructions for cost in costs],
        "operations of the program": [program.operation_count() for program in kept],
    }
    if all(cost.mca_cycles is not None for cost in costs):
        columns["cycles (llvm-mca)"] = [cost.mca_cycles for cost in costs]
    machine = fingerprint(backend("cpu"))
    print("  ".join(f"{name}={value}" for name, value in machine.items()))
    print(
        f"{len(kept)} programs, {sum(map(kept.__contains__, shipped))} of the library;"
        f" {args.rounds} rounds, best of each"
    )
    correlations = {name: spearmanr(column, times).statistic for name, column in columns.items()}
    for name, value in correlations.items():
        print(f"Spearman correlation of time with {name}: {value:.3f}")
    if args.out:
        rows = [
            {"program": print_program(program, comments=False), "ns": time}
            | {name: column[place] for name, column in columns.items()}
            for place, (program, time) in enumerate(zip(kept, times, strict=True))
        ]
        data = {"machine": machine, "spearman": correlations, "programs": rows}
        args.out.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
