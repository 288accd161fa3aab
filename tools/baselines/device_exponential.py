"""Scaffolds for TPUs of functions around an exponential: float32 without division or contraction.

Every form takes 2^k off the exponential by a magic number and keeps apart what is exact: k HIGH is,
and so is x - k HIGH, and products with powers of two. See `device_scaffolds` for what forms take.
"""

import math

import mpmath as mp
import numpy as np
from cores import LN2
from device_scaffolds import HIGH, LOW, MAGIC, gradual_power
from expression import build, horner, sign_of, with_sign
from fit import fit
from inverses import inverse

from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.interpret import evaluate

_LEAST = 2.0**-60
"""Below it an odd function that is x next to 0 is x; halves of it are still normal numbers."""
_HALF = LN2 / 2 * 1.0005
_MOST = 89.45
"""From here on sinh and cosh are infinite."""
_QUARTER = -2
"""Of the exponent of e^x, which goes beyond 2^128."""


def _nearest(t, shift):
    """(2^(k + shift), k) of the integer k nearest to t / log(2)."""
    magic = MAGIC + 127 + shift
    shifted = (t * (1 / LN2) + magic).guard()
    k = shifted - magic
    return (shifted.signed() << 23).floating(), k


def octave(t, shift=0):
    """(2^(k + shift), x - k HIGH, -k LOW), see `_nearest`."""
    power, k = _nearest(t, shift)
    return power, k * -HIGH + t, k * -LOW


def exp_gradual_parts(x, hole, named):
    """As `exp_parts`, with the power of two of `exp_gradual`."""
    power, last, n, t = gradual_power(x)
    first, low = n * -HIGH + t, n * -LOW
    r = named(first + low)
    y = 1.0 + (first + (r * r * hole + low))
    return (y * power) * last


def exp2_gradual(x, hole, named):
    """2^n times the hole, as `exp_gradual`."""
    power, last, n, t = gradual_power(x, 1.0, (-151.0, 128.0), -124.0)
    named(t - n)
    return (hole * power) * last


def exp_parts(x, hole, named):
    """2^k (1 + (r + r^2 hole)), r in two parts of which the first is exact."""
    power, first, low = octave(x, -127)
    r = named(first + low)
    y = 1.0 + (first + (r * r * hole + low))
    y = (y.signed() + power.signed()).floating()
    y = (x <= 88.72283).where(y, x + math.inf)
    return (x < -87.33654).where(0.0, y)


def expm1_parts(x, hole, named):
    """2^k (x - k HIGH) + (2^k - 1) with its rounding, and 2^k times the rest; halved throughout."""
    scale, first, low = octave(x.clamp(-25.0, 89.0), -1)
    r = named(first + low)
    less = (scale - 0.5).guard()
    linear = scale * first
    head = linear + less
    rest = ((less - head) + linear) + ((scale - less) - 0.5)
    y = head + (scale * (r * r * hole + low) + rest)
    return (abs(x) < _LEAST).where(x, y + y)


def _even(terms):
    """(cosh r - 1) / r^2 in r^2."""
    return fit(
        lambda z: (mp.cosh(mp.sqrt(z)) - 1) / z if z > 1e-9 else mp.mpf(1) / 2, 0, _HALF**2,
        range(terms), weight=lambda z: z,
    ).numerator  # fmt: skip


