"""Evolved functions as explicit drop-ins, for those who patch nothing.

``xla_evo.numpy.exp(x)`` takes what ``jax.numpy.exp`` takes and gives what it gives, computed by a
program of the library. Where the library has no program for a format (complex, much of float64)
or none within ``max_ulp``, it is the built-in. Derivatives are JAX's own rules, of every order.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
from jax import numpy as jnp
from jax.typing import ArrayLike

from xla_evo.integration.door import admitted
from xla_evo.library.choice import choose
from xla_evo.library.loader import Entry
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo_lowering.stablehlo import as_function


class Elementwise(Protocol):
    """An elementwise function of one array."""

    def __call__(self, x: ArrayLike, /, *, max_ulp: float | None = None) -> jax.Array:
        """Applies the function.

        Args:
            x: an array or scalar; integers and booleans become floats as in ``jax.numpy``.
            max_ulp: largest error allowed in ULP over the whole domain; without it the fastest
                program that is as accurate as the built-in, or within 1 ULP.

        Returns:
            An array of the shape of ``x``, in its float format.
        """
        ...


class Elementwise2(Protocol):
    """An elementwise function of two arrays."""

    def __call__(self, x: ArrayLike, y: ArrayLike, /, *, max_ulp: float | None = None) -> jax.Array:
        """Applies the function to arrays that broadcast, as `Elementwise` does to one."""
        ...


# The rules of JAX (jax/_src/lax), as dy/dx of x and y, where the result serves: a rule that is not
# here is taken from the built-in, which computes its own result where it needs one.
_SLOPES: dict[str, Callable[[Any, Any], Any]] = {
    "exp": lambda x, y: y,
    "exp2": lambda x, y: y * jnp.asarray(0.6931471805599453, y.dtype),
    "expm1": lambda x, y: y + 1,
    "log": lambda x, y: 1 / x,
    "log2": lambda x, y: 1 / (x * jnp.asarray(0.6931471805599453, y.dtype)),
    "log10": lambda x, y: 1 / (x * jnp.asarray(2.302585092994046, y.dtype)),
    "log1p": lambda x, y: 1 / (x + 1),
    "sin": lambda x, y: cos(x),
    "cos": lambda x, y: -sin(x),
    "tan": lambda x, y: 1 + y * y,
    "asin": lambda x, y: jax.lax.rsqrt(1 - x * x),
    "acos": lambda x, y: -jax.lax.rsqrt(1 - x * x),
    "atan": lambda x, y: 1 / (1 + x * x),
    "tanh": lambda x, y: 1 - y * y,
    "logistic": lambda x, y: y * (1 - y),
    "cbrt": lambda x, y: y / (3 * x),
}


@functools.cache
def _with_derivative(entry: Entry) -> Callable[..., jax.Array]:
    """A program as a function with the derivative that JAX has for it."""
    program = as_function(entry.program)
    name = entry.function
    builtin = catalogue_function(name).builtin_function()

    @jax.custom_jvp
    def function(*inputs: jax.Array) -> jax.Array:
        return program(*inputs)

    def rule(primals: Any, tangents: Any) -> Any:
        result = function(*primals)
        if name in _SLOPES:
            return result, _SLOPES[name](primals[0], result) * tangents[0]
        return result, jax.jvp(builtin, primals, tangents)[1]

    function.defjvp(rule)
    return function


@functools.cache
def _chosen(name: str, dtype: str, max_ulp: float | None) -> Entry | None:
    choice = choose(name, dtype, max_ulp)
    return choice.entry if choice.entry is not None and admitted(choice, "inline") else None


def _apply(name: str, inputs: tuple[ArrayLike, ...], max_ulp: float | None) -> jax.Array:
    row = catalogue_function(name)
    arrays = jnp.broadcast_arrays(*(jnp.asarray(value) for value in inputs))
    if not all(jnp.issubdtype(array.dtype, jnp.inexact) for array in arrays):
        arrays = [array.astype(jnp.result_type(*arrays, float)) for array in arrays]
    if len(arrays) > 1:
        arrays = [array.astype(jnp.result_type(*arrays)) for array in arrays]
    entry = None
    if jax.default_backend() == "cpu":
        entry = _chosen(name, str(arrays[0].dtype), max_ulp) if _has_format(arrays[0]) else None
    if entry is None:
        return row.builtin_function()(*arrays)
    return _with_derivative(entry)(*arrays)


def _has_format(array: jax.Array) -> bool:
    return str(array.dtype) in ("float16", "bfloat16", "float32", "float64")


def _make(name: str) -> Any:
    row = CATALOGUE[name]

    if row.arity == 2:

        def binary(x: ArrayLike, y: ArrayLike, /, *, max_ulp: float | None = None) -> jax.Array:
            return _apply(name, (x, y), max_ulp)

        made: Any = binary
    else:

        def unary(x: ArrayLike, /, *, max_ulp: float | None = None) -> jax.Array:
            return _apply(name, (x,), max_ulp)

        made = unary
    made.__name__ = made.__qualname__ = name
    made.__doc__ = (
        f"{row.builtin}, computed by a program of the library where it has one.\n\n"
        "    Args and result as for `Elementwise`; `xla_evo.explain` tells which program serves."
    )
    return made


exp: Elementwise = _make("exp")
exp2: Elementwise = _make("exp2")
expm1: Elementwise = _make("expm1")
log: Elementwise = _make("log")
log2: Elementwise = _make("log2")
log10: Elementwise = _make("log10")
log1p: Elementwise = _make("log1p")
sin: Elementwise = _make("sin")
cos: Elementwise = _make("cos")
tan: Elementwise = _make("tan")
asin: Elementwise = _make("asin")
acos: Elementwise = _make("acos")
atan: Elementwise = _make("atan")
sinh: Elementwise = _make("sinh")
cosh: Elementwise = _make("cosh")
tanh: Elementwise = _make("tanh")
asinh: Elementwise = _make("asinh")
acosh: Elementwise = _make("acosh")
atanh: Elementwise = _make("atanh")
erf: Elementwise = _make("erf")
erfc: Elementwise = _make("erfc")
erf_inv: Elementwise = _make("erf_inv")
logistic: Elementwise = _make("logistic")
cbrt: Elementwise = _make("cbrt")
sqrt: Elementwise = _make("sqrt")
rsqrt: Elementwise = _make("rsqrt")
lgamma: Elementwise = _make("lgamma")
digamma: Elementwise = _make("digamma")
bessel_i0e: Elementwise = _make("bessel_i0e")
bessel_i1e: Elementwise = _make("bessel_i1e")
gelu: Elementwise = _make("gelu")
gelu_tanh: Elementwise = _make("gelu_tanh")
silu: Elementwise = _make("silu")
softplus: Elementwise = _make("softplus")
mish: Elementwise = _make("mish")
log_sigmoid: Elementwise = _make("log_sigmoid")
sinc: Elementwise = _make("sinc")
pow: Elementwise2 = _make("pow")
atan2: Elementwise2 = _make("atan2")

arcsin, arccos, arctan = asin, acos, atan
arcsinh, arccosh, arctanh = asinh, acosh, atanh
arctan2, power = atan2, pow
"""The names of ``jax.numpy`` for those above."""
