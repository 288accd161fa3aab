"""Forms of float32 by tier: at most 1 ULP, in float32 alone or not, and *fast*, the built-in's.

And those for custom calls alone.
"""

import bessel
import cube_root
import digamma_one
import errors_one
import gamma_branch
import gamma_one
import quarters
import quotients
import single_arcs
import single_arctangents
import single_errors
import single_exponential
import single_fast_errors
import single_hyperbolic
import single_inverse_hyperbolic
import single_logarithms
import single_logistic
import trigonometric
import windows
from single_constants import with_constants

TUNED = {
    "exp": single_exponential.exp,
    "log": single_logarithms.log,
    "log2": single_logarithms.to_base,
    "log10": single_logarithms.to_base,
    "log1p": single_logarithms.log1p,
    "atanh": single_logarithms.atanh,
    "tanh": single_hyperbolic.tanh,
    "erf": single_errors.erf,
    "erfc": single_errors.erfc,
    "erf_inv": single_errors.erf_inv,
    "gelu": single_errors.gelu,
    "cbrt": cube_root.cbrt,
}
"""Forms that take their constants as data."""

SINGLE = {
    "acos": single_arcs.acos,
    "asinh": single_inverse_hyperbolic.asinh,
    "acosh": single_inverse_hyperbolic.acosh,
    "expm1": single_hyperbolic.expm1,
    "sinh": single_hyperbolic.sinh,
    "cosh": single_hyperbolic.cosh,
    "logistic": single_logistic.logistic,
    "silu": single_logistic.silu,
    "softplus": single_logistic.softplus,
    "log_sigmoid": single_logistic.log_sigmoid,
    **{name: with_constants(name, form) for name, form in TUNED.items()},
}

FAST = {
    "atan": single_arctangents.atan_folded,
    "exp": single_exponential.exp_fast,
    "logistic": single_logistic.logistic_fast,
    "silu": single_logistic.silu_fast,
    "gelu_tanh": single_logistic.gelu_tanh_fast,
    "erf": single_fast_errors.erf,
    "erfc": single_fast_errors.erfc,
    "gelu": single_fast_errors.gelu,
}

ONE = {
    "erfc": errors_one.erfc,
    "gelu": errors_one.gelu,
    "erf_inv": errors_one.erf_inv,
    "lgamma": gamma_one.lgamma,
    "digamma": digamma_one.digamma,
    "bessel_i0e": bessel.i0e_one,
    "bessel_i1e": bessel.i1e_one,
    "sin": windows.sin,
    "cos": windows.cos,
    "tan": windows.tan,
    "sinc": trigonometric.sinc_one,
}
"""Forms at 1 ULP with float64 inside, where float32 alone is slower or no form is nearer."""

NEAR = {
    "cos": windows.cos_near,
    "tan": windows.tan_near,
    "digamma": with_constants("digamma", digamma_one.digamma_near),
    "logistic": quotients.logistic,
    "silu": quotients.silu,
    "gelu_tanh": quotients.gelu_tanh,
    "mish": quotients.mish,
    "tanh": quotients.tanh,
    "sinc": trigonometric.sinc_near,
}
"""Forms at 0.51 ULP that are faster than the wide ones; those of cos and tan by contraction."""

BRANCH = {"lgamma": gamma_branch.lgamma}
"""Forms at 1 ULP with a branch over the array, which the CPU takes for ordinary inputs."""

CALL = {"sin": quarters.sin, "cos": quarters.cos, "tan": quarters.tan}
"""Forms at 1 ULP whose ordinary inputs need far less than others: faster as custom calls."""