def _odd(terms):
    """(sinh r - r) / r^3 in r^2."""
    return fit(
        lambda z: (mp.sinh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z > 1e-9 else mp.mpf(1) / 6,
        0, _HALF**2, range(terms), weight=lambda z: z * mp.sqrt(z),
    ).numerator  # fmt: skip


def _opposite(up):
    """2^-k / 4 of 2^k / 4; 0 where that is too small to count."""
    bits = up.signed()
    return (bits.constant((127 + _QUARTER) << 24) - bits).max(0).floating()


def _short_octave(size):
    """(2^k / 4, size - k log(2)), the product rounded."""
    up, k = _nearest(size, _QUARTER)
    return up, k * -LN2 + size


def cosh_parts(x, hole, named):
    """U + (u first + the rest), u = 2^k / 4; halved, since there is no 2^128."""
    up, first, low = octave(abs(x).min(_MOST), _QUARTER)
    r = first + low
    z = named(r * r)
    down = _opposite(up)
    odd = (r * z) * horner(z, _odd(2)) + low
    rest = (up + down) * (z * hole) + (up - down) * odd
    y = up + (up * first + (rest + down * (1.0 - first)))
    return y + y


def cosh_short(x, hole, named):
    """C cosh r + S sinh r, C and S of k log(2), with log(2) in one part."""
    up, r = _short_octave(abs(x).min(_MOST))
    z = named(r * r)
    down = _opposite(up)
    odd = (r * z) * horner(z, _odd(2)) + r
    y = (up + down) * (1.0 + z * hole) + (up - down) * odd
    return y + y


def sinh_parts(x, hole, named):
    """S + u first with its rounding, S of k log(2) and u = 2^k / 4, and the rest; halved too."""
    size = abs(x)
    up, first, low = octave(size.min(_MOST), _QUARTER)
    r = first + low
    z = named(r * r)
    down = _opposite(up)
    small, large = up - down, up + down
    most = up.max(2.0 ** (_QUARTER + 1))
    linear = most * first
    head = linear + small
    rest = (small - head) + linear
    odd = (r * z) * hole + low
    even = small * (z * horner(z, _even(3)))
    y = head + (even + (large * odd + ((large - most) * first + rest)))
    return with_sign((size < _LEAST).where(size, y + y), sign_of(x))


def sinh_short(x, hole, named):
    """As `cosh_short`."""
    size = abs(x)
    up, r = _short_octave(size.min(_MOST))
    z = named(r * r)
    down = _opposite(up)
    even = z * horner(z, _even(2)) + 1.0
    y = (up - down) * even + (up + down) * (r + (r * z) * hole)
    return with_sign((size < _LEAST).where(size, y + y), sign_of(x))


_ERFC_END, _ERFC_SHIFT, _ERFC_TERMS = 9.3, 2.0, 7


def _short_inverse(size, shift=_ERFC_SHIFT):
    """1 / (size + shift) to 2^-19."""
    bottom = size + shift
    y = inverse(bottom)
    return y * (2.0000015 - bottom * y)


def _erfcx(size):
    """exp(size^2) erfc(size), 1 at 0: there the inverse is what the polynomial is centred on."""
    program = build("erfc", _short_inverse, F32)
    at_zero = float(evaluate(program, np.zeros(1, np.float32))[0])

    def ratio(u):
        v = 1 / (u + at_zero) - _ERFC_SHIFT
        return mp.erfc(v) * mp.exp(v * v) / (u + at_zero)

    least = 1 / (_ERFC_END + _ERFC_SHIFT) - at_zero
    first = float(np.float32(1 / at_zero))
    found = fit(ratio, least, 0.0, range(1, _ERFC_TERMS), fixed={0: first}, points=300).numerator
    t = _short_inverse(size)
    return t * horner(t - at_zero, (first, *found))


def erfc_short(x, hole, named):
    """exp(-x^2) times a polynomial in 1 / (2 + x) and that; the square is rounded."""
    size = abs(x).min(_ERFC_END)
    power, first, low = octave(-(size * size))
    r = named(first + low)
    y = (power * (1.0 + r * hole)) * _erfcx(size)
    return (x < 0.0).where(2.0 - y, y)


def _short_inverse_of(bottom):
    """1 / bottom to 2^-9, of 12 bits."""
    return (inverse(bottom).signed() & -0x1000).floating()


def _one_plus_inverse(e):
    """1 / (1 + e); what is left of the short inverse's product is all but exact for e up to 1."""
    y = _short_inverse_of(e + 1.0)
    left = (1.0 - y) - e * y
    return y + y * (left + left * left)


def _powers(x, hole, named, most):
    """(2^k, e^r) with exp(-|x|) = 2^k e^r."""
    power, first, low = octave(-abs(x).min(most))
    r = named(first + low)
    return power, 1.0 + (first + (r * r * hole + low))


def logistic_parts(x, hole, named):
    """1 / (1 + e) for positive x and e / (1 + e) for negative, e = exp(-|x|)."""
    power, root = _powers(x, hole, named, 88.0)
    e = power * root
    return (x < 0.0).where(e, 1.0) * _one_plus_inverse(e)


def _exact_ratios(x, hole, named, most, shift):
    """(2^(k + shift), e^r / (1 + e), 1 / (1 + e)), exp(-|x|) = e = 2^k e^r.

    The short inverse of 1 + e is multiplied by parts of r of which the first is short too.
    """
    large, first, low = octave(-abs(x).min(most), shift)
    power = large * 2.0**-shift if shift else large
    r = named(first + low)
    rest = r * r * hole + low
    root = 1.0 + (first + rest)
    y = _short_inverse_of(power * root + 1.0)
    coarse = (first.signed() & -0x1000).floating()
    head, tail = y * coarse, y * (rest + (first - coarse))
    left = ((1.0 - y) - power * y) - power * (head + tail)
    more = y * (left + left * left)
    return large, y + (head + (tail + more * root)), y + more


def logistic_exact(x, hole, named):
    """As `logistic_parts`, with ratios that are rounded once or twice."""
    power, below, above = _exact_ratios(x, hole, named, 88.0, 0)
    return (x < 0.0).where(power * below, above)


def logistic_gradual(x, hole, named):
    """As `logistic_exact`; the last product rounds a subnormal result once."""
    power, below, above = _exact_ratios(x, hole, named, _GRADUAL_END, _GRADUAL_SHIFT)
    return (x < 0.0).where((power * below) * 2.0**-_GRADUAL_SHIFT, above)


_GRADUAL_END, _GRADUAL_SHIFT = 104.5, 64
"""Where e^-x is 0 among subnormal numbers, and what makes a normal number of its power of two."""
_SHIFT = 8
"""Of a power of two that is out of range where its product with x is not."""


_TANH_SPLIT = 0.7


def tanh_parts(x, hole, named):
    """T + t^3 hole below 0.7; above, 1 - 2 / (1 + e^2t), an estimate of which 1 less is exact."""
    size = abs(x)
    t = size.min(9.2)
    near = t + t * (named(t * t) * hole)
    scale, first, low = octave(t + t, -1)
    r = first + low
    tail = fit(
        lambda r: (mp.expm1(r) - r) / r**2 if r else mp.mpf(1) / 2, -_HALF, _HALF, range(5),
        weight=lambda r: r * r,
    ).numerator  # fmt: skip
    half = scale * (1.0 + (first + (r * r * horner(r, tail) + low)))
    y = (inverse(half + 0.5) + 0.75).guard() - 0.75
    left = (1.0 - y * 0.5) - half * y
    far = (1.0 - y) - y * (left + left * left)
    return with_sign((size >= _TANH_SPLIT).where(far, near), sign_of(x))


def mish_parts(x, hole, named):
    """X u / (1 + u), u = e^x (1 + e^x / 2); for positive x the quotient is 1 less an inverse.

    The power of two is multiplied by last; nan at -inf, as JAX.
    """
    large, first, low = octave(x.clamp(-93.0, 20.0), _SHIFT)
    power = large * 2.0**-_SHIFT
    r = named(first + low)
    rest = r * r * hole + low
    root = 1.0 + (first + rest)
    root = 1.0 + (first + (rest + root * (power * root * 0.5)))
    u = power * root
    inverse = _one_plus_inverse(u)
    below = x < 0.0
    y = x.max(-93.0) * below.where(root * inverse, 1.0 - inverse)
    y = below.where((y * large) * 2.0**-_SHIFT, y)
    return (x > -math.inf).where(y, math.nan)


_GELU_END, _GELU_SHIFT, _GELU_TERMS = 13.25, 2.75, 7


def gelu_short(x, hole, named):
    """G of negative x, x - g of others, g = x erfc(|x| / sqrt(2)) / 2 as in `erfc_short`.

    Half of the least numbers is 0, not their sum with minus that; nan at -inf, as JAX.
    """

    def ratio(t):
        z = (1 / t - _GELU_SHIFT) / mp.sqrt(2)
        return mp.erfc(z) * mp.exp(z * z) / t / 2

    limited = x.clamp(-_GELU_END, _GELU_END)
    size = abs(limited)
    ends = (1 / (_GELU_END + _GELU_SHIFT), 1 / _GELU_SHIFT)
    found = fit(ratio, *ends, range(_GELU_TERMS), points=300).numerator
    t = _short_inverse(size, _GELU_SHIFT)
    power, first, low = octave((size * size) * -0.5)
    r = named(first + low)
    g = (power * (1.0 + r * hole)) * (limited * (t * horner(t, found)))
    y = (x < 2.0**-125).where(g, x - g)
    return (x > -math.inf).where(y, math.nan)


_NEAR, _LOG_TERMS, _EVEN_TERMS = 0.96875, 7, 4


def _softplus(x, hole, named, most=88.0, shift=0):
    """(log(1 + e) for |x| from 31/32 on, log(cosh(x / 2)) for smaller), e = exp(-|x|) = 2^k e^r.

    The first is 2^k ((1 + r) + the rest), r in two parts; 1 and the larger of them are exact. What
    log(1 + e) / e lacks of 1 is multiplied by both, so that e^r is not rounded before.
    """
    large, first, low = octave(-abs(x).min(most), shift)
    power = large * 2.0**-shift if shift else large
    r = named(first + low)
    rest = r * r * hole + low
    one = 1.0 + first
    root = one + rest
    e = power * root
    log = fit(
        lambda e: (mp.log1p(e) / e - 1) / e if e else mp.mpf(-1) / 2, 0, mp.exp(-_NEAR),
        range(1, _LOG_TERMS), fixed={0: -0.5}, weight=lambda e: e,
    ).numerator  # fmt: skip
    ratio = e * -0.5 + (e * e) * horner(e, log)
    far = large * (one + (one * ratio + (rest + rest * ratio)))
    far = far * 2.0**-shift if shift else far
    even = fit(
        lambda z: mp.log(mp.cosh(mp.sqrt(z) / 2)) / z if z > 1e-9 else mp.mpf(1) / 8, 0, _NEAR**2,
        range(_EVEN_TERMS), weight=lambda z: z,
    ).numerator  # fmt: skip
    square = x * x
    return far, square * horner(square, even)


def softplus_parts(x, hole, named, *scale):
    """max(x, 0) + log(1 + e); below 31/32 log(2) + (x / 2 + what is even)."""
    far, even = _softplus(x, hole, named, *scale)
    return (abs(x) < _NEAR).where((x * 0.5 + even) + LN2, x.max(0.0) + far)


def log_sigmoid_parts(x, hole, named, *scale):
    """That of -x, negative."""
    far, even = _softplus(x, hole, named, *scale)
    return (abs(x) < _NEAR).where((x * 0.5 - even) - LN2, x.min(-0.0) - far)


def softplus_gradual(x, hole, named):
    """As `softplus_parts`; the last product rounds a subnormal result once."""
    return softplus_parts(x, hole, named, _GRADUAL_END, _GRADUAL_SHIFT)


def log_sigmoid_gradual(x, hole, named):
    """As `softplus_gradual`."""
    return log_sigmoid_parts(x, hole, named, _GRADUAL_END, _GRADUAL_SHIFT)


SCAFFOLD_FORMS = {
    "exp-parts": exp_parts, "expm1-parts": expm1_parts, "cosh-parts": cosh_parts,
    "cosh-short": cosh_short, "sinh-parts": sinh_parts, "sinh-short": sinh_short,
    "erfc-short": erfc_short, "gelu-short": gelu_short,
    "logistic-parts": logistic_parts, "logistic-exact": logistic_exact,
    "mish-parts": mish_parts, "softplus-parts": softplus_parts,
    "log-sigmoid-parts": log_sigmoid_parts, "tanh-parts": tanh_parts,
    "exp-parts-gradual": exp_gradual_parts, "exp2-gradual": exp2_gradual,
    "logistic-gradual": logistic_gradual, "softplus-gradual": softplus_gradual,
    "log-sigmoid-gradual": log_sigmoid_gradual,
}  # fmt: skip
