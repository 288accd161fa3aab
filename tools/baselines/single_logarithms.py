"""Logarithms and the inverse hyperbolic tangent in float32 alone."""

from collections.abc import Callable

from expression import Value, sign_of, with_sign
from octaves import by_pairs
from single_parts import (
    INF,
    MANTISSA,
    NAN,
    ONE,
    Constants,
    nested_even_odd,
    power_of_two,
    scaled,
)

from xla_evo_lowering.dtypes import F32

LN2_HIGH, LN2_LOW = 45426 / 65536, 1.4286068203094173e-06
"""log 2 in two parts, both positive; products of the first with an exponent are exact."""

TWO_THIRDS, ROOT_HALF, THREE_QUARTERS = 0x3F2AAAAB, 0x3F3504F3, 0x3F400001


def split(x: Value, least: int, more: int = 0) -> tuple[Value, Value]:
    """(k + more, m - 1) with x = m 2^k, m at least the number with the bits ``least``."""
    shifted = x.signed() - (least - (more << MANTISSA))
    k = (shifted >> MANTISSA).to(F32)
    m = ((shifted & ((1 << MANTISSA) - 1)) + least).floating()
    return k, m - 1.0


LN2_TAIL = 24 * 2.0**-24
"""What the first part lacks of log 2 as a number of float32, which is within 2^-28 of it."""

LOG10_2_HIGH, LOG10_2_TAIL = 10100890 * 2.0**-25, 2.0**-26
"""log10(2) in two parts, whose sum is within 2^-30 of it."""

ABOVE_TWO_THIRDS = 0x3F2AB147
"""Bits of 0.66677, above 10^(1/8) / 2."""


def split_in_place(x: Value, least: int) -> tuple[Value, Value]:
    """(2^23 k, m - 1): as `split`, with the exponent left where its bits are."""
    exponent = (x.signed() - least) & -(1 << MANTISSA)
    return exponent.to(F32), (x.signed() - exponent).floating() - 1.0


def log(x: Value, c: Constants) -> Value:
    """`log_in_parts` with a polynomial."""
    return log_in_parts(x, lambda f: (f * f) * by_pairs(f, f * f, c["tail"]))


def log_in_parts(x: Value, beyond: Callable[[Value], Value]) -> Value:
    """K high + ((f + k tail) + log(1 + f) - f); f + k tail is exact, both multiples of 2^-24."""
    k, f = split_in_place(x, TWO_THIRDS)
    exact = f + k * (LN2_TAIL * 2.0**-MANTISSA)
    near = exact + beyond(f)
    return ends(x, near + k * (LN2_HIGH * 2.0**-MANTISSA))


def log10_in_parts(x: Value, beyond: Callable[[Value], Value]) -> Value:
    """The same of log10(1 + f) - f/2; f/2 + k tail is exact, both multiples of 2^-26.

    With k = 1 the result is at least 1/8, so that its last bit is not below that of what is added
    to k high.
    """
    k, f = split_in_place(x, ABOVE_TWO_THIRDS)
    exact = f * 0.5 + k * (LOG10_2_TAIL * 2.0**-MANTISSA)
    near = exact + beyond(f)
    return ends(x, near + k * (LOG10_2_HIGH * 2.0**-MANTISSA))


def ends(x: Value, y: Value) -> Value:
    """A logarithm with its values at 0, below it and at infinity."""
    y = (x < INF).where(y, x)
    low = (x > -(2.0**-126)).where(x.constant(-INF), NAN)
    return (x < 2.0**-126).where(low, y)


def to_base(x: Value, c: Constants) -> Value:
    """K high + (f c_0 + f (c_1 + f P(f)) + k low): the base's constants and log(1 + f) in one."""
    k, f = split(x, ROOT_HALF)
    high, low = c["exponent"]
    t = f * by_pairs(f, f * f, c["tail"])
    if low:
        t = k * low + t
    whole = k if high == 1.0 else k * high
    return ends(x, whole + (f * c["head"][0] + t))


def log1p(x: Value, c: Constants) -> Value:
    """log(2^-n (1 + f)), where f = 2^n x - (1 - 2^n) is exact: 1 + f is in [3/4, 3/2)."""
    u = (x + 1.0).guard()
    n = (THREE_QUARTERS + (1 << MANTISSA) - 1 - u.signed()) >> MANTISSA
    place = n << MANTISSA
    # 2^-128 has no pattern; 0 serves.
    power = (place + ONE).max(0).floating()
    f = scaled(x, place) - (1.0 - power)
    k = n.to(F32)
    t = (f * f) * by_pairs(f, f * f, c["tail"]) + k * -LN2_LOW
    y = k * -LN2_HIGH + (f + t)
    y = (x < INF).where(y, x)
    low = (u.equals(0.0)).where(x.constant(-INF), NAN)
    return (x > -1.0).where(y, low)


def atanh(x: Value, c: Constants) -> Value:
    """From 1/2 on half the log of (1 + a) / (1 - a) = 2^n (1 + s) / (1 - s), below s = a."""
    a = abs(x)
    b = 1.0 - a
    n = (0x40200000 - b.signed()) >> MANTISSA
    power = power_of_two(n << MANTISSA)
    quotient = (b * -(power + 1.0) + 2.0) / (b * (power - 1.0) + 2.0)
    far = a >= 0.5
    s = far.where(quotient, a)
    k = far.where(n, n.constant(0)).to(F32)
    z = s * s
    t = s * (z * nested_even_odd(z, c["tail"])) + k * (LN2_LOW / 2)
    y = k * (LN2_HIGH / 2) + (s + t)
    y = (b > 0.0).where(y, (b.equals(0.0)).where(x.constant(INF), NAN))
    return with_sign(y, sign_of(x))
