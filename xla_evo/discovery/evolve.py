"""The search itself: pick a parent, change it, fit the child's constants, offer it.

Constants start from the parent's. Where that does not reach the population's threshold, the target
is moved from the child's present output to the function in steps (a homotopy), and then random
constants are tried. What reaches the threshold is slid along the valley of its constants (`slide`).
"""

from typing import Final, NamedTuple

import numpy as np

from xla_evo._numba import argument, njit
from xla_evo._random import below, normal, uniform
from xla_evo.discovery.canonical import Draft, Walk, canonical, new_draft, new_walk, structure_key
from xla_evo.discovery.doubledouble import forward_dd
from xla_evo.discovery.encoding import DIV, NODES, RDIVC, Reals
from xla_evo.discovery.fit import (
    EXTENDED_BELOW,
    Problem,
    Scratch,
    fit,
    gauss_newton,
    levenberg,
    new_scratch,
)  # fmt: skip
from xla_evo.discovery.kernels import forward
from xla_evo.discovery.mutate import (
    CHANGE,
    GRAFT,
    INSERT_ONE,
    INSERT_TWO,
    REMOVE,
    REWIRE,
    SWAP,
    change,
    graft,
    insert,
    load,
    remove,
    rewire,
    swap,
)  # fmt: skip
from xla_evo.discovery.population import PLACES, Island, kind_of, offer, threshold, visits

SLIDES: Final = 0.1
"""Share of candidates that are members whose constants follow their valley further."""
SKEW: Final = 0.5
"""Numbers of operations are drawn as u**SKEW: below 1 favours the longer programs."""
HOMOTOPIES: Final = 0.3
RANDOM_STARTS: Final = 0.1
ITERATIONS: Final = argument(30)
PRESSURE: Final = 4
"""Parents are the best of 1 to PRESSURE random members."""
FITS: Final = 4
"""How often one structure is fitted, from different parents."""
GAUSS_NEWTON: Final = argument(1)
WEAKEST_TOO: Final = argument(2)
SLIDE_NEW: Final = argument(10)
SLIDE_MEMBER: Final = argument(30)
NONE_FROZEN: Final = argument(0)
_HOMOTOPY: Final = argument(4)
_REFIT: Final = argument(10)
"""Iterations on the way of a homotopy, and after a step along a valley."""


class Grid(NamedTuple):
    """A finer grid than the nodes, for the check before a program is offered.

    Attributes:
        x: points; the last two are the ends of the domain.
        fh: the function there, high part; ``fl`` the low part.
        weight: error weights.
        high: memory for values, high parts; ``low`` the low parts.
    """

    x: Reals
    fh: Reals
    fl: Reals
    weight: Reals
    high: Reals
    low: Reals


class Bench(NamedTuple):
    """What one thread works with."""

    scratch: Scratch
    walk: Walk
    draft: Draft
    spare: Draft
    best: Draft


def new_bench(problem: Problem) -> Bench:
    """Returns the memory of one thread."""
    return Bench(new_scratch(problem), new_walk(), new_draft(), new_draft(), new_draft())


@njit
def copy_constants(source: Draft, target: Draft, n: int) -> None:
    """Copies the constants of ``n`` operations."""
    for i in range(n):
        target.c[i] = source.c[i]
        target.cl[i] = source.cl[i]


@njit
def sound(d: Draft, n: int, grid: Grid, error: float, finite: bool) -> bool:
    """Whether the error holds between the nodes and, where asked, all values are finite."""
    points = grid.x.size
    forward_dd(d.op, d.a, d.b, d.c, d.cl, n, grid.high, grid.low)
    inner = points - 2
    for j in range(inner):
        value = grid.high[n, j]
        difference = (value - grid.fh[j]) + (grid.low[n, j] - grid.fl[j])
        if not abs(difference * grid.weight[j]) < 12.0 * error + 1e-29:
            return False
    if not finite:
        return True
    for i in range(n):
        for j in range(points):
            if not abs(grid.high[i + 1, j]) < 1e12:
                return False
        if d.op[i] == DIV or d.op[i] == RDIVC:
            below_bar = grid.high[d.b[i] if d.op[i] == DIV else d.a[i]]
            positive = below_bar[0] > 0.0
            for j in range(points):
                if below_bar[j] == 0.0 or (below_bar[j] > 0.0) != positive:
                    return False
    return True


@njit
def undefined_at_ends(n: int, grid: Grid) -> int:
    """A bit for the kind of a structure: its result is not finite at an end of the domain."""
    last = grid.x.size - 1
    return 0 if abs(grid.high[n, last]) + abs(grid.high[n, last - 1]) < np.inf else 1 << 20


