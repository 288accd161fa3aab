"""Where the constants of the float32 forms start: polynomials of their parts, by function.

python tools/baselines/single_fits.py erf log2     # fits anew, and writes them to single.json
"""

import sys
from collections.abc import Callable

import digamma_one
import mpmath as mp
import numpy as np
from cube_root import beyond_one, residuals
from single_constants import Constants, store
from single_hyperbolic import TANH_NEAR
from single_rounding import polynomial_fit

from xla_evo.targets.catalogue import CATALOGUE

_TINY = mp.mpf(10) ** -9
_FLOOR = mp.mpf(10) ** -6
"""Least weight, where a relative error is 0."""


def _single(value) -> float:
    return float(np.float32(float(value)))


def _two(value) -> list[float]:
    """A number as the sum of two of float32."""
    high = _single(value)
    return [high, _single(value - mp.mpf(high))]


def _part(function: Callable, low, high, count: int, weight: Callable | None = None) -> list[float]:
    """Coefficients of a polynomial; without a weight the error counts as it is."""
    found, bits = polynomial_fit(function, low, high, count, weight or (lambda _: mp.mpf(1)))
    print(f"   {count} terms on [{float(low):g}, {float(high):g}]: {bits:.1f} bits")
    return found


def _log_tail(low: float, high: float, count: int, scale=1) -> list[float]:
    """(log(1 + f) - f) / f^2 times a scale, relative to log(1 + f)."""

    def function(f):
        return scale * ((mp.log1p(f) - f) / f**2 if abs(f) > _FLOOR else f / 3 - mp.mpf(1) / 2)

    def weight(f):
        return (f**2 / abs(mp.log1p(f)) if abs(f) > _TINY else _FLOOR) / scale

    return _part(function, low, high, count, weight)


def _log_to_base(scale, exponent: list[float]) -> Constants:
    head = _two(scale)
    tail = _log_tail(-0.2929, 0.41422, 9, scale)
    return {"exponent": exponent, "head": head[:1], "tail": [head[1], *tail]}


def exp() -> Constants:
    """Constants of `single_exponential.exp`."""

    def function(r):
        return (mp.expm1(r) - r) / r**2 if abs(r) > _FLOOR else mp.mpf(1) / 2 + r / 6

    return {"tail": _part(function, -0.3467, 0.3467, 5, lambda r: r**2 / mp.exp(r) + _FLOOR)}


def log() -> Constants:
    """Constants of `single_logarithms.log`."""
    return {"tail": _log_tail(-0.33334, 0.33334, 9)}


def log2() -> Constants:
    """Constants of `single_logarithms.to_base`."""
    return _log_to_base(1 / mp.log(2), [1.0, 0.0])


def log10() -> Constants:
    """The same; the exponent counts 0.301..., in two parts, of which the first has 13 bits."""
    high = mp.floor(mp.log10(2) * 2**14) / 2**14
    return _log_to_base(1 / mp.log(10), [float(high), _single(mp.log10(2) - high)])


def log1p() -> Constants:
    """Constants of `single_logarithms.log1p`."""
    return {"tail": _log_tail(-0.25, 0.5, 10)}


def tanh() -> Constants:
    """x^3 / (x - tanh x) in x^2, over the factor, relative to tanh x; (2^r - 1) / r."""

    def lacking(z):
        x = mp.sqrt(z)
        return (x - mp.tanh(x)) / (x * z) if z > _TINY else mp.mpf(1) / 3 - z * 2 / 15

    def near_weight(z):
        x = mp.sqrt(z)
        return lacking(z) ** 2 * z * x / mp.tanh(x) if z else mp.mpf(0)

    def far_weight(r):
        return (abs(r) + mp.mpf(2) ** -20) / mp.power(2, r)

    def far(r):
        return (mp.power(2, r) - 1) / r if r else mp.log(2)

    factor, inverse = 0.9536420106887817, 1.0486115217208862  # of product 1 within 2^-37
    return {
        "near": _part(lambda z: factor / lacking(z), 0, TANH_NEAR**2, 4, near_weight),
        "far": _part(far, -0.5005, 0.5005, 6, far_weight),
        "share": [factor, inverse],
    }


def atanh() -> Constants:
    """(atanh(s) / s - 1) / s^2 in s^2."""

    def function(z):
        s = mp.sqrt(z)
        return (mp.atanh(s) / s - 1) / z if z > _TINY else mp.mpf(1) / 3 + z / 5

    return {"tail": _part(function, 0, 0.25, 6, lambda z: z / (1 + z / 3) + _FLOOR)}


