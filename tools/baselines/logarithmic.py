"""Functions that are a logarithm and a few operations: log1p, inverse hyperbolic functions."""

import math

from cores import LN2, log, log_ends, log_ratio
from expression import Value, odd, sign_of, with_sign

from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan


def logarithm(scale: float):
    """Log x times a constant."""

    def form(x: Value, working: DType, bits: float) -> Value:
        y = log(x.to(working), bits)
        return log_ends((y if scale == 1.0 else y * scale).to(x.dtype), x)

    return form


def log1p_of(x: Value, bits: float) -> Value:
    """log(1 + x); halved above and below in float32, where the sum of two large numbers is not."""
    one = 1.0 if x.dtype is F64 else 0.5
    return log_ratio((one, one), x, (one, 0.0), bits)


def log1p(x: Value, working: DType, bits: float) -> Value:
    """Log of a quotient whose denominator is 1."""
    y = odd(log1p_of(x.to(working), bits), x)
    y = (x < INF).where(y, x)
    return (x > -1.0).where(y, (x.equals(-1.0)).where(x.constant(-INF), NAN))


def asinh(x: Value, working: DType, bits: float) -> Value:
    """log(a + sqrt(a^2 + 1)), and a itself where the rounding of the sum would show.

    In float32 log1p(a + a^2 / (1 + sqrt(a^2 + 1))), and log(2 a) where a^2 is far above 1.
    """
    a = abs(x.to(working))
    if working is F64:
        y = log(a + (a * a + 1.0).sqrt(), bits)
        y = (a < 2.0**-18).where(a, y)
    else:
        y = _log1p_or_log(a, a * a, a, bits)
    return odd((a < INF).where(y, a), x)


def _log1p_or_log(a: Value, square: Value, first: Value, bits: float) -> Value:
    """Log of 1 + first + ..., see `asinh`; log(2 a) for large a."""
    large = a > 2.0**12
    inside = first + square / ((square + 1.0).sqrt() + 1.0)
    y = log1p_of(large.where(a - 1.0, inside), bits)
    return y + large.where(a.constant(LN2), 0.0)


def acosh(x: Value, working: DType, bits: float) -> Value:
    """log(x + sqrt(x^2 - 1)); log1p(d + sqrt(d (d + 2))), d = x - 1, in float32."""
    wide = x.to(working)
    if working is F64:
        y = log(wide + (wide * wide - 1.0).sqrt(), bits)
    else:
        large = wide > 2.0**12
        d = wide - 1.0
        inside = d + (d * (d + 2.0)).sqrt()
        y = log1p_of(large.where(d, inside), bits)
        y = y + large.where(wide.constant(LN2), 0.0)
    y = (x < INF).where(y.to(x.dtype), x)
    return (x >= 1.0).where(y, NAN)


def atanh(x: Value, working: DType, bits: float) -> Value:
    """Half the log of (1 + x) / (1 - x)."""
    y = log_ratio((0.5, 0.5), x.to(working), (0.5, -0.5), bits).to(x.dtype) * 0.5
    y = with_sign(y, sign_of(x))
    a = abs(x)
    return (a < 1.0).where(y, (a.equals(1.0)).where(with_sign(x.constant(INF), sign_of(x)), NAN))
