"""Every structure of a few operations, fitted from random constants: a check of the search.

Structures are counted up in canonical form, each once; the number grows about thirtyfold with each
operation, so that five operations take minutes and six take hours.
"""

from dataclasses import dataclass

import numpy as np

from xla_evo._numba import njit
from xla_evo._random import normal
from xla_evo.discovery.canonical import canonical, structure_key
from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.encoding import ADD, MUL, Ints, Longs, Words
from xla_evo.discovery.evolve import (
    GAUSS_NEWTON,
    ITERATIONS,
    NONE_FROZEN,
    SLIDE_NEW,
    Bench,
    Grid,
    fit_draft,
    homotopy,
    new_bench,
    slide,
    sound,
)
from xla_evo.discovery.fit import Problem
from xla_evo.discovery.minimax import Finisher
from xla_evo.discovery.population import Island, kind_of, new_island, offer, threshold
from xla_evo.discovery.record import Record
from xla_evo.discovery.reference import Reference, checking_points, fitting_nodes
from xla_evo.discovery.selection import select
from xla_evo.discovery.verify import Verifier
from xla_evo.errors import ConfigError

MOST = 6
"""Operations up to which all structures can be counted up in reasonable time."""


def choices(position: int) -> Ints:
    """All operations (code, a, b) at a position, each commutative pair once."""
    values = range(position + 1)
    rows = [(code, a, 0) for code in range(ADD) for a in values]
    for code in range(ADD, 8):
        for a in values:
            for b in values:
                if code in (ADD, MUL) and a > b:
                    continue
                if a == b and code != MUL:
                    continue
                rows.append((code, a, b))
    return np.array(rows, np.int8)


@njit
def _fresh(table: Words, key: np.uint64) -> bool:
    """Adds a key to an open-addressing set; False where it was there, or the set is full."""
    mask = table.size - 1
    slot = int(key >> np.uint64(17)) & mask
    for step in range(1024):
        at = (slot + step) & mask
        if table[at] == key:
            return False
        if table[at] == 0:
            table[at] = key
            return True
    return False


@njit
def _fit_all_starts(
    island: Island, n: int, key: np.uint64, problem: Problem, grid: Grid, bench: Bench,
    finite: bool, starts: int,
) -> None:  # fmt: skip
    d, s, rng = bench.draft, bench.scratch, island.rng
    kind = kind_of(d, n)
    present = np.empty(problem.x.size)
    for start in range(starts):
        goal = threshold(island, n, kind)
        for i in range(n):
            d.c[i] = normal(rng) * (2.0 if start % 2 == 0 else 6.0)
            d.cl[i] = 0.0
        if start % 3 == 2:
            homotopy(d, n, problem, s, present)
        error = fit_draft(d, n, problem, s, ITERATIONS, goal, NONE_FROZEN, 1e-2, np.inf)
        if error < goal:
            error = slide(d, n, error, problem, bench, SLIDE_NEW, NONE_FROZEN, GAUSS_NEWTON)
            if sound(d, n, grid, error, finite):
                offer(island, n, d, error, kind, key)


@njit
def count_up(
    island: Island, n: int, table: Ints, sizes: Longs, seen: Words, problem: Problem, grid: Grid,
    bench: Bench, finite: bool, starts: int,
) -> int:  # fmt: skip
    """Walks all programs of ``n`` operations; fits each new structure. Returns how many there are.

    ``table[i, :sizes[i]]`` are the choices at position ``i``. With ``starts`` 0 they are counted
    only.
    """
    place = np.zeros(n, np.int64)
    used = np.zeros((n + 1, n + 1), np.int64)
    d = bench.draft
    found = 0
    level = 0
    while level >= 0:
        if place[level] >= sizes[level]:
            place[level] = 0
            level -= 1
            continue
        row = table[level, place[level]]
        place[level] += 1
        for v in range(level + 1):
            used[level + 1, v] = used[level, v]
        used[level + 1, level + 1] = 0
        used[level + 1, row[1]] = 1
        if row[0] >= ADD:
            used[level + 1, row[2]] = 1
        idle = 0
        for v in range(1, level + 1):
            idle += 1 - used[level + 1, v]
        if idle > n - 1 - level:
            continue
        if level < n - 1:
            level += 1
            continue
        for i in range(n):
            choice = table[i, place[i] - 1]
            d.op[i], d.a[i], d.b[i] = choice[0], choice[1], choice[2]
            d.c[i], d.cl[i] = 1.5 + 0.37 * i, 0.0
        if canonical(d, n, bench.walk) != n:
            continue
        key = structure_key(d, n)
        if _fresh(seen, key):
            found += 1
            _fit_all_starts(island, n, key, problem, grid, bench, finite, starts)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumerated:
    """Outcome of an enumeration.

    Attributes:
        operations: number of operations.
        structures: canonical structures that there are.
        record: the best, verified; None where none holds.
    """

    operations: int
    structures: int
    record: Record | None


def enumerate_all(config: DiscoveryConfig, operations: int, *, starts: int = 12) -> Enumerated:
    """Fits every structure of a number of operations from several random starts.

    That no start finds a good fit does not prove that there is none.

    Raises:
        ConfigError: more than `MOST` operations, or fewer than one.
    """
    if not 1 <= operations <= MOST:
        raise ConfigError(f"all structures can be fitted for 1 to {MOST} operations")
    reference = Reference(config)
    problem = reference.problem(fitting_nodes(config.low, config.high))
    grid = reference.grid(checking_points(config.low, config.high))
    rows = [choices(i) for i in range(operations)]
    table = np.zeros((operations, max(len(row) for row in rows), 3), np.int8)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    island = new_island(config.seed, 0)
    seen = np.zeros(1 << (16 if operations < 5 else 20 if operations < 6 else 25), np.uint64)
    structures = count_up(
        island, operations, table, np.array([len(row) for row in rows]), seen, problem, grid,
        new_bench(problem), config.finite, starts,
    )  # fmt: skip
    record = select(
        [island], operations, "finite" if config.finite else "removable", Finisher.of(reference),
        Verifier(reference),
    )  # fmt: skip
    return Enumerated(operations=operations, structures=structures, record=record)
