"""Every transformation of JAX over the table of replaced functions.

Results are held against the same code without the patch; that the patch was there is seen in the
lowered text, and often in the last bits.
"""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import xla_evo
from tests.integration.conftest import EVERY, builtin, is_patched, points
from xla_evo.library import choose
from xla_evo.targets.catalogue import function as catalogue_function

CLOSE = {"rtol": 2e-5, "atol": 2e-6}
PATCH = {"max_ulp": 1.1}


def check(make, name: str) -> None:
    """Runs ``make(f)(x)`` without and with the patch and compares."""
    x = points(name)
    plain = make(builtin(name))(x)
    with xla_evo.use(name, **PATCH):
        patched = make(builtin(name))(x)
        assert is_patched(make(builtin(name)), x)
    assert not is_patched(make(builtin(name)), x)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **CLOSE), plain, patched)


def cube(f):
    return lambda x: f(x) ** 3


def with_custom_vjp(f):
    @jax.custom_vjp
    def function(x):
        return f(x)

    function.defvjp(lambda x: (f(x), x), lambda x, g: (2 * g * f(x),))
    return jax.grad(lambda x: function(x).sum())


TRANSFORMED = {
    "eager": lambda f: f,
    "jit": jax.jit,
    "grad": lambda f: jax.vmap(jax.grad(cube(f))),
    "value_and_grad": lambda f: jax.jit(jax.value_and_grad(lambda x: cube(f)(x).sum())),
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),)),
    "vjp": lambda f: lambda x: jax.vjp(cube(f), x)[1](jnp.ones_like(x))[0],
    "hessian": lambda f: jax.jit(jax.vmap(jax.hessian(cube(f)))),
    "linearize": lambda f: lambda x: jax.linearize(cube(f), x)[1](x),
    "vmap": lambda f: lambda x: jax.vmap(jax.vmap(f))(x.reshape(8, 8)),
    "scan": lambda f: (
        lambda x: lax.scan(lambda c, v: (c + f(v) ** 2, f(v)), jnp.zeros(8), x.reshape(8, 8))
    ),
    "scan of scalars": lambda f: lambda x: lax.scan(lambda c, v: (c + f(v), f(v)), x[0], x),
    "while": lambda f: (
        lambda x: lax.while_loop(
            lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + f(x)), (0, jnp.zeros_like(x))
        )[1]
    ),
    "cond": lambda f: lambda x: lax.cond(x.sum() > -1e9, f, lambda v: v, x),
    "remat": lambda f: jax.grad(lambda x: jax.checkpoint(cube(f))(x).sum()),
    "custom_vjp": with_custom_vjp,
    "map": lambda f: lambda x: lax.map(f, x.reshape(8, 8)),
    "neighbours": lambda f: jax.jit(lambda x: f(x * 0.5 + 0.25) * 2 - x),
}

THOROUGH = ("exp", "asin")
"""Functions whose custom calls are tried under everything; one rule serves all."""
SCALARS = ("scan of scalars",)
"""Where nothing is called: scalars are inlined."""
SHORT = ("jit", "grad", "jvp", "vmap", "scan", "cond")
CALLED = (
    "exp", "asin", "exp2", "expm1", "log", "log1p", "sin", "tan", "atan", "sinh", "tanh", "atanh",
    "cbrt", "rsqrt",
)  # fmt: skip


