"""References for float64 results of inverse functions, logarithms and what is made of e^x.

Each is a float64 value and one Newton step whose residual is in double-double, see
`xla_evo.targets.pair_forms`. Sine and cosine are those of the nearest multiple of 1/64 and of the
rest (Tang, ACM TOMS 15, 1989).
"""

import math

import mpmath as mp
import numpy as np

from xla_evo._numba import njit_with
from xla_evo.targets import double_double as dd
from xla_evo.targets import pair_forms as forms
from xla_evo.targets.double_double import Pair
from xla_evo.targets.pair_forms import Settled

_STEPS = 64
_FAR = 2.0**500
_TINY = 2.0**-80
with mp.workprec(400):
    _ANGLES = [mp.mpf(j) / _STEPS for j in range(2 * _STEPS)]
    _SINES = dd.constant_pairs([mp.sin(a) for a in _ANGLES])
    _COSINES = dd.constant_pairs([mp.cos(a) for a in _ANGLES])
    _SIXTH = dd.constant_pair(mp.mpf(1) / 6)
    _INVERSE_LN2 = dd.constant_pair(1 / mp.ln2)
    _INVERSE_LN10 = dd.constant_pair(1 / mp.ln10)
    _LOG10_2 = dd.constant_pair(mp.log10(2))
    _HALF_PI = dd.constant_pair(mp.pi / 2)


@njit_with(nogil=True, inline="always")
def _negative(a: Pair) -> Pair:
    return -a[0], -a[1]


@njit_with(nogil=True, inline="always")
def _of_sign(x: float, value: Pair) -> Settled:
    high, rest = forms.settled(value, 0)
    return (high, rest) if x > 0.0 else (-high, -rest)


@njit_with(nogil=True)
def _log(x: float) -> tuple[Pair, float]:
    """(log m, n) of x = m 2^n, n 0 but for the largest and least; x above 0 and normal."""
    if x > _FAR:
        return forms.log_pair(((x * 2.0**-600), 0.0)), 600.0
    if x < 1.0 / _FAR:
        return forms.log_pair(((x * 2.0**600), 0.0)), -600.0
    return forms.log_pair((x, 0.0)), 0.0


@njit_with(nogil=True, inline="always")
def _log_end(x: float) -> float:
    """The logarithm where it is no number or infinite."""
    if x < 0.0:
        return math.nan
    return -math.inf if x == 0.0 else x


@njit_with(nogil=True)
def log_at(x: float) -> Settled:
    """log(x)."""
    if not 0.0 < x < math.inf:
        return _log_end(x), 0.0
    value, n = _log(x)
    return forms.settled(dd.add(value, dd.multiply((n, 0.0), dd.LN2)), 0)


@njit_with(nogil=True)
def log2_at(x: float) -> Settled:
    """log2(x), of the significand where it is not next to 1."""
    if not 0.0 < x < math.inf:
        return _log_end(x), 0.0
    m, n = math.frexp(x)
    if m < 0.75:
        m, n = 2.0 * m, n - 1
    value = dd.multiply(forms.log_pair((m, 0.0)), _INVERSE_LN2)
    return forms.settled(dd.add((float(n), 0.0), value), 0)


@njit_with(nogil=True)
def log10_at(x: float) -> Settled:
    """log10(x)."""
    if not 0.0 < x < math.inf:
        return _log_end(x), 0.0
    value, n = _log(x)
    value = dd.multiply(value, _INVERSE_LN10)
    return forms.settled(dd.add(value, dd.multiply((n, 0.0), _LOG10_2)), 0)


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
    sine = dd.add((r, 0.0), dd.add(_negative(cube), (tail, 0.0)))
    fourth = dd.multiply(square, square)
    even = dd.divide(fourth, (24.0, 0.0))
    tail = z * z * z * (-1.0 / 720.0 + z * (1.0 / 40320.0 - z * (1.0 / 3628800.0)))
    half = (-0.5 * square[0], -0.5 * square[1])
    cosine = dd.add(half, dd.add(even, (tail, 0.0)))
    s, c = (_SINES[j, 0], _SINES[j, 1]), (_COSINES[j, 0], _COSINES[j, 1])
    found = dd.add(s, dd.add(dd.multiply(s, cosine), dd.multiply(c, sine)))
    other = dd.add(c, dd.add(dd.multiply(c, cosine), _negative(dd.multiply(s, sine))))
    return found, other


