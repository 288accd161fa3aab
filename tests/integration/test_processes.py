"""What needs a process of its own: two devices, and a cache that another process has filled."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.called import CALLED

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

CALLED_SHARDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from tests.integration.called import CALLED
jax.config.update("jax_enable_x64", True)
mesh = Mesh(np.array(jax.devices()), ("d",))
split, whole = NamedSharding(mesh, P("d")), NamedSharding(mesh, P())
for case in CALLED:
    if not case.is_proven:
        continue
    given = case.arguments()
    parts = [jax.device_put(value, split) for value in given]
    def slope(*values, case=case):
        return jax.grad(lambda *values: case.function(*values).sum())(*values)
    with case.use():
        expected, slopes = jax.jit(case.function)(*given), jax.jit(slope)(*given)
        specs = {"mesh": mesh, "in_specs": P("d"), "out_specs": P("d")}
        made = {
            "as it lies": (jax.jit(case.function), split),
            "as asked": (jax.jit(case.function, in_shardings=split, out_shardings=split), split),
            "to every device": (jax.jit(case.function, out_shardings=whole), whole),
            "shard_map": (jax.jit(jax.shard_map(case.function, **specs)), split),
        }
        for how, (function, sharding) in made.items():
            result, text = function(*parts), function.lower(*parts).compile().as_text()
            assert 'custom_call_target="xla_evo_' in text, (case, how)
            assert ("all-gather" in text) == (how == "to every device"), (case, how)
            assert result.sharding.is_equivalent_to(sharding, 1), (case, how, result.sharding)
            np.testing.assert_array_equal(result, expected, err_msg=f"{case} {how}")
        np.testing.assert_allclose(jax.jit(slope)(*parts), slopes, rtol=1e-6)
    print(case)
"""
CALLED_CACHED = """
import jax, sys
from tests.integration.called import CALLED
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name))
for case in CALLED:
    if not case.is_proven:
        continue
    given = case.arguments()
    plain = jax.jit(case.function)(*given)
    before = events.count("/jax/compilation_cache/cache_hits")
    with case.use():
        called = jax.jit(case.function)(*given)
    found = events.count("/jax/compilation_cache/cache_hits") - before
    print(case, found, called.tobytes().hex() != plain.tobytes().hex(), called.tobytes().hex())
"""

EXPORTED = """
import re, sys, jax, jax.numpy as jnp, numpy as np, xla_evo
from jax import export
function, x = jax.jit(jnp.exp), jnp.linspace(-2, 2, 64)
def lowered():
    with xla_evo.use("exp", max_ulp=1, lowering="custom_call"):
        return function.lower(x).as_text()
if sys.argv[1] == "write":
    target = re.search(r"xla_evo_[0-9a-f]+", lowered())[0]
    checks = [export.DisabledSafetyCheck.custom_call(target)]
    with xla_evo.use("exp", max_ulp=1, lowering="custom_call"):
        made = export.export(function, disabled_checks=checks)(x)
    print(bytes(made.serialize()).hex())
else:
    made = export.deserialize(bytearray.fromhex(sys.stdin.read()))
    try:
        made.call(x)
    except jax.errors.JaxRuntimeError as error:
        print(re.search(r"xla_evo_[0-9a-f]+", str(error))[0])
    lowered()
    np.testing.assert_allclose(made.call(x), np.exp(np.asarray(x)), rtol=2e-7)
"""

AT_ONCE = """
import threading, time
import jax, jax.numpy as jnp, xla_evo
from xla_evo_lowering import _jax_compat
rules = _jax_compat.lowering_rules
def slowly(primitive):
    time.sleep(0.01)
    return rules(primitive)
_jax_compat.lowering_rules = slowly
replaced = []
def work(name):
    with xla_evo.use(name, max_ulp=1):
        text = jax.jit(getattr(jnp, name)).lower(0.5).as_text()
    if "reduce_precision" in text:
        replaced.append(name)
threads = [threading.Thread(target=work, args=(name,)) for name in ("exp", "log", "sinh", "tanh")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*sorted(replaced))
"""


def run(code: str, *args: str, given: str = "", **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True, text=True, timeout=300, env={**os.environ, **env}, check=False,
        cwd=Path(__file__).parents[2], input=given,
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


def test_what_xla_splits_over_two_devices_has_no_branch() -> None:
    code = """
from tests.lowering.test_branches import test_what_xla_splits_over_devices_has_no_branch as test
test()
"""
    run(code, XLA_FLAGS="--xla_force_host_platform_device_count=2")


def test_threads_that_use_it_first_at_once() -> None:
    assert run(AT_ONCE) == "exp log sinh tanh\n"


def test_persistent_compilation_cache(tmp_path) -> None:
    first = run(CACHED, str(tmp_path))
    second = run(CACHED, str(tmp_path))
    assert first.split()[1:] == second.split()[1:]
    assert int(first.split()[0]) == 0
    assert int(second.split()[0]) >= (3 if shutil.which("c++") else 2)
    assert int(first.split()[-1]) > 5, "patched and plain code gave the same bits"


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
def test_custom_calls_follow_the_sharding_that_arguments_have_or_are_given() -> None:
    out = run(CALLED_SHARDED, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert out.split() == [str(case) for case in CALLED if case.is_proven]


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
def test_custom_calls_are_found_in_the_persistent_compilation_cache(tmp_path) -> None:
    rows = [run(CALLED_CACHED, str(tmp_path)).splitlines() for _ in range(2)]
    first, second = ([line.split() for line in lines] for lines in rows)
    assert [row[0] for row in first] == [str(case) for case in CALLED if case.is_proven]
    for (case, found, replaced, bits), again in zip(first, second, strict=True):
        assert (found, replaced) == ("0", "True"), case
        assert again == [case, "1", "True", bits], case


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler on this machine")
def test_an_exported_custom_call_is_loaded_where_it_was_lowered() -> None:
    pytest.importorskip("flatbuffers", reason="jax.export serialises with flatbuffers")
    written = run(EXPORTED, "write")
    assert run(EXPORTED, "read", given=written).startswith("xla_evo_")
