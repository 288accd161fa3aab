"""The explicit drop-ins: values, formats, derivatives and settings of every function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import xla_evo
from tests.integration.conftest import RANGES
from xla_evo import numpy as drop_ins
from xla_evo.errors import ConfigError
from xla_evo.integration.dispatch import forget_choices
from xla_evo.library import choose, entries
from xla_evo.library.tuned import record_ratios
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.backends import backend, fingerprint

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


LIKE = {
    "python float": 2.0, "python int": 3, "python bool": True, "numpy double": np.float64(2),
    "int32": np.int32([1, 2]), "int64": np.int64([1, 2]), "bool": np.array([True]),
    "int4": jnp.ones(2, jnp.int4), "bfloat16": jnp.ones(2, jnp.bfloat16),
    "float8": jnp.ones(2, jnp.float8_e4m3fn), "complex": 1j,
}  # fmt: skip


def kind(array) -> tuple:
    return array.dtype, array.shape, array.weak_type


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("like", LIKE)
def test_types_are_those_of_jax_numpy(like: str, x64: bool) -> None:
    with jax.enable_x64(x64):
        value = LIKE[like]
        assert kind(drop_ins.exp(value)) == kind(jnp.exp(value))
        if like in ("int4", "float8", "complex"):  # the built-ins of two do not take every one
            return
        for function, builtin in ((drop_ins.pow, jnp.pow), (drop_ins.atan2, jnp.arctan2)):
            for other in (0.5, 2, np.float32([[1.0], [2.0]])):
                assert kind(function(value, other)) == kind(builtin(value, other))
                assert kind(function(other, value)) == kind(builtin(other, value))


@pytest.mark.parametrize("name", ["log2", "log10", "sinc", "gelu", "gelu_tanh", "softplus", "tanh"])
def test_results_of_scalars_are_as_weakly_typed_as_those_of_the_builtin(name: str) -> None:
    builtin = CATALOGUE[name].builtin_function()
    for value in (0.5, jnp.asarray(0.5), jnp.float32(0.5)):
        assert kind(getattr(drop_ins, name)(value)) == kind(builtin(value))


def test_random_keys_are_refused_as_jax_numpy_does() -> None:
    for given in ((jax.random.key(0), 1.0), (jnp.ones(2), jax.random.key(0))):
        with pytest.raises(TypeError, match="does not accept dtypes"):
            jnp.arctan2(*given)
        with pytest.raises(TypeError, match="does not accept dtypes"):
            drop_ins.atan2(*given)


def test_a_scalar_does_not_widen_what_it_meets() -> None:
    half = jnp.ones(2, jnp.bfloat16)
    assert (drop_ins.exp(2.0) * half).dtype == jnp.bfloat16
    assert jax.jit(lambda x: drop_ins.exp(x) * half)(2.0).dtype == jnp.bfloat16
    assert jax.lax.scan(lambda c, _: (c * drop_ins.exp(-0.5), None), half, length=2)[0].shape == (
        2,
    )


def test_promotion_follows_the_settings_of_jax() -> None:
    square, row = jnp.ones((2, 2)), jnp.ones(2)
    with jax.numpy_dtype_promotion("strict"):
        assert drop_ins.pow(jnp.ones(2, jnp.bfloat16), 2.0).dtype == jnp.bfloat16
        assert drop_ins.exp(3).dtype == jnp.float32
        with pytest.raises(ValueError, match="promotion"):
            drop_ins.pow(jnp.ones(2, jnp.bfloat16), row)
    with jax.numpy_rank_promotion("raise"), pytest.raises(ValueError, match="rank_promotion"):
        drop_ins.atan2(square, row)


def test_integer_exponents_have_the_rules_of_the_builtin() -> None:
    assert jax.grad(lambda x: drop_ins.pow(x, 0))(0.0) == 0.0
    assert drop_ins.pow(jnp.float32(-1), 16777217) == -1.0
    assert drop_ins.power(2, 3).dtype == jnp.int32
    np.testing.assert_array_equal(drop_ins.pow([2, 3], [2, 2]), [4, 9])


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


def test_a_power_of_a_negative_base_has_a_slope() -> None:
    def cube(x):
        return drop_ins.pow(x, 3.0)

    x = jnp.asarray([-2.0, 3.0])
    along = {
        "jvp": jax.jvp(cube, (x,), (jnp.ones(2),))[1],
        "linearize": jax.linearize(cube, x)[1](jnp.ones(2)),
        "jacfwd": jnp.diagonal(jax.jacfwd(cube)(x)),
        "vmap": jax.vmap(lambda v: jax.jvp(cube, (v,), (1.0,))[1])(x),
        "jit": jax.jit(lambda x: jax.jvp(cube, (x,), (jnp.ones(2),))[1])(x),
        "grad": jax.vmap(jax.grad(cube))(x),
    }
    for how, slopes in along.items():
        np.testing.assert_allclose(slopes, [12.0, 27.0], rtol=1e-6, err_msg=how)
    both = jax.jvp(drop_ins.pow, (2.0, 3.0), (1.0, 1.0))[1]
    np.testing.assert_allclose(both, 12 + 8 * np.log(2), rtol=1e-6)
    unmoved = jax.jvp(lambda x, y: (drop_ins.pow(y, y), x), (2.0, 3.0), (1.0, 0.0))[1]
    assert unmoved[0] == 0.0


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("log", 3e38), ("log2", 3e38), ("log10", 3e38), ("log1p", 3e38), ("atan", 1.5e19),
        ("cbrt", 2e38), ("expm1", -20.0),
    ],
)  # fmt: skip
def test_slopes_keep_their_digits_where_a_factor_has_none(name: str, x: float) -> None:
    function, scale = getattr(drop_ins, name), 1e10
    x = float(np.float32(x))
    got = jax.grad(lambda v: scale * function(v, max_ulp=4.0))(jnp.float32(x))
    with jax.enable_x64(True):
        want = jax.grad(lambda v: scale * CATALOGUE[name].builtin_function()(v))(x)
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_slope_of_a_root_in_half_precision() -> None:
    x = jnp.asarray([1000, 25000, 60000], jnp.float16)
    slopes = jax.vmap(jax.grad(lambda v: 1000 * drop_ins.cbrt(v)))(x)
    np.testing.assert_allclose(slopes, 1000 / 3 * np.float64(x) ** (-2 / 3), rtol=3e-3)


@pytest.mark.parametrize("max_ulp", [float("nan"), -1, 0, "1", [1], True])
def test_what_is_no_bound_is_refused(max_ulp) -> None:
    with pytest.raises(ConfigError, match="max_ulp is a number of ULP above 0"):
        drop_ins.exp(1.0, max_ulp=max_ulp)
    with pytest.raises(ConfigError, match="max_ulp is a number of ULP above 0"):
        drop_ins.pow(2, 3, max_ulp=max_ulp)


@pytest.mark.parametrize("name", ["pow", "atan2"])
@pytest.mark.parametrize("axes", [(P("d"), P()), (P(), P("d"))])
def test_two_arguments_of_which_one_is_split_over_a_mesh(name: str, axes) -> None:
    given = jnp.linspace(0.5, 2, 8), jnp.full(8, 2.0)
    mesh = jax.make_mesh((1,), ("d",), axis_types=(AxisType.Auto,))

    def split(function, *out):
        return jax.shard_map(function, mesh=mesh, in_specs=axes, out_specs=P(*out))

    def slopes(function):
        return jax.grad(lambda *given: function(*given).sum(), (0, 1))(*given)

    function, builtin = getattr(drop_ins, name), CATALOGUE[name].builtin_function()
    np.testing.assert_allclose(split(function, "d")(*given), builtin(*given), rtol=1e-6)
    np.testing.assert_allclose(slopes(split(function, "d")), slopes(builtin), rtol=1e-5)
    with pytest.raises(ValueError, match="require replication"):
        split(function)(*given)


@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_two_arguments_on_a_mesh_with_explicit_types(name: str) -> None:
    mesh = jax.make_mesh((1,), ("d",), axis_types=(AxisType.Explicit,))
    function, builtin = getattr(drop_ins, name), CATALOGUE[name].builtin_function()
    with jax.set_mesh(mesh):
        split = jax.device_put(jnp.ones(8), NamedSharding(mesh, P("d")))
        whole = jax.device_put(jnp.ones(8), NamedSharding(mesh, P()))
        for given in ((split, whole), (whole, split), (split, 2.0), (2.0, split)):
            assert jax.typeof(function(*given)) == jax.typeof(builtin(*given))
            assert jax.typeof(jax.jit(function)(*given)) == jax.typeof(jax.jit(builtin)(*given))


@pytest.mark.parametrize("platforms", [("cpu",), ("tpu",), ("cuda",), ("cpu", "tpu")])
@pytest.mark.parametrize("name", ["exp", "pow"])
def test_the_platform_that_is_lowered_for_decides(name: str, platforms) -> None:
    function = getattr(drop_ins, name)
    given = [jnp.ones(8)] * CATALOGUE[name].arity
    served = jax.jit(lambda *given: function(*given, max_ulp=1.0))
    exported = jax.export.export(served, platforms=platforms)(*given)
    module = exported.mlir_module()
    builtin = {"exp": "stablehlo.exponential", "pow": "stablehlo.power"}[name]
    assert ("reduce_precision" in module) == ("cpu" in platforms)
    assert (builtin in module) == (platforms != ("cpu",))
    if "cpu" in platforms:
        np.testing.assert_array_equal(exported.call(*given), served(*given))


def test_they_run_without_jit() -> None:
    with jax.disable_jit():
        np.testing.assert_allclose(drop_ins.exp(points("exp")), jnp.exp(points("exp")), rtol=1e-6)


def test_jaxprs_and_profiles_name_the_function() -> None:
    text = str(jax.make_jaxpr(drop_ins.exp)(1.0))
    assert "name=exp" in text
    assert len(text) < 1000
    assert "jit(exp)" in jax.jit(drop_ins.exp).lower(1.0).compile().as_text()


def test_a_choice_is_followed_when_the_times_have_changed(fresh_store) -> None:
    def served() -> str:
        return lowered(lambda x: drop_ins.exp(x, max_ulp=1.0), points("exp"))

    before, first = served(), choose("exp", max_ulp=1.0).entry
    record_ratios(
        "exp", "float32", fingerprint(backend("cpu")),
        {e.certificate.program_hash: 1.0 + (e != first) for e in entries("exp", "float32")},
    )  # fmt: skip
    forget_choices()
    assert choose("exp", max_ulp=1.0).entry != first
    assert served() != before
