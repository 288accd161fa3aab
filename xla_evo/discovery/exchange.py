"""The nonlinear exchange: the last step to the least greatest error.

Lawson's weights settle slowly, and stop short where a program's constants lie in a flat valley.
From there on: linearise the error in the constants, take the step of the constants that makes the
greatest linearised error over the present extrema least (a linear programme), within a trust
region, and look for the extrema again. M. R. Osborne and G. A. Watson, "An algorithm for minimax
approximation in the nonlinear case", Computer Journal 12 (1969), which does not ask that the error
alternate; with a trust region as of K. Madsen, "An algorithm for minimax solution of overdetermined
systems of non-linear equations", J. Inst. Maths Applics 16 (1975).

The variables of the linear programme are the singular directions of the derivative, in units of
the present error, so that it is well conditioned where the constants are not.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from xla_evo.discovery.canonical import Draft, new_draft
from xla_evo.discovery.doubledouble import dd_add
from xla_evo.discovery.encoding import ADD, Reals
from xla_evo.discovery.evolve import copy_constants, new_bench
from xla_evo.discovery.fit import Problem, residuals
from xla_evo.discovery.kernels import backward
from xla_evo.discovery.minimax import Finisher, Fit

Matrix = NDArray[np.float64]

STEPS: Final = 40
"""Most linear programmes."""
ENOUGH: Final = 1e-5
"""Promised relative decrease below which a program counts as minimax."""
LONGEST: Final = 30.0
"""Most by which one singular direction may change the error, in units of it."""


@dataclass(frozen=True, slots=True)
class _Linear:
    """The error on its extrema as a linear function of a step of the constants.

    Attributes:
        problem: the function on the extrema.
        error: signed weighted errors in units of the greatest.
        left: what a unit step along each singular direction changes them by.
        size: singular values, of the derivative with columns of length one.
        right: constants by singular direction, scales of the columns included.
    """

    problem: Problem
    error: Reals
    left: Matrix
    size: Reals
    right: Matrix

    def step(self, unit: float, reach: float) -> "_Step | None":
        """The step of least greatest error, at most ``reach`` long; ``unit`` is the error now."""
        count = self.size.size
        most = np.minimum(LONGEST, self.size * (reach / unit))
        ones = np.ones((self.error.size, 1))
        rows = np.block([[self.left, -ones], [-self.left, -ones]])
        limits = np.concatenate([-self.error, self.error])
        bounds = [*zip(-most, most, strict=True), (0.0, 2.0)]
        cost = np.zeros(count + 1)
        cost[-1] = 1.0
        found: Any = linprog(cost, A_ub=rows, b_ub=limits, bounds=bounds, method="highs")
        if found.status != 0:
            return None
        along = found.x[:count] * (unit / self.size)
        multipliers = -np.asarray(found.ineqlin.marginals).reshape(2, -1).sum(axis=0)
        return _Step(self.right @ along, float(found.x[-1]), multipliers)


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of the constants.

    Attributes:
        constants: what is added to each.
        promised: greatest error after it, in units of the present one, if all were linear.
        multipliers: share of each extremum in the optimum: Lawson's weights.
    """

    constants: Reals
    promised: float
    multipliers: Reals

    def share(self) -> Reals:
        """Lawson's weights, of mean one; all equal where the step makes every error vanish."""
        most = self.multipliers.max()
        if not most > 0.0:
            return np.ones(self.multipliers.size)
        share = np.maximum(self.multipliers / most, 1e-8)
        return share / share.mean()


def _linearise(d: Draft, n: int, finisher: Finisher, unit: float) -> _Linear | None:
    problem = finisher.reference.problem(finisher.exchange_nodes(d, n)[0])
    s = new_bench(problem).scratch
    total = residuals(d.op, d.a, d.b, d.c, d.cl, n, True, problem.weight, s, s.residual)
    if not total < np.inf:
        return None
    k = backward(d.op, d.a, d.b, d.c, n, s.values, problem.weight, s.adjoint, s.jacobian)
    columns = s.jacobian[:k].T
    norms = np.linalg.norm(columns, axis=0)
    if not (np.all(np.isfinite(norms)) and np.all(norms > 0)):
        return None
    left, size, right = np.linalg.svd(columns / norms, full_matrices=False)
    size = np.maximum(size, 1e-16 * size[0])
    return _Linear(problem, s.residual / unit, left, size, right.T / norms[:, None])


def _move(d: Draft, trial: Draft, n: int, step: Reals) -> None:
    k = 0
    for i in range(n):
        if d.op[i] < ADD:
            trial.c[i], trial.cl[i] = dd_add(d.c[i], d.cl[i], float(step[k]), 0.0)
            k += 1


def exchange(d: Draft, n: int, finisher: Finisher, start: Fit) -> Fit:
    """Minimises the greatest error on the dense grid, in place.

    The method is local: ``start`` is what `Finisher.finish` left in the draft.
    """
    best = start.error
    if not 0.0 < best < np.inf or not np.any(d.op[:n] < ADD):
        return start
    trial = new_draft()
    for i in range(n):
        trial.op[i], trial.a[i], trial.b[i] = d.op[i], d.a[i], d.b[i]
    reach = float(np.sqrt(best))
    linear = _linearise(d, n, finisher, best)
    result = start
    for _ in range(STEPS):
        if linear is None:
            break
        step = linear.step(best, reach)
        if step is None or step.promised > 1.0 - ENOUGH:
            break
        _move(d, trial, n, step.constants)
        found = finisher.error(trial, n)
        gain = (1.0 - found / best) / (1.0 - step.promised)
        if found < best:
            best = found
            copy_constants(trial, d, n)
            result = Fit(linear.problem, step.share(), best)
            if best == 0.0:
                break
            linear = _linearise(d, n, finisher, best)
        reach *= 4.0 if gain > 0.7 else 1.0 if gain > 0.25 else 0.25
        if reach < 1e-3 * best:
            break
    return result
