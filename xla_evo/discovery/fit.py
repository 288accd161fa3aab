"""Fitting the constants of one program: Levenberg-Marquardt on the Chebyshev nodes.

Columns of the Jacobian are scaled to length one and the damped problem is solved by modified
Gram-Schmidt on the Jacobian with the damping rows below it (Bjoerck, "Numerical Methods for Least
Squares Problems", 1996, section 2.4), never by normal equations: the constants of good programs
lie in long, nearly flat valleys. A second-order correction of the step follows the bend of the
valley (Transtrum and Sethna, "Improvements to the Levenberg-Marquardt algorithm", arXiv 1201.5885,
eq. 15).

Below about 1e-11 the residual is computed in double-double; the Jacobian may stay in float64.
"""

from typing import NamedTuple

import numpy as np

from xla_evo._numba import njit, njit_fast
from xla_evo.discovery.doubledouble import dd_add, forward_dd
from xla_evo.discovery.encoding import ADD, MAX_OPS, NODES, ROWS, Ints, Reals
from xla_evo.discovery.kernels import backward, forward

EXTENDED_BELOW = 1e-11
"""Root mean square error below which the residual is computed in double-double."""


class Problem(NamedTuple):
    """The function on the nodes.

    Attributes:
        x: the nodes, each an exact float64.
        fh: the function there, high part.
        fl: the function there, low part.
        weight: what a difference is multiplied by: 1/f for relative error.
    """

    x: Reals
    fh: Reals
    fl: Reals
    weight: Reals


class Scratch(NamedTuple):
    """Memory of one fit, allocated once for a thread."""

    values: Reals
    low: Reals
    adjoint: Reals
    jacobian: Reals
    q: Reals
    r: Reals
    residual: Reals
    trial: Reals
    step: Reals
    bend: Reals
    rhs: Reals
    scale: Reals
    ch: Reals
    cl: Reals
    fh: Reals
    fl: Reals


def new_scratch(problem: Problem) -> Scratch:
    """Returns the memory of one thread, with the nodes in place."""
    values = np.zeros((MAX_OPS + 1, NODES))
    values[0] = problem.x
    row = np.zeros
    return Scratch(
        values=values,
        low=np.zeros((MAX_OPS + 1, NODES)),
        adjoint=np.zeros((MAX_OPS + 1, NODES)),
        jacobian=np.zeros((MAX_OPS, NODES)),
        q=np.zeros((MAX_OPS, ROWS)),
        r=np.zeros((MAX_OPS, MAX_OPS)),
        residual=row(NODES),
        trial=row(NODES),
        step=row(MAX_OPS),
        bend=row(MAX_OPS),
        rhs=row(ROWS),
        scale=row(MAX_OPS),
        ch=row(MAX_OPS),
        cl=row(MAX_OPS),
        fh=problem.fh.copy(),
        fl=problem.fl.copy(),
    )


@njit
def residuals(
    op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, n: int, extended: bool,
    weight: Reals, s: Scratch, out: Reals,
) -> float:  # fmt: skip
    """Fills ``out`` with weighted differences; returns the sum of squares, or inf if not finite."""
    if extended:
        forward_dd(op, a, b, c, cl, n, s.values, s.low)
        for j in range(NODES):
            high, low = dd_add(s.values[n, j], s.low[n, j], -s.fh[j], -s.fl[j])
            out[j] = (high + low) * weight[j]
    else:
        forward(op, a, b, c, n, s.values)
        for j in range(NODES):
            out[j] = (s.values[n, j] - s.fh[j]) * weight[j]
    total = 0.0
    for j in range(NODES):
        total += out[j] * out[j]
    return total if total < 1e200 else np.inf


@njit_fast
def _factor(q: Reals, r: Reals, k: int) -> None:
    for i in range(k):
        qi = q[i]
        norm = 0.0
        for j in range(ROWS):
            norm += qi[j] * qi[j]
        norm = np.sqrt(norm)
        r[i, i] = norm
        inverse = 1.0 / norm
        for j in range(ROWS):
            qi[j] *= inverse
        for m in range(i + 1, k):
            qm = q[m]
            dot = 0.0
            for j in range(ROWS):
                dot += qi[j] * qm[j]
            r[i, m] = dot
            for j in range(ROWS):
                qm[j] -= dot * qi[j]


