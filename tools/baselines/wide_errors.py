"""erfc and the inverse of erf in float64 to less than 1 ULP."""

import functools
import math

import mpmath as mp
from cores import LN2, power_of_two, rounded, split_exponent
from expression import Value, estrin, horner, horner_over_tree, sign_of, with_sign
from fit import Fit, fit, shortest
from parts import (
    any_sum,
    constant_parts,
    contracted_product,
    contracted_sum,
    halves,
    ordered_sum,
    short_product,
    short_reciprocal,
    shortened,
)
from wide_exponential import LN2_HIGH, LN2_LOW, LN2_REST, exp_tail
from wide_logarithm import log_parts

from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan
_CENTRE, _MIDDLE = 1.625, 0.125
ERFC_END = 26.6
NEAR = 0.8427007929497149
"""erf(1): a unit in the last place is twice as large from there on, and so is the far form's error.
"""
NEAR_MIDDLE = 0.62125
_GRID = 1.5 * 2.0 ** (52 - 11)
"""Adding it rounds to multiples of 2^-11."""


@functools.cache
def erfc_fits() -> tuple[float, float, Fit]:
    """(a + k) e^(a^2) erfc(a) as alpha + beta / (a + k) + p(w), w = (a - k) / (a + k) - w0.

    The first two terms touch the function where w is 0, and are short, so that their products are
    exact; they leave a tenth or less. The centre lies so that the sums of p round about as much
    at one end as at the other.
    """
    k, middle = mp.mpf(_CENTRE), mp.mpf(_MIDDLE)

    @functools.cache
    def scaled(w):
        a = k * (1 + w + middle) / (1 - w - middle)
        with mp.workdps(70):
            return mp.exp(a * a) * mp.erfc(a) * (a + k)

    slope = mp.diff(scaled, 0)
    beta = constant_parts(-2 * k * slope, 20)[0]
    touching = mp.mpf(beta) * (1 - middle) / (2 * k)
    alpha = constant_parts(scaled(mp.mpf(0)) - touching, 20)[0]
    ends = -1 - middle, (ERFC_END - k) / (ERFC_END + k) - middle
    rest = shortest(
        lambda w: scaled(w) - alpha - beta * (1 - w - middle) / (2 * k), *ends, 58.9,
        weight=lambda w: 1 / scaled(w), least=27,
    )  # fmt: skip
    return alpha, beta, rest


@functools.cache
def scaled_erfc(w: mp.mpf, k: mp.mpf) -> mp.mpf:
    """(a + k) e^(a^2) erfc(a) in w = (a - k) / (a + k)."""
    with mp.workdps(120):
        a = k * (1 + w) / (1 - w)
        return mp.exp(a * a) * mp.erfc(a) * (a + k)


@functools.cache
def contracted_erfc_fits() -> tuple[tuple[float, ...], Fit, tuple[float, ...]]:
    """(a + k) e^(a^2) erfc(a) as alpha + beta v + gamma v^2 + p(w), v = 1 / (a + k), w = 1 - 2 k v.

    Returns:
        (alpha, beta, gamma), which touch the function where w is 0 and are short; the rest p; and
        the slope of e^(a^2) erfc(a) by v as a polynomial in w, to 1/25.
    """
    k = mp.mpf(_CENTRE)
    scaled = functools.partial(scaled_erfc, k=k)
    with mp.workdps(40):
        value, slope, bend = (mp.diff(scaled, 0, n) / math.factorial(n) for n in range(3))
        exact = value + slope + bend, -2 * k * (slope + 2 * bend), 4 * k * k * bend
        alpha, beta, gamma = (constant_parts(c, 26)[0] for c in exact)

    def touching(w):
        v = (1 - w) / (2 * k)
        return alpha + v * (beta + v * gamma)

    ends = mp.mpf(-1), (ERFC_END - k) / (ERFC_END + k)
    rest = shortest(
        lambda w: scaled(w) - touching(w), *ends, 58.9, weight=lambda w: 1 / scaled(w), least=29
    )
    by_v = fit(lambda w: scaled(w) - (1 - w) * mp.diff(scaled, w), *ends, range(3), points=60)
    return (alpha, beta, gamma), rest, by_v.numerator


