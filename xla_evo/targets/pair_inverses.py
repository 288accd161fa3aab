"""References for float64 results of inverse functions, see `xla_evo.targets.pair_forms`.

Each is a float64 value and one Newton step whose residual is in double-double. Sine and cosine are
those of the nearest multiple of 1/64 and of the rest (Tang, ACM TOMS 15, 1989).
"""

import math

import mpmath as mp
import numpy as np

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets import pair_forms as forms
from xla_evo.targets.double_double import Pair
from xla_evo.targets.pair_forms import TINY, Settled

_STEPS = 64
_LARGE = 2.0**40
"""From there on 1 is nothing beside a square."""
with mp.workprec(400):
    _ANGLES = [mp.mpf(j) / _STEPS for j in range(2 * _STEPS)]
    _SINES = dd.constant_pairs([mp.sin(a) for a in _ANGLES])
    _COSINES = dd.constant_pairs([mp.cos(a) for a in _ANGLES])
    _SIXTH = dd.constant_pair(mp.mpf(1) / 6)
    _HALF_PI = dd.constant_pair(mp.pi / 2)


@njit_with(nogil=True)
def _sine_and_cosine(y: float) -> tuple[Pair, Pair]:
    """(sin y, cos y) for y from 0 to 1.9."""
    j = int(np.rint(y * _STEPS))
    r = y - j / _STEPS
    square = dd.two_product(r, r)
    z = square[0]
    # r - r^3 / 6 + ..., 1 - r^2 / 2 + ...
    cube = dd.multiply(dd.multiply(square, (r, 0.0)), _SIXTH)
    tail = r * z * z * (1.0 / 120.0 - z * (1.0 / 5040.0 - z * (1.0 / 362880.0)))
    sine = dd.add((r, 0.0), dd.add(dd.negative(cube), (tail, 0.0)))
    fourth = dd.multiply(square, square)
    even = dd.divide(fourth, (24.0, 0.0))
    tail = z * z * z * (-1.0 / 720.0 + z * (1.0 / 40320.0 - z * (1.0 / 3628800.0)))
    cosine = dd.add(dd.scaled(square, -0.5), dd.add(even, (tail, 0.0)))
    s, c = (_SINES[j, 0], _SINES[j, 1]), (_COSINES[j, 0], _COSINES[j, 1])
    found = dd.add(s, dd.add(dd.multiply(s, cosine), dd.multiply(c, sine)))
    other = dd.add(c, dd.add(dd.multiply(c, cosine), dd.negative(dd.multiply(s, sine))))
    return found, other


@njit_with(nogil=True)
def atan_at(x: float) -> Settled:
    """atan(x), by tan(y + d) = x."""
    a = abs(x)
    if a < 2.0**-40 or math.isnan(x):
        # x - x^3 / 3
        return (x, -x * x / 3.0 * math.ldexp(x, 53 - math.frexp(x)[1])) if a > TINY else (x, 0.0)
    y = math.atan(a)
    s, c = _sine_and_cosine(y)
    if a <= 1.0:
        top = dd.add(dd.multiply(c, (a, 0.0)), dd.negative(s))
        bottom = dd.add(c, dd.multiply(s, (a, 0.0)))
    else:
        # A division by larger ones overflows on the way, and the inverse is nothing beside 1.
        inverse = dd.divide((1.0, 0.0), (a, 0.0)) if a < 2.0**900 else (0.0, 0.0)
        top = dd.add(c, dd.negative(dd.multiply(s, inverse)))
        bottom = dd.add(s, dd.multiply(c, inverse))
    return forms.of_sign(x, dd.add((y, 0.0), dd.divide(top, bottom)), 0)


@njit_with(nogil=True)
def _root(z: float) -> Pair:
    s = math.sqrt(z)
    p, e = dd.two_product(s, s)
    return dd.two_sum(s, ((z - p) - e) / (2.0 * s)) if s > 0.0 else (0.0, 0.0)


@njit_with(nogil=True)
def _asin(u: Pair) -> Pair:
    """The arc sine of a number from 2^-80 to 0.71."""
    y = math.asin(u[0])
    s, c = _sine_and_cosine(y)
    d = dd.divide(dd.add(u, dd.negative(s)), c)
    return dd.add((y, 0.0), (d[0], d[1] + 0.5 * d[0] * d[0] * s[0] / c[0]))


@njit_with(nogil=True)
def _folded(a: float) -> Pair:
    """2 asin(sqrt((1 - a) / 2)) for a from 1/2 to 1."""
    root = _root(0.5 * (1.0 - a))
    value = _asin(root) if root[0] > 0.0 else root
    return dd.scaled(value, 2.0)