@njit
def fit_draft(
    d: Draft, n: int, problem: Problem, s: Scratch, iterations: int, goal: float, frozen: int,
    accept: float, error: float,
) -> float:  # fmt: skip
    """`fit` of the constants of a draft."""
    return fit(
        d.op, d.a, d.b, d.c, d.cl, n, problem.weight, s, iterations, goal, frozen, accept, error
    )


@njit
def homotopy(d: Draft, n: int, problem: Problem, s: Scratch, present: Reals) -> None:
    """Moves the target from the draft's present output to the function, fitting on the way."""
    forward(d.op, d.a, d.b, d.c, n, s.values)
    for j in range(NODES):
        present[j] = s.values[n, j]
        if not abs(present[j]) < 1e30:
            return
    for part in (0.25, 0.5, 0.75):
        for j in range(NODES):
            s.fh[j] = present[j] + part * (problem.fh[j] - present[j])
        levenberg(
            d.op, d.a, d.b, d.c, d.cl, n, problem.weight, s, False, _HOMOTOPY, np.inf, NONE_FROZEN,
            1e-2,
        )  # fmt: skip
    for j in range(NODES):
        s.fh[j] = problem.fh[j]


@njit
def slide(
    d: Draft, n: int, error: float, problem: Problem, bench: Bench, effort: int, frozen: int,
    directions: int,
) -> float:  # fmt: skip
    """Follows the valley of the constants; returns the error.

    The Gauss-Newton step of a nearly flat valley is long, and the bend of the valley makes the
    error much larger on the way. So a step of bounded length is taken although the error rises,
    the constants are fitted again from there with a damping that keeps the weak directions still,
    and the outcome is compared with the start. Where that fails both ways and ``directions`` is
    `WEAKEST_TOO`, the weakest singular direction is tried too. It moves constants that Gauss-Newton
    steps leave in place, of the longest programs mostly, for twice the time.
    """
    s = bench.scratch
    trial = bench.spare
    for i in range(n):
        trial.op[i], trial.a[i], trial.b[i] = d.op[i], d.a[i], d.b[i]
    reach = 0.1
    sign = 1.0
    little = 0
    weakest = False
    for _ in range(effort):
        extended = error < EXTENDED_BELOW
        if not gauss_newton(
            d.op, d.a, d.b, d.c, d.cl, n, problem.weight, s, extended, reach * sign, frozen, weakest
        ):
            break
        for i in range(n):
            trial.c[i] = s.ch[i]
            trial.cl[i] = s.cl[i]
        found = fit_draft(trial, n, problem, s, _REFIT, error, frozen, 1e-2, error)
        if found < error:
            copy_constants(trial, d, n)
            little = little + 1 if found > 0.99 * error else 0
            error = found
            if little >= 3:
                break
            reach = min(2.0 * reach, 2.0)
            continue
        if sign > 0.0:
            sign = -1.0
        elif directions == WEAKEST_TOO and not weakest:
            sign = 1.0
            weakest = True
        else:
            weakest = False
            sign = 1.0
            reach *= 0.2
            if reach < 1e-3:
                break
    return error


@njit
def _pick(island: Island, n: int, pressure: int) -> int:
    """Place of a parent: the best of a few random members, -1 where there is none."""
    best = -1
    for _ in range(pressure * 4):
        place = below(island.rng, PLACES)
        error = island.error[n, place]
        if error < np.inf:
            pressure -= 1
            if best < 0 or error < island.error[n, best]:
                best = place
            if pressure <= 0:
                break
    return best


@njit
def _propose(island: Island, bench: Bench, most: int) -> int:
    """Builds a child in ``bench.draft``: its operations before the canonical form, -1 for none."""
    rng = island.rng
    d = bench.draft
    draw = uniform(rng)
    kind = GRAFT
    if draw < 0.22:
        kind = INSERT_ONE
    elif draw < 0.44:
        kind = INSERT_TWO
    elif draw < 0.52:
        kind = REMOVE
    elif draw < 0.66:
        kind = REWIRE
    elif draw < 0.78:
        kind = CHANGE
    elif draw < 0.85:
        kind = SWAP
    n = 1 + int(most * uniform(rng) ** SKEW)
    if kind == INSERT_ONE:
        n -= 1
    elif kind == INSERT_TWO:
        n -= 2
    elif kind == REMOVE:
        n += 1
    if n < 0 or n > most:
        return -1
    if n == 0:
        return insert(d, 0, rng, 1 if kind == INSERT_ONE else 2)
    place = _pick(island, n, 1 + below(rng, PRESSURE))
    if place < 0:
        return -1
    load(d, island.op[n, place], island.a[n, place], island.b[n, place], island.c[n, place],
         island.cl[n, place], n, 0)  # fmt: skip
    if kind == INSERT_ONE:
        return insert(d, n, rng, 1)
    if kind == INSERT_TWO:
        return insert(d, n, rng, 2)
    if kind == REMOVE:
        return remove(d, n, rng)
    if kind == GRAFT:
        donor = 1 + below(rng, most)
        other = _pick(island, donor, 2)
        if other < 0:
            return -1
        return graft(d, n, island.op[donor, other], island.a[donor, other], island.b[donor, other],
                     island.c[donor, other], island.cl[donor, other], donor, rng)  # fmt: skip
    count = n
    for _ in range(1 + below(rng, 2)):
        if kind == REWIRE:
            count = rewire(d, n, rng)
        elif kind == CHANGE:
            count = change(d, n, rng)
        else:
            count = swap(d, n, rng)
        if count < 0:
            return -1
        if kind == SWAP:
            break
    return count


