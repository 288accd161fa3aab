"""Scaffolds for TPUs: logarithms, roots and functions made of them.

As in `device_scaffolds`: the form of a scaffold takes the input, the hole, and what names the input
of the hole. What each does is told in `xla_evo.scaffolds.tpu`; `devices.py` prints them.
"""

import functools
import math

import mpmath as mp
from cores import LN2, form, log_ends, split_bits
from device_scaffolds import gradual, moved, scaled
from expression import horner, selected, sign_of, with_sign
from fit import fit, single
from inverses import quotient

from xla_evo_lowering.dtypes import F32

_EXPONENT = -0x800000
_STEP = 2.0**-23
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.430511474609375e-6
_LG2_HIGH, _LG2_LOW = 0.3010292053222656, 7.897615432739258e-07
_TWO_THIRDS = 0x3F2AB147
_CUBE_ROOT = float.fromhex("0x1.8a943ep+23")
_INVERSE_ROOT = 0x5F374E00
_CUT = 0x4019999A  # bits of 2.4
BELOW = 0x7EF33000
"""For an inverse from below, see `inverses.BITS`."""
_TINY = mp.mpf(10) ** -9


_LOG2_E, _LOG10_E = 1.4423828125, 0.4342041015625
"""Of 12 bits."""


def _product(r, factor, more):
    """(high, rest) of r times a factor of 12 bits; high is exact, the rest has more added."""
    high = (r.signed() & -0x1000).floating()
    return high * factor, (r - high) * factor + more


def log2_split(x, hole, named):
    """K + r log2(e) + r hole, the exponent converted as it stands; subnormal inputs are zero."""
    exponent, m = split_bits(x)
    r = named(m - 1.0)
    high, rest = _product(r, _LOG2_E, r * hole)
    return log_ends(exponent.to(F32) * _STEP + (high + rest), x)


def _log10_of(x, hole, named, octaves=None):
    """K log10(2), in two parts, + r log10(e) + r hole."""
    bits = x.signed()
    exponent = (bits - _TWO_THIRDS) & _EXPONENT
    r = named((bits - exponent).floating() - 1.0)
    k = moved(exponent, octaves)
    high, rest = _product(r, _LOG10_E, r * hole)
    return k * (_LG2_HIGH * _STEP) + (high + (rest + k * (_LG2_LOW * _STEP)))


def log10_split(x, hole, named):
    """Subnormal inputs are zero."""
    return log_ends(_log10_of(x, hole, named), x)


def log1p_masked(x, hole, named):
    """2^n x - (1 - 2^n), the significand of 1 + x less 1; log(2) in two parts.

    The sum of the significand less 1 and of the smaller part is exact.
    """
    up = (x + 1.0).guard()
    exponent = (0x3FC00000 - up.signed()) & _EXPONENT
    scale = (exponent + form(F32).one).max(0).floating()
    r = named((x.signed() + exponent).floating() - (1.0 - scale))
    k = exponent.to(F32)
    y = k * (-_LN2_HIGH * _STEP) + ((r + k * (-_LN2_LOW * _STEP)) + r * (r * hole))
    y = (x < math.inf).where(y, x)
    ends = up.equals(0.0).where(x.constant(-math.inf), math.nan)
    return (x > -1.0).where(y, ends)


def cbrt_exact(x, hole, named):
    """P + p r hole, p = x z^2 with an estimate z of the inverse root of 12 bits, r = 1 - p z.

    What is rounded in p counts a third in the result; p z is exact, from p in parts of 12 bits.
    """
    size = abs(x)
    shifted = (size.signed().to(F32) * (-(2.0**-12) / 3) + _CUBE_ROOT).guard()
    z = (shifted.signed() << 12).floating()
    p = x * (z * z)
    part = abs(p)
    high = (part.signed() & -0x1000).floating()
    r = named((1.0 - high * z) - (part - high) * z)
    return (size < math.inf).where(p + p * (r * hole), x)


def cbrt_gradual(x, hole, named):
    """As `cbrt_exact`, of subnormal inputs times 2^24."""
    tiny = abs(x) < 2.0**-126
    y = cbrt_exact(tiny.where(x * 2.0**24, x), hole, named)
    return y * tiny.where(x.constant(2.0**-8), 1.0)


def rsqrt_gradual(x, hole, named):
    """As `rsqrt_exact`, of subnormal inputs times 2^24."""
    tiny, normal = scaled(x)
    return rsqrt_exact(normal, hole, named) * tiny.where(x.constant(2.0**12), 1.0)


def rsqrt_exact(x, hole, named):
    """Z + z r hole of r = 4 - x (2 z)^2, z an estimate of 12 bits, so that its square is exact."""
    z = ((_INVERSE_ROOT - (x.signed() >> 1)) & -0x1000).floating().max(2.0**-64)
    double = z + z
    r = named(4.0 - x * (double * double))
    y = (x < math.inf).where(z + z * (r * hole), 0.0)
    pole = with_sign(x.constant(math.inf), sign_of(x))
    return (x > 0.0).where(y, x.equals(0.0).where(pole, math.nan))


