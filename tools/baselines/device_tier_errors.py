"""Scaffolds for TPUs: error functions and Bessel functions within 1 ULP.

Every form adds last what is small, and exactly or in two parts what is large. See
`device_scaffolds` for what forms take.
"""

import functools
import math

import mpmath as mp
import numpy as np
from cores import LN2
from device_scaffolds import HIGH, LOW, MAGIC
from expression import horner, sign_of, with_sign
from fit import single
from inverses import inverse, short

_SCALE = 16.0
"""Of x in erf, so that products of the least inputs are normal numbers."""
_ERF_SPLIT, _ERF_CENTRE, _ERF_END = 0.84, 1.03, 3.93
_ERF_TERMS, _SQUARINGS = 7, 3


def _nearly_single(function, start, steps=3000):
    """A float32 number from a start on where a function is nearest to a float32 number."""
    places = [np.float32(start)]
    for _ in range(steps):
        places.append(np.nextafter(places[-1], np.float32(np.inf)))

    def missed(place):
        value = function(mp.mpf(float(place)))
        return abs(value - float(np.float32(float(value))))

    return float(min(places, key=missed))


@functools.cache
def _erf_far():
    """(centre, terms in u = scale (a - centre), doubled powers of the root there, erf there).

    The terms are of d / u, where erfc(a) = (c + d)^8 and c^8 is erfc at the centre; what the
    constants lose by their rounding the terms make up.
    """
    centre = _nearly_single(mp.erf, _ERF_CENTRE)
    power = 2**_SQUARINGS
    root = (mp.erfc(centre) * _SCALE) ** (mp.mpf(1) / power)
    doubles = [float(np.float32(float(2 * root ** (2**k)))) for k in range(_SQUARINGS)]
    head = float(np.float32(_SCALE * float(mp.erf(centre))))

    def difference(a):
        left = head - mp.erf(a) * _SCALE
        for double in reversed(doubles):
            half = mp.mpf(double) / 2
            left /= half + mp.sqrt(half**2 + left)
        return left

    def over_u(u):
        if abs(u) < 1e-6:
            return (difference(centre + 1e-4) - difference(centre - 1e-4)) / (2e-4 * _SCALE)
        return difference(u / _SCALE + centre) / u

    def slope(u):
        erfc = mp.erfc(u / _SCALE + centre)
        return abs(u) * erfc ** (1 - mp.mpf(1) / power) + mp.mpf(2) ** -30

    ends = (_ERF_SPLIT - centre) * _SCALE, (_ERF_END - centre) * _SCALE
    return centre * _SCALE, single(over_u, *ends, _ERF_TERMS, weight=slope), doubles, head


def erf_powers(x, hole, named):
    """A + a hole below 0.84; above, erf(c) - (p^8 - p(c)^8) with p near the eighth root of erfc.

    The difference of the powers is made of that of the roots, d: (p(c) + d)^2 - p(c)^2 =
    d (2 p(c) + d), and so on, so that roundings are those of small numbers.
    """
    centre, terms, doubles, head = _erf_far()
    a = abs(x) * _SCALE
    near = a + a * (named(a * a), hole)[1]
    u = a.min(_ERF_END * _SCALE) - centre
    d = u * horner(u, terms)
    for double in doubles:
        d = d * (d + double)
    y = (a < _ERF_SPLIT * _SCALE).where(near, head - d)
    scale = y.constant(1 / _SCALE).unsigned()
    return y * (sign_of(x) | scale).floating()


_BESSEL_SPLIT, _BESSEL_CENTRES, _BESSEL_TERMS = 4.0, (1.625, 1.5), 10
_ROOT_TERMS, _ROOT_RANGE = 5, 1.2
_ROOT_BITS = 0x60374E00
"""Less half of the bits of a: 4 / sqrt(a)."""
_LEVELS = 0.40625, 0.390625
"""Near sqrt(a) e^-a I(a), by order; of few bits."""
_TINY = mp.mpf(10) ** -9


