"""digamma of float32: what is enough in float64 next to its zeros for 1 ULP, or for 0.51 ULP.

With Y = |x - 1/2| digamma is log Y and a series in 1 / Y^2 alone, and for reflected arguments less
pi cot(pi x) (DLMF 5.5.4, 5.11.2). Between -1.5 and 2.5 the argument is x + 4, less four inverses as
one quotient. Every interval below 0 has a zero; the float32 numbers nearest to some, at 1.4616,
-0.50408, -1.5735, -2.6107, -5.6672 and -66.796, need more than all others, and the fits have them
as points.
"""

import functools
import math
from dataclasses import dataclass

import mpmath as mp
from cores import ATANH_END, atanh_rest, split_bits
from expression import Value, build, horner
from fit import Fit, fit
from hard_inputs import units_that_round_well
from single_constants import Constants
from wide_exponential import LN2_HIGH, LN2_LOW

from xla_evo_lowering.dtypes import F32, F64
from xla_evo_lowering.program import Program

_FIRST, _FAR = -1.5, 2.5
_SHIFT = 4
_HUGE = 1e15


@dataclass(frozen=True, slots=True)
class _Hard:
    """Inputs that need more than all others, decimal, and the weight of a fit's error there."""

    inputs: tuple[str, ...]
    weight: float


_NEXT_TO_ZERO = _Hard((
    "1.4616321449683623", "-0.504082977771759", "-1.573498473162390", "-2.6107208684441447",
    "-66.79590606689453", "-5.6671624415568855",
), 2.0**12)  # fmt: skip
"""The float32 numbers nearest to a zero of digamma."""
_BETWEEN_RESULTS = _Hard(
    (*_NEXT_TO_ZERO.inputs, "-3.6352932453155518", "-3.63529109954834", "1.4616321325302124"),
    2.0**13,
)
"""Those and others next to a zero that lie near the middle of two results."""
_UNIT = 2.0**-52
"""What the exponents are counted in."""
_NEAR, _NEAR_ULP = (5, 6), 0.505
"""Lengths of `digamma_near`, and what it holds at the hard inputs."""


def _base(x: mp.mpf) -> mp.mpf:
    """The Y of an argument."""
    half = mp.mpf(1) / 2
    return x + _SHIFT - half if _FIRST < x < _FAR else abs(x - half)


def _numbers(hard: _Hard) -> list[mp.mpf]:
    return [mp.mpf(text) for text in hard.inputs]


def _fit_through(function, end, weight, terms, places, factor) -> Fit:
    """A fit on [0, end], terms (above, below), in whose norm some places count a factor more."""

    def heavier(z):
        return weight(z) * (factor if z in places else 1)

    above, below = terms
    return fit(
        function, 0, end, range(above), below=range(1, below), points=200, also=places,
        weight=heavier,
    )  # fmt: skip


@functools.cache
def _series_fit(hard: _Hard) -> Fit:
    """Y^2 (digamma(Y + 1/2) - log Y) in 1 / Y^2 from Y = 2 on."""

    def series(w):
        if w < 1e-8:
            return mp.mpf(1) / 24 - w * 7 / 960 + w * w * 31 / 8064
        y = 1 / mp.sqrt(w)
        with mp.workdps(60):
            return (mp.digamma(y + mp.mpf(1) / 2) - mp.log(y)) / w

    with mp.workdps(40):
        places = [1 / _base(x) ** 2 for x in _numbers(hard)]
    return _fit_through(series, 0.25, lambda w: w + mp.mpf(2) ** -20, (4, 5), places, hard.weight)


@functools.cache
def _cotangent_fit(below: int, hard: _Hard) -> Fit:
    """Pi f cot(pi f) in f^2 for |f| up to 1/2."""

    def quotient(z):
        f = mp.sqrt(z)
        return mp.pi * f * mp.cot(mp.pi * f) if f else mp.mpf(1)

    with mp.workdps(40):
        places = [(x - mp.nint(x)) ** 2 for x in _numbers(hard) if x < _FIRST]
    return _fit_through(
        quotient, 0.25, lambda z: 1 / (mp.sqrt(z) + mp.mpf(1) / 32), (5, below), places, hard.weight
    )


@functools.cache
def _atanh_fit(count: int, hard: _Hard) -> tuple[float, ...]:
    """(2 atanh(s) / s - 2) / s^2 in s^2."""

    def square(y):
        m = y / mp.mpf(2) ** mp.nint(mp.log(y, 2))
        return ((m - 1) / (m + 1)) ** 2

    with mp.workdps(40):
        places = [square(_base(x)) for x in _numbers(hard)]
    return _fit_through(
        atanh_rest, ATANH_END, lambda z: z * mp.sqrt(z) + mp.mpf(2) ** -30, (count, 1), places,
        hard.weight,
    ).numerator  # fmt: skip


