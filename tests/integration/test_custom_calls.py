"""Custom calls in place of functions of JAX."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xla_evo
from tests.integration.conftest import X, is_patched
from xla_evo.errors import BackendError
from xla_evo.library import choose
from xla_evo_lowering.stablehlo import as_function


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
def test_custom_call_gives_the_bits_of_the_inlined_form() -> None:
    x = jnp.linspace(-90.0, 90.0, 10_001)
    entry = choose("exp", max_ulp=1, lowering="custom_call").entry
    assert entry is not None
    inlined = jax.jit(as_function(entry.program))(x)
    with xla_evo.use("exp", max_ulp=1, lowering="custom_call"):
        assert "custom_call" in jax.jit(jnp.exp).lower(x).as_text()
        np.testing.assert_array_equal(jax.jit(jnp.exp)(x), inlined)
        np.testing.assert_array_equal(jax.vmap(jnp.exp)(x), inlined)
        np.testing.assert_allclose(jax.vmap(jax.grad(jnp.exp))(x), inlined)
        np.testing.assert_allclose(jax.jvp(jnp.exp, (x,), (x,))[1], inlined * x)


def test_native_build_without_compiler_leaves_inline_working(monkeypatch) -> None:
    from xla_evo_lowering import native

    monkeypatch.setattr(native, "_targets", {})
    monkeypatch.setattr(native.shutil, "which", lambda _: None)
    native.compiler.cache_clear()
    try:
        with (
            xla_evo.use("exp", max_ulp=1, lowering="custom_call"),
            pytest.raises(BackendError, match="install"),
        ):
            jax.jit(lambda x: jnp.exp(x))(X)
        with xla_evo.use("exp", max_ulp=1):
            assert is_patched()
    finally:
        native.compiler.cache_clear()
