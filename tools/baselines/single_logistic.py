"""Logistic functions and activations in float32 alone: at most 1 ULP, or at most the built-in's.

They count on the contraction of a*b + c; the forms with float64 inside do not.
"""

import functools
import math
from collections.abc import Callable

import mpmath as mp
from expression import Value, horner
from fit import single
from octaves import (
    Octave,
    at_least,
    at_most,
    by_pairs,
    octave,
    one_plus,
    one_plus_rounded,
    reduced,
    rough_reciprocal,
)

INF, NAN = math.inf, math.nan
_LOGISTIC_END = -87.33655
"""Below it e^x is no normal number."""


def _exp_and_one(part: Octave, one: float) -> Value:
    """One (1 + e^x); the sum of the two powers of two is exact, but where they differ most."""
    e = part.square * part.quotient + part.r
    return part.scale * e + (part.scale + one)


def logistic(x: Value) -> Value:
    """1 / (1 + e^-x), with the rounding of the sum and that of the quotient taken back."""
    part = octave(at_most(x, 30.0), negative=True)
    total, rest = one_plus(part.scale, part.r, part.tail, 1.0)
    q = 1.0 / total
    y = q * ((1.0 - total * q) - rest * q) + q
    return (x < _LOGISTIC_END).where(0.0, y)


def logistic_in_parts(x: Value, expm1: Callable[[Value], Value]) -> Value:
    """The same with e^r - 1 rounded once: shorter, and nearer to a bound of 1 ULP."""
    scale, _, _, r = reduced(at_most(x, 30.0), negative=True)
    total, rest = one_plus_rounded(scale, expm1(r), 1.0)
    q = 1.0 / total
    y = q * ((1.0 - total * q) - rest * q) + q
    return (x < _LOGISTIC_END).where(0.0, y)


def logistic_fast(x: Value) -> Value:
    """The same, as it is rounded; the larger of the two powers of two is added last."""
    part = octave(at_most(x, 30.0), negative=True)
    e = part.square * part.quotient + part.r
    total = (part.scale * e + at_most(part.scale, 1.0)) + at_least(part.scale, 1.0)
    return (x < _LOGISTIC_END).where(0.0, 1.0 / total)


_SHIFT = -16
_ONE = 2.0**_SHIFT
"""Scale of 1 + e^-x, whose inverse would leave the range before its product with x does."""


def _over(x: Value, total: Value, rest: Value) -> Value:
    """X / (total + rest), scaled back."""
    q = x / total
    return (q - (q * rest + (q * total - x)) * rough_reciprocal(total)) * _ONE


def _silu_ends(x: Value, y: Value) -> Value:
    """X from 30 on, 0 below -93, nan at -inf, as JAX."""
    return (x < -93.0).where(x - x, (x > 30.0).where(x, y))


def silu(x: Value) -> Value:
    """X / (1 + e^-x), corrected as the logistic function."""
    part = octave(x, shift=_SHIFT, negative=True)
    total, rest = one_plus(part.scale, part.r, part.tail, _ONE)
    return _silu_ends(x, _over(x, total, rest))


def silu_fast(x: Value) -> Value:
    """The same, as it is rounded."""
    total = _exp_and_one(octave(x, shift=_SHIFT, negative=True), _ONE)
    return _silu_ends(x, (x / total) * _ONE)


def _gelu_octave(x: Value) -> Octave:
    """The octave of -2 sqrt(2 / pi) (x + 0.044715 x^3), which is rounded: by 2^-23 of itself."""
    linear = 2 * mp.sqrt(2 / mp.pi)
    u = x * ((x * x) * float(-linear * mp.mpf("0.044715")) - float(linear))
    return octave(u, shift=_SHIFT)


def gelu_tanh_fast(x: Value) -> Value:
    """X / (1 + e^-u), as it is rounded."""
    inside = at_least(at_most(x, 7.0), -10.3)
    y = (inside / _exp_and_one(_gelu_octave(inside), _ONE)) * _ONE
    return (x > -INF).where((x > 6.0).where(x, y), NAN)


_NEAR = 0.9375
"""Softplus is log 2 + x/2 and an even rest up to here, and from e^-|x| from there on."""


@functools.cache
def _far_fit() -> tuple[float, ...]:
    """(log(1 + e) - e) / e^2 for e up to e^-_NEAR, relative to log(1 + e)."""
    return single(
        lambda e: (mp.log1p(e) - e) / e**2 if e > 1e-12 else -mp.mpf(1) / 2,
        0, mp.exp(-_NEAR), 6,
        weight=lambda e: e**2 / mp.log1p(e) if e > 1e-12 else mp.mpf(1e-12),
    )  # fmt: skip


@functools.cache
def _near_fit() -> tuple[float, ...]:
    """(log(2 cosh(x / 2)) - log 2) / x^2 in x^2, relative to the least softplus there."""
    return single(
        lambda z: (mp.log(mp.cosh(mp.sqrt(z) / 2))) / z if z > 1e-12 else mp.mpf(1) / 8,
        0, _NEAR**2, 4, weight=lambda z: z / mp.log1p(mp.exp(-mp.sqrt(z))),
    )  # fmt: skip


def _near(x: Value, sign: int) -> Value:
    """Sign (log 2 + x^2 N(x^2)) + x / 2: softplus(x), or log_sigmoid(x), next to 0."""
    square, half, log2 = x * x, x * 0.5, x.constant(sign * math.log(2))
    head = (half + log2).guard()
    even = horner(square, [sign * c for c in _near_fit()])
    return head + (square * even + ((log2 - head) + half))


def _log1p_of_exp(size: Value) -> Value:
    """log(1 + e), e = e^-size, from `_NEAR` on.

    2^k g + 2^k (g e tail + what g = 1 + (e^r - 1) lost): products with 2^k are exact, and no sum
    is of what may be under 2^-126.
    """
    part = octave(at_most(size, 88.0), negative=True)
    more = part.first + part.small
    total = more + 1.0
    lost = ((1.0 - total) + part.first) + part.small
    e = part.scale * more + part.scale
    # The derivative of log(1 + e) at what was lost is 1 - e, nearly.
    tail = by_pairs(e, e * e, _far_fit())
    return ((total * e) * tail + (lost - lost * e)) * part.scale + e


def softplus(x: Value) -> Value:
    """max(x, 0) + log(1 + e^-|x|); next to 0 log 2 + x/2 + x^2 N(x^2)."""
    size = abs(x)
    far = _log1p_of_exp(size) + at_least(x, 0.0)
    return (size < _NEAR).where(_near(x, 1), far)


def log_sigmoid(x: Value) -> Value:
    """min(x, -0) - log(1 + e^-|x|); next to 0 -log 2 + x/2 - x^2 N(x^2)."""
    size = abs(x)
    far = at_most(x, -0.0) - _log1p_of_exp(size)
    return (size < _NEAR).where(_near(x, -1), far)
