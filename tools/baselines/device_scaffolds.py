"""Scaffolds for GPUs and TPUs: float32 alone, without division and without contraction.

The form of a scaffold takes the input, the hole, and what names the input of the hole. What each
does is told in `xla_evo.scaffolds.devices`; `devices.py` prints them.
"""

import math

import mpmath as mp
from cores import LN2, form
from device_turns import inverse_word, right
from expression import horner, sign_of, with_sign
from fit import fit

from xla_evo_lowering.dtypes import F32, I32, U32

MAGIC = form(F32).magic
HIGH = 0.693359375  # of log(2), eight bits
LOW = float(mp.log(2) - mp.mpf(HIGH))
_TWO_THIRDS = 0x3F2AAAAB
"""Its bits."""


def gradual_power(x, octave=LN2, ends=(-105.0, 89.0), least=-86.0):
    """(2^n in two factors, n, x between the ends), n nearest to x / octave; nan stays.

    The second factor, 2^-63 below `least` and else 2, rounds once where the product is subnormal.
    """
    t = x.clamp(*ends)
    low = t < least
    magic = low.where(x.constant(MAGIC + 190), MAGIC + 126)
    last = low.where(x.constant(2.0**-63), 2.0)
    scaled = t if octave == 1.0 else t * (1 / octave)
    shifted = (scaled + magic).guard()
    power = (shifted.signed() << 23).floating()
    return power, last, shifted - magic, t


def exp_gradual(x, hole, named):
    """2^n times the hole."""
    power, last, n, t = gradual_power(x)
    named(n * -LOW + (n * -HIGH + t))
    return (hole * power) * last


def scaled(x, steps=24):
    """(whether x is below the normal numbers, x times 2^steps where it is)."""
    tiny = x < 2.0**-126
    return tiny, tiny.where(x * 2.0**steps, x)


def gradual_ends(y, x):
    """A logarithm ``y`` of x with its values at 0, below it and at infinity."""
    y = (x < math.inf).where(y, x)
    ends = x.equals(0.0).where(x.constant(-math.inf), math.nan)
    return (x > 0.0).where(y, ends)


def moved(exponent, octaves):
    """The exponent, as it stands, as a float, and some octaves more."""
    k = exponent.to(F32)
    return k + octaves if octaves else k


def gradual(log):
    """A logarithm of subnormal inputs too, which are scaled by 2^24."""

    def form_of(x, hole, named):
        tiny, normal = scaled(x)
        octaves = tiny.where(x.constant(-24.0 * 2.0**23), 0.0)
        return gradual_ends(log(normal, hole, named, octaves), x)

    return form_of


def log_gradual(x, hole, named):
    """K log(2) + r + r^2 hole; subnormal inputs are scaled by 2^24."""
    tiny, normal = scaled(x)
    bits = normal.signed() - _TWO_THIRDS
    k = (bits >> 23).to(F32) + tiny.where(x.constant(-24.0), 0.0)
    r = named(((bits & 0x7FFFFF) + _TWO_THIRDS).floating() - 1.0)
    return gradual_ends(k * HIGH + (r + (r * (r * hole) + k * LOW)), x)


def masked(x):
    """(k in units of the exponent's bits, m - 1) for positive x = 2^k m, m from 0.7 to 1.4.

    The exponent is masked once: it is subtracted from the bits, and converted as it stands.
    """
    bits = x.signed()
    exponent = (bits - 0x3F333333) & -0x800000
    return exponent.to(F32), (bits - exponent).floating() - 1.0


_OCTAVE = LN2 * 2.0**-23  # a step of the exponent's bits
_OCTAVE_HIGH, _OCTAVE_LOW = float.fromhex("0x1.62e4p-24"), float.fromhex("0x1.8p-43")


def log_masked(x, hole, named):
    """K log(2), rounded once, + r + r^2 hole; subnormal inputs are zero."""
    k, r = masked(x)
    named(r)
    y = k * _OCTAVE + (r + r * (r * hole))
    y = (x < math.inf).where(y, x)
    ends = (x > -(2.0**-126)).where(x.constant(-math.inf), math.nan)
    return (x < 2.0**-126).where(ends, y)


