"""Sine, cosine and tangent of float64 to less than 1 ULP for every argument.

Below 2^20 a multiple of pi/2 is taken off in four parts, the first three exact. From there on,
which is marked as unlikely, integers do: of m 2^n the 192 bits of 2/pi that count, chosen by the
exponent, times m, modulo 4 (Payne and Hanek, SIGNUM 18(1), 1983); no float64 number is nearer to a
multiple than 2^-61. What is left, at most pi/4, is in two parts; sine and cosine are both computed.
"""

import functools
import math

import mpmath as mp
from cores import rounded
from expression import Value, horner_over_tree, sign_of
from fit import Fit, shortest
from parts import FIT_BITS, Parts, constant_parts, halves, ordered_sum, quotient

from xla_evo_lowering.dtypes import F64, DType

_END = float(mp.pi / 4) * 1.0001
_HUGE = 2.0**20
_FIRST_EXPONENT = 1023 + 20
_WORD, _WORDS, _LEVELS = 32, 6, (16, 8, 4, 2, 1)
_MASK = (1 << _WORD) - 1


@functools.cache
def _half_pi_parts() -> tuple[float, ...]:
    """pi/2 as multiples of 2^-32, 2^-64 and 2^-96, and the rest."""
    parts = []
    with mp.workprec(400):
        rest = mp.pi / 2
        for place in (32, 64, 96):
            parts.append(float(mp.ldexp(mp.nint(mp.ldexp(rest, place)), -place)))
            rest -= mp.mpf(parts[-1])
        return *parts, float(rest)


_HALF_PI, _HALF_PI_LOW = constant_parts(lambda: mp.pi / 2, 53)
_HALF_PI_HALVES = constant_parts(lambda: mp.mpf(_HALF_PI), 26)


def _ordinary(a: Value) -> tuple[Value, Parts]:
    """(n in the lowest bits, a - n pi/2), for a from 0 to 2^20."""
    n, bits = rounded(a * (2.0 / math.pi))
    first, second, third, last = _half_pi_parts()
    r, low = ordered_sum((n * -first + a).guard(), n * -second)
    r, lower = ordered_sum(r, n * -third)
    return bits, ordered_sum(r, (low + lower) + n * -last)


@functools.cache
def _bits_of_inverse() -> tuple[int, ...]:
    """Pairs of words of 2/pi, one word after the other; the first bit has a weight of 2^33."""
    count = _WORDS - 1 + 2 * _LEVELS[0]
    with mp.workprec(_WORD * (count + 4)):
        digits = int(mp.floor(mp.ldexp(2 / mp.pi, _WORD * (count + 1) - 34)))
    return tuple((digits >> (_WORD * (count - 1 - j))) & ((1 << 64) - 1) for j in range(count))


def _window(place: Value) -> list[Value]:
    """Six words of 2/pi from a bit on: pairs of words are chosen by halves, and shifted."""
    found = [place.constant(word) for word in _bits_of_inverse()]
    for level in _LEVELS:
        here = (place & (level * _WORD)).equals(0)
        found = [here.where(found[i], found[i + level]) for i in range(_WORDS - 1 + level)]
    within = place & (_WORD - 1)
    return [_high(pair << within) for pair in found]


def _high(word: Value) -> Value:
    return word.shifted_down(_WORD)


def _huge(a: Value) -> tuple[Value, Parts]:
    """The same as `_ordinary` for any finite a from 2^20 on, by integers of 64 bits."""
    pattern = a.unsigned()
    place = pattern.shifted_down(52) - _FIRST_EXPONENT
    m = (pattern & ((1 << 52) - 1)) | (1 << 52)
    m_low, m_high = m & _MASK, _high(m)
    words = _window(place)
    low = [m_low * word for word in words[:-1]]
    high = [m_high * word for word in words[1:]]
    columns = [
        (low[c] & _MASK) + _high(low[c + 1]) + (high[c] & _MASK) + _high(high[c + 1])
        for c in range(4)
    ]
    for c in (2, 1, 0):
        columns[c] = columns[c] + _high(columns[c + 1])
    top, rest = ((columns[c] << _WORD) | (columns[c + 1] & _MASK) for c in (0, 2))
    # The first two bits are n; the others, read with a sign, what is left of the nearest n.
    n = (top + (1 << 61)).shifted_down(62)
    fraction = ((top << 2) | rest.shifted_down(62)).signed()
    beyond = rest << 2
    pieces = (
        fraction >> _WORD,
        fraction & _MASK,
        _high(beyond).signed(),
        (beyond & _MASK).signed(),
    )
    floats = [piece.to(F64) * 2.0 ** (-_WORD * (j + 1)) for j, piece in enumerate(pieces)]
    f, f_low = ordered_sum(floats[0], floats[1])
    f_low = f_low + (floats[2] + floats[3])
    r = (f * _HALF_PI).guard()
    f_first, f_rest = halves(f)
    first, second = _HALF_PI_HALVES
    lost = ((f_first * first - r) + f_first * second + f_rest * first) + f_rest * second
    return n.signed(), ordered_sum(r, lost + (f * _HALF_PI_LOW + f_low * _HALF_PI))


