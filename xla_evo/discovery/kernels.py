"""Values and derivatives of a program on the nodes: the innermost loops.

``forward`` fills one row of values an operation. ``backward`` is reverse-mode differentiation; the
result at a node depends on that node alone, so one sweep gives the derivative with respect to every
constant at every node.
"""

from xla_evo._numba import njit
from xla_evo.discovery.encoding import (
    ADD,
    ADDC,
    MUL,
    MULC,
    NODES,
    RSUBC,
    SUB,
    Ints,
    Reals,
)  # fmt: skip


@njit
def forward(op: Ints, a: Ints, b: Ints, c: Reals, n: int, values: Reals) -> None:
    """Fills ``values[i + 1]`` with operation ``i``; ``values[0]`` holds the nodes."""
    for i in range(n):
        code = op[i]
        u = values[a[i]]
        out = values[i + 1]
        if code < ADD:
            k = c[i]
            if code == ADDC:
                for j in range(NODES):
                    out[j] = u[j] + k
            elif code == MULC:
                for j in range(NODES):
                    out[j] = u[j] * k
            elif code == RSUBC:
                for j in range(NODES):
                    out[j] = k - u[j]
            else:
                for j in range(NODES):
                    out[j] = k / u[j]
        else:
            v = values[b[i]]
            if code == ADD:
                for j in range(NODES):
                    out[j] = u[j] + v[j]
            elif code == SUB:
                for j in range(NODES):
                    out[j] = u[j] - v[j]
            elif code == MUL:
                for j in range(NODES):
                    out[j] = u[j] * v[j]
            else:
                for j in range(NODES):
                    out[j] = u[j] / v[j]


@njit
def backward(
    op: Ints, a: Ints, b: Ints, c: Reals, n: int, values: Reals, weight: Reals,
    adjoint: Reals, jacobian: Reals,
) -> int:  # fmt: skip
    """Fills ``jacobian[k]`` with the derivative by the k-th constant, times ``weight``.

    Constants are numbered in the order of their operations. Returns how many there are.
    """
    count = 0
    for i in range(n):
        if op[i] < ADD:
            count += 1
        for j in range(NODES):
            adjoint[i, j] = 0.0
    for j in range(NODES):
        adjoint[n, j] = weight[j]
    k = count
    for i in range(n - 1, -1, -1):
        code = op[i]
        g = adjoint[i + 1]
        u = values[a[i]]
        gu = adjoint[a[i]]
        if code < ADD:
            k -= 1
            row = jacobian[k]
            if code == ADDC:
                for j in range(NODES):
                    row[j] = g[j]
                    gu[j] += g[j]
            elif code == MULC:
                factor = c[i]
                for j in range(NODES):
                    row[j] = g[j] * u[j]
                    gu[j] += g[j] * factor
            elif code == RSUBC:
                for j in range(NODES):
                    row[j] = g[j]
                    gu[j] -= g[j]
            else:
                out = values[i + 1]
                for j in range(NODES):
                    q = g[j] / u[j]
                    row[j] = q
                    gu[j] -= q * out[j]
        else:
            v = values[b[i]]
            gv = adjoint[b[i]]
            if code == ADD:
                for j in range(NODES):
                    gu[j] += g[j]
                    gv[j] += g[j]
            elif code == SUB:
                for j in range(NODES):
                    gu[j] += g[j]
                    gv[j] -= g[j]
            elif code == MUL:
                for j in range(NODES):
                    left = g[j] * v[j]
                    right = g[j] * u[j]
                    gu[j] += left
                    gv[j] += right
            else:
                out = values[i + 1]
                for j in range(NODES):
                    q = g[j] / v[j]
                    gu[j] += q
                    gv[j] -= q * out[j]
    return count
