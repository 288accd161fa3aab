"""Double-double arithmetic on the nodes: about 106 bits, where float64 ends near 1e-13.

A value is an unevaluated sum ``hi + lo``. Sums are Knuth's and Moeller's error-free
transformations, products use the fused multiply-add (Ogita, Rump and Oishi, "Accurate sum and dot
product", SIAM J. Sci. Comput. 26, 2005; Joldes, Muller and Popescu, "Tight and rigorous error
bounds for basic building blocks of double-word arithmetic", ACM TOMS 44, 2017).
"""

from typing import Any

from numba import types
from numba.extending import intrinsic

from xla_evo._numba import njit
from xla_evo.discovery.encoding import ADD, ADDC, MUL, MULC, RSUBC, SUB, Ints, Reals


def _fma_codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
    return builder.fma(*args)


def _fma_typing(_typing_context: Any, _x: Any, _y: Any, _z: Any) -> Any:
    double = types.float64
    return double(double, double, double), _fma_codegen


_fma: Any = intrinsic(_fma_typing)


@njit
def dd_add(xh: float, xl: float, yh: float, yl: float) -> tuple[float, float]:
    """Sum of two double-doubles, with an error of a few 2**-106 also under cancellation."""
    s = xh + yh
    t = s - xh
    e = (xh - (s - t)) + (yh - t)
    p = xl + yl
    t = p - xl
    f = (xl - (p - t)) + (yl - t)
    e += p
    h = s + e
    e = e - (h - s) + f
    r = h + e
    return r, e - (r - h)


@njit
def dd_mul(xh: float, xl: float, yh: float, yl: float) -> tuple[float, float]:
    """Product of two double-doubles."""
    p = xh * yh
    e = _fma(xh, yh, -p) + (xh * yl + xl * yh)
    h = p + e
    return h, e - (h - p)


@njit
def dd_div(xh: float, xl: float, yh: float, yl: float) -> tuple[float, float]:
    """Quotient of two double-doubles: two steps of long division."""
    q = xh / yh
    p = q * yh
    e = _fma(q, yh, -p) + q * yl
    r = ((xh - p) - e) + xl
    q2 = r / yh
    h = q + q2
    return h, q2 - (h - q)


@njit
def forward_dd(
    op: Ints, a: Ints, b: Ints, c: Reals, cl: Reals, n: int, high: Reals, low: Reals
) -> None:
    """Fills ``high[i + 1] + low[i + 1]`` with operation ``i``; row 0 holds the input."""
    width = high.shape[1]
    for i in range(n):
        code = op[i]
        uh = high[a[i]]
        ul = low[a[i]]
        oh = high[i + 1]
        ol = low[i + 1]
        kh = c[i]
        kl = cl[i]
        if code < ADD:
            if code == ADDC:
                for j in range(width):
                    oh[j], ol[j] = dd_add(uh[j], ul[j], kh, kl)
            elif code == MULC:
                for j in range(width):
                    oh[j], ol[j] = dd_mul(uh[j], ul[j], kh, kl)
            elif code == RSUBC:
                for j in range(width):
                    oh[j], ol[j] = dd_add(kh, kl, -uh[j], -ul[j])
            else:
                for j in range(width):
                    oh[j], ol[j] = dd_div(kh, kl, uh[j], ul[j])
        else:
            vh = high[b[i]]
            vl = low[b[i]]
            if code == ADD:
                for j in range(width):
                    oh[j], ol[j] = dd_add(uh[j], ul[j], vh[j], vl[j])
            elif code == SUB:
                for j in range(width):
                    oh[j], ol[j] = dd_add(uh[j], ul[j], -vh[j], -vl[j])
            elif code == MUL:
                for j in range(width):
                    oh[j], ol[j] = dd_mul(uh[j], ul[j], vh[j], vl[j])
            else:
                for j in range(width):
                    oh[j], ol[j] = dd_div(uh[j], ul[j], vh[j], vl[j])
