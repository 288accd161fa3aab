"""float64 functions to less than 1 ULP: large and small parts, exact under contraction or without.

An exponential is 1 + r + r^2 q(r) with the roundings of 1 + r kept, a result a large part whose sum
is exact and a small one that carries every rounding. Products that must be exact are made of
halves of 26 bits, since XLA contracts what it likes (Dekker 1971, without his reliance on the order
of operations); sums keep their roundings by guards (Knuth, TAOCP 2, 4.2.2).
"""

import functools
import math

import mpmath as mp
from cores import LN2, power_of_two, rounded, split_exponent
from expression import Value, horner, sign_of, with_sign
from fit import Fit, shortest

from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.dtypes import F64, I64, DType

INF, NAN = math.inf, math.nan
_LN2_BITS = 42
_HALF_MASK = -(1 << 27)
_FIT_BITS = 60.0


def _parts_of(value, bits: int) -> tuple[float, float]:
    """A number as its first bits and the rest."""
    with mp.workprec(300):
        exact = mp.mpf(value) if not callable(value) else value()
        unit = mp.ldexp(1, int(mp.mag(exact)) - bits)
        high = mp.nint(exact / unit) * unit
        return float(high), float(exact - high)


LN2_HIGH, LN2_LOW = _parts_of(lambda: mp.log(2), _LN2_BITS)
"""n LN2_HIGH is exact for the exponents n of float64."""


def halves(x: Value) -> tuple[Value, Value]:
    """(the first 26 bits, the rest), by masking."""
    high = (x.signed() & _HALF_MASK).floating(F64)
    return high, x - high


def ordered_sum(large: Value, small: Value) -> tuple[Value, Value]:
    """(sum, its rounding error), where the first is 0 or at least as large as the second."""
    total = (large + small).guard()
    return total, small - (total - large).guard()


def any_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """(sum, its rounding error) for any two."""
    total = (a + b).guard()
    from_b = (total - a).guard()
    return total, (a - (total - from_b).guard()) + (b - from_b)


_END = LN2 / 2 * 1.0001


def reduced(x: Value) -> tuple[Value, Value, Value]:
    """(r, what r lacks, low bits of n) with x = n ln 2 + r."""
    n, bits = rounded(x * (1.0 / LN2))
    top = (n * -LN2_HIGH + x).guard()
    tail = (n * -LN2_LOW).guard()
    r, low = ordered_sum(top, tail)
    return r, low, bits


@functools.cache
def exp_tail_fit() -> Fit:
    """(e^r - 1 - r) / r^2 on half an octave, relative to r / 2^6 + e^r."""
    end = mp.mpf(_END)
    return shortest(
        lambda r: (mp.expm1(r) - r) / (r * r) if abs(r) > 1e-9 else mp.mpf(1) / 2 + r / 6,
        -end, end, _FIT_BITS, weight=lambda r: abs(r) + mp.mpf(2) ** -20, least=9,
    )  # fmt: skip


def exp_tail(r: Value, low: Value) -> Value:
    """E^(r + low) - 1 - r."""
    return r * r * horner(r, exp_tail_fit().numerator) + low


@functools.cache
def exp2_fit() -> Fit:
    """(2^f - 1) / f for |f| up to 1/2, relative to 2^f."""
    return shortest(
        lambda f: mp.expm1(f * mp.log(2)) / f if abs(f) > 1e-12 else mp.log(2),
        -0.50001, 0.50001, 57.5, weight=lambda f: (abs(f) + mp.mpf(2) ** -12) / mp.power(2, f),
        least=10,
    )  # fmt: skip


LN2_HALVES = _parts_of(lambda: mp.log(2), 26)


def exp2(x: Value, working: DType, bits: float) -> Value:
    """1 + f q(f), which is within 1 ULP where the product is contracted into the sum."""
    n, low_bits = rounded(x.clamp(-1022.0, 1024.0))
    f = x - n
    return _with_exponent(f * horner(f, exp2_fit().numerator) + 1.0, low_bits, x)


def exp2_in_parts(x: Value, working: DType, bits: float) -> Value:
    """1 + r + r^2 q(r), r the fraction times ln 2, in two parts: under contraction or without."""
    n, low_bits = rounded(x.clamp(-1022.0, 1024.0))
    f = x - n
    high, low = halves(f)
    r, rest = ordered_sum(high * LN2_HALVES[0], high * LN2_HALVES[1] + low * LN2)
    total, error = ordered_sum(x.constant(1.0), r)
    return _with_exponent(total + (error + exp_tail(r, rest)), low_bits, x)


