"""The functions that the library can replace, and where they are well inside their domains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo.integration.dispatch import replaceable
from xla_evo.integration.scope import current_scope
from xla_evo.library import entries
from xla_evo.targets.catalogue import CATALOGUE

EVERY = sorted(
    name
    for name in {e.function for e in entries(dtype="float32")} & set(replaceable())
    if CATALOGUE[name].arity == 1
)
REPLACED = ["acos", "asin", "atan", "cbrt", "cos", "exp", "exp2", "log", "sin", "tanh"]
"""Those that every transformation is tried with; one lowering rule serves them all."""
RANGES = {
    "log": (0.1, 5.0), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9), "cbrt": (0.2, 5.0),
    "acosh": (1.1, 5.0), "atanh": (-0.9, 0.9), "erf_inv": (-0.9, 0.9), "log1p": (-0.9, 5.0),
    "rsqrt": (0.1, 5.0), "lgamma": (0.1, 5.0), "digamma": (0.1, 1.4), "tan": (-1.4, 1.4),
    "pow": (0.2, 5.0),
}  # fmt: skip


def points(name: str, count: int = 64) -> jnp.ndarray:
    low, high = RANGES.get(name, (-2.0, 2.0))
    return jnp.asarray(np.linspace(low, high, count, dtype=np.float32))


def builtin(name: str):
    return CATALOGUE[name].builtin_function()


@pytest.fixture(params=REPLACED)
def name(request) -> str:
    return request.param


X = jnp.linspace(-3.0, 3.0, 257)


def is_patched(function=jnp.exp, x=X) -> bool:
    """Whether a program of the library is in the lowered text: its guards are."""
    return "reduce_precision" in jax.jit(function).lower(x).as_text()


@pytest.fixture(autouse=True)
def nothing_installed():
    assert current_scope() is None
    yield
    assert current_scope() is None
