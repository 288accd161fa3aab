"""Error functions in float32 alone."""

from expression import Value, sign_of, with_sign
from octaves import rough_reciprocal
from single_logarithms import LN2_HIGH, LN2_LOW, ROOT_HALF, split
from single_parts import (
    INF,
    MAGIC,
    MANTISSA,
    NAN,
    Constants,
    at_most,
    polynomial,
    power_of_two,
)

LOG2_E = 1.4426950408889634
SHORT = -4096
"""Mask of the twelve highest bits of a significand: two such numbers have an exact product."""


def short(x: Value) -> Value:
    """X with twelve bits, towards zero."""
    return (x.signed() & SHORT).floating()


def erf(x: Value, c: Constants) -> Value:
    """A + a q(a^2), or from 1.222 on 1 - p(a)^4: a root of erfc needs few terms."""
    a = at_most(abs(x), 4.0)
    near = a * polynomial(a * a - 0.75, c["near"]) + a
    root = polynomial(a - 1.25, c["far"])
    half = root * root
    far = 1.0 - half * half
    return with_sign((a > 1.222).where(far, near), sign_of(x))


def scaled_tail(a: Value, top: float | Value, k: float, c: Constants, *, halved: bool) -> Value:
    """e^(-a^2) g top / (a + k), or e^(-a^2/2) g top / (a + k), with one rounding that counts.

    Three factors, each in a part of twelve bits and a rest: the power, g (a polynomial in
    1 / (a + k)) and the quotient.

    Args:
        a: from 0 to where the power is still a normal number.
        top: 1, or a.
        k: with few bits, so that the rounding of a + k is known.
        c: constants.
        halved: whether the exponent is.
    """
    a_high = short(a)
    a_low = a - a_high
    half_high, half_low = (a_high * 0.5, a_low * 0.5) if halved else (a_high, a_low)
    shifted = ((a * (-LOG2_E * (0.5 if halved else 1.0))) * a + MAGIC).guard()
    n = shifted - MAGIC
    # a^2 + n log 2: the first sum is exact
    first = half_high * a_high + n * LN2_HIGH
    second = half_low * (a_high + a) + n * LN2_LOW
    r = (first + second).guard()
    r_low = (first - r) + second
    t = r * (r * polynomial(r, c["exp"])) - r_low
    e_high = short((t - r) + 1.0)
    e_low = ((1.0 - e_high) - r) + t

    d = (a + k).guard()
    d_low = a - (d - k)
    inverse = 1.0 / d
    j = short(inverse if isinstance(top, float) else top * inverse)
    j_low = ((top - j * d) - j * d_low) * inverse
    # 1 / (a + k) or k / (a + k), less the centre
    v = (j - c["centre"][0]) + j_low if isinstance(top, float) else (c["centre"][0] - j) - j_low

    # the product by the first coefficient is rounded in the sum alone
    g_rest = v * c["g"][1] + (v * v) * polynomial(v, c["g"][2:])
    g = g_rest + c["g"][0]
    g_high = short(g)
    g_low = (c["g"][0] - g_high) + g_rest
    m = e_high * g_high
    m_low = e_low * g + e_high * g_low
    tail = j * m + (j_low * (m + m_low) + j * m_low)
    return tail * power_of_two(shifted.signed() << MANTISSA)


def erfc(x: Value, c: Constants) -> Value:
    """e^(-a^2) g / (a + 1), or 2 minus it."""
    tail = scaled_tail(at_most(abs(x), 9.3), 1.0, 1.0, c, halved=False)
    return (x < 0.0).where(2.0 - tail, tail)


def gelu(x: Value, c: Constants) -> Value:
    """max(x, 0) - |x| erfc(|x| / sqrt 2) / 2; nan at -inf, as JAX."""
    a = at_most(abs(x), 13.2)
    y = (x < 0.0).where(-0.0, x) - scaled_tail(a, a, 1.5, c, halved=True)
    y = (abs(x) < 2.0**-40).where(x * 0.5, y)
    return (x < -14.5).where(x * 0.0, y)


def erf_inv(x: Value, c: Constants) -> Value:
    """A + a q(w), or sqrt(w) (1 + d(w)) from w = 2.5 on, of w = -log(1 - x^2) in two parts."""
    a = abs(x)
    p = 1.0 - x * x
    k, f = split(p, ROOT_HALF)
    u = f + (f * (f * polynomial(f, c["log"])) + k * LN2_LOW)
    high = k * -LN2_HIGH
    w = high - u
    w_low = (high - w) - u
    root = w.sqrt()
    rest = (w - root * root) + w_low
    half_inverse = rough_reciprocal(root, -1)
    beyond = w > 2.0
    far = root + (root * polynomial(root - 2.75, c["far"]) + rest * half_inverse)
    y = beyond.where(far, a * polynomial(w, c["near"]) + a)
    y = (p > 0.0).where(y, (p.equals(0.0)).where(y.constant(INF), NAN))
    return with_sign(y, sign_of(x))