def log_masked_gradual(x, hole, named):
    """As `log_masked`, with subnormal inputs scaled by 2^24."""
    tiny, normal = scaled(x)
    k, r = masked(normal)
    k = k + tiny.where(x.constant(-24.0 * 2.0**23), 0.0)
    named(r)
    return gradual_ends(k * _OCTAVE + (r + r * (r * hole)), x)


def log_nested_gradual(x, hole, named):
    """R + r hole and k log(2) in two parts; the sum of r and the smaller one is exact."""
    tiny, normal = scaled(x)
    bits = normal.signed()
    exponent = (bits - _TWO_THIRDS) & -0x800000
    k = exponent.to(F32) + tiny.where(x.constant(-24.0 * 2.0**23), 0.0)
    r = named((bits - exponent).floating() - 1.0)
    return gradual_ends(k * _OCTAVE_HIGH + ((r + k * _OCTAVE_LOW) + r * hole), x)


def exp2_of(power, shifted):
    """2^power, given power + MAGIC behind a guard."""
    root = fit(lambda r: mp.mpf(2) ** r, -0.5001, 0.5001, range(6))
    h = horner(power - (shifted - MAGIC), root.numerator)
    return (h.signed() + (shifted.signed() << 23)).floating()


_TANH_SPLIT = 0.9


def tanh_exp2(x, hole, named):
    """T + t^3 hole below 0.9; above, a polynomial in e^-2t near (1 - e) / (1 + e)."""
    a = abs(x)
    t = a.min(9.2)
    near = t + (t * named(t * t)) * hole
    power = t * (-2 / LN2)
    e = exp2_of(power, (power + MAGIC).guard())
    tail = fit(
        lambda e: -2 / (1 + e), 0, math.exp(-2 * _TANH_SPLIT), range(5),
        weight=lambda e: e + mp.mpf(2) ** -6,
    )  # fmt: skip
    far = e * horner(e, tail.numerator) + 1.0
    return with_sign((a >= _TANH_SPLIT).where(far, near), sign_of(x))


_ERF_SPLIT = 0.9


def erf_exp2(x, hole, named):
    """T + t hole below 0.9, scaled so that the product of the least t is not flushed; above,
    1 - 2^p with a polynomial p near log2(erfc(t)).
    """  # noqa: D205
    a = abs(x)
    t = a.min(3.95)
    named(t * t)
    scaled = t * 2.0**24
    near = (scaled + scaled * hole) * 2.0**-24
    exponent = fit(
        lambda v: mp.log(mp.erfc(v), 2), _ERF_SPLIT, 3.95, range(7),
        weight=lambda v: mp.erfc(v) * mp.log(2),
    )  # fmt: skip
    power = horner(t, exponent.numerator)
    far = 1.0 - exp2_of(power, (power + MAGIC).guard())
    return with_sign((a >= _ERF_SPLIT).where(far, near), sign_of(x))


_ERF_FROM, _ERF_TO, _SQUARINGS = 1.2, 3.93, 2


def erf_power(x, hole, named):
    """T hole below 1.2, of t^2 - 3/4; above, 1 - p^4 with a polynomial p near erfc(t)^(1/4).

    After Abramowitz and Stegun 7.1.28, which has the sixteenth power of a reciprocal.
    """
    power = 2**_SQUARINGS

    def root(v):
        return mp.erfc(v) ** (mp.mpf(1) / power)

    a = abs(x)
    t = a.min(_ERF_TO)
    near = t * (named(t * t - 0.75), hole)[1]
    found = fit(
        root, _ERF_FROM, _ERF_TO, range(8), points=300,
        weight=lambda v: power * mp.erfc(v) / root(v),
    )  # fmt: skip
    p = horner(t, found.numerator)
    for _ in range(_SQUARINGS):
        p = p * p
    return with_sign((a >= _ERF_FROM).where(1.0 - p, near), sign_of(x))