def _quotient(top, bottom):
    """Top / bottom, positive, from below."""
    return quotient(top, bottom, 2.0, BELOW)


def atanh_ratio(a):
    """(whether a is from 1/2 on, n as the exponent's bits or 0, top and bottom of s from there on).

    There (1 + a) / (1 - a) = 2^n (1 + s) / (1 - s).
    """
    d = 1.0 - a
    exponent = (_CUT - d.signed()) & _EXPONENT
    u = 2.0 - (d.signed() + exponent).floating()
    far = a >= 0.5
    return far, far.where(exponent.to(F32), 0.0), u - d, 4.0 - (u + d)


def atanh_sum(x, k, head, rest, more=None):
    """N log(2)/2 + (head + rest + more), with the sign of x and its poles."""
    low = k * (_LN2_LOW / 2 * _STEP)
    low = more + low if more else low
    y = k * (_LN2_HIGH / 2 * _STEP) + (head + (rest + low))
    d = 1.0 - abs(x)
    y = (d > 0.0).where(y, d.equals(0.0).where(x.constant(math.inf), math.nan))
    return with_sign(y, sign_of(x))


def atanh_octaves(x, hole, named):
    """N log(2)/2 + atanh(s), see `atanh_ratio`."""
    far, k, top, bottom = atanh_ratio(abs(x))
    s = far.where(_quotient(top, bottom), abs(x))
    z = named(s * s)
    return atanh_sum(x, k, s, (s * z) * hole)


@functools.cache
def _root_fit(count):
    """(1 / sqrt(1 - r) - 1) / r of what an estimate by bits alone leaves."""
    return single(
        lambda r: (1 / mp.sqrt(1 - r) - 1) / r if abs(r) > _TINY else mp.mpf(1) / 2,
        -0.0686, 0.0686, count, weight=lambda r: abs(r) + _TINY,
    )  # fmt: skip


def inverse_root(b, count=4):
    """1 / sqrt(b) of a positive normal number: an estimate by its bits and `count` terms."""
    z = (_INVERSE_ROOT - (b.signed() >> 1)).floating()
    r = 1.0 - (b * z) * z
    return z + z * (r * horner(r, _root_fit(count)))


def _log1p_of(w, large, hole, named):
    """log(1 + w) as `log1p_masked`, or log(2 w) where w is large; w is finite and not negative."""
    exponent = (0x3FC00000 - (w + 1.0).guard().signed()) & _EXPONENT
    scale = (exponent + form(F32).one).max(0).floating()
    r = named((w.signed() + exponent).floating() - (1.0 - scale))
    k = exponent.to(F32) + large.where(w.constant(-(2.0**23)), 0.0)
    return k * (-LN2 * _STEP) + (r + r * (r * hole))


_LARGE = 2.0**60
"""From here on 1 is nothing beside the square."""


def asinh_sum(x, hole, named):
    """log(1 + w), w = a + sqrt(1 + a^2) - 1; the root less 1 by a step of Newton's method."""
    a = abs(x)
    z = a * a
    b = z + 1.0
    q = inverse_root(b)
    g = b * q - 1.0
    g = (g * g + z) * (q * 0.5)
    large = a >= _LARGE
    y = _log1p_of(large.where(a, a + g), large, hole, named)
    return with_sign((a < math.inf).where(y, a), sign_of(x))


def acosh_sum(x, hole, named):
    """log(1 + w), w = d + sqrt(2 d + d^2), d = x - 1."""
    d = x - 1.0
    p = d * d + (d + d)
    z = (_INVERSE_ROOT - (p.signed() >> 1)).floating()
    root = p * z
    r = 1.0 - root * z
    root = root + root * (r * horner(r, _root_fit(4)))
    large = x >= _LARGE
    y = _log1p_of(large.where(x, d + root), large, hole, named)
    return (x >= 1.0).where((x < math.inf).where(y, x), math.nan)


_BESSEL_SPLIT, _BESSEL_TERMS = 4.0, (13, 13)


def _scaled_bessel(order, a):
    """E^-a I_order(a) / a^order."""
    if a < _TINY:
        return mp.mpf(1) / 2**order
    return mp.besseli(order, a) * mp.exp(-a) / a**order


@functools.cache
def _bessel_fit(order):
    """Next to 0, in a less the middle of the interval."""
    half = _BESSEL_SPLIT / 2
    return single(
        lambda t: _scaled_bessel(order, t + half), -half, half, _BESSEL_TERMS[order],
        weight=lambda t: 1 / _scaled_bessel(order, t + half),
    )  # fmt: skip


def _bessel(x, hole, named, order):
    """A polynomial in a - 2 below 4; from there on q hole of q^2, q = 1 / sqrt(a)."""
    a = abs(x)
    near = horner(a - _BESSEL_SPLIT / 2, _bessel_fit(order))
    q = inverse_root(a)
    named(q * q)
    y = (a < _BESSEL_SPLIT).where(a * near if order else near, q * hole)
    y = a.equals(math.inf).where(0.0, y)
    return with_sign(y, sign_of(x)) if order else y


