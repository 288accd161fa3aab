import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import xla_evo
from xla_evo.integration.dispatch import replaceable
from xla_evo.integration.neighbours import KEPT_AFTER_REDUCTIONS
from xla_evo_lowering.live import backend_here

X = jnp.asarray(np.random.default_rng(0).normal(size=(8, 32)), jnp.float32)
ROWS_AT_MOST_0 = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "logsumexp": lambda x: jax.nn.logsumexp(x, axis=-1),
    "by hand": lambda x: jnp.exp((x - x.max()) * 0.5),
    "gradient": jax.grad(lambda x: jax.nn.logsumexp(x, axis=-1).sum()),
}

pytestmark = pytest.mark.skipif(backend_here("cpu") is None, reason="there is no CPU here")


def exponentials(function, **patch) -> tuple[bool, bool]:
    """Whether the built-in exp is left, and whether a program is there."""
    with xla_evo.use("exp", **patch):
        text = jax.jit(function).lower(X).as_text()
    return "stablehlo.exponential " in text, "reduce_precision" in text


@pytest.mark.parametrize("name", ROWS_AT_MOST_0)
def test_exp_after_a_reduction_is_the_builtin_where_speed_alone_is_asked_for(name: str) -> None:
    assert exponentials(ROWS_AT_MOST_0[name]) == (True, False)
    assert exponentials(ROWS_AT_MOST_0[name], max_ulp=1.0) == (False, True)


def test_exp_that_meets_no_reduction_is_replaced() -> None:
    assert exponentials(lambda x: jnp.exp(x * 2 - 1)) == (False, True)
    assert exponentials(lambda x: jnp.exp(x @ x.T)) == (False, True)
    assert exponentials(lambda x: jnp.exp(lax.sort(x) - x)) == (False, True)


def test_both_kinds_of_exp_in_one_graph() -> None:
    assert exponentials(lambda x: jax.nn.softmax(jnp.exp(x))) == (True, True)


def test_a_tolerance_is_a_bound() -> None:
    def softer(x):
        return lax.exp(x - x.max(), accuracy=lax.Tolerance(ulps=2))

    assert exponentials(softer) == (False, True)


def test_explanation_tells() -> None:
    assert set(replaceable()) >= KEPT_AFTER_REDUCTIONS
    assert "reduction" in xla_evo.explain("exp")
    assert "reduction" not in xla_evo.explain("exp", max_ulp=1.0)
    assert "reduction" not in xla_evo.explain("log")
