"""Inverse functions and logarithms of float64 to less than 1 ULP.

A result is a large part whose sum is exact, or nearly, and a small one that carries its rounding
and what was lost before; products that must be exact are of halves, so that contraction does not
matter.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from cores import full_atanh_fit, log_ends, split_bits
from expression import Value, estrin, sign_of, with_sign
from fit import Fit, shortest
from parts import any_sum, constant_parts, halves, ordered_sum, quotient
from wide_exponential import LN2_HIGH, LN2_LOW

from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan
Form = Callable[[Value, DType, float], Value]
_HALF_PI = constant_parts(lambda: mp.pi / 2, 53)
_HALF_INVERSE = 0x7FDE6238502484BA - (1 << 52)
"""Less the bits of a number, this has about those of half its inverse."""
_INVERSE_CBRT = 0x553EF0FF289DD796
"""Less a third of the bits of a number, this has about those of the inverse of its cube root."""
_ROUND = 1 << 50
"""Added to a difference of bits: quotients up to 1.7 count as 1."""
_SERIES = {
    "asin": (1 / 6, 3 / 40, "0.2501"),
    "atan": (-1 / 3, 1 / 5, "0.191425390625"),
    "atanh": (1 / 3, 1 / 5, "0.0719"),
}
"""The terms of s^3 and s^5, and where the squares of what a polynomial is given end."""


def _log_parts(x: Value) -> tuple[Value, Value, Value]:
    """(e, f, R + f^2 / 2 times s) of x = 2^e (1 + f), log(1 + f) = f - f^2 / 2 + s (f^2 / 2 + R).

    S is f / (2 + f), and R a polynomial in its square (as in Sun's fdlibm).
    """
    exponent, m = split_bits(x)
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    tail = s * (z * estrin(z, full_atanh_fit(7).numerator) + f * f * 0.5)
    return (exponent >> 52).to(F64), f, tail


def log(x: Value, working: DType, bits: float) -> Value:
    """The logarithms of a power of two, in two parts, and of what is left."""
    e, f, tail = _log_parts(x)
    return log_ends(e * LN2_HIGH + (f - (f * f * 0.5 - (tail + e * LN2_LOW))), x)


def _to_base(scale: mp.mpf, exponent_unit: tuple[float, float]) -> Form:
    """A logarithm times a scale: its large part and their product are in two parts.

    Args:
        scale: one over the logarithm of the base.
        exponent_unit: what an exponent counts, in two parts, of which the first product is exact.
    """
    high, low = constant_parts(scale, 26)

    def form(x: Value, working: DType, bits: float) -> Value:
        e, f, tail = _log_parts(x)
        first, second = halves(f)
        linear, lost = ordered_sum(f, first * first * -0.5)
        tail = tail + ((f + first) * second * -0.5 + lost)
        first, second = halves(linear)
        large, lost = any_sum(e * exponent_unit[0], first * high)
        small = second * high + (linear * low + tail * float(scale))
        return log_ends(large + (lost + (small + e * exponent_unit[1])), x)

    return form


with mp.workdps(40):
    log2 = _to_base(1 / mp.log(2), (1.0, 0.0))
    log10 = _to_base(1 / mp.log(10), constant_parts(mp.log10(2), 42))


@functools.cache
def _tail_fit(name: str) -> Fit:
    """(f(s) / s - 1) / s^2 in s^2, of an odd function by its name in mpmath."""
    function, (first, second, end) = getattr(mp, name), _SERIES[name]

    def value(z):
        s = mp.sqrt(z)
        with mp.workdps(60):
            return (function(s) / s - 1) / z if z > 1e-20 else first + z * second

    return shortest(value, 0, mp.mpf(end), 56.0, weight=lambda z: z + mp.mpf(2) ** -20)


def _tail(name: str, z: Value) -> Value:
    return z * estrin(z, _tail_fit(name).numerator)


def _asin_parts(a: Value) -> tuple[Value, Value, Value]:
    """(whether a is above 1/2, s, asin(s) - s), s of a or of the root of (1 - a) / 2 there.

    What the root has lost is its residual times an inverse to an eighth.
    """
    far = a > 0.5
    z = far.where(a * -0.5 + 0.5, a * a)
    root = z.sqrt()
    first, second = halves(root)
    residual = (z - first * first) - (root + first) * second
    s = far.where(root, a)
    small = s * _tail("asin", z)
    half_inverse = (_HALF_INVERSE - root.signed()).floating()
    return far, s, small + far.where(residual * half_inverse, 0.0)


def _from_base(base: tuple[Value, Value], large: Value, small: Value) -> Value:
    """Base + large + small, the base 0 or the larger one."""
    total, lost = ordered_sum(base[0], large)
    return total + (lost + (small + base[1]))


def asin(x: Value, working: DType, bits: float) -> Value:
    """The root of (1 - |x|) / 2 has half of what is left of pi/2 above 1/2."""
    far, s, small = _asin_parts(abs(x))
    base = tuple(far.where(x.constant(part), 0.0) for part in _HALF_PI)
    factor = far.where(x.constant(-2.0), 1.0)
    return with_sign(_from_base(base, s * factor, small * factor), sign_of(x))


def acos(x: Value, working: DType, bits: float) -> Value:
    """Pi/2 - asin(x), 2 asin(sqrt((1 - x) / 2)) above 1/2 and pi less it below -1/2."""
    far, s, small = _asin_parts(abs(x))
    negative = x < 0.0
    base = tuple(far.where(negative.where(x.constant(2 * part), 0.0), part) for part in _HALF_PI)
    factor = far.where(negative.where(x.constant(-2.0), 2.0), negative.where(x.constant(1.0), -1.0))
    return _from_base(base, s * factor, small * factor)


_CENTRES = (0.0, 0.5, 1.0, 1.5)
_ENDS = (7 / 16, 11 / 16, 19 / 16, 39 / 16)
"""Intervals of |x|, and what the arc tangent is taken off (as in Sun's fdlibm)."""


def atan(x: Value, working: DType, bits: float) -> Value:
    """The arc tangent of (|x| - c) / (1 + c |x|) and of c, for a c nearby or an infinite one."""
    a = abs(x)
    with mp.workdps(40):
        bases = [constant_parts(mp.atan(c), 53) if c else (0.0, 0.0) for c in _CENTRES]
    c, high, low = (x.constant(v) for v in (_CENTRES[0], *bases[0]))
    for end, centre, base in zip(_ENDS, _CENTRES[1:], bases[1:], strict=False):
        beyond = a > end
        c, high, low = (
            beyond.where(v, before)
            for v, before in zip((centre, *base), (c, high, low), strict=True)
        )
    beyond = a > _ENDS[-1]
    high, low = (
        beyond.where(part, before) for part, before in zip(_HALF_PI, (high, low), strict=True)
    )
    t = beyond.where(-1.0, a - c) / beyond.where(a, a * c + 1.0)
    z = t * t
    y = high + (t + (t * _tail("atan", z) + low))
    return with_sign(y, sign_of(x))


def atanh(x: Value, working: DType, bits: float) -> Value:
    """That of s and n ln 2 / 2, for (1 + s) / (1 - s) = 2^-n (1 + |x|) / (1 - |x|)."""
    a = abs(x)
    one = x.constant(1.0)
    (above, lost), (below, lost_below) = ordered_sum(one, a), ordered_sum(one, -a)
    up = (above.signed() - below.signed() + _ROUND) & -(1 << 52)
    near = up.equals(0)
    c = (up + (1023 << 52)).floating(F64)
    other, lost_other = c * below, c * lost_below
    bottom, lost_bottom = ordered_sum(above, other)
    top = near.where(a, above - other), near.where(0.0, lost - lost_other)
    bottom = near.where(1.0, bottom), near.where(0.0, lost_bottom + (lost + lost_other))
    s, rest = quotient(top, bottom)
    n = (up >> 52).to(F64)
    z = s * s
    small = s * _tail("atanh", z) + (n * (LN2_LOW / 2) + rest)
    y = with_sign(n * (LN2_HIGH / 2) + (s + small), sign_of(x))
    return (a < 1.0).where(y, a.equals(1.0).where(with_sign(x.constant(INF), sign_of(x)), NAN))


def cbrt(x: Value, working: DType, bits: float) -> Value:
    """An estimate of the inverse root by bits, two steps, and the residual of a short root."""
    a = abs(x)
    small = a < 2.0**-600
    a = small.where(a * 2.0**300, a)
    third = ((a.signed() >> 32) * 0x55555556) & -(1 << 32)
    z = (_INVERSE_CBRT - third).floating(F64)
    for terms in ((1 / 3, 2 / 9, 14 / 81, 35 / 243), (1 / 3, 2 / 9)):
        e = 1.0 - (a * z) * (z * z)
        z = z + (z * e) * estrin(e, terms)
    square = z * z
    short = ((a * square).signed() + (1 << 26) & -(1 << 27)).floating(F64)
    first, second = halves(short * short)
    residual = (a - first * short) - second * short
    u = residual * square
    y = u * ((u * z) * (1 / 9) + 1 / 3) + short
    y = small.where(y * 2.0**-100, y)
    y = (a < INF).where(y, a)
    return with_sign(a.equals(0.0).where(0.0, y), sign_of(x))
