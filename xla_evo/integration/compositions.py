"""What is known of JAX functions that are made of others: how a replacement reaches them."""

from collections.abc import Mapping
from types import MappingProxyType

COMPOSITIONS: Mapping[str, str] = MappingProxyType({
    "exp2": "a primitive; when it is not replaced itself it stays the built-in, exp(x ln 2) inside"
    " XLA, which a replaced exp does not reach",
    "logistic": "a primitive; when it is not replaced itself JAX computes 1/(1 + exp(-x)) with exp"
    " as it is replaced, and the certificate of exp says nothing of the quotient",
    "log2": "jax.numpy.log2 computes log(x)/log(2), with log as it is replaced; its error is that"
    " of log and two roundings",
    "log10": "jax.numpy.log10 computes log(x)/log(10), with log as it is replaced; its error is"
    " that of log and two roundings",
    "gelu": "jax.nn.gelu computes x erfc(-x/sqrt 2)/2, with erfc as it is replaced",
    "gelu_tanh": "jax.nn.gelu computes it with tanh, as that is replaced",
    "silu": "jax.nn.silu computes x logistic(x), with logistic or the exp in it as replaced",
    "softplus": "jax.nn.softplus is logaddexp(x, 0), made of exp and log1p as they are replaced",
    "log_sigmoid": "jax.nn.log_sigmoid is -softplus(-x), made of exp and log1p as replaced",
    "mish": "jax.nn.mish is x tanh(softplus(x)), made of tanh, exp and log1p as replaced",
    "sinc": "jax.numpy.sinc is sin(pi x)/(pi x), with sin as it is replaced",
})  # fmt: skip
"""Function to what applies to it; those that are not here are primitives that stand alone."""


def composition(name: str) -> str:
    """Returns what applies to a function that has no certificate of its own under JAX."""
    return COMPOSITIONS.get(name, "JAX has no primitive for it")
