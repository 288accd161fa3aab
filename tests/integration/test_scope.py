"""Scopes: what is in force where, and what is refused."""

import asyncio
import pickle
import subprocess
import sys
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import xla_evo
from tests.integration.conftest import REPLACED, X, builtin, is_patched, points
from xla_evo.errors import BackendError, ConfigError, TargetError
from xla_evo.integration.scope import Request, Scope, current_scope, make_scope, merged


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


def test_threads_may_share_a_scope_inside_different_ones() -> None:
    shared, seen = xla_evo.use("exp", max_ulp=1), {}
    inside, left = threading.Barrier(2), threading.Event()

    def first() -> None:
        with shared:
            inside.wait()
        left.set()
        seen["first"] = is_patched()

    def second() -> None:
        with xla_evo.use("log", max_ulp=1):
            with shared:
                inside.wait()
                left.wait()
                seen["inside"] = is_patched()
            seen["second"] = is_patched(), is_patched(jnp.log)

    threads = [threading.Thread(target=work) for work in (second, first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"first": False, "inside": True, "second": (False, True)}


def replaced() -> tuple[bool, bool]:
    """Whether exp and log are."""
    return is_patched(), is_patched(jnp.log)


def in_a_generator():
    with xla_evo.use("exp", max_ulp=1):
        yield


def test_blocks_of_tasks_that_take_turns() -> None:
    seen: dict[str, tuple[bool, bool]] = {}

    async def first(entered: asyncio.Event, left: asyncio.Event) -> None:
        with xla_evo.use("exp", max_ulp=1):
            entered.set()
            await asyncio.sleep(0)
        left.set()

    async def second(entered: asyncio.Event, left: asyncio.Event) -> None:
        await entered.wait()
        with xla_evo.use("log", max_ulp=1):
            await left.wait()
            seen["inside"] = replaced()
        seen["after"] = replaced()

    async def both() -> None:
        events = asyncio.Event(), asyncio.Event()
        await asyncio.gather(second(*events), first(*events))

    asyncio.run(both())
    assert seen == {"inside": (False, True), "after": (False, False)}


def test_a_generator_left_inside_a_later_block() -> None:
    steps = in_a_generator()
    next(steps)
    with xla_evo.use("log", max_ulp=1):
        assert replaced() == (True, True)
        steps.close()
        assert replaced() == (False, True)
    assert replaced() == (False, False)


def test_a_generator_left_after_an_earlier_block() -> None:
    with xla_evo.use("log", max_ulp=1):
        steps = in_a_generator()
        next(steps)
    assert replaced() == (True, False)
    steps.close()
    assert replaced() == (False, False)


def test_a_block_is_left_where_it_was_entered() -> None:
    block = xla_evo.use("exp", max_ulp=1)
    with pytest.raises(ConfigError, match=r"use\('exp', max_ulp=1\) is left in a thread that has"):
        block.__exit__(None, None, None)
    errors: list[str] = []

    def leave() -> None:
        try:
            block.__exit__(None, None, None)
        except ConfigError as error:
            errors.append(str(error))

    with block:
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        assert is_patched()
    assert len(errors) == 1


def test_a_decorated_function_runs_inside() -> None:
    @xla_evo.use("exp", max_ulp=1)
    def function(x, *, twice=False):
        """Tells."""
        return is_patched(), x, twice

    assert function(3, twice=True) == (True, 3, True)
    assert (function.__name__, function.__doc__) == ("function", "Tells.")
    assert not is_patched()
    with pytest.raises(ConfigError, match="decorates a function, not 3"):
        xla_evo.use("exp")(3)


@pytest.mark.parametrize(
    "text",
    [
        "xla_evo.use()", "xla_evo.use('exp', 'log')", "xla_evo.use('exp', max_ulp=1.5)",
        "xla_evo.use(max_ulp=1.0, lowering='custom_call', backend='cpu')",
    ],
)  # fmt: skip
def test_a_scope_reads_and_copies_as_its_call(text: str) -> None:
    block = eval(text)  # noqa: S307
    assert repr(block) == text
    copied = pickle.loads(pickle.dumps(block))
    with block:
        outer = current_scope()
    with copied:
        assert current_scope() is outer


def test_a_pickled_scope_works_in_a_fresh_process() -> None:
    code = (
        "import pickle, sys, jax, jax.numpy as jnp\n"
        "with pickle.loads(bytes.fromhex(sys.argv[1])):\n"
        "    print('reduce_precision' in jax.jit(jnp.exp).lower(1.5).as_text())\n"
    )
    pickled = pickle.dumps(xla_evo.use("exp", max_ulp=1)).hex()
    command = [sys.executable, "-c", code, pickled]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr[-2000:]


@pytest.mark.parametrize(
    ("names", "settings", "error", "match"),
    [
        (("expp",), {}, TargetError, "did you mean exp"),
        (("log2",), {}, ConfigError, r"xla_evo.numpy.log2"),
        (("exp",), {"max_ulp": 0.01}, ConfigError, "replace exp with.* in float32"),
        (("exp",), {"max_ulp": 0}, ConfigError, "above 0"),
        (("exp",), {"max_ulp": float("nan")}, ConfigError, "above 0"),
        (("exp",), {"max_ulp": "1"}, ConfigError, "above 0, not '1'"),
        (("exp",), {"max_ulp": True}, ConfigError, "above 0"),
        ((jnp.exp,), {}, ConfigError, "named by strings such as 'exp'"),
        ((["exp", "log"],), {}, ConfigError, "named by strings such as 'exp'"),
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


def test_use_where_a_traced_function_computes_at_once() -> None:
    @jax.jit
    def function(x):
        with jax.ensure_compile_time_eval(), xla_evo.use("sin", max_ulp=1):
            return x * 0 + jnp.sin(X)

    with xla_evo.use("sin", max_ulp=1):
        inside = jnp.sin(X)
    np.testing.assert_array_equal(function(1.0), inside)
    assert (inside != jnp.sin(X)).any()


def test_install_inside_a_traced_function_is_refused() -> None:
    @jax.jit
    def function(x):
        xla_evo.install("exp", max_ulp=1)
        return jnp.exp(x)

    with pytest.raises(ConfigError, match="being traced; call it before"):
        function(X)
    assert current_scope() is None


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


def test_make_scope_is_cached() -> None:
    one = make_scope(("exp", "log"), 1.0, "inline", None)
    assert make_scope(("log", "exp"), 1.0, "inline", None) is one
    log = make_scope(("log",), 1.0, "inline", None)
    assert merged(log, make_scope(("exp",), 1.0, "inline", None)) is one