def _inverses(x: Value) -> tuple[Value, Value]:
    """Numerator and denominator of 1/x + 1/(x + 1) + 1/(x + 2) + 1/(x + 3)."""
    last = x + 3.0
    outer = x * last
    inner = outer + 2.0
    return (x + last) * (outer + inner), outer * inner


def _cotangent(f: Value, found: Fit) -> tuple[Value, Value]:
    """Numerator and denominator of pi cot(pi f)."""
    z = f * f
    return horner(z, found.numerator), f * horner(z, (1.0, *found.denominator))


@dataclass(frozen=True, slots=True)
class _Fits:
    """What the polynomials are of: the series, the cotangent and the logarithm."""

    series: Fit
    cotangent: Fit
    logarithm: tuple[float, ...]


def _fits(below: int, terms: int, hard: _Hard) -> _Fits:
    """Fits with a cotangent's denominator and a logarithm of these lengths."""
    return _Fits(_series_fit(hard), _cotangent_fit(below, hard), _atanh_fit(terms, hard))


def digamma(x: Value) -> Value:
    """Within 1 ULP."""
    return _with_fits(x, _fits(4, 5, _NEXT_TO_ZERO))


def _with_fits(x: Value, found: _Fits) -> Value:
    """Log Y and the series, less inverses or a cotangent, the quotients with one division.

    They go off the logarithm's large part first: at -66.795906 the result is -6.7e-9, a sum of
    numbers near 4.
    """
    near = (x < _FAR) & (x > _FIRST)
    limited = x.max(-(2.0**23))
    f = limited - limited.nearest()
    wide = x.to(F64)
    base = near.where(wide + (_SHIFT - 0.5), abs(wide - 0.5))
    capped = base.min(_HUGE)
    square = capped * capped
    # In Y^2 the quotient has its coefficients the other way round.
    series = found.series.numerator, (1.0, *found.series.denominator)
    top, bottom = (horner(square, c[::-1]) for c in series)
    cotangents = _cotangent(f.to(F64), found.cotangent)
    sides = zip(_inverses(wide), cotangents, (0.0, 1.0), strict=True)
    side, below = (
        near.where(inverses, (x <= _FIRST).where(cotangent, neither))
        for inverses, cotangent, neither in sides
    )
    quotient = (side * bottom - top * below) / (bottom * below)
    exponent, m = split_bits(base)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    rest = (z * s) * horner(z, found.logarithm) + (s + s)
    count = exponent.to(F64)
    y = (count * (LN2_HIGH * _UNIT) - quotient).guard() + (rest + count * (LN2_LOW * _UNIT))
    y = ((x < 0.5) & f.equals(0.0)).where(math.nan, y.to(F32))
    y = x.equals(0.0).where(-math.inf, y)
    return (x < math.inf).where(y, x)


def digamma_near(x: Value, constants: Constants) -> Value:
    """The same with a term more in both: 0.51 ULP, with contraction and without."""
    return _with_fits(x, _of_constants(constants))


def _of_constants(constants: Constants) -> _Fits:
    parts = {name: tuple(values) for name, values in constants.items()}
    return _Fits(
        Fit(parts["series"], parts["below series"], 0.0),
        Fit(parts["cotangent"], parts["below cotangent"], 0.0),
        parts["logarithm"],
    )


def near_constants() -> Constants:
    """Those of `digamma_near`: fits, the cotangent's second coefficient moved.

    The last places of fits differ from one processor to the next, and on some no move holds.

    Raises:
        ValueError: no move makes the hard inputs hold.
    """
    found = _fits(*_NEAR, _BETWEEN_RESULTS)

    def moved(units: int) -> Constants:
        first, second, *others = found.cotangent.numerator
        second += units * math.ulp(second)
        return {
            "series": list(found.series.numerator),
            "below series": list(found.series.denominator),
            "cotangent": [first, second, *others],
            "below cotangent": list(found.cotangent.denominator),
            "logarithm": list(found.logarithm),
        }

    def program_with(units: int) -> Program:
        return build("digamma", lambda x: digamma_near(x, moved(units)), F32)

    return moved(
        units_that_round_well(program_with, mp.digamma, _BETWEEN_RESULTS.inputs, _NEAR_ULP)
    )
