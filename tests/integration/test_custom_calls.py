"""Custom calls in place of functions of JAX."""

import re
import shutil
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import xla_evo
from tests.integration.called import CALLED, Called
from tests.integration.conftest import X, builtin, is_patched
from xla_evo.errors import BackendError
from xla_evo.integration import door
from xla_evo.library import choose
from xla_evo_lowering import native
from xla_evo_lowering.stablehlo import as_function

needs_compiler = pytest.mark.skipif(
    not shutil.which("c++"), reason="no C++ compiler on this machine"
)


def targets(function, *given) -> list[str]:
    """What a jitted function calls of ours."""
    return re.findall(r"xla_evo_[0-9a-f]+", jax.jit(function).lower(*given).as_text())


@pytest.fixture(params=CALLED, ids=str)
def called(request):
    """A function that is replaced by a custom call, with the formats of its arguments on."""
    if not request.param.is_proven:
        pytest.skip(f"no program for {request.param} is proven as a custom call here")
    with jax.enable_x64(request.param.dtype == "float64"):
        yield request.param


@needs_compiler
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


@needs_compiler
def test_export_has_to_be_asked_for(called: Called) -> None:
    from jax import export

    pytest.importorskip("flatbuffers", reason="jax.export serialises with flatbuffers")
    given, function = called.arguments(), jax.jit(called.function)
    with called.use():
        with pytest.raises(ValueError, match=r"xla_evo_[0-9a-f]+"):
            export.export(function)(*given)
        (target,) = set(targets(function, *given))
        allowed = [export.DisabledSafetyCheck.custom_call(target)]
        exported = export.export(function, disabled_checks=allowed)(*given)
        expected = function(*given)
    assert (np.asarray(expected) != np.asarray(function(*given))).any()
    reloaded = export.deserialize(exported.serialize())
    assert target in reloaded.mlir_module()
    np.testing.assert_array_equal(reloaded.call(*given), expected)


@needs_compiler
def test_export_with_symbolic_shape(called: Called) -> None:
    from jax import export

    function, given = jax.jit(called.function), [v.reshape(4, 16) for v in called.arguments()]
    shape = export.symbolic_shape("n, m")
    specs = [jax.ShapeDtypeStruct(shape, value.dtype) for value in given]
    with called.use():
        (target,) = set(targets(function, *given))
        allowed = [export.DisabledSafetyCheck.custom_call(target)]
        exported = export.export(function, disabled_checks=allowed)(*specs)
        expected = function(*given)
    assert target in exported.mlir_module()
    np.testing.assert_array_equal(exported.call(*given), expected)


@needs_compiler
def test_threads_with_different_scopes() -> None:
    cases = [case for case in CALLED if case.is_proven and case.dtype == "float32"]
    names = [case.name for case in cases]
    given = [case.arguments() for case in cases]
    scopes = [
        None,
        xla_evo.use(*names, max_ulp=1.1, lowering="custom_call"),
        xla_evo.use(*names, max_ulp=1.1),
        xla_evo.use(names[0], max_ulp=1.1, lowering="custom_call"),
    ]

    @jax.jit
    def function(given):
        return [case.function(*values) for case, values in zip(cases, given, strict=True)]

    def outcome(scope):
        if scope is None:
            return [np.asarray(y).tobytes() for y in function(given)], targets(function, given)
        with scope:
            return outcome(None)

    alone = [outcome(scope) for scope in scopes]
    assert [len(set(calls)) for _, calls in alone] == [0, len(cases), 0, 1]
    assert all(plain != called for plain, called in zip(alone[0][0], alone[1][0], strict=True))
    barrier, found = threading.Barrier(len(scopes)), {}

    def work(number: int) -> None:
        barrier.wait()
        found[number] = [outcome(scopes[number]) for _ in range(10)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(scopes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [alone[number]] * 10 for number in range(len(scopes))}


def test_sixteen_bits_stay_built_in() -> None:
    x = X.astype(jnp.bfloat16)
    plain = jax.jit(jnp.exp).lower(x).as_text()
    with xla_evo.use("exp", lowering="custom_call"):
        assert jax.jit(jnp.exp).lower(x).as_text() == plain
        assert "proven for custom_call" in xla_evo.explain("exp", "bfloat16")


@needs_compiler
def test_donated_buffer(called: Called) -> None:
    given = called.arguments(1 << 17)
    with called.use():
        expected = np.asarray(jax.jit(called.function)(*given))
        donating = jax.jit(called.function, donate_argnums=0)
        assert targets(donating, *given)
        got = donating(jnp.array(given[0]), *given[1:])
    np.testing.assert_array_equal(got, expected)


@needs_compiler
def test_disabled_jit_and_debug_nans(called: Called) -> None:
    given = called.arguments()
    wrong = [jnp.full_like(value, jnp.nan) for value in given]
    with called.use():
        expected = jax.jit(called.function)(*given)
        with jax.disable_jit():
            np.testing.assert_array_equal(called.function(*given), expected)
        with jax.debug_nans(True):
            np.testing.assert_array_equal(jax.jit(called.function)(*given), expected)
            with pytest.raises(FloatingPointError):
                jax.jit(lambda *values: called.function(*values))(*wrong)


@needs_compiler
def test_the_door_checks_the_machine_code(called: Called, monkeypatch) -> None:
    choice = choose(called.name, called.dtype, 1.1, lowering="custom_call")
    samples = 1 << 15  # at fewer float64 takes every reference from mpmath
    assert not door.check(choice, "custom_call", samples=samples)
    plain = native.emit_cpp
    monkeypatch.setattr(native, "_targets", {})
    monkeypatch.setattr(
        native, "emit_cpp",
        lambda *given: plain(*given).replace("result[i] = ", "result[i] = 2 * "),
    )  # fmt: skip
    assert door.check(choice, "custom_call", samples=samples)
    assert not door.check(choice, samples=samples)


ELEMENTWISE = {
    "scatter": lambda f, x: x.at[jnp.array([0, 3])].apply(f),
    "reduce": lambda f, x: lax.reduce(x, jnp.float32(0), lambda a, b: a + f(b), (0,)),
    "reduce, jitted": lambda f, x: lax.reduce(
        x, jnp.float32(0), jax.jit(lambda a, b: a + f(b)), (0,)
    ),
    "reduce_window": lambda f, x: lax.reduce_window(
        x, jnp.float32(0), lambda a, b: a + f(b), (4,), (1,), "SAME"
    ),
}  # fmt: skip
"""Where XLA computes scalars in a loop of its own."""


@needs_compiler
@pytest.mark.parametrize("where", ELEMENTWISE)
@pytest.mark.parametrize("name", ["exp", "sin"])
def test_scalars_are_inlined_where_nothing_can_be_called(name: str, where: str) -> None:
    def function(x):
        return ELEMENTWISE[where](builtin(name), builtin(name)(x))

    expected = jax.jit(function)(X)
    with xla_evo.use(name, max_ulp=1.1, lowering="custom_call"):
        assert len(targets(function, X)) == 1
        np.testing.assert_allclose(jax.jit(function)(X), expected, rtol=2e-5)
        assert is_patched(builtin(name), 0.5)
        assert not targets(builtin(name), 0.5)


@needs_compiler
def test_cumulative_sums_of_exponentials_call_nothing() -> None:
    expected = lax.cumlogsumexp(X)
    with xla_evo.use(lowering="custom_call"):
        assert not targets(lax.cumlogsumexp, X)
        np.testing.assert_allclose(jax.jit(lax.cumlogsumexp)(X), expected, rtol=2e-5)