@functools.cache
def _bessel_far(order):
    """(sqrt(a) e^-a I(a) - its level) / 4 in 16 / a."""

    def rest(u):
        if u < _TINY:
            return (1 / mp.sqrt(2 * mp.pi) - _LEVELS[order]) / 4
        a = 16 / u
        return (mp.sqrt(a) * mp.exp(-a) * mp.besseli(order, a) - _LEVELS[order]) / 4

    return single(rest, 0, 16 / _BESSEL_SPLIT, _BESSEL_TERMS, weight=lambda _: 1)


@functools.cache
def _root_rest():
    """(1 / sqrt(1 - r / 16) - 1) / r."""
    return single(
        lambda r: (1 / mp.sqrt(1 - r / 16) - 1) / r if abs(r) > _TINY else mp.mpf(1) / 32,
        -_ROOT_RANGE, _ROOT_RANGE, _ROOT_TERMS, weight=lambda r: abs(r) + _TINY,
    )  # fmt: skip


@functools.cache
def _square_rest():
    """(1 / (1 - l)^2 - 1) / l of what an inverse of eight bits, rounded down, leaves."""
    return single(
        lambda left: (1 / (1 - left) ** 2 - 1) / left if abs(left) > _TINY else mp.mpf(2),
        -0.0022, 0.0102, 3, weight=lambda left: abs(left) + _TINY,
    )  # fmt: skip


def _parts_of(a, mask):
    """(first bits, rest)."""
    first = (a.signed() & mask).floating()
    return first, a - first


def _by_root(high, low, size, order):
    """D (level / 4 + the rest), d an estimate of 4 / sqrt(a) of eight bits.

    So 16 - a d^2 is rounded once, a in two parts, and the product with the level is exact.
    """
    d = ((_ROOT_BITS - (size.signed() >> 1)) & -0x10000).floating()
    square = d * d
    left = (16.0 - high * square) - low * square
    more = left * horner(left, _root_rest())
    q = d + d * more
    level = _LEVELS[order] / 4
    p = horner(q * q, _bessel_far(order))
    return (d * level).guard() + d * (p + more * (p + level))


def bessel_i0e_inverse(x, hole, named):
    """(1 + hole) / (1 + a) below 4; the inverse in two parts of which the larger is exact."""
    a = abs(x)
    high, low = _parts_of(a, -0x10000)
    named(a - _BESSEL_CENTRES[0])
    j = (inverse(a + 1.0).signed() & -0x100).floating()
    left = ((1.0 - j) - j * high) - j * low
    left = left + left * left
    near = j + j * (hole + left * (hole + 1.0))
    y = (a < _BESSEL_SPLIT).where(near, _by_root(high, low, a, 0))
    return a.equals(math.inf).where(0.0, y)


_SHIFT, _FACTOR = 1.75, 1.5
"""(a + shift)^2 e^-a I_1(a) / a is within 5 % of the factor, of a up to 4."""


def _near_weight(order, a):
    """2^23 in units of the last place of the result, more next to 0, where roundings add up."""
    result = mp.exp(-a) * mp.besseli(order, a) if a > 0 else mp.mpf(1 - order)
    return result / mp.mpf(2) ** mp.floor(mp.log(result, 2)) * (1 + 0.7 * mp.exp(-3 * a))


def bessel_near(order):
    """What fills the holes: 14 terms."""
    centre = _BESSEL_CENTRES[order]

    def value(t):
        a = t + mp.mpf(centre)
        scaled = mp.exp(-a) * mp.besseli(order, a)
        if order == 0:
            return scaled * (1 + a) - 1
        over_a = scaled / a if a > 1e-6 else mp.mpf(1) / 2
        return over_a * (_SHIFT + a) ** 2 / _FACTOR - 1

    return single(
        value, -centre, 3.99999 - centre, 14,
        weight=lambda t: _near_weight(order, t + mp.mpf(centre)) * 2**23,
    )  # fmt: skip


