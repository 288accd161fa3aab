"""Times the store's put and get, as the search uses them.

    .venv/bin/python tools/bench_store.py [--entries 2000]

Every put is its own transaction. A compiled candidate carries an HLO text of 16 KB and 4 KB of
incompressible machine code; a timing carries 30 samples and no blob.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from xla_evo.cli.output import print_line, print_table
from xla_evo.store import Key, Store

HLO = b"%fused_computation (param_0: f32[1024]) -> f32[1024] { %x = f32[1024] add(%a, %b) }\n" * 190


def milliseconds(work: Callable[[int], object], count: int) -> tuple[str, str, str]:
    """Returns mean, median and the 99th percentile of the calls, in ms, as text."""
    times: list[float] = []
    for n in range(count):
        start = time.perf_counter()
        work(n)
        times.append((time.perf_counter() - start) * 1e3)
    ordered = sorted(times)
    shown = (statistics.fmean(times), statistics.median(times), ordered[int(0.99 * count)])
    return tuple(f"{value:.3f}" for value in shown)  # pyright: ignore[reportReturnType]


def main() -> int:
    parser = argparse.ArgumentParser(description="Times the store's put and get.")
    parser.add_argument("--entries", type=int, default=2000)
    count: int = parser.parse_args().entries
    if count < 1:
        parser.error(f"--entries must be at least 1, not {count}")

    def key(kind: str, n: int) -> Key:
        return Key.of(kind, program=f"{n:064x}", backend="cpu", jaxlib="0.12.0", flags="")

    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store") as store:

        def put_compiled(n: int) -> object:
            blobs = {"hlo": HLO + str(n).encode(), "object": os.urandom(4096)}
            return store.put(key("compile", n), {"seconds": 0.05}, blobs)

        def put_timing(n: int) -> object:
            return store.put(key("timing", n), {"ns": [0.25 + n] * 30})

        rows = [
            ("put, 2 blobs", *milliseconds(put_compiled, count)),
            ("put, no blob", *milliseconds(put_timing, count)),
            ("get, hit", *milliseconds(lambda n: store.get(key("compile", n)), count)),
            ("get, miss", *milliseconds(lambda n: store.get(key("compile", -n - 1)), count)),
        ]
    print_line(f"Python {sys.version.split()[0]}, {count} entries a kind")
    print_table(["operation", "mean ms", "median ms", "p99 ms"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
