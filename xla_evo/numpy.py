"""Evolved functions as explicit drop-ins, for those who patch nothing.

``xla_evo.numpy.exp(x)`` takes what ``jax.numpy.exp`` takes and gives what it gives, computed by a
program of the library. Where the library has no program for a format (complex, much of float64)
or none within ``max_ulp``, and on platforms other than the CPU, it is the built-in; so are powers
of or by integers. Derivatives are JAX's own rules, of every order.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import jax
from jax import numpy as jnp
from jax.core import Tracer
from jax.custom_derivatives import SymbolicZero, zero_from_primal
from jax.extend.core import Primitive
from jax.interpreters import mlir
from jax.typing import ArrayLike

from xla_evo.integration.dispatch import chosen
from xla_evo.integration.door import admitted
from xla_evo.integration.scope import check_request
from xla_evo.library.loader import Entry
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import bound, elementwise_primitive, lower_inline


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

        Raises:
            ConfigError: ``max_ulp`` is no number of ULP above 0.
        """
        ...


class Elementwise2(Protocol):
    """An elementwise function of two arrays."""

    def __call__(self, x: ArrayLike, y: ArrayLike, /, *, max_ulp: float | None = None) -> jax.Array:
        """Applies the function to arrays that broadcast, as `Elementwise` does to one."""
        ...


# Tangents by g, y and x in the forms of JAX (jax/_src/lax), where the result or a function of here
# serves. A rule that is not here is taken from the built-in, which computes what it needs itself.
_TANGENTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "exp": lambda g, y, x: g * y,
    "exp2": lambda g, y, x: g * y * 0.6931471805599453,
    "expm1": lambda g, y, x: g * exp(x),
    "log": lambda g, y, x: g / x,
    "log2": lambda g, y, x: g / x / 0.6931471805599453,
    "log10": lambda g, y, x: g / x / 2.302585092994046,
    "log1p": lambda g, y, x: g / (x + 1),
    "sin": lambda g, y, x: g * cos(x),
    "cos": lambda g, y, x: -(g * sin(x)),
    "tan": lambda g, y, x: g * (1 + y * y),
    "asin": lambda g, y, x: g * jax.lax.rsqrt((1 - x) * (1 + x)),
    "acos": lambda g, y, x: -(g * jax.lax.rsqrt((1 - x) * (1 + x))),
    "atan": lambda g, y, x: g / (1 + x * x),
    "tanh": lambda g, y, x: (g + g * y) * (1 - y),
    "logistic": lambda g, y, x: g * (y * (1 - y)),
    "cbrt": lambda g, y, x: g * ((1 / 3) / (y * y)),
}


@functools.cache
def _primitive(name: str) -> Primitive:
    """The primitive of a function: its program on the CPU, the built-in on other platforms."""
    builtin = mlir.lower_fun(catalogue_function(name).builtin_function(), multiple_results=False)
    primitive = elementwise_primitive(
        f"xla_evo_{name}", lambda ctx, program, operands: builtin(ctx, *operands)
    )

    def inline(ctx: Any, *operands: Any, program: Program) -> list[Any]:
        return lower_inline(ctx, program, operands)

    mlir.register_lowering(primitive, inline, platform="cpu")
    return primitive


@functools.cache
def _with_derivative(entry: Entry) -> Callable[..., jax.Array]:
    """A program as a function with the derivative that JAX has for it."""
    name = entry.function
    program = bound(_primitive(name), entry.program)
    builtin = catalogue_function(name).builtin_function()

    def named(*inputs: jax.Array) -> jax.Array:
        return program(*inputs)

    named.__name__ = named.__qualname__ = name  # As profiles and jaxprs show it.
    function = jax.custom_jvp(named)

    def rule(primals: Any, tangents: Any) -> Any:
        result = function(*primals)
        # Along the others a derivative may not exist: that of a power by its exponent is a log.
        moving = [n for n, tangent in enumerate(tangents) if not isinstance(tangent, SymbolicZero)]
        if not moving:
            return result, zero_from_primal(result, symbolic_zeros=True)
        if name in _TANGENTS:
            return result, _TANGENTS[name](tangents[0], result, primals[0])

        def along(*given: Any) -> Any:
            inputs = dict(enumerate(primals)) | dict(zip(moving, given, strict=True))
            return builtin(*inputs.values())

        start, direction = ([values[n] for n in moving] for values in (primals, tangents))
        return result, jax.jvp(along, start, direction)[1]

    function.defjvp(rule, symbolic_zeros=True)
    return function


def _serving(name: str, dtype: str, max_ulp: float | None) -> Entry | None:
    """The program that is chosen, None where the built-in stays."""
    choice = chosen(name, dtype, max_ulp)
    return choice.entry if admitted(choice, "inline") else None


@functools.cache
def _compiled(entry: Entry) -> Callable[..., jax.Array]:
    """A program as a function of arrays that are there.

    Derivatives are asked for in traces alone, and calling by way of their rule takes longer than
    most arrays.
    """
    return jax.jit(_with_derivative(entry))


_OWN_INTEGERS = frozenset({"pow"})
"""Functions whose built-in has rules of its own for integers, static ones among them."""


def _apply(name: str, inputs: tuple[ArrayLike, ...], max_ulp: float | None) -> jax.Array:
    check_request(max_ulp, "inline")
    builtin = catalogue_function(name).builtin_function()
    given = [jnp.asarray(value) if isinstance(value, list | tuple) else value for value in inputs]
    arrays = [jnp.asarray(value) for value in given]
    own = (jnp.complexfloating, *((jnp.integer, jnp.bool_) if name in _OWN_INTEGERS else ()))
    if any(jnp.issubdtype(array.dtype, kind) for array in arrays for kind in own):
        return builtin(*given)
    arrays = _promoted(name, arrays)
    dtype = str(arrays[0].dtype)
    serving = None
    # The door's check runs on the default device; another platform has its own programs.
    if dtype in _FORMATS and jax.default_backend() == "cpu":
        serving = _serving(name, dtype, max_ulp)
    if serving is None:
        return builtin(*arrays)
    is_traced = any(isinstance(array, Tracer) for array in arrays)
    return (_with_derivative if is_traced else _compiled)(serving)(*arrays)


_FORMATS = ("float16", "bfloat16", "float32", "float64")
# Functions whose promotion is that of all here, by the number of arguments.
_PROMOTING = {1: jax.jit(jnp.sqrt), 2: jax.jit(jnp.arctan2)}


@functools.cache
def _keeps_weak_types(name: str) -> bool:
    """Whether the built-in's result of weak types is of one: some bring in arrays of their own."""
    row = catalogue_function(name)
    return jax.jit(row.builtin_function()).eval_shape(*[1.0] * row.arity).weak_type


def _promoted(name: str, arrays: list[jax.Array]) -> list[jax.Array]:
    """Arrays of one float dtype and shape, weakly typed where a result of ``jax.numpy`` would be.

    Raises:
        TypeError, ValueError: ``jax.numpy`` would not combine them.
    """
    first = arrays[0]
    if str(first.dtype) in _FORMATS and all(
        value.dtype == first.dtype and value.shape == first.shape and not value.weak_type
        for value in arrays
    ):
        return arrays
    like = _PROMOTING[len(arrays)].eval_shape(*arrays)
    if like.weak_type and _keeps_weak_types(name):
        arrays = [value if value.dtype == like.dtype else value * 1.0 for value in arrays]
    else:
        arrays = [value.astype(like.dtype) for value in arrays]
    return [jnp.broadcast_to(value, like.shape) for value in arrays]


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
