"""Forms of float32 for devices that keep subnormal numbers and have float64: NVIDIA GPUs.

Float64 holds every float32 as a normal number, so nothing is scaled; only ends that a CPU puts at
2^-126 lie at 0. A root and a quotient of float64 are IEEE's there, those of float32 are estimates.
"""

import math

import bessel
from cores import log
from exponential import mish
from expression import Value
from power import log2_of

from xla_evo_lowering.dtypes import F64

_BITS = 33.0


def _log_ends(y: Value, x: Value) -> Value:
    """A logarithm ``y`` of x with its values at 0, below it and at infinity."""
    y = (x < math.inf).where(y.to(x.dtype), x)
    return (x > 0.0).where(y, x.equals(0.0).where(x.constant(-math.inf), math.nan))


def _rsqrt(x: Value) -> Value:
    return (1.0 / x.to(F64).sqrt()).to(x.dtype)


GRADUAL = {
    "log": lambda x: _log_ends(log(x.to(F64), _BITS), x),
    "log2": lambda x: _log_ends(log2_of(x.to(F64), _BITS), x),
    "log10": lambda x: _log_ends(log(x.to(F64), _BITS) * math.log10(math.e), x),
    "rsqrt": _rsqrt,
    "mish": lambda x: mish(x, F64, _BITS),
    "bessel_i1e": bessel.i1e_rooted,
}
"""Forms at 0.51 ULP, by function."""
