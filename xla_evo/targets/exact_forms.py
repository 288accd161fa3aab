"""Exact (mpmath) forms of the catalogue's functions that mpmath does not have by itself.

Each takes mpf arguments inside the domain and returns an mpf correct to the working precision.
"""

from collections.abc import Callable

import mpmath as mp

from xla_evo.targets.reliable import Mp, guarded, reliable, working_precision


def _except_at_poles(
    form: Callable[[Mp], Mp], value: Mp, at_zero: Mp | None = None
) -> Callable[[Mp], Mp]:
    """``form``, but ``value`` at zero and the negative integers, the poles of gamma."""

    def evaluate(x: Mp) -> Mp:
        if x == 0 and at_zero is not None:
            return at_zero
        return value if x <= 0 and mp.isint(x) else form(x)

    return evaluate


exp2 = guarded(lambda x: mp.power(2, x))
log2 = guarded(lambda x: mp.log(x) / mp.log(2) if x else -mp.inf)
log = guarded(lambda x: mp.log(x) if x else -mp.inf)
log10 = guarded(lambda x: mp.log(x) / mp.log(10) if x else -mp.inf)
log1p = guarded(lambda x: mp.log1p(x) if x != -1 else -mp.inf)
rsqrt = guarded(lambda x: 1 / mp.sqrt(x) if x else mp.inf)
atanh = guarded(lambda x: mp.atanh(x) if abs(x) != 1 else mp.sign(x) * mp.inf)
logistic = guarded(lambda x: 1 / (1 + mp.exp(-x)))
lgamma = _except_at_poles(reliable(lambda x: mp.re(mp.loggamma(x)), "lgamma"), mp.inf)
digamma = _except_at_poles(reliable(mp.digamma, "digamma"), mp.nan, at_zero=-mp.inf)
gelu = guarded(lambda x: x * erfc(-x / mp.sqrt(2)) / 2)
silu = guarded(lambda x: x / (1 + mp.exp(-x)))
softplus = guarded(lambda x: x + mp.log1p(mp.exp(-x)) if x > 0 else mp.log1p(mp.exp(x)))
log_sigmoid = guarded(lambda x: -softplus(-x))


@guarded
def erfc(x: Mp) -> Mp:
    """Complementary error function; mpmath's own overflows for arguments beyond 1e154."""
    if abs(x) < 1000:
        return mp.erfc(x)
    if x < 0:
        return 2 - erfc(-x)
    # DLMF 7.12.1.
    term, total, k = mp.mpf(1), mp.mpf(1), 1
    while abs(term) > mp.ldexp(1, -working_precision() - 5):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
        k += 1
    return total * mp.exp(-x * x) / (x * mp.sqrt(mp.pi))


@guarded
def erf(x: Mp) -> Mp:
    """Error function."""
    return mp.erf(x) if abs(x) < 1000 else mp.sign(x) * (1 - erfc(abs(x)))


@guarded
def cbrt(x: Mp) -> Mp:
    """Real cube root, odd in x."""
    return mp.sign(x) * mp.cbrt(abs(x))


@guarded
def erf_inv(x: Mp) -> Mp:
    """Inverse of erf by Newton's method on erf or erfc, whichever keeps relative accuracy.

    mpmath.erfinv asks for an absolute tolerance and so fails for tiny arguments.
    """
    if abs(x) == 1:
        return mp.sign(x) * mp.inf
    if x == 0:
        return x
    target, a = 1 - abs(x), abs(x)
    near_one = a > 0.5
    if near_one:
        t = mp.sqrt(-2 * mp.log(target / 2))
        y = (t - (2.515517 + 0.802853 * t) / (1 + 1.432788 * t + 0.189269 * t * t)) / mp.sqrt(2)
    else:
        y = mp.sqrt(mp.pi) / 2 * (a + mp.pi * a**3 / 12)
    # The error is squared at each step, from 2**-8 or better.
    for _ in range(working_precision().bit_length() + 3):
        residual = target - mp.erfc(y) if near_one else mp.erf(y) - a
        step = residual * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y -= step
        if abs(step) <= mp.ldexp(y, -(working_precision() // 2) - 8):
            break
    return mp.sign(x) * y


def _bessel_scaled(order: int, x: Mp) -> Mp:
    a = abs(x)
    if a < working_precision():
        return mp.exp(-a) * mp.besseli(order, a)
    # Hankel's expansion, DLMF 10.40.1; terms fall until k is about 2 a, far past the precision.
    term, total, k = mp.mpf(1), mp.mpf(1), 1
    while abs(term) > mp.ldexp(1, -working_precision() - 5):
        term *= -(4 * order * order - (2 * k - 1) ** 2) / (8 * k * a)
        total += term
        k += 1
    return total / mp.sqrt(2 * mp.pi * a)


bessel_i0e = guarded(lambda x: _bessel_scaled(0, x), 60)
bessel_i1e = guarded(lambda x: mp.sign(x) * _bessel_scaled(1, x), 60)


@guarded
def gelu_tanh(x: Mp) -> Mp:
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), written without cancellation."""
    u = mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)
    return x / (1 + mp.exp(-2 * u))


@guarded
def mish(x: Mp) -> Mp:
    """X tanh(log(1 + exp x)), written as a quotient in exp(-|x|)."""
    if x > 0:
        e = mp.exp(-x)
        return x * (1 + 2 * e) / (1 + 2 * e + 2 * e * e)
    n = mp.exp(x) * (mp.exp(x) + 2)
    return x * n / (n + 2)


@guarded
def sinc(x: Mp) -> Mp:
    """sin(pi x) / (pi x)."""
    return mp.sinpi(x) / (mp.pi * x) if x else mp.mpf(1)


@guarded
def power(x: Mp, y: Mp) -> Mp:
    """X to the y over the reals, nan where it is not real."""
    if y == 0 or x == 1:
        return mp.mpf(1)
    if x == 0:
        return mp.mpf(0) if y > 0 else mp.inf
    if x < 0:
        if not mp.isint(y):
            return mp.nan
        magnitude = mp.exp(y * mp.log(-x))
        return -magnitude if int(y) % 2 else magnitude
    return mp.exp(y * mp.log(x))


@guarded
def atan2(y: Mp, x: Mp) -> Mp:
    """Angle of the point (x, y)."""
    return mp.atan2(y, x)