def _with_exponent(y: Value, n: Value, x: Value) -> Value:
    """Y 2^n by the bits, for the power of two of x; its ends are selected."""
    y = (y.signed() + (n << 52)).floating(F64)
    y = (x >= -1022.0).where(y, 0.0)
    return (x < 1024.0).where(y, x + INF)


def _tiny(x: Value, y: Value, bound: float) -> Value:
    """X itself next to 0, with its sign everywhere."""
    return (abs(x) < bound).where(x, y)


def _offset_sum(scale: Value, linear: Value, tail: Value, offset: float) -> tuple[Value, Value]:
    """(large, small) parts of scale + offset + linear + tail."""
    first, lost = ordered_sum(scale, scale.constant(offset))
    total, error = ordered_sum(first, linear)
    return total, (error + lost) + tail


@functools.cache
def exp_cube_fit() -> Fit:
    """(e^r - 1 - r - r^2 / 2) / r^3 on half an octave."""

    def value(r):
        with mp.workdps(70):
            rest = mp.expm1(r) - r - r * r / 2
            return rest / r**3 if abs(r) > 1e-12 else mp.mpf(1) / 6 + r / 24

    end = mp.mpf(_END)
    return shortest(value, -end, end, _FIT_BITS, weight=lambda r: r * r + mp.mpf(2) ** -20, least=8)


def expm1(x: Value, working: DType, bits: float) -> Value:
    """(2^n - 1) + 2^n (r + r^2 / 2 + r^3 q(r)), halved so that the largest do not overflow.

    Where 1 and 2^n r nearly cancel the rounding of r^2 would show: its half joins the large part.
    """
    r, low, n = reduced(x.clamp(-60.0, 710.0))
    first, rest = halves(r)
    scale = power_of_two(n - 1, F64)
    tail = (r * r) * (r * horner(r, exp_cube_fit().numerator)) + ((r + first) * rest * 0.5 + low)
    large, small = _offset_sum(scale, scale * r, scale * tail, -0.5)
    large, error = ordered_sum(large, (first * first) * (scale * 0.5))
    y = large + (error + small)
    return _tiny(x, y + y, 2.0**-54)


def _sinh_cosh_fits() -> tuple[Fit, Fit]:
    """((cosh r - 1) / r^2, (sinh r - r) / r^3) in r^2."""
    end = mp.mpf(_END) ** 2

    def even(z):
        return (mp.cosh(mp.sqrt(z)) - 1) / z if z > 1e-9 else mp.mpf(1) / 2 + z / 24

    def odd(z):
        r = mp.sqrt(z)
        return (mp.sinh(r) / r - 1) / z if z > 1e-9 else mp.mpf(1) / 6 + z / 120

    with mp.workdps(60):
        return (
            shortest(even, 0, end, _FIT_BITS, weight=lambda z: z + mp.mpf(2) ** -20),
            shortest(odd, 0, end, _FIT_BITS, weight=lambda z: z + mp.mpf(2) ** -20),
        )


sinh_cosh_fits = functools.cache(_sinh_cosh_fits)


def _hyperbolic(x: Value) -> tuple[Value, ...]:
    """(2^(n-2), 2^(-n-2), r, cosh r - 1, sinh r - r) of |x| = n ln 2 + r."""
    r, low, n = reduced(abs(x).min(710.6))
    n = (n << 51) >> 51
    even, odd = sinh_cosh_fits()
    square = r * r
    up, down = power_of_two(n - 2, F64), power_of_two(-(n.min(600)) - 2, F64)
    cosh_tail = r * (r * horner(square, even.numerator) + low)
    sinh_tail = (r * square) * horner(square, odd.numerator) + low
    return up, down, r, cosh_tail, sinh_tail


def sinh(x: Value, working: DType, bits: float) -> Value:
    """Sinh(n ln 2) cosh r + cosh(n ln 2) sinh r, halved until the end."""
    up, down, r, cosh_tail, sinh_tail = _hyperbolic(x)
    a, a_low = ordered_sum(up, -down)
    h, first = ordered_sum(a, up * r)
    h, second = any_sum(h, down * r)
    small = (first + second + a_low) + (a * cosh_tail + (up + down) * sinh_tail)
    y = h + small
    return with_sign(_tiny(abs(x), y + y, 2.0**-30), sign_of(x))


def cosh(x: Value, working: DType, bits: float) -> Value:
    """Cosh(n ln 2) cosh r + sinh(n ln 2) sinh r, halved until the end."""
    up, down, r, cosh_tail, sinh_tail = _hyperbolic(x)
    b, b_low = ordered_sum(up, down)
    h, error = ordered_sum(b, up * r)
    small = (error + b_low - down * r) + (b * cosh_tail + (up - down) * sinh_tail)
    y = h + small
    return y + y


