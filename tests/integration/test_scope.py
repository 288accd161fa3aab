import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import xla_evo
from tests.integration.conftest import EVERY, REPLACED, builtin, points
from xla_evo.errors import BackendError, ConfigError, TargetError
from xla_evo.integration import dispatch, door
from xla_evo.integration.scope import Request, Scope, current_scope, make_scope, merged
from xla_evo.library import CertificateError, choose, write_entry
from xla_evo_lowering.stablehlo import as_function

X = jnp.linspace(-3.0, 3.0, 257)


def is_patched(function=jnp.exp, x=X) -> bool:
    return "reduce_precision" in jax.jit(function).lower(x).as_text()


@pytest.fixture(autouse=True)
def nothing_installed():
    assert current_scope() is None
    yield
    assert current_scope() is None


def test_scope_is_entered_and_left() -> None:
    scope = xla_evo.use("exp", max_ulp=1)
    assert not is_patched()
    for _ in range(2):
        with scope:
            assert is_patched()
        assert not is_patched()


def test_scope_is_left_on_error() -> None:
    with pytest.raises(ZeroDivisionError), xla_evo.use("exp", max_ulp=1):
        raise ZeroDivisionError
    assert current_scope() is None


def test_other_functions_are_left_alone() -> None:
    with xla_evo.use("exp", max_ulp=1):
        assert not is_patched(jnp.sin)
        assert not is_patched(lax.integer_pow if False else jnp.sqrt, X * X)


def test_inner_scope_wins_by_name() -> None:
    with xla_evo.use("exp", max_ulp=1), xla_evo.use("log", max_ulp=1):
        assert is_patched()
        assert is_patched(jnp.log)
        with xla_evo.use("exp", backend="tpu:v5e"):
            assert not is_patched()
            assert is_patched(jnp.log)
        assert is_patched()


def test_nameless_scope_replaces_all() -> None:
    with xla_evo.use("exp", max_ulp=1):
        with xla_evo.use(max_ulp=0.4):
            assert not is_patched()
        with xla_evo.use(max_ulp=1):
            assert is_patched()
            assert is_patched(jnp.log)


def test_merging_scopes() -> None:
    one, two = Request(max_ulp=1.0), Request(max_ulp=2.0)
    outer = Scope((("exp", one), ("log", one)), None)
    assert merged(None, outer) == outer
    assert merged(outer, Scope((("exp", two),))).request("exp") == two
    assert merged(outer, Scope((("exp", two),))).request("log") == one
    assert merged(outer, Scope((), two)).request("log") == two
    assert merged(Scope((), one), Scope((("exp", two),))).request("sin") == one
    assert outer.request("sin") is None


def test_install_and_uninstall() -> None:
    xla_evo.install("exp", max_ulp=1)
    try:
        assert is_patched()
        with xla_evo.use("exp", backend="tpu:v5e"):
            assert not is_patched()
        assert is_patched()
        xla_evo.install("log", max_ulp=1)
        assert not is_patched()
        assert is_patched(jnp.log)
    finally:
        xla_evo.uninstall()
    assert not is_patched()
    with pytest.raises(ConfigError, match="nothing was installed"):
        xla_evo.uninstall()


def test_install_reaches_other_threads_and_use_does_not() -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(is_patched())

    def run() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with xla_evo.use("exp", max_ulp=1):
        run()
    xla_evo.install("exp", max_ulp=1)
    try:
        run()
    finally:
        xla_evo.uninstall()
    assert seen == [False, True]


