"""log |gamma| of float32 at 1 ULP: one logarithm in float64, of the reciprocal of gamma.

Between -9.5 and 2.5 the result is -log |1 / gamma(x)|: a polynomial next to 2 and the factors of
the recurrence (DLMF 5.5.1). Where the result is zero the reciprocal is 1, whose logarithm needs no
more than the result's own bits. Outside, by Stirling's form and reflection (DLMF 5.11.1, 5.5.3), no
result is near zero, and the logarithm of the sine is in float32.
"""

import functools
import math

import mpmath as mp
from cores import ATANH_END, LN2, SQRT_HALF, atanh_rest, log1p_rest_fit, split_bits
from expression import Value, horner
from fit import fit, single
from octaves import by_parity

from xla_evo_lowering.dtypes import F32, F64

_FAR, _FIRST = 2.5, -9.5
"""Between these the reciprocal is taken. Below, no float32 number is next to a zero."""
_HALF_LOG = float(mp.log(2 * mp.pi) / 2)
_MAGIC = 1.5 * 2.0**23


def _size(x) -> mp.mpf:
    """The size of log |gamma| of an mpmath number."""
    return abs(mp.log(abs(mp.gamma(x))))


def _zero(pole: int, side: int) -> mp.mpf | None:
    """How far from a pole log |gamma| is zero, None where that is beyond 1/2."""
    low, high = mp.mpf(0), mp.mpf(1) / 2
    if abs(mp.gamma(pole + side * high)) >= 1:
        return None
    for _ in range(100):
        middle = (low + high) / 2
        inside = abs(mp.gamma(pole + side * middle)) >= 1
        low, high = (middle, high) if inside else (low, middle)
    return side * low


@functools.cache
def reciprocal_fit(count: int) -> tuple[float, ...]:
    """1 / gamma(2 + r) for |r| up to 1/2, its error relative to the least result made of it.

    The first coefficient is 1, for the zeros at 1 and 2; next to the other zeros are points of the
    fit, so that its error is zero there too.
    """
    poles = range(math.floor(_FIRST) + 1, 1)
    found = (_zero(pole, side) for pole in poles for side in (-1, 1))
    zeros = [mp.mpf(0), *(z for z in found if z is not None)]
    steps = [s * mp.mpf(10) ** -d for d in (7, 5, 4, 3) for s in (-1, 1)]

    def least(r):
        return min(_size(r + n) for n in range(math.floor(_FIRST) + 1, 3))

    return 1.0, *fit(
        lambda r: (mp.rgamma(2 + r) - 1) / r, -0.5, 0.5, range(count - 1), points=240,
        also=[z + step for z in zeros for step in steps if abs(z + step) <= 0.5],
        weight=lambda r: abs(r) * mp.gamma(2 + r) / least(r),
    ).numerator  # fmt: skip


@functools.cache
def _atanh_fit(count: int) -> tuple[float, ...]:
    """2 atanh(s) / s in s^2, 2 at 0."""
    return 2.0, *fit(atanh_rest, 0, ATANH_END, range(count - 1), weight=lambda z: z).numerator


@functools.cache
def stirling_fit(count: int) -> tuple[float, ...]:
    """The rest of Stirling's form times y in 1 / y^2, relative to lgamma(y), from 5/2 on."""

    def rest(z):
        if z < 1e-6:
            return mp.mpf(1) / 12 - z / 360 + z * z / 1260
        y = 1 / mp.sqrt(z)
        with mp.workdps(60):
            return y * (mp.loggamma(y) - ((y - 0.5) * mp.log(y) - y + mp.log(2 * mp.pi) / 2))

    def weight(z):
        y = 1 / mp.sqrt(z)
        return 1 / (y * mp.loggamma(y))

    return single(rest, 0, mp.mpf(_FAR) ** -2, count, weight=weight)


@functools.cache
def _sine_fit(count: int) -> tuple[float, ...]:
    """(sin(pi f) / (pi f) - 1) / f^2 in f^2 for |f| up to 1/2."""

    def rest(z):
        f = mp.pi * mp.sqrt(z)
        return (mp.sin(f) / f - 1) / z if z > 1e-12 else -(mp.pi**2) / 6

    return single(rest, 0, 0.25, count, weight=lambda z: z)


def factors(x: Value, wide: Value, r: Value, nearest: Value) -> Value:
    """The 2 - n factors x (x + 1) ... (r + 1), which lead from x = r + n up to r + 2.

    Groups of four as polynomials in the square of their middle, and up to three next to r.
    """

    def four(offset: float) -> Value:
        square = (wide + offset) * (wide + offset)
        return square * (square - 2.5) + 0.5625

    count = (_MAGIC + 2 - nearest).signed()
    one, two = (count & 1).equals(1), (count & 2).equals(2)
    slope = two.where(one.where(r * r - 1.0, r + 1.0), one.where(r.constant(1.0), 0.0))
    some = r * slope + two.where(r.constant(0.0), 1.0)
    eight = (x <= -5.5).where(four(1.5) * four(5.5), four(1.5))
    return (x <= -1.5).where(some * eight, some)


def log_sine(f: Value) -> tuple[Value, Value]:
    """(2^23 e, l) in float32 with log |sin(pi f) / pi| = e ln 2 + l, the first as an integer."""
    size, square = abs(f), f * f
    sine = (size * square).fma(horner(square, _sine_fit(4)), size)
    exponent, m = split_bits(sine)
    d = m - 1.0
    rest = log1p_rest_fit(SQRT_HALF - 1, 2 * SQRT_HALF - 1, 7)
    return exponent, (d * d).fma(horner(d, rest), d)


def lgamma(x: Value) -> Value:
    """(x - 1/2) log |x| - x and the rest, or -log |1 / gamma(x)|, from one logarithm of either."""
    nearest = x.nearest()
    f = x - nearest
    positive, negative = x >= _FAR, x <= _FIRST
    far = positive | negative
    wide, r = x.to(F64), f.to(F64)
    reciprocal = by_parity(r, reciprocal_fit(10))
    inside = abs(far.where(wide, factors(x, wide, r, nearest) * reciprocal))
    exponent, m = split_bits(inside)
    s = (1.0 - m) / (m + 1.0)
    factor = far.where(0.5 - wide, 1.0)
    inverse = 1.0 / x
    stirling = inverse * horner(inverse * inverse, stirling_fit(3))
    sine_exponent, sine = log_sine(f)
    rest = negative.where(stirling - sine, stirling).to(F64)
    half_log = positive.where(wide.constant(-_HALF_LOG), _HALF_LOG)
    outside = far.where(wide + half_log - rest, 0.0)
    # Both exponents as multiples of 2^23.
    octaves = factor * (exponent >> 29).to(F64) + negative.where(sine_exponent, 0).to(F64)
    logarithm = (factor * s) * horner(s * s, _atanh_fit(4))
    y = logarithm - (octaves * (LN2 * 2.0**-23) + outside)
    y = ((x < 0.5) & f.equals(0.0)).where(math.inf, y.to(F32))
    return (abs(x) < math.inf).where(y, abs(x))
