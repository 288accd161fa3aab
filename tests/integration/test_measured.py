"""What measures a built-in measures JAX's own, whatever the process has replaced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import xla_evo
from tests.integration.conftest import X, is_patched
from xla_evo_lowering import timing
from xla_evo_lowering.backends import backend
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.costs import static_cost
from xla_evo_lowering.dtypes import F32

INPUTS = np.asarray(X)
ROWS = np.resize(INPUTS, (timing.ROWS, INPUTS.size))


@pytest.fixture(params=["install", "use"])
def replaced(request):
    """Sinh is replaced, in the process or in this thread."""
    if request.param == "use":
        with xla_evo.use("sinh", max_ulp=1):
            yield
        return
    xla_evo.install("sinh", max_ulp=1)
    try:
        yield
    finally:
        xla_evo.uninstall()


MEASURED = {
    "call": lambda function: Executable(function, [F32])(INPUTS),
    "calls": lambda function: Executable(function, [F32]).each([(INPUTS,), (INPUTS,)])[1],
    "timing loop": lambda function: timing.compile_loop(function, F32, elements=INPUTS.size)(
        ROWS, np.int32(1)
    ),
    "static cost": lambda function: static_cost(backend("cpu"), function, (F32,)).value,
}  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    """What each gives where nothing is replaced."""
    return {name: measured(jnp.sinh) for name, measured in MEASURED.items()}


@pytest.mark.parametrize("how", MEASURED)
def test_the_built_in_is_measured_where_it_is_replaced(how: str, plain, replaced) -> None:
    assert is_patched(jnp.sinh)
    assert (jax.jit(jnp.sinh)(X) != plain["call"]).any()
    np.testing.assert_array_equal(MEASURED[how](jnp.sinh), plain[how])
    assert is_patched(jnp.sinh)