@njit_with(nogil=True)
def atan_at(x: float) -> Settled:
    """atan(x), by tan(y + d) = x."""
    a = abs(x)
    if a < 2.0**-40 or math.isnan(x):
        # x - x^3 / 3
        return (x, -x * x / 3.0 * math.ldexp(x, 53 - math.frexp(x)[1])) if a > _TINY else (x, 0.0)
    y = math.atan(a)
    s, c = _sine_and_cosine(y)
    if a <= 1.0:
        top = dd.add(dd.multiply(c, (a, 0.0)), _negative(s))
        bottom = dd.add(c, dd.multiply(s, (a, 0.0)))
    else:
        inverse = dd.divide((1.0, 0.0), (a, 0.0)) if a < 2.0**900 else (0.0, 0.0)
        top = dd.add(c, _negative(dd.multiply(s, inverse)))
        bottom = dd.add(s, dd.multiply(c, inverse))
    return _of_sign(x, dd.add((y, 0.0), dd.divide(top, bottom)))


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
    d = dd.divide(dd.add(u, _negative(s)), c)
    return dd.add((y, 0.0), (d[0], d[1] + 0.5 * d[0] * d[0] * s[0] / c[0]))


@njit_with(nogil=True)
def _folded(a: float) -> Pair:
    """2 asin(sqrt((1 - a) / 2)) for a from 1/2 to 1."""
    root = _root(0.5 * (1.0 - a))
    value = _asin(root) if root[0] > 0.0 else root
    return 2.0 * value[0], 2.0 * value[1]


@njit_with(nogil=True)
def asin_at(x: float) -> Settled:
    """asin(x)."""
    a = abs(x)
    if not _TINY < a <= 1.0:
        return (x if a <= 1.0 or math.isnan(x) else math.nan), 0.0
    value = _asin((a, 0.0)) if a <= 0.5 else dd.add(_HALF_PI, _negative(_folded(a)))
    return _of_sign(x, value)


@njit_with(nogil=True)
def acos_at(x: float) -> Settled:
    """acos(x)."""
    a = abs(x)
    if not a <= 1.0:
        return math.nan, 0.0
    if a > 0.5:
        value = _folded(a)
        if x < 0.0:
            value = dd.add((2.0 * _HALF_PI[0], 2.0 * _HALF_PI[1]), _negative(value))
    else:
        part = _asin((a, 0.0)) if a > _TINY else (a, 0.0)
        value = dd.add(_HALF_PI, part if x < 0.0 else _negative(part))
    return forms.settled(value, 0)


@njit_with(nogil=True)
def atanh_at(x: float) -> Settled:
    """atanh(x), by (e^2y - 1) / (e^2y + 1)."""
    a = abs(x)
    if not _TINY < a < 1.0:
        if a == 1.0:
            return math.copysign(math.inf, x), 0.0
        return (x if a < 1.0 or math.isnan(x) else math.nan), 0.0
    y = math.atanh(a)
    m, _ = forms.expm1_pair(2.0 * y)
    more = dd.add(m, (2.0, 0.0))
    # (a - m / (m + 2)) (m + 2)^2 / (4 (m + 1)) = (2 a - m (1 - a)) (m + 2) / (4 (m + 1))
    below = dd.multiply(m, dd.two_sum(1.0, -a))
    top = dd.multiply(dd.add((2.0 * a, 0.0), _negative(below)), more)
    bottom = dd.add((4.0 * m[0], 4.0 * m[1]), (4.0, 0.0))
    d = dd.divide(top, bottom)
    t = m[0] / more[0]
    return _of_sign(x, dd.add((y, 0.0), (d[0], d[1] + t * d[0] * d[0])))


@njit_with(nogil=True)
def _sinh(y: float) -> tuple[Pair, Pair]:
    """(sinh y, e^y - 1) for y from 2^-80 to 30."""
    m, exponent = forms.expm1_pair(y)
    scale = math.ldexp(1.0, exponent)
    m = (m[0] * scale, m[1] * scale)
    value = dd.add(m, dd.divide(m, dd.add(m, (1.0, 0.0))))
    return (0.5 * value[0], 0.5 * value[1]), m


@njit_with(nogil=True)
def asinh_at(x: float) -> Settled:
    """asinh(x), by sinh(y + d) = x; log(2 |x|) from 2^40 on."""
    a = abs(x)
    if not _TINY < a < math.inf:
        return x, 0.0
    if a > 2.0**40:
        value, n = _log(a)
        value = dd.add(value, dd.multiply((n + 1.0, 0.0), dd.LN2))
        return _of_sign(x, dd.add(value, (0.25 / a / a, 0.0)))
    y = math.asinh(a)
    s, _ = _sinh(y)
    slope = math.sqrt(1.0 + a * a)
    d = dd.add((a, 0.0), _negative(s))
    step = d[0] / slope
    return _of_sign(x, dd.add((y, 0.0), (step, -0.5 * step * step * a / slope)))


