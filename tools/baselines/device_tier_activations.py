"""Scaffolds for TPUs of activations within 1 ULP: x / d with a denominator d in two parts.

The quotient is cut to few bits, so that its product with a first part of d, which has few bits too,
is exact, and what is left of x gives the rest. Inputs are scaled up, so that what is left of those
next to 0 is a normal number; denominators are scaled down, since e^-x goes beyond 2^128. The
denominators are sums of positive numbers: 1 + e^-x of silu; (s + 1/s) / 2 with s = 1 + 2 e^-x of
mish, since tanh(log(1 + e^x)) = 2 s / (s^2 + 1); and 1 + e^-u of gelu by tanh, with a cubic u. That
of gelu is 2 e^(x^2/2) / erfcx(|x|/sqrt(2)), a product of two numbers in two parts each. See
`device_scaffolds` for what forms take.
"""

import functools
import math

import mpmath as mp
from cores import LN2
from device_scaffolds import HIGH, LOW, MAGIC
from expression import horner, selected
from fit import single
from inverses import short

_INVERSE, _THREE = 0x7EF33408, 3.0019232
_DOWN, _UP = -8, 32
_ONE = 2.0**_DOWN
_LEAST = -92.5
"""Below it silu and mish are under 2^-126."""
_PLACES, _LOWER = 6, 26
"""Binary places of the exponent before it is cut; and how many of these it is moved by, so that
e^r is from 3/4 to 3/2: less is rounded than where it goes down to 0.7."""


def _inverse(bottom, three=_THREE):
    """1 / bottom to 2^-14.9: y (3 - 3 z + z^2) of an estimate y by bits, z = bottom y."""
    y = (_INVERSE - bottom.signed()).floating()
    z = bottom * y
    return y * ((z - _THREE) * z + three)


def _lower(exponent, shift):
    """(2^(k + shift), k) of the integer k from 0.59 below an exponent to 0.41 above."""
    zero = 3.0 * 2.0 ** (22 - _PLACES) + 127 + shift
    bits = (exponent + (zero + _LOWER * 2.0**-_PLACES)).guard().signed() & -(1 << _PLACES)
    return (bits << (23 - _PLACES)).floating(), bits.floating() - zero


def _quotient(x, total, parts):
    """X / total; the sum of the parts, in this order, is what was rounded in the total.

    What is left of x is taken with the opposite sign, so that a zero keeps its own.
    """
    inverse = _inverse(total)
    q = short(x * inverse, 13)
    high = short(total, 11)
    low = parts[0] - high
    for part in parts[1:]:
        low = low + part
    left = (q * high - x) + q * low
    return q - left * inverse


def _over(x, total, parts, factor):
    """Factor x / total, of numbers next to 0 too."""
    return _quotient(x * 2.0**_UP, total, parts) * (factor * 2.0 ** (_DOWN - _UP))


def _ends(x, y, itself):
    """X itself where that is as near, nan at -inf, as JAX."""
    return (x > itself).where(x, (x > -math.inf).where(y, math.nan))


def silu_residual(x, hole, named):
    """X / (1 + e^-x), e^-x = 2^k (1 + (r + r^2 hole))."""
    t = x.max(_LEAST)
    magic = MAGIC + 127 + _DOWN
    shifted = (t * (-1 / LN2) + magic).guard()
    k = shifted - magic
    power = (shifted.signed() << 23).floating()
    r = named((k * -HIGH - t) + k * -LOW)
    linear, rest = power * r, power * (r * r * hole)
    total = (power + _ONE) + (linear + rest)
    return _ends(x, _over(t, total, (power, _ONE, linear, rest), 1.0), 16.5)


_MORE = 2.0**-15
"""Of what an estimate has too much before it is cut, so that it is right in the mean."""


def mish_residual(x, hole, named):
    """2 x / (s + 1/s), s = 1 + 2 e^-x; the residual of 1/s is (1 - y (1 + 2^k)) - y (the rest)."""
    t = x.max(_LEAST)
    power, k = _lower(t * (-1 / LN2), _DOWN + 1)
    r = named((k * -HIGH - t) + k * -LOW)
    linear, rest = power * r, power * (r * r * hole)
    large, small = power + _ONE, linear + rest
    s = large + small
    y = short(_inverse(s, _THREE + _MORE), 13)
    inverse = (y + y * ((1.0 - y * large) - y * small)) * (_ONE * _ONE)
    y = _over(t, s + inverse, (power, _ONE, inverse, linear, rest), 2.0)
    return _ends(x, y, 8.8)


