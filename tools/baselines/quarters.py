"""Sine, cosine and tangent for custom calls: float32 alone for all but huge arguments.

In a call of its own a block of ordinary arguments is computed without the reduction of huge ones,
see `xla_evo_lowering.ordinary`. Inlined both are computed, and other forms are faster.

Multiples of pi / 2 are taken off in three parts (Cody and Waite 1980), and what the second
difference loses is kept (Dekker 1971). Polynomials are in u = r^2 - c, which is small where r^2 is
large and its rounding would count.
"""

import functools
from collections.abc import Callable

import mpmath as mp
import numpy as np
import trigonometric
from expression import Value, horner, sign_of
from fit import single

from xla_evo_lowering.dtypes import F64

LARGEST = 2.0**13
"""From here on arguments are huge."""
_MAGIC = 1.5 * 2.0**23
_END = 0.6175
"""The largest r^2: (pi / 4)^2 and what the roundings of the number of quarters add."""
_SINE_BITS, _TANGENT_BITS = 27.0, 33.0
"""Of the polynomials for huge arguments."""


@functools.cache
def half_pi() -> tuple[float, float, float]:
    """Pi / 2 in three parts, rounded down: 24 bits, 11 bits, and the rest.

    A product of the second with a number of quarters is exact.
    """
    parts = []
    with mp.workdps(60):
        rest = mp.pi / 2
        for place in (23, 34):
            part = mp.ldexp(mp.floor(mp.ldexp(rest, place)), -place)
            parts.append(float(part))
            rest -= part
        return (*parts, float(rest))


def reduced(size: Value, quarters: int = 0) -> tuple[Value, Value, Value]:
    """(r, what its rounding lost, n + quarters in the low bits) of size = n pi / 2 + r.

    Args:
        size: a float32 number of 0 up to `LARGEST`.
        quarters: to add, 0 or 1.
    """
    magic = _MAGIC + quarters
    total = size.fma(float(2 / mp.pi), magic).guard()
    n = total - magic
    high, middle, low = half_pi()
    first = n.fma(-high, size)  # exact
    # So is the product with the middle, of whose last bit the first is a multiple.
    r = n.fma(-middle, first).guard()
    return r, n.fma(-low, n.fma(-middle, first - r)), total.signed()


def _middle(function: Callable, near: float) -> float:
    """A float32 number next to one where a function is nearly a float32 number too."""
    start = np.float32(near)
    with mp.workdps(30):

        def missed(c):
            exact = function(mp.mpf(float(c)))
            return abs(exact - float(np.float32(float(exact))))

        return float(
            min((start + np.spacing(start) * np.float32(n) for n in range(999)), key=missed)
        )


@functools.cache
def _sine() -> tuple[float, ...]:
    """(sin r - r) / r^3 in r^2."""
    return single(
        lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z > 1e-12 else -mp.mpf(1) / 6,
        0, _END, 4, weight=lambda z: z,
    )  # fmt: skip


@functools.cache
def _cosine() -> tuple[float, float, tuple[float, ...]]:
    """(c, C, Q) of cos r = C + u Q(u), u = r^2 - c, in the middle of the quarter."""

    def cosine(z):
        return mp.cos(mp.sqrt(z))

    middle = _middle(cosine, _END / 2)
    head = float(np.float32(float(cosine(mp.mpf(middle)))))
    return middle, head, single(
        lambda u: (cosine(u + middle) - head) / u,
        -middle, _END - middle, 4, weight=abs,
    )  # fmt: skip


def _of_quarters(r: Value, rest: Value, turns: Value) -> Value:
    """sin(r + rest + n pi / 2) of the low bits n: r + r^3 P(r^2), or C + u Q(u)."""
    odd = (turns & 1).equals(1)
    middle, head, cosine = _cosine()
    u = r.fma(r, odd.where(r.constant(-middle), 0.0))
    terms = zip(cosine, _sine(), strict=True)
    p = horner(u, [odd.where(r.constant(first), second) for first, second in terms])
    tail = (u * odd.where(1.0, r)).fma(p, rest * odd.where(-r, 1.0))
    return _flipped(odd.where(head, r) + tail, turns << 30)


def _flipped(y: Value, sign: Value) -> Value:
    """The value with its sign turned where the sign bit of an integer is set."""
    return (y.signed() ^ (sign & -(1 << 31))).floating()


def sin(x: Value) -> Value:
    """Of |x|, with the sign of x at the end, so that zeros keep theirs."""
    size = abs(x)
    near = _of_quarters(*reduced(size))
    y = (size >= LARGEST).where(trigonometric.float32_sine(x, _SINE_BITS, 0), near)
    return (y.unsigned() ^ sign_of(x)).floating()


def cos(x: Value) -> Value:
    """sin(|x| + pi / 2)."""
    size = abs(x)
    near = _of_quarters(*reduced(size, 1))
    return (size >= LARGEST).where(trigonometric.float32_sine(x, _SINE_BITS, 1), near)


def _tangent_less_one(z):
    """Tan r / r - 1 of r^2, an mpmath number."""
    r = mp.sqrt(z)
    return mp.tan(r) / r - 1 if r > 1e-12 else mp.mpf(0)


@functools.cache
def _tangent() -> tuple[float, tuple[float, ...]]:
    """(c, G) of tan r = r + r G(u), u = r^2 - c."""
    middle = _middle(_tangent_less_one, 0.5)
    return middle, single(
        lambda u: _tangent_less_one(u + middle), -middle, _END - middle, 8, weight=lambda u: 1
    )


_SLOPE = 3.55
"""What of tan r / r - 1, and 1, is about the derivative of tan r."""


def tan(x: Value) -> Value:
    """T = r + r G(u), or -1 / T corrected by its residual in odd quarters."""
    size = abs(x)
    r, rest, turns = reduced(size)
    odd = (turns & 1).equals(1)
    middle, terms = _tangent()
    g = horner(r.fma(r, -middle), terms)
    tail = r.fma(g, rest * g.fma(_SLOPE, 1.0))
    t = (r + tail).guard()
    inverse = 1.0 / t
    residual = ((r - t) + tail).fma(-inverse, t.fma(-inverse, 1.0))
    near = odd.where(inverse.fma(residual, inverse), t)
    near = _flipped(near, x.signed() ^ (turns << 31))
    return (size >= LARGEST).where(trigonometric.tan(x, F64, _TANGENT_BITS), near)