@njit_with(nogil=True)
def acosh_at(x: float) -> Settled:
    """acosh(x), by 2 sinh(y/2)^2 = x - 1; log(2 x) from 2^40 on."""
    if not 1.0 < x < math.inf:
        return (0.0 if x == 1.0 else (math.nan if x < 1.0 else x)), 0.0
    if x > 2.0**40:
        value, n = _log(x)
        value = dd.add(value, dd.multiply((n + 1.0, 0.0), dd.LN2))
        return forms.settled(dd.add(value, (-0.25 / x / x, 0.0)), 0)
    y = math.acosh(x) if x > 1.5 else 2.0 * math.asinh(math.sqrt(0.5 * (x - 1.0)))
    s, _ = _sinh(0.5 * y)
    square = dd.multiply(s, s)
    rest = dd.add((x - 1.0, 0.0), (-2.0 * square[0], -2.0 * square[1]))
    slope = math.sqrt((x - 1.0) * (x + 1.0))
    step = rest[0] / slope
    return forms.settled(dd.add((y, 0.0), (step, -0.5 * step * step * x / slope)), 0)


@njit_with(nogil=True)
def cbrt_at(x: float) -> Settled:
    """The cube root, by one step on that of a number from 1/8 to 1."""
    if x == 0.0 or not math.isfinite(x):
        return x, 0.0
    m, n = math.frexp(abs(x))
    shift = n % 3
    a = math.ldexp(m, shift - 3 if shift else 0)
    exponent = (n - shift) // 3 + (1 if shift else 0)
    y = a ** (1.0 / 3.0)
    cube = dd.multiply(dd.two_product(y, y), (y, 0.0))
    step = dd.add((a, 0.0), _negative(cube))[0] / (3.0 * y * y)
    high, rest = forms.settled(dd.add((y, 0.0), (step, -step * step / y)), exponent)
    return (high, rest) if x > 0.0 else (-high, -rest)


@njit_with(nogil=True)
def exp_at(x: float) -> Settled:
    """E^x."""
    if not x < 720.0:
        return (x if math.isnan(x) else math.inf), 0.0
    if x < -800.0:
        return 0.0, 0.0
    value, exponent = forms.exp_pair((x, 0.0))
    return forms.settled(value, exponent)


@njit_with(nogil=True)
def logistic_at(x: float) -> Settled:
    """1 / (1 + e^-x)."""
    if math.isnan(x):
        return x, 0.0
    if abs(x) > 800.0:
        return (1.0 if x > 0.0 else 0.0), 0.0
    value, exponent = forms.exp_pair((-abs(x), 0.0))
    if x < 0.0 and exponent < -120:
        return forms.settled(value, exponent)
    scale = math.ldexp(1.0, exponent)
    e = (value[0] * scale, value[1] * scale)
    more = dd.add(e, (1.0, 0.0))
    return forms.settled(dd.divide(e if x < 0.0 else (1.0, 0.0), more), 0)


@njit_with(nogil=True)
def softplus_at(x: float) -> Settled:
    """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
    if math.isnan(x) or x > 800.0:
        return x, 0.0
    if x < -800.0:
        return 0.0, 0.0
    value, exponent = forms.exp_pair((-abs(x), 0.0))
    if x < 0.0 and exponent < -70:
        return forms.settled(value, exponent)
    scale = math.ldexp(1.0, max(exponent, -200))
    e = (value[0] * scale, value[1] * scale)
    # log(1 + e) by one step on a float64 value: (1 + e) / e^y - 1.
    y = math.log1p(e[0])
    m, _ = forms.expm1_pair(y)
    d = dd.divide(dd.add(e, _negative(m)), dd.add(m, (1.0, 0.0)))
    found = dd.add((y, 0.0), (d[0], d[1] - 0.5 * d[0] * d[0]))
    return forms.settled(dd.add(found, (max(x, 0.0), 0.0)), 0)


@njit_with(nogil=True)
def log_sigmoid_at(x: float) -> Settled:
    """-log(1 + e^-x)."""
    high, rest = softplus_at(-x)
    return -high, -rest


log = forms.arrays(log_at)
log2 = forms.arrays(log2_at)
log10 = forms.arrays(log10_at)
asin = forms.arrays(asin_at)
acos = forms.arrays(acos_at)
atan = forms.arrays(atan_at)
atanh = forms.arrays(atanh_at)
asinh = forms.arrays(asinh_at)
acosh = forms.arrays(acosh_at)
cbrt = forms.arrays(cbrt_at)
exp = forms.arrays(exp_at)
logistic = forms.arrays(logistic_at)
softplus = forms.arrays(softplus_at)
log_sigmoid = forms.arrays(log_sigmoid_at)