@pytest.fixture(scope="module")
def native_cache(tmp_path_factory):
    """One folder of built libraries for the module: each function is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_EVO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("transformation", TRANSFORMED)
def test_transformation(name: str, transformation: str) -> None:
    check(TRANSFORMED[transformation], name)


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
@pytest.mark.parametrize("called", CALLED)
def test_transformations_of_a_custom_call(called: str, native_cache) -> None:
    if choose(called, max_ulp=1.1, lowering="custom_call").entry is None:
        pytest.skip(f"no program for {called} is proven as a custom call here")
    function, x = builtin(called), points(called)
    made = TRANSFORMED if called in THOROUGH else {n: TRANSFORMED[n] for n in SHORT}
    for transformation, make in made.items():
        plain = make(function)(x)
        with xla_evo.use(called, lowering="custom_call", **PATCH):
            replaced = make(function)(x)
            text = jax.jit(make(function)).lower(x).as_text()
            assert ("@xla_evo_" in text) == (transformation not in SCALARS), transformation
        jax.tree.map(
            lambda a, b, t=transformation: np.testing.assert_allclose(a, b, **CLOSE, err_msg=t),
            plain, replaced,
        )  # fmt: skip


@pytest.mark.parametrize("every", EVERY)
def test_every_function_is_replaced_under_jit_and_grad(every: str) -> None:
    check(lambda f: jax.jit(jax.vmap(jax.value_and_grad(f))), every)


def test_jitted_before_follows_and_comes_back(name: str) -> None:
    x = points(name, 4096)
    function = jax.jit(builtin(name))
    before = function(x)
    with xla_evo.use(name, **PATCH):
        inside = function(x)
    after = function(x)
    np.testing.assert_array_equal(before, after)
    np.testing.assert_allclose(before, inside, **CLOSE)


def test_lower_and_compile(name: str) -> None:
    x = points(name)
    with xla_evo.use(name, **PATCH):
        compiled = jax.jit(builtin(name)).lower(x).compile()
    np.testing.assert_allclose(compiled(x), builtin(name)(x), **CLOSE)


def test_export_and_reload(name: str) -> None:
    from jax import export

    pytest.importorskip("flatbuffers", reason="jax.export serialises with flatbuffers")
    x = points(name)
    with xla_evo.use(name, **PATCH):
        exported = export.export(jax.jit(builtin(name)))(x)
        expected = jax.jit(builtin(name))(x)
    reloaded = export.deserialize(exported.serialize())
    assert "reduce_precision" in reloaded.mlir_module()
    np.testing.assert_array_equal(reloaded.call(x), expected)


def test_export_with_symbolic_shape(name: str) -> None:
    from jax import export

    shape = export.symbolic_shape("n, m")
    with xla_evo.use(name, **PATCH):
        spec = jax.ShapeDtypeStruct(shape, jnp.float32)
        exported = export.export(jax.jit(builtin(name)))(spec)
    x = points(name).reshape(4, 16)
    np.testing.assert_allclose(exported.call(x), builtin(name)(x), **CLOSE)


def test_donated_buffer(name: str) -> None:
    x = points(name)
    expected = builtin(name)(x)
    with xla_evo.use(name, **PATCH):
        given = jnp.array(x)
        got = jax.jit(builtin(name), donate_argnums=0)(given)
    assert given.is_deleted()
    np.testing.assert_allclose(got, expected, **CLOSE)


def test_disabled_jit_and_debug_nans(name: str) -> None:
    x = points(name)
    with xla_evo.use(name, **PATCH), jax.disable_jit():
        np.testing.assert_allclose(builtin(name)(x), builtin(name)(x), **CLOSE)
    with xla_evo.use(name, **PATCH), jax.debug_nans(True):
        np.testing.assert_allclose(jax.jit(builtin(name))(x), builtin(name)(x), **CLOSE)


def test_debug_nans_finds_a_nan() -> None:
    with (
        xla_evo.use("log", **PATCH),
        jax.debug_nans(True),
        pytest.raises(FloatingPointError),
    ):
        jax.jit(lambda x: jnp.log(x))(jnp.float32(-1))


@pytest.mark.parametrize(
    ("name", "function", "dtype"),
    [("lgamma", jax.lax.lgamma, jnp.float64), ("exp", jnp.exp, jnp.complex64)],
)
def test_formats_without_a_program_stay_built_in(name: str, function, dtype) -> None:
    with jax.enable_x64(True):
        x = jnp.asarray([0.5, 1.5], dtype)
        plain = function(x)
        with xla_evo.use(name, **PATCH):
            assert not is_patched(function, x)
            np.testing.assert_array_equal(function(x), plain)


@pytest.mark.parametrize("dtype", [jnp.float16])
def test_sixteen_bits_are_replaced_by_their_own_program(dtype) -> None:
    x = jnp.asarray([0.5, 1.5, 3.0], dtype)
    with xla_evo.use("rsqrt", max_ulp=0.51):
        assert is_patched(lax.rsqrt, x)
        exact = 1 / np.sqrt(np.asarray(x, np.float64))
        np.testing.assert_array_equal(jax.jit(lax.rsqrt)(x), exact.astype(dtype))


def test_double_is_replaced_by_its_own_program() -> None:
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).uniform(-5, 5, 200))
        exact = catalogue_function("sinh").pair(np.asarray(x))[0]
        with xla_evo.use("sinh", max_ulp=1.0):
            assert is_patched(jnp.sinh, x)
            replaced = np.asarray(jax.jit(jnp.sinh)(x))
            slopes = jax.vmap(jax.grad(jnp.sinh))(x)
        built_in = np.asarray(jnp.sinh(x))
    unit = np.spacing(np.abs(exact))
    assert np.max(np.abs(replaced - exact) / unit) <= 1.0 < np.max(np.abs(built_in - exact) / unit)
    np.testing.assert_allclose(slopes, np.cosh(x), rtol=1e-15)


def test_integer_inputs_become_float32() -> None:
    with xla_evo.use("exp", **PATCH):
        assert is_patched(jnp.exp, jnp.arange(4))
        np.testing.assert_allclose(jnp.exp(jnp.arange(4)), np.exp(np.arange(4.0)), **CLOSE)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 5)])
def test_shapes(shape) -> None:
    x = jnp.full(shape, 0.5)
    with xla_evo.use(*EVERY, **PATCH):
        for name in EVERY:
            assert builtin(name)(x).shape == shape