def bessel_i1e_inverse(x, hole, named):
    """1.5 a (1 + hole) / (1.75 + a)^2 below 4; the product with a short inverse is exact."""
    a = abs(x)
    high, low = _parts_of(a, -0x40000)
    named(a - _BESSEL_CENTRES[1])
    j = (inverse(a + _SHIFT).signed() & -0x10000).floating()
    left = ((1.0 - j * _SHIFT) - j * high) - j * low
    left = left * horner(left, _square_rest())
    square = (j * j) * _FACTOR
    near = (high * square).guard() + square * (low + a * (hole + left * (hole + 1.0)))
    y = (a < _BESSEL_SPLIT).where(near, _by_root(high, low, a, 1))
    y = a.equals(math.inf).where(0.0, y)
    return with_sign((a < 2.0**-60).where(a * 0.5, y), sign_of(x))


_ERFC_END, _ERFC_SHIFT, _ERFC_CENTRE, _ERFC_TERMS = 9.3, 1.625, 0.2744140625, 11
_ERFC_TO_POWER = int(np.float32(MAGIC).view(np.int32)) + 127


@functools.cache
def _scaled_erfc():
    """(at the centre, slope of ten bits, terms of w) of (a + k) e^(a^2) erfc(a) in 1 / (a + k).

    The terms are of (the function - at the centre) / w - slope, w = 1 / (a + k) - centre.
    """
    with mp.workdps(30):

        def value(w):
            a = 1 / (w + mp.mpf(_ERFC_CENTRE)) - _ERFC_SHIFT
            return mp.exp(a * a) * mp.erfc(a) * (a + _ERFC_SHIFT)

        head = float(np.float32(float(value(mp.mpf(0)))))
        true_slope = mp.diff(value, 0)
        slope = float(mp.nint(true_slope * 2**9) / 2**9)

        def rest(w):
            return (value(w) - head) / w - slope if abs(w) > 1e-7 else true_slope - slope

        ends = (1 / (mp.mpf(end) + _ERFC_SHIFT) - _ERFC_CENTRE for end in (_ERFC_END, 0.0))
        terms = single(rest, *ends, _ERFC_TERMS - 1, weight=lambda w: (abs(w) + _TINY) / value(w))
    return head, slope, terms


@functools.cache
def _inverse_rest():
    """(1 / (1 - l) - 1) / l of what an inverse of twelve bits, rounded down, leaves."""
    return single(
        lambda left: 1 / (1 - left), -0.0021, 0.0026, 2, weight=lambda left: abs(left) + _TINY
    )


def erfc_pairs(x, hole, named):
    """e^(-a^2) g(1 / (a + k)) / (a + k), 2 minus it for negative x.

    Each of the three factors is a short number and a rest; the product of the short ones, of six,
    six and twelve bits, is exact. So is the linear part of g in the short inverse.
    """
    a = abs(x).min(_ERFC_END)
    high = short(a, 12)
    low = a - high
    shifted = ((a * a) * (1 / LN2) + MAGIC).guard()
    n = shifted - MAGIC
    first = high * high - n * HIGH
    second = low * (high + a) - n * LOW
    r = named(first + second)
    t = r * (r * hole) - second
    e = short((t - first) + 1.0, 6)
    e_rest = ((1.0 - e) - first) + t

    head, slope, terms = _scaled_erfc()
    j = short(inverse(a + _ERFC_SHIFT), 12)
    left = ((1.0 - j * _ERFC_SHIFT) - j * high) - j * low
    more = left * horner(left, _inverse_rest())
    w_rest = j * more
    w = j - _ERFC_CENTRE
    linear = w * slope
    w = w + w_rest
    small = w_rest * slope + w * horner(w, terms)
    g_all = (linear + small) + head
    g = short(g_all, 6)
    g_rest = (((head - g) + linear) + small) + more * g_all

    y = (j * (e * g)).guard() + j * (e * g_rest + e_rest * (g + g_rest))
    y = y * ((_ERFC_TO_POWER - shifted.signed()) << 23).floating()
    return (x < 0.0).where(2.0 - y, y)


SCAFFOLD_FORMS = {
    "erf-powers": erf_powers, "erfc-pairs": erfc_pairs, "bessel-i0e-inverse": bessel_i0e_inverse,
    "bessel-i1e-inverse": bessel_i1e_inverse,
}  # fmt: skip