@njit
def evolve(
    island: Island, problem: Problem, grid: Grid, bench: Bench, most: int, finite: bool, count: int
) -> int:
    """Fits ``count`` candidates; returns how many were taken into a population."""
    rng = island.rng
    d = bench.draft
    s = bench.scratch
    present = np.empty(NODES)
    taken = 0
    done = 0
    attempts = 0
    while done < count and attempts < 200 * count:
        attempts += 1
        if uniform(rng) < SLIDES:
            n = 1 + int(most * uniform(rng) ** SKEW)
            place = _pick(island, n, 3)
            if place < 0:
                continue
            load(d, island.op[n, place], island.a[n, place], island.b[n, place],
                 island.c[n, place], island.cl[n, place], n, 0)  # fmt: skip
            before = island.error[n, place]
            error = slide(d, n, before, problem, bench, SLIDE_MEMBER, NONE_FROZEN, WEAKEST_TOO)
            done += 1
            island.stats[0, 0] += 1
            if error < before * 0.999 and sound(d, n, grid, error, finite):
                offer(island, n, d, error, island.kind[n, place], island.key[n, place])
                island.stats[0, 1] += 1
            continue
        n = _propose(island, bench, most)
        if n < 1:
            continue
        n = canonical(d, n, bench.walk)
        if n < 1 or n > most:
            continue
        key = structure_key(d, n)
        at = visits(island, key)
        if island.times[at] >= FITS:
            continue
        island.times[at] += 1
        done += 1
        kind = kind_of(d, n)
        goal = threshold(island, n, kind)
        copy_constants(d, bench.best, n)
        error = fit_draft(d, n, problem, s, ITERATIONS, goal, NONE_FROZEN, 1e-2, np.inf)
        island.stats[1, 0] += 1
        if error < goal:
            island.stats[1, 1] += 1
        way = 1
        while way < 3 and not error < goal:
            way += 1
            if uniform(rng) > (HOMOTOPIES if way == 2 else RANDOM_STARTS):
                continue
            island.stats[way, 0] += 1
            if way == 2:
                copy_constants(bench.best, d, n)
                homotopy(d, n, problem, s, present)
            else:
                for i in range(n):
                    d.c[i] = normal(rng) * 2.0
                    d.cl[i] = 0.0
            error = fit_draft(d, n, problem, s, ITERATIONS, goal, NONE_FROZEN, 1e-2, np.inf)
            if error < goal:
                island.stats[way, 1] += 1
        if error < goal and sound(d, n, grid, error, finite):
            error = slide(d, n, error, problem, bench, SLIDE_NEW, NONE_FROZEN, GAUSS_NEWTON)
            if not sound(d, n, grid, error, finite):
                continue
            if offer(island, n, d, error, kind + undefined_at_ends(n, grid), key):
                taken += 1
    return taken


@njit
def merge(
    island: Island, other: Island, most: int, width: int, bench: Bench, grid: Grid, finite: bool
) -> None:
    """Offers the best ``width`` members of each population of another island to this one."""
    d = bench.draft
    for n in range(1, most + 1):
        last = -1.0
        for _ in range(width):
            best = -1
            for i in range(PLACES):
                error = other.error[n, i]
                later = error < np.inf and error > last
                if later and (best < 0 or error < other.error[n, best]):
                    best = i
            if best < 0:
                break
            last = other.error[n, best]
            load(d, other.op[n, best], other.a[n, best], other.b[n, best], other.c[n, best],
                 other.cl[n, best], n, 0)  # fmt: skip
            if not finite or sound(d, n, grid, last, True):
                offer(island, n, d, last, other.kind[n, best], other.key[n, best])