@njit_fast
def _solve(q: Reals, r: Reals, k: int, rhs: Reals, out: Reals) -> None:
    for i in range(k):
        qi = q[i]
        dot = 0.0
        for j in range(ROWS):
            dot += qi[j] * rhs[j]
        out[i] = dot
        for j in range(ROWS):
            rhs[j] -= dot * qi[j]
    for i in range(k - 1, -1, -1):
        total = out[i]
        for m in range(i + 1, k):
            total -= r[i, m] * out[m]
        out[i] = total / r[i, i]


@njit
def _column_scales(s: Scratch, k: int, frozen: int) -> bool:
    for i in range(k):
        total = 0.0
        row = s.jacobian[i]
        for j in range(NODES):
            total += row[j] * row[j]
        if not total < 1e250:
            return False
        s.scale[i] = 1.0 / np.sqrt(total) if total > 1e-250 and not (frozen >> i) & 1 else 0.0
    return True


@njit
def _damped_step(s: Scratch, k: int, damping: float, out: Reals) -> None:
    root = np.sqrt(damping)
    for i in range(k):
        scale = s.scale[i]
        for j in range(NODES):
            s.q[i, j] = s.jacobian[i, j] * scale
        for j in range(NODES, ROWS):
            s.q[i, j] = 0.0
        s.q[i, NODES + i] = root if scale > 0.0 else 1.0
    _factor(s.q, s.r, k)
    for j in range(NODES):
        s.rhs[j] = -s.residual[j]
    for j in range(NODES, ROWS):
        s.rhs[j] = 0.0
    _solve(s.q, s.r, k, s.rhs, out)


@njit
def _shift(op: Ints, c: Reals, cl: Reals, n: int, s: Scratch, step: Reals, factor: float) -> None:
    k = 0
    for i in range(n):
        s.ch[i] = c[i]
        s.cl[i] = cl[i]
        if op[i] < ADD:
            s.ch[i], s.cl[i] = dd_add(c[i], cl[i], step[k] * s.scale[k] * factor, 0.0)
            k += 1


@njit
def levenberg(
    op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, n: int, weight: Reals, s: Scratch,
    extended: bool, iterations: int, threshold: float, frozen: int, accept: float,
) -> float:  # fmt: skip
    """Improves the constants in place; returns the root mean square error, inf if none is finite.

    Args:
        op: operations.
        a: first operands.
        b: second operands.
        c: constants, high parts; changed.
        cl: constants, low parts; changed.
        n: number of operations.
        weight: error weights on the nodes.
        s: memory, with the target in ``fh`` and ``fl``.
        extended: whether residuals are computed in double-double.
        iterations: most Jacobians.
        threshold: root mean square error of interest; a fit that stays far above it stops early.
        frozen: bit k is set where the k-th constant must not move.
        accept: relative decrease of the sum of squares below which a step counts as no progress.
    """
    cost = residuals(op, a, b, c, cl, n, extended, weight, s, s.residual)
    if not cost < np.inf:
        return np.inf
    interest = threshold * threshold * NODES
    floor = 1e-60 if extended else 1e-30
    damping = min(1e-3, cost)
    slow = 0
    trial = cost
    for iteration in range(iterations):
        k = backward(op, a, b, c, n, s.values, weight, s.adjoint, s.jacobian)
        if k == 0 or not _column_scales(s, k, frozen):
            break
        moved = False
        for _ in range(8):
            _damped_step(s, k, damping, s.step)
            h = 0.1
            _shift(op, c, cl, n, s, s.step, h)
            probe = residuals(op, a, b, s.ch, s.cl, n, extended, weight, s, s.trial)
            factor = 1.0
            if probe < np.inf:
                for j in range(NODES):
                    slope = 0.0
                    for i in range(k):
                        slope += s.jacobian[i, j] * s.scale[i] * s.step[i]
                    s.rhs[j] = -((s.trial[j] - s.residual[j]) / h - slope) * (2.0 / h)
                for j in range(NODES, ROWS):
                    s.rhs[j] = 0.0
                _solve(s.q, s.r, k, s.rhs, s.bend)
                length = 0.0
                curve = 0.0
                for i in range(k):
                    length += s.step[i] * s.step[i]
                    curve += s.bend[i] * s.bend[i]
                if curve < 2.25 * length:
                    for i in range(k):
                        s.step[i] += 0.5 * s.bend[i]
            _shift(op, c, cl, n, s, s.step, factor)
            trial = residuals(op, a, b, s.ch, s.cl, n, extended, weight, s, s.trial)
            if trial < cost:
                moved = True
                break
            damping = max(damping * 6.0, 1e-12)
            if damping > 1e8:
                break
        if not moved:
            break
        for i in range(n):
            c[i] = s.ch[i]
            cl[i] = s.cl[i]
        for j in range(NODES):
            s.residual[j] = s.trial[j]
        gain = 1.0 - trial / cost
        cost = trial
        damping = max(min(damping * 0.15, cost if gain > 0.5 else damping), 1e-32)
        if cost < floor:
            break
        slow = slow + 1 if gain < accept else 0
        if slow >= 3:
            break
        if iteration % 6 == 5 and cost > interest * 1e8 / (1.0 + iteration) ** 4 and gain < 0.9:
            break
    return np.sqrt(cost / NODES)