def quotient(top: tuple[Value, Value], bottom: tuple[Value, Value]) -> tuple[Value, Value]:
    """(large, small) parts of a quotient of two sums, with one division.

    The residual of the rounded quotient is exact by halves, so it needs no fused operation.
    """
    inverse = 1.0 / bottom[0]
    q = (top[0] * inverse).guard()
    q_high, q_low = halves(q)
    b_high, b_low = halves(bottom[0])
    rest = ((top[0] - q_high * b_high) - q_high * b_low) - q_low * bottom[0]
    return q, (rest + (top[1] - q * bottom[1])) * inverse


def tanh(x: Value, working: DType, bits: float) -> Value:
    """(e^2a - 1) / (e^2a + 1), both in two parts."""
    a = abs(x).min(19.5)
    r, low, n = reduced(a + a)
    scale = power_of_two(n, F64)
    tail, linear = scale * exp_tail(r, low), scale * r
    parts = [ordered_sum(*_offset_sum(scale, linear, tail, offset)) for offset in (-1.0, 1.0)]
    large, small = quotient(*parts)
    return with_sign(_tiny(abs(x), large + small, 2.0**-30), sign_of(x))


@functools.cache
def log_tail_fit() -> Fit:
    """(log(1 + f) - f + f^2 / 2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1]."""

    def value(f):
        with mp.workdps(70):
            rest = mp.log1p(f) - f + f * f / 2
            return rest / f**3 if abs(f) > 1e-12 else mp.mpf(1) / 3 - f / 4

    return shortest(
        value, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1, _FIT_BITS,
        weight=lambda f: f * f + mp.mpf(2) ** -20, least=18,
    )  # fmt: skip


def log_parts(exponent: Value, f: Value) -> tuple[Value, Value]:
    """(large, small) parts of exponent ln 2 + log(1 + f); f^2 / 2 belongs to the large one."""
    large, first = ordered_sum(exponent * LN2_HIGH, f)
    f_first, f_rest = halves(f)
    large, second = ordered_sum(large, (f_first * f_first) * -0.5)
    tail = (f * f) * (f * horner(f, log_tail_fit().numerator)) + (f + f_first) * f_rest * -0.5
    return large, (first + second + exponent * LN2_LOW) + tail


def log1p(x: Value, working: DType, bits: float) -> Value:
    """The logarithm of 1 + x in two parts; x itself is the fraction where the exponent is 0."""
    u, rest = any_sum(x.constant(1.0), x)
    e, m = split_exponent(u)
    inside = e.equals(0.0)
    down = power_of_two(-(e.to(I64).min(1000)), F64)
    f = inside.where(x, m - 1.0)
    lost = inside.where(0.0, rest * down)
    large, small = log_parts(e, f)
    # lost / (1 + f); it is a unit in the last place at most.
    y = large + (small + lost * ((1.0 - f) * (f * f + 1.0)))
    y = _tiny(x, y, 2.0**-54)
    y = (x < INF).where(y, x)
    return (x > -1.0).where(y, (x.equals(-1.0)).where(x.constant(-INF), NAN))


_ERFC_CENTRE = 1.5
_ERFC_END = 26.6


@functools.cache
def erfc_fits() -> tuple[float, float, Fit]:
    """((a + 1) e^(a^2) erfc(a) as alpha + beta / (a + 1) + p(t), t = (a - 1) / (a + 1).

    The first two terms are short, so that their products are exact, and leave less than a tenth.
    """
    k = mp.mpf(_ERFC_CENTRE)

    def scaled(t):
        a = k * (1 + t) / (1 - t)
        with mp.workdps(70):
            return mp.exp(a * a) * mp.erfc(a) * (a + k)

    scaled = functools.cache(scaled)
    slope = mp.diff(scaled, 0)
    # t = 1 - 2 k / (a + k)
    beta = _parts_of(-2 * k * slope, 20)[0]
    alpha = _parts_of(scaled(mp.mpf(0)) - mp.mpf(beta) / (2 * k), 20)[0]
    end = (_ERFC_END - k) / (_ERFC_END + k)
    rest = shortest(
        lambda t: scaled(t) - alpha - beta * (1 - t) / (2 * k), -1, end, 57.0,
        weight=lambda t: 1 / scaled(t), least=27,
    )  # fmt: skip
    return alpha, beta, rest


def short_reciprocal(d: Value, d_low: Value) -> tuple[Value, Value, Value]:
    """(first 26 bits, rest, rounded) of 1 / (d + d_low): the residual of 26 bits is exact."""
    inverse = 1.0 / d
    short, _ = halves(inverse)
    d_first, d_rest = halves(d)
    residual = ((1.0 - short * d_first) - short * d_rest) - short * d_low
    return short, residual * inverse, inverse