@functools.cache
def _sine_fit() -> Fit:
    """(sin(r) / r - 1) / r^2 in r^2, relative to sin(r)."""

    def function(z):
        r = mp.sqrt(z)
        return (mp.sin(r) / r - 1) / z if z > 1e-12 else -mp.mpf(1) / 6

    return shortest(function, 0, _END**2, FIT_BITS, weight=lambda z: z + mp.mpf(2) ** -20)


@functools.cache
def _cosine_fit() -> Fit:
    """(cos(r) - 1 + r^2/2) / r^4 in r^2, relative to 1."""

    def function(z):
        return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2 if z > 1e-8 else mp.mpf(1) / 24 - z / 720

    return shortest(function, 0, _END**2, FIT_BITS, weight=lambda z: z * z + mp.mpf(2) ** -20)


def _reduced(a: Value) -> tuple[Value, Parts]:
    """As `_ordinary`, for any finite a that is not negative."""
    far = (a >= _HUGE).unlikely()
    n, (r, low) = _ordinary(a)
    far_n, (far_r, far_low) = _huge(a)
    return far.where(far_n, n), (far.where(far_r, r), far.where(far_low, low))


def _sine(r: Value, low: Value, z: Value, lost: Value | None = None) -> Value:
    """What the sine of r + low is more than r; ``lost`` is what z lacks of r^2."""
    small = low * (1.0 - z * 0.5)
    if lost is not None:
        small = (r * lost) * (-1.0 / 6) + small
    return r * z * horner_over_tree(z, _sine_fit().numerator, 2) + small


def _cosine(r: Value, low: Value, z: Value) -> Parts:
    """The cosine of r + low: 1 - z/2 as it is rounded, and the rest."""
    half = z * 0.5
    whole = (1.0 - half).guard()
    tail = z * z * horner_over_tree(z, _cosine_fit().numerator, 2) - r * low
    return whole, ((1.0 - whole) - half) + tail


def _is_even(n: Value) -> Value:
    return (n & 1).equals(0)


def _turned(x: Value, quarters: int) -> Value:
    """The sine of |x| + quarters pi/2."""
    a = abs(x)
    n, (r, low) = _reduced(a)
    n = n + quarters if quarters else n
    z = r * r
    whole, rest = _cosine(r, low, z)
    y = _is_even(n).where(r + _sine(r, low, z), whole + rest)
    y = (y.signed() ^ ((n & 2) << 62)).floating(F64)
    return (a < math.inf).where(y, math.nan)


def sin(x: Value, working: DType, bits: float) -> Value:
    """Of the size, with the sign of the argument."""
    return (_turned(x, 0).unsigned() ^ sign_of(x)).floating(F64)


def cos(x: Value, working: DType, bits: float) -> Value:
    """A quarter of a turn further."""
    return _turned(x, 1)


def tan(x: Value, working: DType, bits: float) -> Value:
    """The quotient of both, or the other one, negative, each in two parts."""
    a = abs(x)
    n, (r, low) = _reduced(a)
    z = (r * r).guard()
    first, second = halves(r)
    lost = ((first * first - z) + (first + first) * second) + second * second
    whole, rest = _cosine(r, low, z)
    sine = ordered_sum(r, _sine(r, low, z, lost))
    cosine = ordered_sum(whole, rest - lost * 0.5)
    even = _is_even(n)
    top, bottom = (
        tuple(even.where(one, other) for one, other in zip(*pair, strict=True))
        for pair in ((sine, cosine), (cosine, sine))
    )
    y, correction = quotient(top, bottom)
    y = ((y + correction).signed() ^ ((n & 1) << 63)).unsigned() ^ sign_of(x)
    return (a < math.inf).where(y.floating(F64), math.nan)
