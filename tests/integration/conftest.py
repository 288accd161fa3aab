"""The functions that the library can replace, and where they are well inside their domains."""

import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo.integration.dispatch import replaceable
from xla_evo.library import entries
from xla_evo.targets.catalogue import CATALOGUE

REPLACED = sorted({e.function for e in entries(dtype="float32")} & set(replaceable()))
RANGES = {"log": (0.1, 5.0), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9), "cbrt": (0.2, 5.0)}


def points(name: str, count: int = 64) -> jnp.ndarray:
    low, high = RANGES.get(name, (-2.0, 2.0))
    return jnp.asarray(np.linspace(low, high, count, dtype=np.float32))


def builtin(name: str):
    return CATALOGUE[name].builtin_function()


@pytest.fixture(params=REPLACED)
def name(request) -> str:
    return request.param
