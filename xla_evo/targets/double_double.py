"""Double-double arithmetic in numba: a number as an unevaluated sum of two float64, 106 bits.

For the few inputs where a reference cancels: near the zeros of gamma's logarithm and of its
derivative, float64 keeps no digit of the result, and mpmath would take hours over a format.
Algorithms: Dekker, Numerische Mathematik 18 (1971); Knuth, TAOCP 2, 4.2.2; Hida, Li and Bailey,
"Library for double-double and quad-double arithmetic" (2007), section 3.
Numba does not contract products into sums unless asked to, which the exact steps rely on.
"""

import math

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from xla_evo._numba import njit_with

Pair = tuple[float, float]

_SPLIT = 134217729.0  # 2^27 + 1
_TERMS = 40
_EXP_TERMS = 18
_EXP_HALVINGS = 3


def constant_pair(value: object) -> Pair:
    """Returns the double-double nearest to an mpmath number."""
    with mp.workprec(300):
        exact = mp.mpf(value)
        high = float(exact)
        return high, float(exact - mp.mpf(high))


def constant_pairs(values: list[object]) -> NDArray[np.float64]:
    """Returns an array of shape (n, 2) of double-doubles."""
    return np.asarray([constant_pair(v) for v in values])


with mp.workprec(300):
    PI = constant_pair(+mp.pi)
    LN2 = constant_pair(+mp.ln2)
    _INVERSE_FACTORIALS = constant_pairs([1 / mp.factorial(k) for k in range(_TERMS)])


@njit_with(nogil=True, inline="always")
def two_sum(a: float, b: float) -> Pair:
    """Returns a + b exactly (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@njit_with(nogil=True, inline="always")
def two_product(a: float, b: float) -> Pair:
    """Returns a b exactly (Dekker), for magnitudes up to 2^970."""
    p = a * b
    t = _SPLIT * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLIT * b
    b_high = t - (t - b)
    b_low = b - b_high
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


@njit_with(nogil=True, inline="always")
def negative(a: Pair) -> Pair:
    """Returns -a."""
    return -a[0], -a[1]


@njit_with(nogil=True, inline="always")
def scaled(a: Pair, power: float) -> Pair:
    """Returns a times a power of two."""
    return a[0] * power, a[1] * power


@njit_with(nogil=True)
def add(a: Pair, b: Pair) -> Pair:
    """Returns a + b with a relative error of about 2^-104, also under cancellation."""
    s, e = two_sum(a[0], b[0])
    t, f = two_sum(a[1], b[1])
    e += t
    high = s + e
    e = (e - (high - s)) + f
    s = high + e
    return s, e - (s - high)


@njit_with(nogil=True)
def multiply(a: Pair, b: Pair) -> Pair:
    """Returns a b."""
    p, e = two_product(a[0], b[0])
    e += a[0] * b[1] + a[1] * b[0]
    s = p + e
    return s, e - (s - p)


@njit_with(nogil=True)
def divide(a: Pair, b: Pair) -> Pair:
    """Returns a / b by long division in three float64 quotients."""
    q1 = a[0] / b[0]
    r = add(a, multiply((-q1, 0.0), b))
    q2 = r[0] / b[0]
    r = add(r, multiply((-q2, 0.0), b))
    return add(two_sum(q1, q2), (r[0] / b[0], 0.0))


@njit_with(nogil=True)
def exponential(a: Pair) -> Pair:
    """Returns exp(a) for |a| up to 700: reduction by ln 2 and halvings, Taylor, squarings."""
    k = np.rint(a[0] / LN2[0])
    r = add(a, multiply((-k, 0.0), LN2))
    factor = 0.5**_EXP_HALVINGS
    r = (r[0] * factor, r[1] * factor)
    total = (0.0, 0.0)
    # Taylor of exp(r) - 1, so that the squarings keep its relative accuracy.
    for i in range(_EXP_TERMS, 0, -1):
        total = multiply(add(total, (_INVERSE_FACTORIALS[i, 0], _INVERSE_FACTORIALS[i, 1])), r)
    for _ in range(_EXP_HALVINGS):
        total = add((2.0 * total[0], 2.0 * total[1]), multiply(total, total))
    total = add(total, (1.0, 0.0))
    scale = math.ldexp(1.0, int(k))
    return total[0] * scale, total[1] * scale


@njit_with(nogil=True)
def logarithm(a: Pair) -> Pair:
    """Returns log(a) for positive a by one Newton step on the float64 logarithm."""
    y = math.log(a[0])
    ratio = multiply(a, exponential((-y, 0.0)))
    d = add(ratio, (-1.0, 0.0))
    # log(1 + d) with |d| of some 2^-52.
    correction = add(d, (-0.5 * d[0] * d[0], 0.0))
    return add((y, 0.0), correction)


@njit_with(nogil=True)
def sine_and_cosine_of_pi(f: float) -> tuple[Pair, Pair]:
    """Returns sin(pi f) and cos(pi f) for |f| <= 1/2 by Taylor's series."""
    x = multiply(PI, (f, 0.0))
    square = multiply(x, x)
    sine, cosine = (0.0, 0.0), (0.0, 0.0)
    for i in range(_TERMS - 1, 0, -2):
        sign = 1.0 if (i // 2) % 2 == 0 else -1.0
        term = (sign * _INVERSE_FACTORIALS[i, 0], sign * _INVERSE_FACTORIALS[i, 1])
        sine = add(multiply(sine, square), term)
        even = (sign * _INVERSE_FACTORIALS[i - 1, 0], sign * _INVERSE_FACTORIALS[i - 1, 1])
        cosine = add(multiply(cosine, square), even)
    return multiply(sine, x), cosine