def bessel_i0e_root(x, hole, named):
    """The even one."""
    return _bessel(x, hole, named, 0)


def bessel_i1e_root(x, hole, named):
    """The odd one."""
    return _bessel(x, hole, named, 1)


_LARGEST = 15.95
"""Of -log(1 - x^2) below 1."""


def _erf_inv_over_x(w):
    if w < _TINY:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


@functools.cache
def _erf_inv_fit(above, below):
    """erf_inv(x) / x in -log(1 - x^2)."""
    return fit(_erf_inv_over_x, 0, _LARGEST, range(above), below=range(1, below), points=150)


def _in_octaves(coefficients):
    """Of a polynomial in -w, of one in w / log(2)."""
    return [c * (-LN2) ** power for power, c in enumerate(coefficients)]


def _erf_inv(x, hole, named, above, below):
    """X times a quotient of polynomials in the logarithm of 1 - x^2 to base 2."""
    a = abs(x)
    exponent, m = split_bits((1.0 - a) * (1.0 + a))
    r = named(m - 1.0)
    v = exponent.to(F32) * _STEP + r * hole
    found = _erf_inv_fit(above, below)
    top = horner(v, _in_octaves(found.numerator))
    bottom = horner(v, _in_octaves((1.0, *found.denominator)))
    y = x * _quotient(top, bottom)
    return (a < 1.0).where(y, a.equals(1.0).where(x * math.inf, math.nan))


def erf_inv_quotient(x, hole, named):
    """Seven terms over five."""
    return _erf_inv(x, hole, named, 7, 5)


def erf_inv_octaves(x, hole, named):
    """Four terms over four."""
    return _erf_inv(x, hole, named, 4, 4)


_BEND, _BEND_TERMS = 5.25, 11
"""Of w = -log(1 - x^2), where one polynomial takes over from the other."""
_FROM = math.sqrt(-math.expm1(-_BEND))
_NEAR, _FAR = 2.0, 10.5
"""Centres, of the intervals on either side."""
_LEVEL, _SLOPE = 0.984375, 0.1875
"""Of a straight line in w, within 0.17 of erf_inv(x) / x."""


@functools.cache
def _bend_fit(low, high, centre):
    """erf_inv(x) / x less the straight line, in w less a centre."""
    return single(
        lambda t: _erf_inv_over_x(t + centre) - _LEVEL - _SLOPE * (t + centre),
        low - centre, high - centre, _BEND_TERMS,
        weight=lambda t: 1 / _erf_inv_over_x(t + centre),
    )  # fmt: skip


def _short(x):
    """X with 12 bits, towards zero."""
    return (x.signed() & -0x1000).floating()


def erf_inv_parts(x, hole, named):
    """X times a straight line in w = -log(1 - x^2) and a polynomial, the factor in two parts.

    W is k log(2) less log(1 + r) = r + r^2 hole. Small inputs are scaled up, for their second part.
    """
    a = abs(x)
    d = 1.0 - a
    small = d.min(a)
    exponent, m = split_bits((d + d).min(1.0) - small * small)
    r = named(m - 1.0)
    k = exponent.to(F32)
    log = r + (r * (r * hole) + k * (_LN2_LOW * _STEP))
    far = a > _FROM
    octaves = k * (-_LN2_HIGH * _STEP)
    t = (octaves - far.where(x.constant(_FAR), _NEAR)) - log
    fits = _bend_fit(_BEND, _LARGEST, _FAR), _bend_fit(0.0, _BEND, _NEAR)
    rest = horner(t, selected(far, t, *fits))
    line, less = octaves * _SLOPE + _LEVEL, log * _SLOPE
    factor = (line - less) + rest
    first = _short(factor)
    second = ((line - first) - less) + rest
    scaled_up = x * 2.0**32
    high = _short(scaled_up)
    y = high * first + (high * second - (high - scaled_up) * factor)
    return (a < 1.0).where(y * 2.0**-32, a.equals(1.0).where(x * math.inf, math.nan))


SCAFFOLD_FORMS = {
    "log2-split": log2_split, "log10-split": log10_split, "log1p-masked": log1p_masked,
    "log10-split-gradual": gradual(_log10_of),
    "cbrt-exact": cbrt_exact, "rsqrt-exact": rsqrt_exact,
    "cbrt-gradual": cbrt_gradual, "rsqrt-gradual": rsqrt_gradual,
    "atanh-octaves": atanh_octaves, "asinh-sum": asinh_sum, "acosh-sum": acosh_sum,
    "bessel-i0e-root": bessel_i0e_root, "bessel-i1e-root": bessel_i1e_root,
    "erf-inv-quotient": erf_inv_quotient, "erf-inv-octaves": erf_inv_octaves,
    "erf-inv-parts": erf_inv_parts,
}  # fmt: skip
