"""Scaffolds for TPUs of logarithms and inverse hyperbolic functions within about 1 ULP.

As in `device_scaffolds`: the form of a scaffold takes the input, the hole, and what names the input
of the hole. Where two roundings would show, a value is a sum of two numbers.
"""

import math

from cores import LN2, form, log_ends, split_bits
from device_scaffolds import gradual, moved
from device_special import BELOW, atanh_ratio, atanh_sum
from expression import horner, sign_of, with_sign
from inverses import BITS, inverse

from xla_evo_lowering.dtypes import F32

_STEP = 2.0**-23
_EXPONENT = -0x800000
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.430511474609375e-6
_LN2_REST = LN2 - _LN2_HIGH


def _log2_of(x, hole, named, octaves=None):
    """K + (1.5 r + r hole), r = m - 1 and the hole one of m - 5/4; the first product is exact.

    Where that is small the hole is largest, and its roundings show.
    """
    exponent, m = split_bits(x)
    r = m - 1.0
    named(m - 1.25)
    y = (r * 1.5).guard() + r * hole
    return moved(exponent, octaves) * _STEP + y


def log2_halves(x, hole, named):
    """Subnormal inputs are zero."""
    return log_ends(_log2_of(x, hole, named), x)


def atanh_parts(x, hole, named):
    """That of atanh-octaves, the quotient in two parts of which the first is added last but one."""
    far, k, top, bottom = atanh_ratio(abs(x))
    y = inverse(bottom, 2.0, BELOW)
    e = 1.0 - bottom * y
    q = top * y
    head, more = far.where(q, abs(x)), far.where(q * (e + e * e), 0.0)
    s = head + more
    z = named(s * s)
    return atanh_sum(x, k, head, (s * z) * hole, more)


_LOG_CUT = 0x3FB5C28F  # bits of 1.42
_LARGE = 2.0**60
"""From here on 1 is nothing beside the square."""
_ODD = 0.3575
"""Below it w of asinh need not be even."""
_ROOT, _ROOT_TERMS = 0x5F37C000, (0.5012752413749695, 0.3758774995803833)
"""Less half the bits of b, the first has about those of 1 / sqrt(b); with the terms that is within
2^-14.9, and exactly 1 where b is 1."""


def _inverse_root(b):
    """1 / sqrt(b) of a positive normal number to 2^-14.9."""
    z = (_ROOT - (b.signed() >> 1)).floating()
    r = 1.0 - (b * z) * z
    return z + z * (r * horner(r, _ROOT_TERMS))


def _log1p_of(w, lost, large, hole, named):
    """log(1 + w + lost), or log(2 w) where w is large; w is finite and not negative.

    K log(2) + r + r^2 hole, r = 2^n w - (1 - 2^n), with what the first sum loses. From 0.42 to 1/2
    w must be even, or r takes 25 bits.
    """
    up = (w + 1.0).guard().signed()
    exponent = (_LOG_CUT - up) & _EXPONENT
    scale = (exponent + form(F32).one).max(0).floating()
    r = named((w.signed() + exponent).floating() - (1.0 - scale))
    k = exponent.to(F32) + large.where(w.constant(-(2.0**23)), 0.0)
    high = k * (-_LN2_HIGH * _STEP)
    head = high + r
    rest = ((high - head) + r) + k * (-_LN2_REST * _STEP)
    rest = rest + large.where(0.0, lost * (BITS - up).floating())
    return head + (rest + r * (r * hole))


def _even(w):
    return (w.signed() & -2).floating()


def asinh_parts(x, hole, named):
    """log(1 + w), w = a + g with its rounding, g = sqrt(1 + a^2) - 1 corrected by its residual."""
    a = abs(x)
    z = a * a
    b = z + 1.0
    q = _inverse_root(b)
    g = b * q - 1.0
    g = g + ((z - (g + g)) - g * g) * (q * 0.5)
    large = a >= _LARGE
    w = a + g
    w = large.where(a, (a < _ODD).where(w, _even(w)))
    y = _log1p_of(w, (a - w) + g, large, hole, named)
    return with_sign((a < math.inf).where(y, a), sign_of(x))


def acosh_parts(x, hole, named):
    """log(1 + w), w = d + sqrt(2 d + d^2), d = x - 1; the root corrected by its residual.

    The square of the root is that of its first 12 bits and a rest. What the square under it and w
    lose by rounding is kept.
    """
    d = x - 1.0
    square, double = d * d, d + d
    p = square + double
    less = (double - p) + square
    q = _inverse_root(p)
    root = p * q
    short = (root.signed() & -0x1000).floating()
    left = ((p - short * short) - (root + short) * (root - short)) + less
    rest = d + left * (q * 0.5)
    large = x >= _LARGE
    w = large.where(x, _even(root + rest))
    y = _log1p_of(w, (root - w) + rest, large, hole, named)
    return (x >= 1.0).where((x < math.inf).where(y, x), math.nan)


SCAFFOLD_FORMS = {
    "log2-halves": log2_halves, "log2-halves-gradual": gradual(_log2_of),
    "atanh-parts": atanh_parts,
    "asinh-parts": asinh_parts, "acosh-parts": acosh_parts,
}  # fmt: skip