_ERF_NEAR = tuple(map(float.fromhex, (
    "0x1.ccbe8ap-1", "-0x1.f4ead6p-3", "0x1.1219bp-4", "-0x1.efc168p-7", "0x1.750dap-9",
    "-0x1.e50c72p-12", "0x1.11d9f2p-14",
)))  # fmt: skip
"""Of erf(t)/t in t^2 - 3/4: a minimax polynomial whose constants a search in scaffold erf-power
moved until every input below 1.2 was within 1.981 ULP."""


def erf_tail(x, hole, named):
    """1 - hole from 1.2 on; below it t times a polynomial in t^2 - 3/4."""
    a = abs(x)
    t = a.min(_ERF_TO)
    named(t)
    near = t * horner(t * t - 0.75, _ERF_NEAR)
    return with_sign((a >= _ERF_FROM).where(1.0 - hole, near), sign_of(x))


_WORDS = 8
_SPLIT = 16  # bits of the angle in its second part
_PI = 3.140625  # eight bits


def sin_words(x, hole, named):
    """The angle from three words of 1/(2 pi) and 24 bits of x, less the nearest half turn.

    |x| = m 2^(s + 32 k) with an integer m of 24 bits, for |x| >= 1; the words begin at the bit of
    weight 1/2 in 2^(s + 32 k) / (2 pi). Smaller inputs are angles themselves.
    """

    def word(value):
        return x.constant(value, U32)

    bits = x.unsigned()
    size = bits & 0x7FFFFFFF
    above = size._bits(I32) - form(F32).one
    place = above._bits(U32)
    s = right(place, 23) & 31
    back = word(32) - s
    m = (size & 0x7FFFFF) | 0x800000
    table = [word(inverse_word(32 * i)) for i in range(_WORDS)]
    second, odd = above >= (64 << 23), (place & (32 << 23)).equals(0)
    first = [second.where(table[i + 2], table[i]) for i in range(5)]
    chosen = [odd.where(first[i], first[i + 1]) for i in range(4)]
    one, two, three = ((chosen[i] << s) | right(chosen[i + 1], back) for i in range(3))
    # m times 24 bits of `two` by digits of 12 bits; times the next 24 bits as floats.
    (m1, m0), (d1, d0) = (right(m, 12), m & 0xFFF), (right(two, 20), right(two, 8) & 0xFFF)
    middle = m1 * d0 + m0 * d1
    high = m * one + (m1 * d1 + right(middle, 12))  # turns in units of 2^-32
    low = ((middle & 0xFFF) << 12) + m0 * d0  # 2^-56
    rest = ((two << 16) & 0xFF0000) | right(three, 16)  # 2^-80, for a unit of m
    tail = low._bits(I32).to(F32) + m._bits(I32).to(F32) * rest._bits(I32).to(F32) * 2**-24
    half = (high << 1)._bits(I32)  # half turns less the nearest, in units of 2^-32
    step = 1 << (_SPLIT - 1)
    coarse = (half.min((1 << 31) - 1 - step) + step) & -(1 << _SPLIT)
    fine = (half - coarse).to(F32) + tail * 2**-23
    coarse = coarse.to(F32)
    scale = 2.0**-32
    angle = coarse * (_PI * scale) + (
        coarse * (float(mp.pi - _PI) * scale) + fine * (math.pi * scale)
    )
    small = above < 0
    r = small.where(size.floating(F32), angle)
    z = named(r * r)
    y = r + (r * z) * hole
    flip = (small.where(word(0), high + (1 << 30)) ^ bits) & (1 << 31)
    y = (y.unsigned() ^ flip).floating()
    return (size._bits(I32) < form(F32).one + (128 << 23)).where(y, math.nan)


SCAFFOLD_FORMS = {
    "exp-gradual": exp_gradual, "log-gradual": log_gradual, "tanh-exp2": tanh_exp2,
    "erf-exp2": erf_exp2, "sin-words": sin_words, "log-masked": log_masked,
    "log-masked-gradual": log_masked_gradual, "log-nested-gradual": log_nested_gradual,
    "erf-power": erf_power,
    "erf-tail": erf_tail,
}  # fmt: skip
