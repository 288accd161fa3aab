"""Compiled kernels over tapes: evaluation, derivatives, and errors in units in the last place.

`forward` computes all values of a tape at all points, either over the reals (float64) or rounding
every operation to float32 as the machine does. `fit.py` and `polish.py` are built on it.
"""

import numpy as np
import numpy.typing as npt

from xla_evo._numba import njit
from xla_evo.search.bits import bit_row

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BIG = 1e300
WIDE = 64
"""Added to the code of an operation that the machine does in float64."""


@njit
def _row(code: int, a: Floats, b: Floats, c: Floats, out: Floats) -> None:
    n = out.size
    if code == 2:
        for i in range(n):
            out[i] = a[i] + b[i]
    elif code == 3:
        for i in range(n):
            out[i] = a[i] - b[i]
    elif code == 4:
        for i in range(n):
            out[i] = a[i] * b[i]
    elif code == 5:
        for i in range(n):
            out[i] = a[i] / b[i]
    elif code == 6:
        for i in range(n):
            out[i] = -a[i]
    elif code == 7:
        for i in range(n):
            out[i] = abs(a[i])
    elif code == 8:
        for i in range(n):
            out[i] = min(a[i], b[i])
    elif code == 9:
        for i in range(n):
            out[i] = max(a[i], b[i])
    elif code == 10:
        for i in range(n):
            out[i] = np.sqrt(a[i])
    elif code == 11:
        for i in range(n):
            out[i] = np.floor(a[i])
    elif code == 12:
        for i in range(n):
            out[i] = np.rint(a[i])
    elif code == 26:
        for i in range(n):
            out[i] = 1.0 if a[i] < b[i] else 0.0
    elif code == 27:
        for i in range(n):
            out[i] = 1.0 if a[i] <= b[i] else 0.0
    elif code == 28:
        for i in range(n):
            out[i] = b[i] if a[i] != 0.0 else c[i]
    elif code == 33:
        out[:] = a
    elif code == 29:
        for i in range(n):
            out[i] = a[i] * b[i] + c[i]
    elif code == 30:
        for i in range(n):
            out[i] = a[i] * b[i] - c[i]
    elif code == 31:
        for i in range(n):
            out[i] = c[i] - a[i] * b[i]
    else:
        bit_row(code, a, b, out)


@njit
def forward(code: Ints, operands: Ints, constants: Floats, values: Floats, single: bool) -> None:
    """Computes all values of a tape.

    Args:
        code: operations, shape (n,).
        operands: shape (n, 3).
        constants: shape (n,).
        values: shape (given + n, points); the first rows are given (one holds the inputs, a frame
            gives more), the last n are written.
        single: round every float operation to float32, but for those of codes above `WIDE`, which
            are float64 in the machine too. A product in float64 of float32 numbers is exact, so
            fused operations round once, but for a double rounding in about 2**-29 of the cases;
            the compiled program, not this model, decides in the end.
    """
    points = values.shape[1]
    given = values.shape[0] - code.size
    for node in range(code.size):
        out = values[given + node]
        if code[node] == 1 or code[node] == 32 or code[node] == WIDE + 1:
            value = constants[node]
            if single and code[node] == 1:
                value = float(np.float32(value))
            for i in range(points):
                out[i] = value
            continue
        row = operands[node]
        kind = code[node]
        plain = kind - WIDE if kind > WIDE else kind
        _row(plain, values[row[0]], values[row[1]], values[row[2]], out)
        if kind > WIDE:
            continue
        if single and (kind <= 14 or 29 <= kind <= 33) and kind != 13:
            for i in range(points):
                out[i] = float(np.float32(out[i]))


@njit
def jacobian(
    code: Ints, operands: Ints, values: Floats, free: Ints, adjoint: Floats, out: Floats
) -> None:
    """Derivatives of the result with respect to the fitted constants, in reverse mode.

    Operations on bits pass no derivative. Rows of `out`, shape (points, m), are points.

    Args:
        code: operations, shape (n,).
        operands: shape (n, 3).
        values: what `forward` computed over the reals, shape (given + n, points).
        free: indices of the fitted constants, shape (m,).
        adjoint: scratch, shape (given + n, points).
        out: the Jacobian.
    """
    count, points = code.size, values.shape[1]
    given = values.shape[0] - count
    adjoint[:] = 0.0
    for i in range(points):
        adjoint[given + count - 1, i] = 1.0
    for node in range(count - 1, -1, -1):
        kind = code[node]
        left, right = operands[node, 0], operands[node, 1]
        bar = adjoint[given + node]
        if kind == 2:
            for i in range(points):
                adjoint[left, i] += bar[i]
                adjoint[right, i] += bar[i]
        elif kind == 3:
            for i in range(points):
                adjoint[left, i] += bar[i]
                adjoint[right, i] -= bar[i]
        elif kind == 4:
            for i in range(points):
                first, second = values[left, i], values[right, i]
                adjoint[left, i] += bar[i] * second
                adjoint[right, i] += bar[i] * first
        elif kind == 5:
            for i in range(points):
                scaled = bar[i] / values[right, i]
                adjoint[left, i] += scaled
                adjoint[right, i] -= scaled * values[given + node, i]
        elif kind == 6:
            for i in range(points):
                adjoint[left, i] -= bar[i]
        elif kind == 7:
            for i in range(points):
                adjoint[left, i] += bar[i] if values[left, i] >= 0.0 else -bar[i]
        elif kind in (8, 9):
            for i in range(points):
                smaller = values[left, i] < values[right, i]
                if smaller == (kind == 8):
                    adjoint[left, i] += bar[i]
                else:
                    adjoint[right, i] += bar[i]
        elif kind == 10:
            for i in range(points):
                adjoint[left, i] += bar[i] * 0.5 / values[given + node, i]
        elif kind == 28:
            other = operands[node, 2]
            for i in range(points):
                if values[left, i] != 0.0:
                    adjoint[right, i] += bar[i]
                else:
                    adjoint[other, i] += bar[i]
    for k in range(free.size):
        bar = adjoint[given + free[k]]
        for i in range(points):
            out[i, k] = bar[i]


@njit
def max_error(result: Floats, reference: Floats, weight: Floats) -> float:
    """Largest |result - reference| * weight; BIG when any result is not finite."""
    worst = 0.0
    for i in range(result.size):
        error = abs(result[i] - reference[i]) * weight[i]
        if not error < BIG:
            return BIG
        worst = max(worst, error)
    return worst