@njit_with(nogil=True)
def asin_at(x: float) -> Settled:
    """asin(x)."""
    a = abs(x)
    if not TINY < a <= 1.0:
        return (x if a <= 1.0 or math.isnan(x) else math.nan), 0.0
    value = _asin((a, 0.0)) if a <= 0.5 else dd.add(_HALF_PI, dd.negative(_folded(a)))
    return forms.of_sign(x, value, 0)


@njit_with(nogil=True)
def acos_at(x: float) -> Settled:
    """acos(x)."""
    a = abs(x)
    if not a <= 1.0:
        return math.nan, 0.0
    if a > 0.5:
        value = _folded(a)
        if x < 0.0:
            value = dd.add(dd.scaled(_HALF_PI, 2.0), dd.negative(value))
    else:
        part = _asin((a, 0.0)) if a > TINY else (a, 0.0)
        value = dd.add(_HALF_PI, part if x < 0.0 else dd.negative(part))
    return forms.settled(value, 0)


@njit_with(nogil=True)
def atanh_at(x: float) -> Settled:
    """atanh(x), by (e^2y - 1) / (e^2y + 1)."""
    a = abs(x)
    if not TINY < a < 1.0:
        if a == 1.0:
            return math.copysign(math.inf, x), 0.0
        return (x if a < 1.0 or math.isnan(x) else math.nan), 0.0
    y = math.atanh(a)
    m, _ = forms.expm1_pair(2.0 * y)
    more = dd.add(m, (2.0, 0.0))
    # (a - m / (m + 2)) (m + 2)^2 / (4 (m + 1)) = (2 a - m (1 - a)) (m + 2) / (4 (m + 1))
    below = dd.multiply(m, dd.two_sum(1.0, -a))
    top = dd.multiply(dd.add((2.0 * a, 0.0), dd.negative(below)), more)
    bottom = dd.scaled(dd.add(m, (1.0, 0.0)), 4.0)
    d = dd.divide(top, bottom)
    t = m[0] / more[0]
    return forms.of_sign(x, dd.add((y, 0.0), (d[0], d[1] + t * d[0] * d[0])), 0)


@njit_with(nogil=True)
def asinh_at(x: float) -> Settled:
    """asinh(x), by sinh(y + d) = x; log(2 |x|) from 2^40 on."""
    a = abs(x)
    if not TINY < a < math.inf:
        return x, 0.0
    if a > _LARGE:
        value = dd.add(forms.log_pair((a, 0.0)), dd.LN2)
        return forms.of_sign(x, dd.add(value, (0.25 / a / a, 0.0)), 0)
    y = math.asinh(a)
    slope = math.sqrt(1.0 + a * a)
    rest = dd.add((2.0 * a, 0.0), dd.negative(forms.twice_sinh(y)))
    step = 0.5 * rest[0] / slope
    return forms.of_sign(x, dd.add((y, 0.0), (step, -0.5 * step * step * a / slope)), 0)


@njit_with(nogil=True)
def acosh_at(x: float) -> Settled:
    """acosh(x), by 2 sinh(y/2)^2 = x - 1; log(2 x) from 2^40 on."""
    if not 1.0 < x < math.inf:
        return (0.0 if x == 1.0 else (math.nan if x < 1.0 else x)), 0.0
    if x > _LARGE:
        value = dd.add(forms.log_pair((x, 0.0)), dd.LN2)
        return forms.settled(dd.add(value, (-0.25 / x / x, 0.0)), 0)
    y = math.acosh(x) if x > 1.5 else 2.0 * math.asinh(math.sqrt(0.5 * (x - 1.0)))
    s = forms.twice_sinh(0.5 * y)
    rest = dd.add((x - 1.0, 0.0), dd.scaled(dd.multiply(s, s), -0.5))
    slope = math.sqrt((x - 1.0) * (x + 1.0))
    step = rest[0] / slope
    return forms.settled(dd.add((y, 0.0), (step, -0.5 * step * step * x / slope)), 0)


@njit_with(nogil=True)
def cbrt_at(x: float) -> Settled:
    """The cube root, by one step on that of a number from 1/8 to 1."""
    if x == 0.0 or not math.isfinite(x):
        return x, 0.0
    m, n = math.frexp(abs(x))
    exponent = -(-n // 3)
    a = math.ldexp(m, n - 3 * exponent)
    y = a ** (1.0 / 3.0)
    cube = dd.multiply(dd.two_product(y, y), (y, 0.0))
    step = dd.add((a, 0.0), dd.negative(cube))[0] / (3.0 * y * y)
    return forms.of_sign(x, dd.add((y, 0.0), (step, -step * step / y)), exponent)


asin = forms.arrays(asin_at)
acos = forms.arrays(acos_at)
atan = forms.arrays(atan_at)
atanh = forms.arrays(atanh_at)
asinh = forms.arrays(asinh_at)
acosh = forms.arrays(acosh_at)
cbrt = forms.arrays(cbrt_at)