def erf() -> Constants:
    """The odd part below, in a^2 - 3/4, and above the fourth root of erfc, in a - 5/4."""

    def near(v):
        a = mp.sqrt(v + mp.mpf(3) / 4)
        return mp.erf(a) / a - 1 if a else 2 / mp.sqrt(mp.pi) - 1

    def far(v):
        return mp.erfc(v + mp.mpf(5) / 4) ** (mp.mpf(1) / 4)

    return {
        "near": _part(near, -0.75, 0.7434, 8),
        "far": _part(far, -0.029, 2.751, 8, lambda v: 4 * far(v) ** 3),
    }


def _exp_part() -> list[float]:
    """(e^-r - 1 + r) / r^2."""

    def function(r):
        if abs(r) < 1e-8:
            return mp.mpf(1) / 2 - r / 6
        return (mp.expm1(-r) + r) / r**2

    return _part(function, -0.3467, 0.3467, 6, lambda r: r**2 / mp.exp(-r) + _FLOOR)


def _scaled_tail(k, scale, near: float, *, from_above: bool) -> Constants:
    """(a + k) e^(a^2) erfc(a) times a scale, in k / (a + k) less a centre."""

    def at(u):
        a = k / u - k
        return (a + k) * mp.exp(a * a) * mp.erfc(a) * scale

    centre = _nearly_single(at, near)

    def function(v):
        return at(v + centre)

    return {
        "centre": [float(1 - centre if from_above else centre)],
        "exp": _exp_part(),
        "g": _part(function, k / (mp.mpf(9.35) + k) - centre, 1 - centre, 15,
                   lambda v: 1 / function(v)),
    }  # fmt: skip


def _nearly_single(function: Callable, start: float, steps: int = 3000):
    """A float32 number from a start on where a function is nearest to a float32: the constant term.

    One less the number is a float32, too.
    """
    best, place = None, np.float32(start)
    with mp.workdps(30):
        for _ in range(steps):
            value = function(mp.mpf(float(place)))
            gap = abs(value - mp.mpf(_single(value)))
            exact = np.float32(1 - float(place)) == 1 - float(place)
            if exact and (best is None or gap < best[0]):
                best = gap, mp.mpf(float(place))
            place = np.nextafter(place, np.float32(1))
    return best[1]


def erfc() -> Constants:
    """Constants of `single_errors.scaled_tail`."""
    return _scaled_tail(mp.mpf(1), 1, 0.42, from_above=False)


def gelu() -> Constants:
    """The same in a / sqrt 2."""
    root = mp.sqrt(2)
    return _scaled_tail(mp.mpf(3) / 2 / root, root / 2, 0.38, from_above=True)


def erf_inv() -> Constants:
    """With w = -log(1 - x^2): the quotient by x in w, and by sqrt(w) in sqrt(w) - 2.75."""
    inverse = CATALOGUE["erf_inv"].mp

    def root(w):
        return mp.sqrt(-mp.expm1(-w))

    def near(w):
        return (inverse(root(w)) / root(w) if w > 0 else mp.sqrt(mp.pi) / 2) - 1

    def far(v):
        s = v + mp.mpf(2.75)
        return inverse(root(s * s)) / s - 1

    low, high = mp.sqrt(1.999) - mp.mpf(2.75), mp.sqrt(16.65) - mp.mpf(2.75)
    return {
        "near": _part(near, 0, 2.01, 8),
        "far": _part(far, low, high, 12),
        "log": _log_tail(-0.2929, 0.41422, 8),
    }


def cbrt() -> Constants:
    """((1 - e)^(-2/3) - 1) / e of the residual e, each weighted by the results where it occurs."""
    edges, largest = residuals()

    def weight(e):
        place = int(np.clip(np.digitize(float(e), edges) - 1, 0, len(largest) - 1))
        return abs(e) * (1 - e) ** (mp.mpf(2) / 3) * largest[place]

    return {"beyond": _part(beyond_one, float(edges[0]), float(edges[-1]), 5, weight)}


def digamma() -> Constants:
    """Constants of `digamma_one.digamma_near`, as they stand."""
    return digamma_one.near_constants()


STARTS: dict[str, Callable[[], Constants]] = {
    form.__name__: form
    for form in (
        exp, log, log2, log10, log1p, tanh, atanh, erf, erfc, erf_inv, gelu,
        cbrt, digamma,
    )
}  # fmt: skip


def main() -> int:
    """Fits the constants of the functions named."""
    for name in sys.argv[1:]:
        print(name)
        store(name, STARTS[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