def erfc(x: Value, working: DType, bits: float) -> Value:
    """E^(-a^2) (alpha + beta v + gamma v^2 + p(w)) v of v = 1 / (a + k), by contracted products."""
    a = abs(x).min(27.0)
    square, square_low = contracted_product(a, a)
    n, low_bits = rounded(square * (-1.0 / LN2))
    top = (n * -LN2 - square).guard()
    r, low = ordered_sum(top, n * -LN2_REST - square_low)
    one, error = ordered_sum(x.constant(1.0), r)
    power_rest = exp_tail(r, low + error)
    # In this order for any a: the centre is of so few bits that d less it is exact.
    d, d_low = ordered_sum(a.constant(_CENTRE), a)
    v = (1.0 / d).guard()
    v_low = ((1.0 - v * d) - v * d_low) * v
    w = v * (-2.0 * _CENTRE) + 1.0
    (alpha, beta, gamma), found, slope = contracted_erfc_fits()
    inner, inner_low = contracted_sum(v, gamma, beta)
    touching, touching_low = contracted_sum(v, inner, alpha)
    bracket, bracket_low = ordered_sum(touching, estrin(w, found.numerator))
    rest = bracket_low + (touching_low + v * inner_low)
    scaled, scaled_low = contracted_product(v, bracket)
    scaled_low = scaled_low + (v * rest + v_low * horner(w, slope))
    large, lost = contracted_product(one, scaled)
    small = power_rest * scaled + (one * scaled_low + lost)
    return below_one(x, large + small, low_bits)


def below_one(x: Value, size: Value, exponent: Value) -> Value:
    """Erfc of x from size 2^exponent of |x|, which may be subnormal."""
    tail = (size * power_of_two(exponent + 64, F64)).guard() * 2.0**-64
    return (x < 0.0).where(2.0 - tail, tail)


def erfc_in_parts(x: Value, working: DType, bits: float) -> Value:
    """E^(-a^2) (alpha + beta / (a + k) + p(w)) / (a + k), every factor in two parts."""
    a = abs(x).min(27.0)
    first, rest = halves(a)
    square = first * first
    n, low_bits = rounded(square * (-1.0 / LN2))
    top = (n * -LN2_HIGH - square).guard()
    r, low = ordered_sum(top, n * -LN2_LOW - (a + first) * rest)
    one, error = ordered_sum(x.constant(1.0), r)
    power = shortened(one, error + exp_tail(r, low))
    alpha, beta, found = erfc_fits()
    inverse = short_reciprocal(*any_sum(a, a.constant(_CENTRE)))
    linear, lost = any_sum(a.constant(alpha), inverse[0] * beta)
    # w in two parts; the rest of it needs the slope of p to two digits.
    start = inverse[0] * (-2.0 * _CENTRE) + (1.0 - _MIDDLE)
    w = (start + inverse[1] * (-2.0 * _CENTRE)).guard()
    w_low = (start - w) + inverse[1] * (-2.0 * _CENTRE)
    slope = w * estrin(w, [(k + 2) * c for k, c in enumerate(found.numerator[2:5])])
    # The square in two parts too: its term is nearly all of p.
    (constant, linear_term, square_term), others = found.numerator[:3], found.numerator[3:]
    w_first, w_rest = halves(w)
    w_square, _ = halves(w * w)
    square_rest = (w_first * w_first - w_square) + (w + w_first) * w_rest
    short, short_rest = constant_parts(square_term, 26)
    sum_so_far, lost_too = any_sum(linear, w_square * short)
    p = (w * linear_term + constant) + (w * w) * (w * estrin(w, others))
    p = p + (square_rest * square_term + w_square * short_rest) + w_low * slope
    bracket = shortened(sum_so_far, (lost_too + lost + inverse[1] * beta) + p)
    scaled = shortened(*short_product(inverse, bracket))
    large, small = short_product(power, scaled)
    return below_one(x, large + small, low_bits)


