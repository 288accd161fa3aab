"""The finish: from least squares to the least greatest error.

Lawson's method (C. L. Lawson, "Contributions to the theory of linear least maximum approximation",
1961): weights of a least squares fit are multiplied by the errors until the fit is minimax on the
nodes. Then the nodes move to the extrema of the error on a dense grid, as in Remez's exchange, and
the weights settle again. Each weighted fit follows the valley of the constants (`slide`), because
the minimax constants may lie far along it.
"""

from dataclasses import dataclass

import numpy as np

from xla_evo._numba import argument, njit
from xla_evo.discovery.canonical import Draft
from xla_evo.discovery.doubledouble import dd_add, forward_dd
from xla_evo.discovery.encoding import NODES, Longs, Reals
from xla_evo.discovery.evolve import (
    GAUSS_NEWTON,
    NONE_FROZEN,
    Bench,
    Grid,
    copy_constants,
    new_bench,
    slide,
)
from xla_evo.discovery.fit import Problem, fit, residuals
from xla_evo.discovery.reference import EDGE, Reference, chebyshev

DENSE_POINTS = 1201
ROUNDS = 40
EXCHANGES = 5
_FIT, _SLIDE = argument(6), argument(4)
"""Iterations with the weights of a round."""
NOISE = 1e-29
"""Relative error below which double-double arithmetic tells nothing: such a program is exact as far
as a search can see, and its verification decides."""


@njit
def errors_on(d: Draft, n: int, grid: Grid, out: Reals) -> float:
    """Fills ``out`` with signed weighted errors; returns the greatest size, inf if not finite."""
    forward_dd(d.op, d.a, d.b, d.c, d.cl, n, grid.high, grid.low)
    greatest = 0.0
    for j in range(grid.x.size):
        high, low = dd_add(grid.high[n, j], grid.low[n, j], -grid.fh[j], -grid.fl[j])
        out[j] = (high + low) * grid.weight[j]
        size = abs(out[j])
        if not size < np.inf:
            return np.inf
        greatest = max(greatest, size)
    return greatest


@njit
def lawson(
    d: Draft, n: int, problem: Problem, grid: Grid, share: Reals, bench: Bench, rounds: int,
    out: Reals, best: float, best_share: Reals,
) -> float:  # fmt: skip
    """Rounds of Lawson's method on the nodes of ``problem``.

    Args:
        d: the program; its best constants on the grid are left in it.
        n: number of operations.
        problem: the function on the nodes.
        grid: where the greatest error is measured.
        share: Lawson's weights, of mean one; changed.
        bench: memory, with the nodes in place.
        rounds: number of weighted fits.
        out: memory of the size of the grid.
        best: greatest error on the grid of the constants so far.
        best_share: the weights that belong to the best constants; changed where they improve.
    """
    s = bench.scratch
    weight = np.empty(NODES)
    size = np.empty(NODES)
    weighted = Problem(problem.x, problem.fh, problem.fl, weight)
    copy_constants(d, bench.best, n)
    idle = 0
    for _ in range(rounds):
        for j in range(NODES):
            weight[j] = problem.weight[j] * np.sqrt(share[j])
        error = fit(d.op, d.a, d.b, d.c, d.cl, n, weight, s, _FIT, np.inf, NONE_FROZEN, 1e-3, best)
        if not error < np.inf:
            break
        slide(d, n, error, weighted, bench, _SLIDE, NONE_FROZEN, GAUSS_NEWTON)
        residuals(d.op, d.a, d.b, d.c, d.cl, n, best < 1e-11, problem.weight, s, s.trial)
        greatest = 0.0
        for j in range(NODES):
            size[j] = abs(s.trial[j])
            greatest = max(greatest, size[j])
        found = errors_on(d, n, grid, out)
        idle += 1
        if found < best:
            if found < best * 0.9999:
                idle = 0
            best = found
            copy_constants(d, bench.best, n)
            for j in range(NODES):
                best_share[j] = share[j]
        if idle >= 10 or not greatest > 0.0:
            break
        total = 0.0
        for j in range(NODES):
            share[j] = max(share[j] * size[j] / greatest, 1e-8)
            total += share[j]
        for j in range(NODES):
            share[j] *= NODES / total
    copy_constants(bench.best, d, n)
    return best


