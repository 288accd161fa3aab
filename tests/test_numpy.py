"""The explicit drop-ins: values, formats, derivatives and settings of every function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xla_evo
from tests.integration.conftest import RANGES
from xla_evo import numpy as drop_ins
from xla_evo.library import choose
from xla_evo.targets.catalogue import CATALOGUE

UNARY = sorted(name for name, row in CATALOGUE.items() if row.arity == 1)
SERVED = [name for name in UNARY if choose(name, max_ulp=4.0).entry is not None]
INSIDE = {
    **RANGES, "log1p": (-0.5, 2.0), "log2": (0.1, 5.0), "log10": (0.1, 5.0), "sqrt": (0.1, 5.0),
    "rsqrt": (0.1, 5.0), "acosh": (1.1, 5.0), "atanh": (-0.9, 0.9), "erf_inv": (-0.9, 0.9),
    "lgamma": (0.3, 5.0), "digamma": (2.0, 5.0), "tan": (-1.0, 1.0),
}  # fmt: skip


def points(name: str, dtype=np.float32) -> jax.Array:
    low, high = INSIDE.get(name, (0.2, 2.0))
    return jnp.asarray(np.linspace(low, high, 60).reshape(3, 20), dtype)


def lowered(function, *args) -> str:
    return jax.jit(function).lower(*args).as_text()


def test_every_function_of_the_catalogue_is_here() -> None:
    for name, row in CATALOGUE.items():
        function = getattr(drop_ins, name)
        assert function.__name__ == name
        assert "xla_evo.explain" in function.__doc__
        assert row.builtin.rpartition(".")[2] in function.__doc__ or not row.builtin
    assert drop_ins.arcsin is drop_ins.asin
    assert drop_ins.power is drop_ins.pow


@pytest.mark.parametrize("name", UNARY)
def test_values_and_shapes(name: str) -> None:
    x = points(name)
    got = getattr(drop_ins, name)(x, max_ulp=4.0)
    assert got.shape == x.shape
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, CATALOGUE[name].builtin_function()(x), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", SERVED)
def test_a_program_serves_and_has_the_curvature_of_the_builtin(name: str) -> None:
    function, builtin = getattr(drop_ins, name), CATALOGUE[name].builtin_function()
    x = points(name).reshape(-1)
    assert lowered(lambda v: function(v, max_ulp=4.0), x) != lowered(builtin, x)
    got = jax.jit(jax.vmap(jax.grad(jax.grad(lambda v: function(v, max_ulp=4.0)))))(x)
    want = jax.jit(jax.vmap(jax.grad(jax.grad(builtin))))(x)
    np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


def test_nothing_is_patched_by_calling_one() -> None:
    x = points("exp")
    before = lowered(jnp.exp, x)
    drop_ins.exp(x, max_ulp=1.0)
    assert lowered(jnp.exp, x) == before


def test_a_bound_that_nothing_meets_gives_the_builtin() -> None:
    x = points("exp")
    np.testing.assert_array_equal(drop_ins.exp(x, max_ulp=1e-3), jnp.exp(x))


@pytest.mark.parametrize("value", [3, True, [1, 2], np.int32(2), np.array([[1.5]], np.float32)])
def test_scalars_lists_and_integers_become_floats(value) -> None:
    got = drop_ins.exp(value)
    assert got.dtype == jnp.exp(jnp.asarray(value)).dtype
    assert got.shape == np.shape(value)
    np.testing.assert_allclose(got, np.exp(np.asarray(value, np.float64)), rtol=1e-6)


def test_complex_and_double_values_keep_their_format() -> None:
    with jax.enable_x64(True):
        for dtype in (jnp.complex64, jnp.float64):
            x = jnp.asarray([0.5, 1.0], dtype)
            assert drop_ins.exp(x).dtype == dtype
            np.testing.assert_allclose(drop_ins.exp(x), jnp.exp(x), rtol=1e-6)


def test_two_arguments_broadcast() -> None:
    x, y = jnp.asarray([[0.5], [2.0]]), jnp.asarray([1.0, 2.0, -0.5])
    np.testing.assert_allclose(drop_ins.pow(x, y), jnp.power(x, y), rtol=1e-6)
    np.testing.assert_allclose(drop_ins.atan2(x, y), jnp.arctan2(x, y), rtol=1e-6)
    assert drop_ins.pow(jnp.asarray([2, 3]), 0.5).dtype == jnp.float32


def test_they_are_independent_of_scopes() -> None:
    x = points("exp")
    alone = drop_ins.exp(x, max_ulp=1.0)
    with xla_evo.use("log", max_ulp=1):
        np.testing.assert_array_equal(drop_ins.exp(x, max_ulp=1.0), alone)