def test_threads_with_different_scopes() -> None:
    inputs = {name: points(name) for name in REPLACED}
    function = jax.jit(lambda inputs: jnp.stack([builtin(n)(x) for n, x in inputs.items()]))
    plain = np.asarray(function(inputs))
    with xla_evo.use(*REPLACED, max_ulp=1.1):
        both = np.asarray(function(inputs))
    assert (plain != both).any(axis=1).sum() > 5
    results: dict[int, list] = {}
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        results[number] = []
        for _ in range(20):
            if number % 2:
                with xla_evo.use(*REPLACED, max_ulp=1.1):
                    results[number].append(np.asarray(function(inputs)))
            else:
                results[number].append(np.asarray(function(inputs)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, found in results.items():
        for value in found:
            np.testing.assert_array_equal(value, both if number % 2 else plain)


@pytest.mark.parametrize(
    ("names", "settings", "error", "match"),
    [
        (("expp",), {}, TargetError, "did you mean exp"),
        (("log2",), {}, ConfigError, r"xla_evo.numpy.log2"),
        (("exp",), {"max_ulp": 0.01}, ConfigError, "replace exp with.* in float32"),
        (("exp",), {"max_ulp": 0}, ConfigError, "above 0"),
        (("exp",), {"max_ulp": float("nan")}, ConfigError, "above 0"),
        (("exp",), {"lowering": "inlined"}, ConfigError, "unknown lowering"),
        (("exp",), {"backend": "gpu"}, BackendError, "unknown backend"),
        (("lgamma",), {"max_ulp": 1e-3}, ConfigError, "nothing to replace lgamma with"),
    ],
)
def test_bad_settings_are_refused(names, settings, error, match) -> None:
    with pytest.raises(error, match=match):
        xla_evo.use(*names, **settings)


def test_use_inside_a_traced_function_is_refused() -> None:
    @jax.jit
    def function(x):
        with xla_evo.use("exp", max_ulp=1):
            return jnp.exp(x)

    with pytest.raises(ConfigError, match="being traced"):
        function(X)
    with pytest.raises(ConfigError, match="being traced"):
        jax.eval_shape(function, X)


def test_install_inside_a_traced_function_is_refused() -> None:
    @jax.jit
    def function(x):
        xla_evo.install("exp", max_ulp=1)
        return jnp.exp(x)

    with pytest.raises(ConfigError, match="being traced; call it before"):
        function(X)
    assert current_scope() is None


def test_a_program_that_was_edited_is_refused_when_it_would_be_used(tmp_path, monkeypatch) -> None:
    entry = choose("exp", max_ulp=1).entry
    path = write_entry(entry, tmp_path)
    path.write_text(path.read_text().replace("0x1.8p+23", "0x1.9p+23"))

    def chosen(name, dtype, max_ulp, backend, lowering, most_accurate):
        return choose(name, dtype, max_ulp, folder=tmp_path)

    monkeypatch.setattr(dispatch, "_choose", chosen)
    with (
        xla_evo.use("exp", max_ulp=1),
        pytest.raises(CertificateError, match=f"library entry {path} is refused: the program is"),
    ):
        jax.jit(lambda x: jnp.exp(x) + 7)(X)


def test_contradicting_scopes_have_the_documented_precedence() -> None:
    with xla_evo.use("exp", max_ulp=1), xla_evo.use("exp", backend="tpu:v5e"):
        assert not is_patched()
        with xla_evo.use("exp", max_ulp=1):
            assert is_patched()
    xla_evo.install("exp", max_ulp=1)
    try:
        with xla_evo.use("exp", backend="tpu:v5e"):
            assert not is_patched()
    finally:
        xla_evo.uninstall()


def test_use_inside_eager_grad_works() -> None:
    def function(x):
        with xla_evo.use("exp", max_ulp=1):
            return jnp.exp(x).sum()

    np.testing.assert_allclose(jax.grad(function)(X), jnp.exp(X), rtol=1e-6)


def test_tolerance_of_the_operation_is_honoured() -> None:
    accuracy = lax.Tolerance(ulps=1)
    loose, tight = lax.Tolerance(ulps=2), lax.Tolerance(rtol=1e-9)
    with xla_evo.use(max_ulp=0.1):
        assert not is_patched(jnp.exp)
        assert is_patched(lambda x: lax.exp(x, accuracy=accuracy))
        assert is_patched(lambda x: lax.exp(x, accuracy=loose))
    with xla_evo.use("exp", max_ulp=1):
        assert not is_patched(lambda x: lax.exp(x, accuracy=tight))
        assert is_patched(lambda x: lax.exp(x, accuracy=lax.AccuracyMode.HIGHEST))


def test_bound_of_an_accuracy() -> None:
    assert dispatch.bound_of(None, 1.5, "float32") == (1.5, False)
    assert dispatch.bound_of(lax.Tolerance(ulps=2), 1.0, "float32") == (2.0, False)
    assert dispatch.bound_of(lax.Tolerance(rtol=2.0**-23), None, "float32") == (1.0, False)
    assert dispatch.bound_of(lax.Tolerance(atol=1e-3), 1.0, "float32") == (1.0, False)
    assert dispatch.bound_of(lax.AccuracyMode.HIGHEST, None, "float32") == (None, True)


def test_reaches_nn_and_special_functions() -> None:
    with xla_evo.use("exp", "tanh", "log", max_ulp=1):
        for function in (jax.nn.softmax, jax.nn.gelu, jax.nn.logsumexp, jax.nn.sigmoid):
            assert is_patched(function), function
        assert is_patched(jax.scipy.special.entr, X + 4)


@pytest.mark.parametrize(
    ("function", "made_of"),
    [
        (jnp.exp2, ["exp2"]),
        (jnp.log2, ["log"]),
        (jnp.log10, ["log"]),
        (jax.nn.sigmoid, ["exp", "logistic"]),
        (jax.nn.silu, ["exp", "logistic"]),
        (jax.nn.softplus, ["exp", "log1p"]),
        (jax.nn.log_sigmoid, ["exp", "log1p"]),
        (jax.nn.mish, ["exp", "log1p", "tanh"]),
        (jax.nn.gelu, ["tanh"]),
        (lambda x: jax.nn.gelu(x, approximate=False), ["erfc"]),
        (jax.nn.logsumexp, ["exp", "log"]),
        (jax.nn.softmax, ["exp"]),
        (jnp.sinc, ["sin"]),
    ],
)
def test_compositions_have_in_them_what_is_replaced(function, made_of: list[str]) -> None:
    if function in (jnp.log2, jnp.sinc) and jax.__version_info__ >= (0, 11):
        pytest.skip("log2 is a primitive and sinc a polynomial in this JAX")
    for name in made_of:
        with xla_evo.use(name, max_ulp=1.1):
            assert is_patched(function, X + 4), name
    others = [name for name in EVERY if name not in made_of]
    with xla_evo.use(*others, max_ulp=1.1):
        assert not is_patched(function, X + 4)


def test_one_fusion_with_neighbours(name: str) -> None:
    def function(x):
        return builtin(name)(x * 0.25 + 0.5) * 3 - x

    with xla_evo.use(name, max_ulp=1.1):
        text = jax.jit(function).lower(jnp.ones(4096)).compile().as_text()
    entry = text[text.index("ENTRY") :]
    assert entry.count(" fusion(") + entry.count(" call(") == 1, entry
    assert "custom-call" not in entry


def test_explain() -> None:
    text = xla_evo.explain("exp", max_ulp=1.0)
    assert "chosen: exp/float32/" in text
    assert "not replaced here" in text
    with xla_evo.use("exp", max_ulp=1):
        assert "chosen" in xla_evo.explain("exp")
        assert "replaced here" in xla_evo.explain("exp")
    assert "log(x)/log(2)" in xla_evo.explain("log2")
    assert "the built-in" in xla_evo.explain("exp", "float64")
    assert "certificate of exp says nothing" in xla_evo.explain("logistic")
    with pytest.raises(TargetError):
        xla_evo.explain("expp")


def test_logistic_computes_with_the_replaced_exp() -> None:
    with xla_evo.use("exp", max_ulp=1):
        assert is_patched(lax.logistic)
        assert not is_patched(jnp.exp2)


def test_door_admits_and_refuses(monkeypatch) -> None:
    choice = choose("exp", max_ulp=1.0)
    assert choice.entry is not None
    assert door.check(choice, samples=1 << 14) == ""
    wrong = type(choice)(
        function="log", dtype="float32", entry=choice.entry, proof=choice.proof,
        exact_machine=False, reasons=(),
    )  # fmt: skip
    monkeypatch.setattr(door, "_verdicts", {})
    with pytest.warns(door.RefusedEntryWarning, match="the built-in stays"):
        assert not door.admitted(wrong, "inline")
    # The second time there is no warning, nor another check.
    assert not door.admitted(wrong, "inline")


def test_door_remembers(monkeypatch) -> None:
    choice = choose("exp", max_ulp=1.0, fingerprint={"backend": "cpu", "isa": "other+fma"})
    assert not choice.exact_machine
    monkeypatch.setattr(door, "_verdicts", {})
    assert door.admitted(choice, "inline")
    monkeypatch.setattr(door, "_verdicts", {})
    monkeypatch.setattr(door, "check", lambda *_: pytest.fail("checked twice"))
    assert door.admitted(choice, "inline")


def test_make_scope_is_cached() -> None:
    one = make_scope(("exp", "log"), 1.0, "inline", None)
    assert make_scope(("log", "exp"), 1.0, "inline", None) is one
    log = make_scope(("log",), 1.0, "inline", None)
    assert merged(log, make_scope(("exp",), 1.0, "inline", None)) is one


SHARDED = """
import jax, jax.numpy as jnp, numpy as np, xla_evo
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from tests.integration.conftest import REPLACED as NAMES, builtin, points
devices = jax.devices()
assert len(devices) == 2, devices
mesh = Mesh(np.array(devices), ("d",))
sharding = NamedSharding(mesh, P("d"))
x = jax.device_put(jnp.linspace(-2, 2, 64), sharding)
plain = np.exp(np.asarray(x, np.float64))
for lowering in LOWERINGS:
    with xla_evo.use("exp", max_ulp=1, lowering=lowering):
        y = jax.jit(jnp.exp)(x)
        assert y.sharding.is_equivalent_to(sharding, 1), y.sharding
        np.testing.assert_allclose(y, plain, rtol=3e-7)
        text = jax.jit(jnp.exp).lower(x).compile().as_text()
        assert "all-gather" not in text, text
        for spec in (P("d", None), P(None, "d"), P()):
            part = NamedSharding(mesh, spec)
            square = jax.device_put(x.reshape(8, 8), part)
            function = jax.jit(lambda v: jnp.exp(v * 1) * 2)
            text = function.lower(square).compile().as_text()
            assert "all-gather" not in text, text
            y = function(square)
            assert y.sharding.is_equivalent_to(part, 2), y.sharding
            np.testing.assert_allclose(y, 2 * plain.reshape(8, 8), rtol=3e-7)
        specs = {"in_specs": P("d"), "out_specs": P("d")}
        mapped = jax.shard_map(lambda v: jnp.exp(v) * 2, mesh=mesh, **specs)
        np.testing.assert_allclose(jax.jit(mapped)(x), 2 * plain, rtol=3e-7)
        pairs = jax.pmap(jnp.exp)(x.reshape(2, 32))
        np.testing.assert_allclose(pairs, plain.reshape(2, 32), rtol=3e-7)
        grad = jax.jit(jax.grad(lambda v: jnp.exp(v).sum()))(x)
        np.testing.assert_allclose(grad, plain, rtol=3e-7)
    for name in NAMES if lowering == "inline" else ["asin"]:
        f, v = builtin(name), jax.device_put(points(name), sharding)
        def checked():
            mapped = jax.shard_map(f, mesh=mesh, in_specs=P("d"), out_specs=P("d"))
            pairs = jax.pmap(jax.vmap(jax.value_and_grad(f)))(v.reshape(2, 32))
            return [jax.jit(lambda v: f(v) * 2)(v), jax.jit(mapped)(v), *pairs]
        without = checked()
        with xla_evo.use(name, max_ulp=1.1, lowering=lowering):
            for got, want in zip(checked(), without, strict=True):
                np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6, err_msg=name)
    print("done", lowering)
if lowering == "custom_call":
    from xla_evo.library import choose
    from xla_evo_lowering.pallas import _sharded, mosaic_function
    kernel = _sharded(mosaic_function(choose("exp", max_ulp=1).entry.program, interpret=True), 1, 1)
    text = jax.jit(kernel).lower(x).compile().as_text()
    assert "all-gather" not in text, text
    np.testing.assert_allclose(jax.jit(kernel)(x), plain, rtol=3e-7)
"""
CACHED = """
import jax, jax.numpy as jnp, shutil, sys, xla_evo
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
from tests.integration.conftest import REPLACED, builtin, points
inputs = {name: points(name) for name in REPLACED}
f = jax.jit(lambda inputs: jnp.stack([builtin(name)(x) for name, x in inputs.items()]))
plain = f(inputs)
with xla_evo.use(*REPLACED, max_ulp=1.1):
    patched = f(inputs)
sums = [float(plain.sum()), float(patched.sum())]
if shutil.which("c++"):
    with xla_evo.use("exp", max_ulp=1, lowering="custom_call"):
        sums.append(float(jax.jit(lambda x: jnp.exp(x) - 1)(inputs["exp"]).sum()))
print(hits.count("/jax/compilation_cache/cache_hits"), *sums)
print(int((plain != patched).any(axis=1).sum()))
"""


def run(code: str, *args: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True, text=True, timeout=300, env={**os.environ, **env}, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("lowering", ["inline", "custom_call"])
def test_two_devices(lowering: str) -> None:
    if lowering == "custom_call" and not shutil.which("c++"):
        pytest.skip("no C++ compiler on this machine")
    flags = "--xla_force_host_platform_device_count=2"
    out = run(SHARDED.replace("LOWERINGS", f"('{lowering}',)"), XLA_FLAGS=flags)
    assert f"done {lowering}" in out


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


def test_persistent_compilation_cache(tmp_path) -> None:
    first = run(CACHED, str(tmp_path))
    second = run(CACHED, str(tmp_path))
    assert first.split()[1:] == second.split()[1:]
    assert int(first.split()[0]) == 0
    assert int(second.split()[0]) >= (3 if shutil.which("c++") else 2)
    assert int(first.split()[-1]) > 5, "patched and plain code gave the same bits"
