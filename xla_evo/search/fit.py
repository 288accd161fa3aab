"""Fitting the constants of a tape over the reals, in float64.

Levenberg-Marquardt with Marquardt's column scaling on the damped normal equations solved by QR
(More, "The Levenberg-Marquardt algorithm", 1978), then iterative reweighting in the manner of
Lawson (1961) that takes the least-squares fit towards the minimax one.
"""

import numpy as np
import numpy.typing as npt

from xla_evo._numba import njit
from xla_evo.search.kernels import BIG, forward, jacobian, max_error

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@njit
def _residual(result: Floats, reference: Floats, weight: Floats, out: Floats) -> float:
    """Weighted residuals into `out`; returns their sum of squares, BIG when not finite."""
    total = 0.0
    for i in range(result.size):
        out[i] = (result[i] - reference[i]) * weight[i]
        total += out[i] * out[i]
    return total if total < BIG else BIG


@njit
def _solve(matrix: Floats, right: Floats, columns: int) -> bool:
    """Least squares by Householder QR, in place; the solution is in ``right[:columns]``."""
    rows = matrix.shape[0]
    for k in range(columns):
        norm = 0.0
        for i in range(k, rows):
            norm += matrix[i, k] * matrix[i, k]
        norm = np.sqrt(norm)
        if not norm > 0.0 or not norm < BIG:
            return False
        alpha = -norm if matrix[k, k] > 0.0 else norm
        head = matrix[k, k] - alpha
        scale = 0.0
        for i in range(k + 1, rows):
            scale += matrix[i, k] * matrix[i, k]
        scale += head * head
        matrix[k, k] = head
        for j in range(k + 1, columns):
            dot = 0.0
            for i in range(k, rows):
                dot += matrix[i, k] * matrix[i, j]
            factor = 2.0 * dot / scale
            for i in range(k, rows):
                matrix[i, j] -= factor * matrix[i, k]
        dot = 0.0
        for i in range(k, rows):
            dot += matrix[i, k] * right[i]
        factor = 2.0 * dot / scale
        for i in range(k, rows):
            right[i] -= factor * matrix[i, k]
        matrix[k, k] = alpha
    for k in range(columns - 1, -1, -1):
        total = right[k]
        for j in range(k + 1, columns):
            total -= matrix[k, j] * right[j]
        right[k] = total / matrix[k, k]
    return True


@njit
def levenberg_marquardt(
    code: Ints,
    operands: Ints,
    constants: Floats,
    free: Ints,
    values: Floats,
    reference: Floats,
    weight: Floats,
    iterations: int,
    hopeless: float,
) -> float:
    """Fits the free constants in place; returns the root mean square of the weighted residuals.

    Args:
        code: operations, shape (n,).
        operands: shape (n, 3).
        constants: shape (n,); the free ones are changed.
        free: indices of the constants to fit, shape (m,).
        values: scratch, shape (given + n, points), with what is given in the first rows.
        reference: shape (points,).
        weight: shape (points,).
        iterations: at most this many steps.
        hopeless: after 12 steps, stop when the value is above this and improves slowly.
    """
    points, count = values.shape[1], free.size
    residual = np.empty(points)
    trial = np.empty(points)
    forward(code, operands, constants, values, False)
    best = _residual(values[-1], reference, weight, residual)
    if count == 0 or best >= BIG:
        return np.sqrt(best / points)
    adjoint = np.empty(values.shape)
    jac = np.empty((points, count))
    system = np.empty((points + count, count))
    right = np.empty(points + count)
    scale = np.zeros(count)
    saved = np.empty(count)
    damping = 1e-3
    slow = 0
    for step in range(iterations):
        jacobian(code, operands, values, free, adjoint, jac)
        for k in range(count):
            norm = 0.0
            for i in range(points):
                jac[i, k] *= weight[i]
                norm += jac[i, k] * jac[i, k]
            if not norm < BIG:
                return np.sqrt(best / points)
            scale[k] = max(scale[k], np.sqrt(norm))
            saved[k] = constants[free[k]]
        before = best
        accepted = False
        for _ in range(8):
            for i in range(points):
                right[i] = -residual[i]
                for k in range(count):
                    system[i, k] = jac[i, k]
            for k in range(count):
                right[points + k] = 0.0
                for j in range(count):
                    system[points + k, j] = 0.0
                system[points + k, k] = np.sqrt(damping) * max(scale[k], 1e-30)
            if _solve(system, right, count):
                for k in range(count):
                    constants[free[k]] = saved[k] + right[k]
                forward(code, operands, constants, values, False)
                now = _residual(values[-1], reference, weight, trial)
                if now < best:
                    best = now
                    residual[:] = trial
                    damping = max(damping * 0.2, 1e-16)
                    accepted = True
                    break
            damping *= 6.0
        if not accepted:
            for k in range(count):
                constants[free[k]] = saved[k]
            break
        slow = slow + 1 if best > 0.98 * before else 0
        if slow >= 4 or (
            step >= 12 and best > 0.5 * before and best > hopeless * hopeless * points
        ):
            break
    forward(code, operands, constants, values, False)
    return np.sqrt(best / points)


@njit
def fit_minimax(
    code: Ints,
    operands: Ints,
    constants: Floats,
    free: Ints,
    values: Floats,
    reference: Floats,
    weight: Floats,
    iterations: int,
    hopeless: float,
    rounds: int,
) -> float:
    """Fits in the least-squares sense, then reweights towards minimax; returns the largest error.

    Arguments as for `levenberg_marquardt`; `rounds` reweightings follow where the fit is within
    `hopeless`. The best constants seen are left in `constants`.
    """
    rms = levenberg_marquardt(
        code, operands, constants, free, values, reference, weight, iterations, hopeless
    )
    worst = max_error(values[-1], reference, weight)
    if not rms < hopeless or free.size == 0:
        return worst
    points = weight.size
    kept = constants.copy()
    lawson = np.ones(points)
    tuned = np.empty(points)
    for _ in range(rounds):
        total = 0.0
        for i in range(points):
            error = abs(values[-1, i] - reference[i]) * weight[i]
            lawson[i] *= max(error / worst, 1e-3) if worst > 0.0 else 1.0
            total += lawson[i]
        for i in range(points):
            lawson[i] = max(lawson[i] * points / total, 1e-6)
            tuned[i] = weight[i] * np.sqrt(lawson[i])
        levenberg_marquardt(code, operands, constants, free, values, reference, tuned, 4, hopeless)
        now = max_error(values[-1], reference, weight)
        if now < worst:
            worst = now
            kept[:] = constants
    constants[:] = kept
    return worst