@dataclass(slots=True)
class Finisher:
    """What finishes the programs of one run: the dense grid and the nodes, made once.

    Attributes:
        reference: the function.
        dense: grid on which the greatest error is measured.
    """

    reference: Reference
    dense: Grid

    @staticmethod
    def of(reference: Reference) -> "Finisher":
        """Makes the dense grid."""
        low, high = reference.low, reference.high
        edge = EDGE * (high - low)
        inner = chebyshev(low, high, DENSE_POINTS - 2)
        points = np.concatenate([[low + edge], inner, [high - edge]])
        return Finisher(reference, reference.grid(points))

    def error(self, d: Draft, n: int) -> float:
        """Greatest weighted error on the dense grid."""
        return errors_on(d, n, self.dense, np.empty(self.dense.x.size))

    def exchange_nodes(self, d: Draft, n: int) -> tuple[Reals, Reals]:
        """Nodes at the extrema of the error, and Lawson weights to start from there."""
        out = np.empty(self.dense.x.size)
        errors_on(d, n, self.dense, out)
        extrema = extrema_of(out)
        order = extrema[np.argsort(-np.abs(out[extrema]))][:NODES]
        chosen = list(self.dense.x[order])
        share = [max(abs(out[i]) / abs(out[order[0]]), 1e-3) ** 4 for i in order]
        gap = (self.reference.high - self.reference.low) / (4 * NODES)
        for x in chebyshev(self.reference.low, self.reference.high, NODES):
            if len(chosen) >= NODES:
                break
            if min(abs(x - y) for y in chosen) > gap * 0.2:
                chosen.append(x)
                share.append(1e-4)
        while len(chosen) < NODES:
            chosen.append((chosen[0] + chosen[-1]) / 2 + gap * 1e-3 * len(chosen))
            share.append(1e-6)
        weights = np.array(share)
        return np.array(chosen), weights * (NODES / weights.sum())

    def finish(self, d: Draft, n: int, *, rounds: int = ROUNDS) -> "Fit":
        """Minimises the greatest error, in place."""
        low, high = self.reference.low, self.reference.high
        problem = self.reference.problem(chebyshev(low, high, NODES))
        share = np.ones(NODES)
        out = np.empty(self.dense.x.size)
        best = self.error(d, n)
        at_best = Fit(problem, share.copy(), best)
        if best == 0.0:
            return at_best
        for exchange in range(EXCHANGES):
            before = best
            kept = share.copy()
            bench = new_bench(problem)
            best = lawson(d, n, problem, self.dense, share, bench, rounds, out, best, kept)
            if best < before:
                at_best = Fit(problem, kept, best)
            if best == 0.0 or (exchange > 1 and best > before * 0.9995):
                break
            nodes, share = self.exchange_nodes(d, n)
            problem = self.reference.problem(nodes)
        at_best.error = best
        return at_best


@dataclass(slots=True)
class Fit:
    """How a finished program's constants were reached.

    Attributes:
        problem: the function on the last nodes.
        share: Lawson's weights there.
        error: greatest weighted error on the dense grid.
    """

    problem: Problem
    share: Reals
    error: float

    def weighted(self) -> Problem:
        """The least squares problem whose solution is the minimax program."""
        weight = self.problem.weight * np.sqrt(self.share)
        return Problem(self.problem.x, self.problem.fh, self.problem.fl, weight)


def extrema_of(values: Reals) -> Longs:
    """Places of the local extrema of the size of a signed error, ends included."""
    size = np.abs(values)
    padded = np.concatenate([[-1.0], size, [-1.0]])
    peaks = (padded[1:-1] >= padded[:-2]) & (padded[1:-1] >= padded[2:])
    return np.flatnonzero(peaks).astype(np.int64)
