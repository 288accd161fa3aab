"""digamma of float32 at 1 ULP: what is enough in float64 next to its zeros, and no more.

With Y = |x - 1/2| digamma is log Y and a series in 1 / Y^2 alone, and for reflected arguments less
pi cot(pi x) (DLMF 5.5.4, 5.11.2). Between -1.5 and 2.5 the argument is x + 4, less four inverses as
one quotient. Every interval below 0 has a zero; the float32 numbers nearest to some, at 1.4616,
-0.50408, -1.5735, -2.6107, -5.6672 and -66.796, need more than all others, and the fits have them
as points.
"""

import functools
import math

import mpmath as mp
from cores import ATANH_END, atanh_rest, split_bits
from expression import Value, build, horner
from fit import Fit, fit
from hard_inputs import units_that_round_well
from wide_exponential import LN2_HIGH, LN2_LOW

from xla_evo_lowering.dtypes import F32, F64
from xla_evo_lowering.program import Program

_FIRST, _FAR = -1.5, 2.5
_SHIFT = 4
_HUGE = 1e15
_HARD = (
    "1.4616321449683623", "-0.504082977771759", "-1.573498473162390", "-2.6107208684441447",
    "-66.79590606689453", "-5.6671624415568855",
)  # fmt: skip
"""The float32 numbers nearest to a zero of digamma."""
_UNIT = 2.0**-52
"""What the exponents are counted in."""
_PLAIN, _PLAIN_ULP = (5, 6), 0.7
"""Lengths of the form that needs no contraction, see `digamma`, and what it holds in ULP."""


def _base(x: mp.mpf) -> mp.mpf:
    """The Y of an argument."""
    half = mp.mpf(1) / 2
    return x + _SHIFT - half if _FIRST < x < _FAR else abs(x - half)


def _hard() -> list[mp.mpf]:
    return [mp.mpf(text) for text in _HARD]


def _fit_through(function, low, high, weight, hard, above, below) -> Fit:
    """A fit whose error at some points is 2^-12 of what it is elsewhere."""

    def heavier(z):
        return weight(z) * (2**12 if z in hard else 1)

    return fit(
        function, low, high, range(above), below=range(1, below), points=200, also=hard,
        weight=heavier,
    )  # fmt: skip


@functools.cache
def _series_fit() -> Fit:
    """Y^2 (digamma(Y + 1/2) - log Y) in 1 / Y^2 from Y = 2 on."""

    def series(w):
        if w < 1e-8:
            return mp.mpf(1) / 24 - w * 7 / 960 + w * w * 31 / 8064
        y = 1 / mp.sqrt(w)
        with mp.workdps(60):
            return (mp.digamma(y + mp.mpf(1) / 2) - mp.log(y)) / w

    with mp.workdps(40):
        hard = [1 / _base(x) ** 2 for x in _hard()]
    return _fit_through(series, 0, 0.25, lambda w: w + mp.mpf(2) ** -20, hard, 4, 5)


@functools.cache
def _cotangent_fit(below: int) -> Fit:
    """Pi f cot(pi f) in f^2 for |f| up to 1/2."""

    def quotient(z):
        f = mp.sqrt(z)
        return mp.pi * f * mp.cot(mp.pi * f) if f else mp.mpf(1)

    with mp.workdps(40):
        hard = [(x - mp.nint(x)) ** 2 for x in _hard() if x < _FIRST]
    return _fit_through(
        quotient, 0, 0.25, lambda z: 1 / (mp.sqrt(z) + mp.mpf(1) / 32), hard, 5, below
    )


@functools.cache
def _atanh_fit(count: int) -> tuple[float, ...]:
    """(2 atanh(s) / s - 2) / s^2 in s^2."""

    def square(y):
        m = y / mp.mpf(2) ** mp.nint(mp.log(y, 2))
        return ((m - 1) / (m + 1)) ** 2

    with mp.workdps(40):
        hard = [square(_base(x)) for x in _hard()]
    return _fit_through(
        atanh_rest, 0, ATANH_END, lambda z: z * mp.sqrt(z) + mp.mpf(2) ** -30, hard, count, 1
    ).numerator


def _inverses(x: Value) -> tuple[Value, Value]:
    """Numerator and denominator of 1/x + 1/(x + 1) + 1/(x + 2) + 1/(x + 3)."""
    last = x + 3.0
    outer = x * last
    inner = outer + 2.0
    return (x + last) * (outer + inner), outer * inner


def _cotangent(f: Value, below: int, units: int) -> tuple[Value, Value]:
    """Numerator and denominator of pi cot(pi f)."""
    found = _cotangent_fit(below)
    z = f * f
    first, second, *others = found.numerator
    second += units * math.ulp(second)
    return horner(z, (first, second, *others)), f * horner(z, (1.0, *found.denominator))


def digamma(x: Value, below: int = 4, terms: int = 5, units: int = 0) -> Value:
    """Log Y and the series, less inverses or a cotangent, the quotients with one division.

    They go off the logarithm's large part first: at -66.795906 the result is -6.7e-9, a sum of
    numbers near 4. ``below`` and ``terms`` are how long the cotangent's denominator and the
    logarithm are; the cotangent's second coefficient is moved by ``units`` in the last place.
    """
    near = (x < _FAR) & (x > _FIRST)
    limited = x.max(-(2.0**23))
    f = limited - limited.nearest()
    wide = x.to(F64)
    base = near.where(wide + (_SHIFT - 0.5), abs(wide - 0.5))
    capped = base.min(_HUGE)
    square = capped * capped
    # In Y^2 the quotient has its coefficients the other way round.
    series = _series_fit()
    top, bottom = (horner(square, c[::-1]) for c in (series.numerator, (1.0, *series.denominator)))
    sides = zip(_inverses(wide), _cotangent(f.to(F64), below, units), (0.0, 1.0), strict=True)
    side, below = (
        near.where(inverses, (x <= _FIRST).where(cotangent, neither))
        for inverses, cotangent, neither in sides
    )
    quotient = (side * bottom - top * below) / (bottom * below)
    exponent, m = split_bits(base)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    rest = (z * s) * horner(z, _atanh_fit(terms)) + (s + s)
    count = exponent.to(F64)
    y = (count * (LN2_HIGH * _UNIT) - quotient).guard() + (rest + count * (LN2_LOW * _UNIT))
    y = ((x < 0.5) & f.equals(0.0)).where(math.nan, y.to(F32))
    y = x.equals(0.0).where(-math.inf, y)
    return (x < math.inf).where(y, x)


def digamma_plain(x: Value) -> Value:
    """The same with a term more in both, which holds with contraction and without."""
    return digamma(x, *_PLAIN, _plain_units())


@functools.cache
def _plain_units() -> int:
    def program_with(units: int) -> Program:
        return build("digamma", lambda x: digamma(x, *_PLAIN, units), F32)

    return units_that_round_well(program_with, mp.digamma, _HARD, _PLAIN_ULP)