@njit
def gauss_newton(
    op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, n: int, weight: Reals, s: Scratch,
    extended: bool, reach: float, frozen: int, weakest: bool,
) -> bool:  # fmt: skip
    """Puts constants one Gauss-Newton step of length at most ``abs(reach)`` away into ``s``.

    With ``weakest`` the direction is that along which the error changes least, and the length is
    ``abs(reach)``. A negative ``reach`` goes the other way. Returns False where there is no step.
    """
    cost = residuals(op, a, b, c, cl, n, extended, weight, s, s.residual)
    if not cost < np.inf:
        return False
    k = backward(op, a, b, c, n, s.values, weight, s.adjoint, s.jacobian)
    if k == 0 or not _column_scales(s, k, frozen):
        return False
    _damped_step(s, k, 1e-32, s.step)
    if weakest:
        _weakest_direction(s, k)
    length = 0.0
    for i in range(k):
        length += s.step[i] * s.step[i]
    if not 0.0 < length < np.inf:
        return False
    _shift(op, c, cl, n, s, s.step, reach / max(np.sqrt(length), abs(reach)))
    return True


@njit
def _weakest_direction(s: Scratch, k: int) -> None:
    """Replaces the step by the weakest right singular vector, turned to the side of the step.

    Inverse iteration on the triangular factor that the step left (G. H. Golub and C. F. Van Loan,
    "Matrix Computations", section 8.2).
    """
    v = s.bend
    for i in range(k):
        v[i] = s.step[i]
    for _ in range(3):
        for i in range(k):
            total = v[i]
            for m in range(i):
                total -= s.r[m, i] * v[m]
            v[i] = total / s.r[i, i]
        for i in range(k - 1, -1, -1):
            total = v[i]
            for m in range(i + 1, k):
                total -= s.r[i, m] * v[m]
            v[i] = total / s.r[i, i]
        length = 0.0
        for i in range(k):
            length += v[i] * v[i]
        length = np.sqrt(length)
        for i in range(k):
            v[i] /= length
    side = 0.0
    for i in range(k):
        side += v[i] * s.step[i]
    for i in range(k):
        s.step[i] = (v[i] if side >= 0.0 else -v[i]) * 1e3


@njit
def fit(
    op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, n: int, weight: Reals, s: Scratch,
    iterations: int, threshold: float, frozen: int, accept: float, error: float,
) -> float:  # fmt: skip
    """Improves the constants, in float64 first and in double-double where that ends.

    ``error`` is what is known of the start; a start below `EXTENDED_BELOW` goes straight to
    double-double. Returns the root mean square error.
    """
    if error >= EXTENDED_BELOW:
        error = levenberg(
            op, a, b, c, cl, n, weight, s, False, iterations, threshold, frozen, accept
        )
    if error < EXTENDED_BELOW:
        error = levenberg(
            op, a, b, c, cl, n, weight, s, True, iterations, threshold, frozen, accept
        )
    return error