def short_product(a: tuple[Value, Value], b: tuple[Value, Value]) -> tuple[Value, Value]:
    """(exact product of the first parts, the rest), of sums whose first parts have 26 bits."""
    return a[0] * b[0], a[0] * b[1] + a[1] * (b[0] + b[1])


def shortened(large: Value, small: Value) -> tuple[Value, Value]:
    """The same sum with a first part of 26 bits."""
    total, error = ordered_sum(large, small)
    first, rest = halves(total)
    return first, rest + error


def erfc(x: Value, working: DType, bits: float) -> Value:
    """E^(-a^2) (alpha + beta / (a + 1) + p(t)) / (a + 1), every factor in two parts."""
    a = abs(x).min(27.0)
    first, rest = halves(a)
    square = first * first
    n, low_bits = rounded(square * (-1.0 / LN2))
    top = (n * -LN2_HIGH - square).guard()
    r, low = ordered_sum(top, n * -LN2_LOW - (a + first) * rest)
    one, error = ordered_sum(x.constant(1.0), r)
    power = shortened(one, error + exp_tail(r, low))
    alpha, beta, found = erfc_fits()
    inverse = short_reciprocal(*any_sum(a, a.constant(_ERFC_CENTRE)))
    linear, lost = ordered_sum(a.constant(alpha), inverse[0] * beta)
    t = inverse[2] * (-2.0 * _ERFC_CENTRE) + 1.0
    bracket = shortened(linear, (lost + inverse[1] * beta) + horner(t, found.numerator))
    scaled = shortened(*short_product(inverse[:2], bracket))
    large, small = short_product(power, scaled)
    tail = ((large + small) * power_of_two(low_bits + 64, F64)).guard() * 2.0**-64
    return (x < 0.0).where(2.0 - tail, tail)


_NEAR = 0.8427
_NEAR_MIDDLE = 0.62125
_GRID = 1.5 * 2.0 ** (52 - 11)
"""Adding it rounds to multiples of 2^-11."""


@functools.cache
def near_erf_inv_fit() -> tuple[float, float, Fit]:
    """erf_inv(x) / x in -log(1 - x^2) less its middle (Giles 2012), for results up to 1.

    Returns:
        A line, its coefficients of 23 and 12 bits after the point, and the fit of the rest.
    """
    function, middle = CATALOGUE["erf_inv"].mp, mp.mpf(_NEAR_MIDDLE)

    @functools.cache
    def value(v):
        w = v + middle
        x = mp.sqrt(-mp.expm1(-w))
        return function(x) / x if w > 1e-20 else mp.sqrt(mp.pi) / 2

    offset = round(float(value(mp.mpf(0))) * 2**23) / 2**23
    ends = value(-middle), value(middle)
    slope = round(float((ends[1] - ends[0]) / (2 * middle)) * 2**12) / 2**12
    rest = shortest(
        lambda v: value(v) - offset - slope * v, -middle, middle, 60.0, weight=lambda v: 1, least=13
    )
    return offset, slope, rest


@functools.cache
def far_erf_inv_fit() -> Fit:
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
    return shortest(value, *ends, 56.0, weight=lambda t: 1, least=19)


def erf_inv(x: Value, working: DType, bits: float) -> Value:
    """X times a polynomial of log(1 - x^2), or s + p with s^2 = -log(1 - x) from 0.84 on."""
    a = abs(x)
    near = a < _NEAR
    # 1 - a^2 in two parts; far out 1 - a, which is exact.
    first, second = halves(a)
    beside, lost = ordered_sum(x.constant(1.0), -(first * first))
    beside, lost = ordered_sum(beside, lost - (a + first) * second)
    e, m = split_exponent(near.where(beside, 1.0 - a))
    high, low = log_parts(e, m - 1.0)
    high, low = ordered_sum(-high, -low)
    v, v_low = ordered_sum(high, x.constant(-_NEAR_MIDDLE))
    # The quotient is nearly linear: a short line, whose product with half of x is exact, and a rest
    # below 2^-7; 1 / (1 - a^2) is about 1 + 2 high.
    offset, slope, found = near_erf_inv_fit()
    v_short = (v + _GRID).guard() - _GRID
    line = v_short * slope + offset
    rest = (
        horner(v, found.numerator)
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
    outer = s + (root_rest + horner((s - 2.0) * (s * inverse), far_erf_inv_fit().numerator))
    y = with_sign(near.where(inner, outer), sign_of(x))
    return (a < 1.0).where(y, (a.equals(1.0)).where(with_sign(x.constant(INF), sign_of(x)), NAN))