@functools.cache
def near_erf_inv(v: mp.mpf) -> mp.mpf:
    """erf_inv(x) / x in -log(1 - x^2) less its middle (Giles 2012), for results up to 1."""
    w = v + NEAR_MIDDLE
    x = mp.sqrt(-mp.expm1(-w))
    return CATALOGUE["erf_inv"].mp(x) / x if w > 1e-20 else mp.sqrt(mp.pi) / 2


@functools.cache
def near_erf_inv_fit() -> tuple[float, float, Fit]:
    """(a line, its coefficients of 23 and 12 bits after the point; the fit of the rest)."""
    value, middle = near_erf_inv, mp.mpf(NEAR_MIDDLE)
    offset = round(float(value(mp.mpf(0))) * 2**23) / 2**23
    ends = value(-middle), value(middle)
    slope = round(float((ends[1] - ends[0]) / (2 * middle)) * 2**12) / 2**12
    rest = shortest(
        lambda v: value(v) - offset - slope * v, -middle, middle, 60.0, weight=lambda v: 1, least=13
    )
    return offset, slope, rest


@functools.cache
def far_erf_inv_fit(bits: float) -> Fit:
    """erf_inv(x) - s in (s - 2) / (s + 2), s = sqrt(-log(1 - x)), for results from 1 on."""

    @functools.cache
    def value(t):
        s = 2 * (1 + t) / (1 - t)
        u = mp.exp(-s * s)
        y = s * mp.mpf("0.95") - mp.mpf("0.2")
        for _ in range(10):
            y += (mp.erfc(y) - u) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        return y - s

    ends = [(s - 2) / (s + 2) for s in (mp.mpf("1.36"), mp.mpf("6.07"))]
    return shortest(value, *ends, bits, weight=lambda t: 1, least=16)


def erf_inv(x: Value, working: DType, bits: float) -> Value:
    """X times a polynomial of log(1 - x^2), or s + p with s^2 = -log(1 - x) from erf(1) on."""
    a = abs(x)
    near = a < NEAR
    # 1 - a^2 in two parts; far out 1 - a, which is exact.
    first, second = halves(a)
    beside, lost = ordered_sum(x.constant(1.0), -(first * first))
    beside, lost = ordered_sum(beside, lost - (a + first) * second)
    e, m = split_exponent(near.where(beside, 1.0 - a))
    high, low = log_parts(e, m - 1.0)
    high, low = ordered_sum(-high, -low)
    v, v_low = ordered_sum(high, x.constant(-NEAR_MIDDLE))
    # The quotient is nearly linear: a short line, whose product with half of x is exact, and a rest
    # below 2^-7; 1 / (1 - a^2) is about 1 + 2 high.
    offset, slope, found = near_erf_inv_fit()
    v_short = (v + _GRID).guard() - _GRID
    line = v_short * slope + offset
    rest = (
        estrin(v, found.numerator)
        + ((v - v_short) + (low + v_low - lost * (high * 2.0 + 1.0))) * slope
    )
    # A product with less than 1 would leave the normal numbers before the result does.
    small = a < 2.0**-500
    raised = small.where(a * 2.0**500, a)
    first, second = halves(raised)
    inner = first * line + (second * line + raised * rest)
    inner = inner * small.where(x.constant(2.0**-500), 1.0)
    s = high.sqrt()
    s_first, s_second = halves(s)
    residual = (high - s_first * s_first) - (s + s_first) * s_second
    inverse = 1.0 / (s * (s + 2.0))
    root_rest = (residual + low) * ((s + 2.0) * inverse * 0.5)
    t = (s - 2.0) * (s * inverse)
    outer = s + (root_rest + horner_over_tree(t, far_erf_inv_fit(56.0).numerator, 1))
    y = with_sign(near.where(inner, outer), sign_of(x))
    return (a < 1.0).where(y, (a.equals(1.0)).where(with_sign(x.constant(INF), sign_of(x)), NAN))
