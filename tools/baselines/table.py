"""The forms by function: what builds a hand-made program of each."""

import bessel
import errors
import exponential
import gamma
import logarithmic
import narrow
import power
import trigonometric
import wide_erf
import wide_errors
import wide_exponential
import wide_inverses
import wide_logarithm
import wide_trigonometric

from xla_evo_lowering.dtypes import BF16, F16, F64, DType

BITS = {"f64": 60.0, "f32": 33.0, "f16": 20.0, "bf16": 17.0}
"""Bits of the polynomials that leave a result of a format within 0.51 ULP."""

NEAREST_BITS = {
    **{("exp", kind): 24.0 for kind in ("bf16", "f16")},
    **{("erf", kind): 22.0 for kind in ("bf16", "f16")},
    **{(name, kind): 21.0 for name in ("sin", "cos") for kind in ("bf16", "f16")},
    ("log", "f16"): 23.0,
    ("log1p", "f16"): 23.0,
    ("tan", "bf16"): 18.0,
    ("erfc", "bf16"): 19.0,
    ("bessel_i0e", "f16"): 23.0,
}
"""Where the built-in gives the nearest number for every input: the bits that do so too."""

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

WIDE_FORMS = {
    "exp": (wide_exponential.exp, wide_exponential.exp_in_parts),
    "exp2": (wide_exponential.exp2, wide_exponential.exp2_in_parts),
    "expm1": (wide_exponential.expm1,),
    "log1p": (wide_logarithm.log1p,),
    "sinh": (wide_exponential.sinh,),
    "cosh": (wide_exponential.cosh,),
    "tanh": (wide_exponential.tanh, wide_exponential.tanh_in_parts),
    "erfc": (wide_errors.erfc, wide_errors.erfc_in_parts),
    "erf_inv": (wide_errors.erf_inv,),
    "log": (wide_inverses.log,),
    "log2": (wide_inverses.log2,),
    "log10": (wide_inverses.log10,),
    "asin": (wide_inverses.asin,),
    "acos": (wide_inverses.acos,),
    "atan": (wide_inverses.atan,),
    "atanh": (wide_inverses.atanh,),
    "cbrt": (wide_inverses.cbrt,),
    "erf": (wide_erf.erf,),
    "sin": (wide_trigonometric.sin,),
    "cos": (wide_trigonometric.cos,),
    "tan": (wide_trigonometric.tan,),
}
"""Forms of float64 functions; where there are several, the first is faster."""


NARROW_FORMS = {
    **{("tanh", kind): narrow.tanh for kind in (F16, BF16)},
    **{("erf", kind): narrow.erf for kind in (F16, BF16)},
}
"""What 16-bit formats have of their own, in place of the forms for all."""


def bits_of(name: str, kind: DType) -> float:
    """Bits of the polynomials of a function in a format."""
    return NEAREST_BITS.get((name, kind.short), BITS[kind.short])


def forms(name: str, kind: DType):
    """The forms of a function in a format, none where there is none."""
    if kind is F64:
        return WIDE_FORMS.get(name, ())
    return (NARROW_FORMS.get((name, kind), FORMS[name]),) if name in FORMS else ()
