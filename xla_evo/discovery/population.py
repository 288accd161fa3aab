"""Populations, one for each number of operations, crowded so that no form takes over.

Members of one kind (same numbers of divisions, constants and uses of x) share a few places; two
members of nearly equal error are one, because they nearly always compute the same function.
"""

from typing import Final, NamedTuple

import numpy as np

from xla_evo._numba import njit
from xla_evo._random import seeded
from xla_evo.discovery.canonical import Draft
from xla_evo.discovery.encoding import (
    ADD,
    DIV,
    MAX_OPS,
    RDIVC,
    Ints,
    Longs,
    Reals,
    Words,
)  # fmt: skip

PLACES: Final = 128
"""Members of the population of one number of operations."""

PER_KIND: Final = 6
"""Places for one kind of structure."""

TABLE: Final = 1 << 19
"""Slots of the table of structures already fitted."""


class Island(NamedTuple):
    """The state of one search: everything a checkpoint needs.

    Attributes:
        op: operations, by number of operations and place; ``a`` and ``b`` are the operands.
        c: constants, high parts; ``cl`` the low parts.
        error: root mean square error of each member, inf for a free place.
        kind: kind of structure.
        key: hash of the structure.
        seen: hashes of structures that were fitted; ``times`` is how often.
        rng: state of the random numbers.
        stats: counters (see `xla_evo.discovery.evolve`).
    """

    op: Ints
    a: Ints
    b: Ints
    c: Reals
    cl: Reals
    error: Reals
    kind: Longs
    key: Words
    seen: Words
    times: Ints
    rng: Words
    stats: Longs


def new_island(seed: int, stream: int) -> Island:
    """Returns an empty island with its own stream of random numbers."""
    shape = (MAX_OPS + 1, PLACES)
    zeros = np.zeros
    return Island(
        op=zeros((*shape, MAX_OPS), np.int8),
        a=zeros((*shape, MAX_OPS), np.int8),
        b=zeros((*shape, MAX_OPS), np.int8),
        c=zeros((*shape, MAX_OPS)),
        cl=zeros((*shape, MAX_OPS)),
        error=np.full(shape, np.inf),
        kind=zeros(shape, np.int64),
        key=zeros(shape, np.uint64),
        seen=zeros(TABLE, np.uint64),
        times=zeros(TABLE, np.int8),
        rng=seeded(seed, stream),
        stats=zeros((64, 4), np.int64),
    )


@njit
def kind_of(d: Draft, n: int) -> int:
    """Numbers of divisions, constants and uses of x as one integer."""
    divisions = 0
    constants = 0
    uses = 0
    for i in range(n):
        code = d.op[i]
        if code == DIV or code == RDIVC:  # noqa: SIM109
            divisions += 1
        if code < ADD:
            constants += 1
        elif d.b[i] == 0:
            uses += 1
        if d.a[i] == 0:
            uses += 1
    return divisions + 32 * constants + 1024 * uses


@njit
def visits(island: Island, key: np.uint64) -> int:
    """Slot of a structure in the table of those fitted; a full table forgets what was there."""
    slot = int(key >> np.uint64(20)) & (TABLE - 1)
    for step in range(16):
        at = (slot + step) & (TABLE - 1)
        if island.seen[at] == key:
            return at
        if island.seen[at] == 0:
            island.seen[at] = key
            island.times[at] = 0
            return at
    island.seen[slot] = key
    island.times[slot] = 0
    return slot


@njit
def threshold(island: Island, n: int, kind: int) -> float:
    """Error that a new member of a kind must beat, inf where there is room."""
    count = 0
    worst_of_kind = 0.0
    worst = 0.0
    for i in range(PLACES):
        error = island.error[n, i]
        worst = max(worst, error)
        if error < np.inf and island.kind[n, i] == kind:
            count += 1
            worst_of_kind = max(worst_of_kind, error)
    if count >= PER_KIND:
        return worst_of_kind
    return worst


@njit
def offer(island: Island, n: int, d: Draft, error: float, kind: int, key: np.uint64) -> bool:
    """Offers a program to its population; returns whether it was taken."""
    if not error < np.inf:
        return False
    same = -1
    near = -1
    count = 0
    worst_of_kind = -1
    worst = 0
    for i in range(PLACES):
        other = island.error[n, i]
        if other > island.error[n, worst]:
            worst = i
        if not other < np.inf:
            continue
        if island.key[n, i] == key:
            same = i
        if abs(other - error) < 1e-3 * error and island.kind[n, i] >> 20 == kind >> 20:
            near = i
        if island.kind[n, i] == kind:
            count += 1
            if worst_of_kind < 0 or other > island.error[n, worst_of_kind]:
                worst_of_kind = i
    place = worst
    if same >= 0:
        place = same
    elif near >= 0:
        place = near
    elif count >= PER_KIND:
        place = worst_of_kind
    if error >= island.error[n, place]:
        return False
    for i in range(MAX_OPS):
        island.op[n, place, i] = d.op[i] if i < n else 0
        island.a[n, place, i] = d.a[i] if i < n else 0
        island.b[n, place, i] = d.b[i] if i < n else 0
        island.c[n, place, i] = d.c[i] if i < n else 0.0
        island.cl[n, place, i] = d.cl[i] if i < n else 0.0
    island.error[n, place] = error
    island.kind[n, place] = kind
    island.key[n, place] = key
    return True
