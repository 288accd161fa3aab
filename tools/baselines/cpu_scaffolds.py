"""Scaffolds whose fixed parts are those of programs by hand: a hole in place of one polynomial."""

import bessel
import cube_root
import errors_one
import quotients
import single
import single_arcs
import single_arctangents
import single_exponential
import single_hyperbolic
import single_inverse_hyperbolic
import single_logarithms
import single_logistic
import trigonometric
from single_constants import stored

from xla_evo_lowering.dtypes import F32, F64


def rsqrt_residual(x, hole, named):
    """The hole has the residual of an integer estimate."""
    return single.rsqrt_by_residual(x, lambda e: (named(e), hole)[1])


def rsqrt_short(x, hole, named):
    """The same, and the hole is over the residual."""
    return single.rsqrt_by_slope(x, lambda e: (named(e), hole)[1])


def acos_short(x, hole, named):
    """The hole has the square of what goes into the arc sine."""
    return single_arcs.acos_in_parts(x, lambda z: (named(z), hole)[1])


def atan_short(x, hole, named):
    """The hole has the square of what goes into the arc tangent, less 1/2."""
    return single_arctangents.atan_in_parts(x, lambda u: (named(u), hole)[1])


def cbrt_fused(x, hole, named):
    """The hole has the residual of an integer estimate."""
    return cube_root.cbrt_in_parts(x, lambda e: (named(e), hole)[1])


def sinc(x, hole, named):
    """The hole has the square of what is left of half turns."""
    return trigonometric.sinc_in_parts(x, lambda z: (named(z), hole)[1])


def log_exact(x, hole, named):
    """The hole has the significand less 1."""
    return single_logarithms.log_in_parts(x, lambda f: f * f * (named(f), hole)[1])


def exp_tail(x, hole, named):
    """The hole has what is left of the exponent."""
    return single_exponential.exp_in_parts(x, lambda r: (named(r), hole)[1])


def asin_mixed(x, hole, named):
    """The hole has the square of what goes into the arc sine, in float32, and that less 1."""

    def arcsine(z, s):
        named(z.to(F32))
        return s * hole.to(F64) + s

    return trigonometric.asin_in_parts(x, F64, arcsine)


def log_halved(x, hole, named):
    """The same, and the hole leaves out -f/2."""
    return single_logarithms.log_in_parts(
        x, lambda f: f * ((f * f) * (named(f), hole)[1] + f * -0.5)
    )


def log_nested(x, hole, named):
    """The same, with one rounding less behind the hole."""
    return single_logarithms.log_in_parts(x, lambda f: f * (named(f), hole)[1])


def log10_nested(x, hole, named):
    """The same, f/2 in place of f."""
    return single_logarithms.log10_in_parts(x, lambda f: f * (named(f), hole)[1])


def tanh_shared(x, hole, named):
    """The hole has the square of an input below 1."""
    constants = stored()["tanh"]
    return single_hyperbolic.tanh_in_parts(x, constants, lambda square: (named(square), hole)[1])


def logistic_short(x, hole, named):
    """The hole has what is left of the exponent."""
    return single_logistic.logistic_in_parts(x, lambda r: (named(r), hole)[1])


def tanh_fast(x, hole, named):
    """The hole has the square of the limited input."""
    return single_hyperbolic.tanh_fast(x, lambda square: (named(square), hole)[1])


def asinh(x, hole, named):
    """The hole has the square of what is next to 0."""
    return single_inverse_hyperbolic.asinh_in_parts(x, lambda z: (named(z), hole)[1])


def acosh(x, hole, named):
    """The hole has how far the input is above 1."""
    return single_inverse_hyperbolic.acosh_in_parts(x, lambda d: (named(d), hole)[1])


def bessel_i0e(x, hole, named):
    """The hole has the size of the input."""
    return bessel.in_parts(x, 0, lambda a: (named(a), hole)[1])


def bessel_i1e(x, hole, named):
    """The same."""
    return bessel.in_parts(x, 1, lambda a: (named(a), hole)[1])


def erf_inv_short(x, hole, named):
    """The hole has the significand of 1 - x^2, less 1."""
    return errors_one.erf_inv_in_parts(x, lambda f: (named(f), hole)[1])


def of_even(form):
    """The hole has the square of what is left of an exponent of 2, and the part that is even."""
    return lambda x, hole, named: form(x, lambda square: (named(square), hole)[1])


SCAFFOLD_FORMS = {
    "acos-short": acos_short, "atan-short": atan_short, "cbrt-fused": cbrt_fused,
    "rsqrt": rsqrt_residual, "rsqrt-short": rsqrt_short, "sinc": sinc, "log-exact": log_exact,
    "exp-tail": exp_tail, "asin-mixed": asin_mixed, "log-halved": log_halved,
    "log-nested": log_nested,
    "log10-nested": log10_nested, "asinh": asinh, "acosh": acosh, "tanh-shared": tanh_shared,
    "tanh-fast": tanh_fast,
    "bessel-i0e": bessel_i0e, "bessel-i1e": bessel_i1e, "erf-inv-short": erf_inv_short,
    "logistic-short": logistic_short,
    "logistic-quotient": of_even(quotients.logistic), "silu-quotient": of_even(quotients.silu),
    "gelu-tanh": of_even(quotients.gelu_tanh), "mish": of_even(quotients.mish),
    "erfc": of_even(errors_one.erfc), "gelu": of_even(errors_one.gelu),
}  # fmt: skip
