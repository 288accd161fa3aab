"""Functions that are an exponential and a few operations: hyperbolic, logistic, activations."""

import math

import mpmath as mp
from cores import cosh_sinh_parts, exp, expm1_parts, in_range
from expression import Value, horner, odd
from fit import shortest

from xla_evo_lowering.dtypes import F64, DType

INF, NAN = math.inf, math.nan


def exponential(x: Value, working: DType, bits: float) -> Value:
    """Exp itself; float64 reaches beyond the ends of every smaller format."""
    return in_range(exp, x.to(working), bits, (-150.0, 130.0), 100.0).to(x.dtype)


def expm1(x: Value, working: DType, bits: float) -> Value:
    """2^n (e^r - 1) + (2^n - 1); h (h + 2) of x / 2 in float32, for its range."""
    wide = x.to(working)
    if working is F64:
        h, scale = expm1_parts(wide.clamp(-60.0, 120.0), bits)
        y = h + (scale - 1.0)
    else:
        h, scale = expm1_parts(wide.clamp(-100.0, 100.0) * 0.5, bits)
        half = h + (scale - 1.0)
        y = half * (half + 2.0)
    return odd(y, x)


def _sinh_cosh(x: Value, working: DType, bits: float) -> tuple[Value, Value]:
    """(sinh r cosh(n ln 2) + cosh r sinh(n ln 2), the same for cosh), of x/2 in float32."""
    wide = x.to(working).clamp(-120.0, 120.0)
    wide = wide if working is F64 else wide * 0.5
    even, odd, up, down = cosh_sinh_parts(wide, bits)
    mean, half = (up + down) * 0.5, (up - down) * 0.5
    return even * half + odd * mean, even * mean + odd * half


def sinh(x: Value, working: DType, bits: float) -> Value:
    """Of x = n ln 2 + r, from even and odd parts that share the square of r."""
    s, c = _sinh_cosh(x, working, bits)
    y = s if working is F64 else (s + s) * c
    return odd(y, x)


def cosh(x: Value, working: DType, bits: float) -> Value:
    """The same; 1 + 2 sinh(x / 2)^2 in float32."""
    s, c = _sinh_cosh(x, working, bits)
    return (c if working is F64 else (s + s) * s + 1.0).to(x.dtype)


def tanh(x: Value, working: DType, bits: float) -> Value:
    """(e^2x - 1) / (e^2x + 1)."""
    wide = x.to(working).clamp(-20.0, 20.0)
    h, scale = expm1_parts(wide + wide, bits)
    y = (h + (scale - 1.0)) / (h + (scale + 1.0))
    return odd(y, x)


def logistic(x: Value, working: DType, bits: float) -> Value:
    """1 / (1 + e^-x)."""
    low, high = (-150.0, 150.0) if working is F64 else (-88.0, 86.0)
    e = exp(-x.to(working).clamp(low, high), bits)
    return (1.0 / (e + 1.0)).to(x.dtype)


def _nan_at_minus_infinity(x: Value, y: Value) -> Value:
    return (x.equals(-INF)).where(NAN, y)


def _times_logistic(x: Value, u: Value, bits: float) -> Value:
    """X / (1 + e^-u) for u of the sign of x, in the working format.

    In float32 e^-|u| leaves the range before its product with x does: its root comes in twice.
    """
    if x.dtype is F64:
        return x / (exp(-u.clamp(-700.0, 700.0), bits) + 1.0)
    root = exp((abs(u) * -0.5).max(-86.0), bits + 1)
    limited = x.max(-1e4)
    top = (x < 0.0).where((limited * root) * root, x)
    return top / (root * root + 1.0)


def silu(x: Value, working: DType, bits: float) -> Value:
    """X / (1 + e^-x); nan at -inf, as JAX."""
    wide = x.to(working)
    return _nan_at_minus_infinity(x, _times_logistic(wide, wide, bits).to(x.dtype))


def gelu_tanh(x: Value, working: DType, bits: float) -> Value:
    """X logistic(2 sqrt(2/pi) (x + 0.044715 x^3)); nan at -inf, as JAX."""
    wide = x.to(working)
    linear = 2 * mp.sqrt(2 / mp.pi)
    inside = wide.clamp(-100.0, 100.0)
    u = inside * (inside * inside * float(linear * mp.mpf("0.044715")) + float(linear))
    return _nan_at_minus_infinity(x, _times_logistic(wide, u, bits).to(x.dtype))


def mish(x: Value, working: DType, bits: float) -> Value:
    """X n / (n + 2) with n = e^x (e^x + 2); nan at -inf, as JAX."""
    wide = x.to(working)
    if working is F64:
        e = exp(wide.clamp(-700.0, 40.0), bits)
        n = e * (e + 2.0)
        y = (wide * n) / (n + 2.0)
    else:
        root = exp(wide.clamp(-172.0, 20.0) * 0.5, bits + 1)
        e = root * root
        y = ((wide.clamp(-1e4, 20.0) * root) * root * (e + 2.0)) / (e * (e + 2.0) + 2.0)
        y = (wide > 20.0).where(wide, y)
    return _nan_at_minus_infinity(x, y.to(x.dtype))


def log1p_of_exp(x: Value, bits: float) -> Value:
    """log(1 + e^-|x|) as e^-|x| times a polynomial of it."""
    low = -150.0 if x.dtype is F64 else -88.0
    e = exp((-abs(x)).max(low), bits + 2)
    quotient = shortest(lambda e: mp.log1p(e) / e if e else mp.mpf(1), 0, 1, bits + 1)
    return e * horner(e, quotient.numerator)


def softplus(x: Value, working: DType, bits: float) -> Value:
    """max(x, 0) + log(1 + e^-|x|)."""
    wide = x.to(working)
    return (wide.max(0.0) + log1p_of_exp(wide, bits)).to(x.dtype)


def log_sigmoid(x: Value, working: DType, bits: float) -> Value:
    """min(x, -0) - log(1 + e^-|x|)."""
    wide = x.to(working)
    return (wide.min(-0.0) - log1p_of_exp(wide, bits)).to(x.dtype)
