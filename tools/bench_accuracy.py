"""Prints how long exhaustive sweeps of JAX's built-ins take on this machine, and their errors.

python tools/bench_accuracy.py exp exp2 tanh      # all 2^32 float32 patterns of each
python tools/bench_accuracy.py --all-16           # every unary function in the 16-bit formats
"""

import argparse
import platform
import time

import jax
import numpy as np

from xla_evo._processors import usable
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.errors import XlaEvoError
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo.targets.target import make_target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.dtypes import dtype as dtype_named

_HEADER = (
    f"{'function':<12} {'format':<9} {'seconds':>8} {'M/s':>6} {'max ULP':>11}"
    f" {'bound ULP':>11} {'not nearest':>13} {'undecided':>9} {'nan':>5}  worst input"
)


def measure(name: str, dtype: str, *, threads: int | None, block: int) -> ErrorMeasurement:
    target = make_target(name, dtype)
    builtin = jax.jit(target.function.builtin_function())
    # XLA flushes subnormal float32 numbers on the CPU, and with them those of bfloat16, which it
    # computes in float32.
    flush = dtype in ("float32", "bfloat16")

    def evaluate(x: np.ndarray) -> np.ndarray:
        return np.asarray(builtin(x))

    # The block's compilation is not part of the sweep.
    evaluate(np.zeros(min(block, 1 << dtype_named(dtype).bits), target.dtype.numpy))
    return measure_exhaustive(
        evaluate, target, flush_to_zero=flush, every_pattern=True, threads=threads, block=block
    )


def report(name: str, dtype: str, got: ErrorMeasurement) -> str:
    return (
        f"{name:<12} {dtype:<9} {got.seconds:8.3f} {got.count / got.seconds / 1e6:6.0f}"
        f" {got.max_ulp:11.4f} {got.bound_ulp:11.4f} {got.not_correctly_rounded:13,}"
        f" {got.undecided:9,} {got.nan_mismatches:5,}  {got.worst_input_hex}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    unary = [name for name, row in CATALOGUE.items() if row.arity == 1]
    parser.add_argument("names", nargs="*", help="functions for the float32 sweep")
    parser.add_argument("--all-16", action="store_true", help="16-bit sweeps of every function")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--block", type=int, default=1 << 20)
    options = parser.parse_args()
    settle_on_cpu()
    print(
        f"jax {jax.__version__}, numpy {np.__version__}, python {platform.python_version()},"
        f" {usable()} processors; every bit pattern, nan and outside of the domain included"
    )
    names = options.names or ([] if options.all_16 else ["exp"])
    small = unary if options.all_16 else names
    try:
        for name in small:
            measure(name, "bfloat16", threads=1, block=1 << 16)  # loads the kernels once
            break
        print(_HEADER)
        for name in small:
            for dtype in ("bfloat16", "float16"):
                got = measure(name, dtype, threads=1, block=1 << 16)
                print(report(name, dtype, got), flush=True)
        for name in names:
            got = measure(name, "float32", threads=options.threads, block=options.block)
            print(report(name, "float32", got), flush=True)
    except XlaEvoError as error:
        raise SystemExit(f"bench_accuracy: {error}") from None
    print(f"processor time {time.process_time():.0f} s")


if __name__ == "__main__":
    main()
