"""The forms by function: what builds a hand-made program of each."""

import bessel
import errors
import exponential
import gamma
import logarithmic
import power
import trigonometric

BITS = {"f32": 33.0, "f16": 20.0, "bf16": 17.0}
"""Bits of the polynomials that leave a result of a format within 0.51 ULP."""

FORMS = {
    "exp": exponential.exponential,
    "exp2": power.exp2,
    "expm1": exponential.expm1,
    "log": logarithmic.logarithm(1.0),
    "log2": power.log2,
    "log10": logarithmic.logarithm(0.4342944819032518),
    "log1p": logarithmic.log1p,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": trigonometric.asin,
    "acos": trigonometric.acos,
    "atan": trigonometric.atan,
    "sinh": exponential.sinh,
    "cosh": exponential.cosh,
    "tanh": exponential.tanh,
    "asinh": logarithmic.asinh,
    "acosh": logarithmic.acosh,
    "atanh": logarithmic.atanh,
    "erf": errors.erf,
    "erfc": errors.erfc,
    "erf_inv": errors.erf_inv,
    "logistic": exponential.logistic,
    "cbrt": power.cbrt,
    "rsqrt": power.rsqrt,
    "lgamma": gamma.lgamma,
    "digamma": gamma.digamma,
    "bessel_i0e": bessel.i0e,
    "bessel_i1e": bessel.i1e,
    "pow": power.power,
    "atan2": trigonometric.atan2,
    "gelu": errors.gelu,
    "gelu_tanh": exponential.gelu_tanh,
    "silu": exponential.silu,
    "softplus": exponential.softplus,
    "mish": exponential.mish,
    "log_sigmoid": exponential.log_sigmoid,
    "sinc": trigonometric.sinc,
}
