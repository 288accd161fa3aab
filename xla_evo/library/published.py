"""Errors of the built-in functions as JAX publishes them, to stand beside what is measured here.

Source: the page "Numerical accuracy" of JAX's documentation (docs.jax.dev, ``accuracy.html``),
reviewed 2026-09-18: largest error in ULP on an x86-64 CPU, rounded up to half a unit there. Ranges
between processors are given by their upper end.
"""

from collections.abc import Mapping

_FUNCTIONS = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0e", "bessel_i1e", "cbrt",
    "cos", "cosh", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "log", "log1p", "log2",
    "logistic", "rsqrt", "sin", "sinh", "sqrt", "tan", "tanh", "log10", "sinc",
)  # fmt: skip

_CPU: Mapping[str, tuple[float, ...]] = {
    "bfloat16": (
        1.5, 2.0, 1.5, 1.5, 0.5, 1.0, 1.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5,
        0.5, 101.0, 0.5, 0.5, 0.5, 2.0, 2.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 2.0, 0.5,
    ),
    "float16": (
        1.5, 2.0, 1.5, 1.5, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0,
        1.0, 14.0, 2.5, 1.0, 1.0, 2.0, 2.0, 0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 1.5, 0.5,
    ),
    "float32": (
        1.5, 4.5, 2.0, 3.5, 5.5, 0.5, 3.0, 7.0, 11.0, 0.5, 0.5, 25.0, 7.0, 65.0, 66.0,
        1.5, 68.5, 6.5, 1.5, 3.0, 2.5, 2.5, 2.0, 0.5, 25.0, 0.5, 0.5, 5.0, 3.0, 2.5,
    ),
    "float64": (
        1.5, 3.5, 1.5, 2.5, 3.5, 0.5, 2.5, 7.5, 10.5, 0.5, 0.5, 496.0, 2.5, 500000.0, 350.0,
        2.0, 719.0, 4.5, 0.5, 2.0, 1.5, 3.5, 1.5, 0.5, 496.0, 0.5, 0.5, 7.0, 2.0, 2.0,
    ),
}  # fmt: skip


def published_ulp(function: str, dtype: str) -> float | None:
    """Returns the published error of a built-in on the CPU in ULP; None where there is none."""
    if function not in _FUNCTIONS or dtype not in _CPU:
        return None
    return _CPU[dtype][_FUNCTIONS.index(function)]
