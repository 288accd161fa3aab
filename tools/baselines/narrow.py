"""Forms of their own for the 16-bit formats, which need 17 to 20 bits: quotients of few terms."""

import functools

import mpmath as mp
from expression import Value, horner, odd
from fit import Fit, fit

from xla_evo_lowering.dtypes import F16, F32, DType


@functools.cache
def odd_quotient_fit(name: str, end: float, bits: float) -> Fit:
    """Tanh or erf of a, over a, as a quotient of polynomials in a^2 up to an end."""
    function = getattr(mp, name)

    def quotient(z):
        a = mp.sqrt(z) if z else mp.mpf(2) ** -60
        return function(a) / a

    for terms in range(4, 14):
        count = terms // 2
        found = fit(
            quotient, 0, mp.mpf(end) ** 2, range(count), below=range(1, terms - count), points=200
        )
        if found.bits >= bits:
            return found
    raise ValueError(f"{name}: {found.bits:.1f} bits, not {bits}")


def odd_quotient(name: str, ends: tuple[float, float]):
    """A function with limits of 1 and -1, that are its values from ``ends`` on.

    Args:
        name: tanh or erf.
        ends: in bfloat16 and float16.
    """

    def form(x: Value, working: DType, bits: float) -> Value:
        end = ends[x.dtype is F16]
        wide = x.to(F32).clamp(-end, end)
        found = odd_quotient_fit(name, end, bits)
        z = wide * wide
        y = (wide * horner(z, found.numerator)) / horner(z, (1.0, *found.denominator))
        # The least results of tanh leave float32 on the way.
        return odd(y, x) if name == "tanh" else y.to(x.dtype)

    return form


tanh = odd_quotient("tanh", (3.5, 4.6))
erf = odd_quotient("erf", (2.25, 2.65))
