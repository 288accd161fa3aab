"""Forms of their own for the 16-bit formats, which need 17 to 20 bits and little range.

float32 is computed in, as by the built-in, which makes its 24 bits there: what is saved is terms,
and the care for the ends of float32 where float16 does not reach them.
"""

import functools
import math

import mpmath as mp
from cores import LN2, exp, expm1_fit, remainder_ln2, rounded
from expression import Value, horner, odd, sign_of, with_sign
from fit import Fit, fit
from power import exp2_of, short_exp2_fit

from xla_evo_lowering.dtypes import F16, F32, DType

INF, NAN = math.inf, math.nan


def exponential(x: Value, working: DType, bits: float) -> Value:
    """e^x in the exponent's bits; bfloat16 reaches as far as float32, so its ends are selected."""
    wide = x.to(F32)
    if x.dtype is F16:
        return exp(wide.clamp(-20.0, 13.0), bits).to(x.dtype)
    n, low = rounded(wide.clamp(-87.5, 89.0) * (1.0 / LN2))
    value = horner(remainder_ln2(wide, n), (1.0, *expm1_fit(bits).numerator))
    return _selected_ends(value, low, wide, (-87.33, 88.73)).to(x.dtype)


def exp2(x: Value, working: DType, bits: float) -> Value:
    """The same for 2^x."""
    wide = x.to(F32)
    if x.dtype is F16:
        return exp2_of(wide.clamp(-30.0, 20.0), bits).to(x.dtype)
    n, low = rounded(wide.clamp(-126.0, 128.0))
    value = horner(wide - n, (1.0, *short_exp2_fit(bits).numerator))
    return _selected_ends(value, low, wide, (-126.0, 128.0)).to(x.dtype)


def _selected_ends(y: Value, n: Value, x: Value, ends: tuple[float, float]) -> Value:
    """Y 2^n by the bits; 0 below the first end of x, infinite from the second on."""
    y = (y.signed() + (n << 23)).floating(F32)
    y = (x >= ends[0]).where(y, 0.0)
    return (x < ends[1]).where(y, x + INF)


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


def rsqrt(x: Value, working: DType, bits: float) -> Value:
    """An estimate by the bits and two steps of third order (Householder), without a division."""
    wide = x.to(F32)
    bits_of_x = wide.signed()
    y = (bits_of_x.constant(0x5F3759DF) - (bits_of_x >> 1)).floating(F32)
    for _ in range(2):
        e = 1.0 - (wide * y) * y
        y = y + (y * e) * (e * 0.375 + 0.5)
    y = y.to(x.dtype)
    least = 2.0 ** (-24 if x.dtype is F16 else -126)
    zero = with_sign(x.constant(INF), sign_of(x))
    ends = (abs(x) < least).where(zero, NAN)
    y = (x < INF).where(y, 0.0)
    return (x >= least).where(y, ends)
