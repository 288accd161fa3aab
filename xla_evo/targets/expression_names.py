"""What a user's expression may name: constants, functions and operators as mpmath has them.

What grows or falls as an exponential does is limited in its argument, for which mpmath would need
as many bits.
"""

import ast
from collections.abc import Callable
from typing import Any

import mpmath as mp

from xla_evo.targets import exact_forms
from xla_evo.targets.reliable import Mp


def _near(x: Any, bits: int) -> Any:
    """An mpmath number, or 2^bits with its sign where it is finite and larger."""
    far = isinstance(x, mp.mpf) and mp.isfinite(x) and abs(x) > mp.ldexp(1, bits)
    return mp.sign(x) * mp.ldexp(1, bits) if far else x


def _clamped(form: Callable[..., Any], bits: int) -> Callable[..., Any]:
    return lambda x, *more: form(_near(x, bits), *more)


CONSTANTS: dict[str, Any] = {
    "pi": mp.pi, "e": mp.e, "euler": mp.euler, "catalan": mp.catalan, "phi": mp.phi,
    "ln2": mp.ln2, "ln10": mp.ln10, "glaisher": mp.glaisher, "apery": mp.apery,
}  # fmt: skip
_UNCLAMPED: dict[str, Any] = {
    name: getattr(mp, name)
    for name in (
        "exp", "expm1", "log", "ln", "log10", "log1p", "sqrt", "cbrt", "root", "power", "hypot",
        "sin", "cos", "tan", "sec", "csc", "cot", "asin", "acos", "atan", "atan2", "sinh",
        "cosh", "tanh", "sech", "csch", "coth", "asinh", "acosh", "atanh", "sinpi", "cospi",
        "sinc", "sincpi", "erf", "erfc", "erfi", "erfinv", "gamma", "rgamma", "loggamma",
        "factorial", "digamma", "psi", "harmonic", "beta", "gammainc", "besselj", "bessely",
        "besseli", "besselk", "j0", "j1", "airyai", "airybi", "struveh", "struvel", "ellipk",
        "ellipe", "lambertw", "zeta", "altzeta", "polylog", "ei", "e1", "li", "si", "ci", "shi",
        "chi", "expint", "fresnels", "fresnelc", "npdf", "ncdf", "hyp0f1", "hyp1f1", "hyp2f1",
        "legendre", "chebyt", "chebyu", "hermite", "laguerre", "agm", "fabs", "sign", "barnesg",
    )
} | {
    "abs": mp.fabs,
    "cbrt": lambda x: exact_forms.cbrt(x) if isinstance(x, mp.mpf) else mp.cbrt(x),
    "exp2": lambda x: mp.power(2, x),
    "log2": lambda x: mp.log(x) / mp.log(2),
}  # fmt: skip
_FARTHEST, _FARTHEST_SQUARED = 2048, 500
"""Logarithms to 2 of the largest arguments of what grows or falls as an exponential does, of the
argument or its square: mpmath needs as many bits, and no float64 number comes back from there."""
FUNCTIONS: dict[str, Any] = (
    _UNCLAMPED
    | {
        name: _clamped(_UNCLAMPED[name], _FARTHEST)
        for name in ("exp", "expm1", "exp2", "sinh", "cosh", "tanh", "sech", "csch", "coth")
    }
    | {
        name: _clamped(_UNCLAMPED[name], _FARTHEST_SQUARED)
        for name in ("erfc", "erfi", "npdf", "ncdf")
    }
)
BINARY: dict[type[ast.operator], Callable[[Mp, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: mp.power(a, _near(b, _FARTHEST)),
}
