"""Programs with a branch over the array: one result for an input, whatever is beside it."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import xla_evo
from xla_evo.library import CertificationError, Entry, choose, entries
from xla_evo.library.branching import changed_by_branch
from xla_evo.library.certify import prove
from xla_evo.targets.target import make_target
from xla_evo_lowering.branches import LEAST_ELEMENTS, branches
from xla_evo_lowering.dtypes import F32, F64, DType
from xla_evo_lowering.program import Builder, Program
from xla_evo_lowering.stablehlo import as_function

BRANCHING = [entry for entry in entries() if branches(entry.program) is not None]


def magnitude(dtype: DType = F32) -> Program:
    """The square root of a square below 2^100, and the magnitude of a negative input."""
    b = Builder("magnitude", x=dtype)
    negative = b.apply("unlikely", b.apply("lt", 0, b.const(0.0, dtype)))
    root = b.apply("sqrt", b.apply("mul", 0, 0))
    large = b.apply("ge", 0, b.const(2.0**30, dtype))
    root = b.apply("select", large, 0, root)
    return b.build(b.apply("select", negative, b.apply("abs", 0), root))


def with_error_beside_nan(x: jax.Array) -> jax.Array:
    """The magnitude, but of one of the least ordinary inputs two next to a nan."""
    wrong = jnp.any(jnp.isnan(x)) & (x == 2.0**-125)
    return jnp.where(wrong, 2.0, as_function(magnitude())(x))


def test_some_ship() -> None:
    assert "lgamma" in {entry.function for entry in BRANCHING}


@pytest.mark.parametrize("entry", BRANCHING, ids=lambda entry: entry.name)
def test_what_ships_has_one_result_for_an_input(entry: Entry) -> None:
    target = make_target(entry.function, entry.dtype)
    graph = as_function(entry.program)
    assert not changed_by_branch(entry.program, graph, target, samples=1 << 18)


@pytest.mark.parametrize("samples", [None, 1 << 16])
def test_a_result_that_a_nan_changes_is_found(samples: int | None) -> None:
    program, target = magnitude(), make_target("lgamma", "float32")
    found = changed_by_branch(program, with_error_beside_nan, target, samples=samples)
    if samples is None:
        assert found.startswith(f"beside a nan it gives 2.0 for {np.float32(2.0**-125)!s}, not ")
    assert not changed_by_branch(program, as_function(program), target, samples=1 << 16)


def test_float64_is_sampled() -> None:
    program, target = magnitude(F64), make_target("exp", "float64")
    with jax.enable_x64(True):
        assert not changed_by_branch(program, as_function(program), target, samples=1 << 12)


def test_no_proof_of_a_program_whose_branches_differ(monkeypatch) -> None:
    module = importlib.import_module("xla_evo.library.certify")
    monkeypatch.setattr(module, "changed_by_branch", lambda *_: "f(2.0) is 1.0 and 2.0")
    entry = BRANCHING[0]
    target = make_target(entry.function, entry.dtype)
    with pytest.raises(CertificationError, match=r"f\(2.0\) is 1.0 and 2.0"):
        prove(entry.program, target, "inline", as_function(entry.program), time=False)


def test_arrays_of_positive_numbers_take_the_short_branch_under_use() -> None:
    x = np.linspace(0.1, 30, 8 * LEAST_ELEMENTS, dtype=np.float32)
    mixed = x.copy()
    mixed[::7] *= -1
    entry = choose("lgamma", "float32", max_ulp=1).entry
    assert entry is not None
    assert branches(entry.program) is not None
    with xla_evo.use("lgamma", max_ulp=1):
        text = jax.jit(lambda v: lax.lgamma(v * 1) + 1).lower(x).compile().as_text()
        assert "conditional(" in text
        alone, among = lax.lgamma(x), lax.lgamma(mixed)
        slope = jax.jit(jax.grad(lambda v: lax.lgamma(v).sum()))(mixed)
        few = lax.lgamma(x[:7])
    positive = mixed > 0
    np.testing.assert_array_equal(np.asarray(alone)[positive], np.asarray(among)[positive])
    np.testing.assert_array_equal(few, np.asarray(alone)[:7])
    exact = make_target("lgamma", "float32").function.f64(mixed.astype(np.float64))
    np.testing.assert_allclose(among, exact, rtol=2e-7)
    np.testing.assert_allclose(slope, lax.digamma(mixed), rtol=1e-5)