_CUBE = mp.mpf("0.044715")
_SCALE = 2 * mp.sqrt(2 / mp.pi) * _CUBE
_SCALE_HIGH = 0.0712890625  # seven bits
_SCALE_LOW = float(_SCALE - mp.mpf(_SCALE_HIGH))
_TO_SQUARE = 22.3671875  # of 1 / 0.044715, twelve bits
_MORE_TO_SQUARE = float(1 / _CUBE - mp.mpf(_TO_SQUARE))
_STEP = mp.log(2) / _SCALE
_STEP_HIGH = 9.714111328125  # of log(2) / `_SCALE`, sixteen bits
_STEP_LOW = float(_STEP - mp.mpf(_STEP_HIGH))


def gelu_tanh_residual(x, hole, named):
    """X / (1 + e^-u), u = 2 sqrt(2 / pi) (x + 0.044715 x^3) = c x (1 / 0.044715 + x^2).

    u / c is the exact product of 11 bits of x and of 11 bits of the sum, and a rest; what is left
    of it, r, is less than log(2) / c, and e^-u = 2^k (1 + (c r + r^2 hole)), with c in two parts.
    """
    t = x.max(-10.2)
    high = short(t, 11)
    low = t - high
    square, more = high * high, low * (t + high) + _MORE_TO_SQUARE
    whole = (square + _TO_SQUARE) + more
    factor = short(whole, 11)
    rest_of_factor = ((_TO_SQUARE - factor) + square) + more
    power, k = _lower((t * whole) * float(-1 / _STEP), _DOWN)
    first = k * -_STEP_HIGH - high * factor
    second = k * -_STEP_LOW - (low * factor + t * rest_of_factor)
    r = named(first + second)
    linear = power * (first * _SCALE_HIGH)
    rest = power * (r * (r * hole + _SCALE_LOW) + second * _SCALE_HIGH)
    total = (power + _ONE) + (linear + rest)
    return _ends(x, _over(t, total, (power, _ONE, linear, rest), 1.0), 5.0)


_SPLIT, _END = 3.75, 13.3
_CENTRES = (1.0, 8.0)
_SLOPE, _TERMS = 2.25, 11


def _bend(a):
    """(2 / erfcx(a / sqrt(2)) - 2) / a less the slope of a straight line."""
    z = a / mp.sqrt(2)
    if a < mp.mpf(10) ** -12:
        return 2 * mp.sqrt(2 / mp.pi) - _SLOPE
    return (2 / (mp.erfc(z) * mp.exp(z * z)) - 2) / a - _SLOPE


@functools.cache
def _bend_fit(low, high, centre):
    """Of the size less a centre; errors count as in 2 / erfcx."""
    return single(
        lambda v: _bend(v + centre), low - centre, high - centre, _TERMS,
        weight=lambda v: (v + centre + 1e-6) / (2 + (v + centre) * (_bend(v + centre) + _SLOPE)),
    )  # fmt: skip


def gelu_residual(x, hole, named):
    """max(x, 0) - q, q = |x| 2^-k / ((1 + (r + r^2 hole)) (2 + |x| (9/4 + p))).

    There e^(x^2/2) = 2^k e^r, and p is a polynomial on either side of 3.75. The square is exact in
    two parts; the first part of the product is that of 12 bits by 12.
    """
    size = abs(x).min(_END)
    high = short(size, 12)
    low = size - high
    magic = MAGIC + 127 + _UP
    shifted = ((size * size) * (-0.5 / LN2) + magic).guard()
    k = shifted - magic
    power = (shifted.signed() << 23).floating()
    first = k * HIGH + (high * 0.5) * high
    second = k * LOW + (size + high) * (low * 0.5)
    r = named(first + second)
    rest = r * r * hole + second
    root = 1.0 + (first + rest)
    far = size > _SPLIT
    v = size - far.where(size.constant(_CENTRES[1]), _CENTRES[0])
    fits = _bend_fit(_SPLIT, _END, _CENTRES[1]), _bend_fit(0.0, _SPLIT, _CENTRES[0])
    bend = size * horner(v, selected(far, v, *fits))
    line = 2.0 + (size * _SLOPE + bend)
    root_high, line_high = short(root, 12), short(line, 12)
    root_low = ((1.0 - root_high) + first) + rest
    line_low = ((2.0 - line_high) + high * _SLOPE) + (low * _SLOPE + bend)
    product = root_high * line_high
    more = root_high * line_low + root_low * line
    q = _quotient(size * power, product + more, (product, more))
    y = ((x * 2.0**_UP).max(-0.0) - q) * 2.0**-_UP
    return _ends(x, y, 5.6)


SCAFFOLD_FORMS = {
    "silu-residual": silu_residual, "mish-residual": mish_residual,
    "gelu-tanh-residual": gelu_tanh_residual, "gelu-residual": gelu_residual,
}  # fmt: skip
