"""Which program serves an operation, what it reaches, and what is refused at the door."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest
from jax import lax

import xla_evo
from tests.integration.conftest import EVERY, X, builtin, is_patched
from tests.library.programs import ending_in_a_product
from xla_evo.errors import CompileError, ConfigError, TargetError
from xla_evo.integration import dispatch, door, explanation
from xla_evo.library import CertificateError, choose, write_entry
from xla_evo.library.certificate import contracts
from xla_evo_lowering.backends import backend, fingerprint


def test_a_program_that_was_edited_is_refused_when_it_would_be_used(tmp_path, monkeypatch) -> None:
    entry = choose("exp", max_ulp=1).entry
    path = write_entry(entry, tmp_path)
    path.write_text(path.read_text().replace("0x1.8p+23", "0x1.9p+23"))

    def chosen(name, dtype, max_ulp, backend, lowering, most_accurate):
        return choose(name, dtype, max_ulp, folder=tmp_path)

    monkeypatch.setattr(dispatch, "chosen", chosen)
    with (
        xla_evo.use("exp", max_ulp=1),
        pytest.raises(CertificateError, match=f"library entry {path} is refused: the program is"),
    ):
        jax.jit(lambda x: jnp.exp(x) + 7)(X)


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


@pytest.mark.parametrize(
    ("name", "settings", "error", "match"),
    [
        ("expp", {}, TargetError, "did you mean exp"),
        ("arcsin", {}, TargetError, "did you mean asin"),
        (jnp.exp, {}, ConfigError, "named by strings such as 'exp'"),
        (["exp"], {}, ConfigError, "named by strings such as 'exp'"),
        ("exp", {"lowering": "inlined"}, ConfigError, "unknown lowering"),
        ("exp", {"max_ulp": -1.0}, ConfigError, "above 0"),
        ("exp", {"dtype": "float31"}, ConfigError, "float31"),
        ("exp", {"dtype": "int32"}, ConfigError, "programs in .*float32.*, not in 'int32'"),
        ("exp", {"dtype": "real"}, ConfigError, "programs in .*float32.*, not in 'real'"),
        ("exp", {"dtype": 3}, ConfigError, "programs in .*float32.*, not in 3"),
        ("exp", {"fingerprint": "cpu"}, ConfigError, "a fingerprint maps names to texts"),
    ],
)
def test_what_explain_does_not_know_is_refused(name, settings, error, match) -> None:
    with pytest.raises(error, match=match):
        xla_evo.explain(name, **settings)


def test_explain_tells_why_nothing_is_replaced(monkeypatch) -> None:
    with xla_evo.use("exp", backend="tpu:v5e"):
        assert "not replaced here: the scope in force replaces on tpu:v5e alone" in explained()
    with xla_evo.use("exp", max_ulp=1):
        assert "replaced here by exp/float32/" in explained()
        assert "replaced here by exp/float64/" in explained(dtype="float64")
        assert "not replaced here: this machine has no tpu:v5e" in explained(backend="tpu:v5e")
        # What is asked about need not be what is in force.
        assert "replaced here by exp/float32/" in explained(max_ulp=0.01)
        monkeypatch.setattr(explanation, "refusal", lambda *_: "1e3 ULP, certified 1")
        assert "is refused, 1e3 ULP, certified 1" in explained()
    with xla_evo.use("lgamma", max_ulp=1):
        said = xla_evo.explain("lgamma", dtype="float64")
        assert "not replaced here: the library has no program" in said


def explained(**settings) -> str:
    """The line of what `explain` says about exp under JAX."""
    lines = xla_evo.explain("exp", **settings).splitlines()
    return next(line for line in lines if line.startswith("under JAX: "))


def test_logistic_computes_with_the_replaced_exp() -> None:
    with xla_evo.use("exp", max_ulp=1):
        assert is_patched(lax.logistic)
        assert not is_patched(jnp.exp2)


def test_programs_serve_a_user_without_a_home_folder(homeless) -> None:
    dispatch.forget_choices()
    with xla_evo.use("exp", max_ulp=1):
        assert is_patched()


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


def test_the_door_refuses_what_the_compiler_contracts_into_its_neighbour() -> None:
    choice = choose("log2", max_ulp=1.0)
    if not contracts(fingerprint(backend("cpu"))):
        pytest.skip("nothing is contracted here")
    entry = replace(choice.entry, program=ending_in_a_product())
    rounded_twice = replace(choice.proof, contexts={"f(x)+1": 3.0})
    other = replace(choice, entry=entry, proof=rounded_twice)
    assert "is not 0, though" in door.check(other, samples=1 << 14)


def test_door_remembers(monkeypatch) -> None:
    choice = choose("exp", max_ulp=1.0, fingerprint={"backend": "cpu", "isa": "other+fma"})
    assert not choice.exact_machine
    monkeypatch.setattr(door, "_verdicts", {})
    assert door.admitted(choice, "inline")
    monkeypatch.setattr(door, "_verdicts", {})
    monkeypatch.setattr(door, "check", lambda *_: pytest.fail("checked twice"))
    assert door.admitted(choice, "inline")


SETTINGS = {
    "debug_nans": jax.debug_nans(True), "debug_infs": jax.debug_infs(True),
    "disable_jit": jax.disable_jit(), "transfer_guard": jax.transfer_guard("disallow"),
    "checking_leaks": jax.checking_leaks(), "promotion": jax.numpy_dtype_promotion("strict"),
}  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_a_user_set_for_debugging_is_not_for_the_check_at_the_door(setting: str) -> None:
    choice = choose("log", max_ulp=1.0)
    with SETTINGS[setting]:
        assert door.check(choice, samples=1 << 14) == ""


def test_the_door_remembers_no_failure_to_check(monkeypatch, tmp_path) -> None:
    def broken(*_):
        raise CompileError("no space left on device")

    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    choice = choose("exp", max_ulp=1.0, fingerprint={"backend": "cpu", "isa": "other+fma"})
    monkeypatch.setattr(door, "_verdicts", {})
    with monkeypatch.context() as patch:
        patch.setattr(door, "check", broken)
        with pytest.warns(door.RefusedEntryWarning, match="could not be checked in this process"):
            assert not door.admitted(choice, "inline")
    assert not door.admitted(choice, "inline")
    monkeypatch.setattr(door, "_verdicts", {})
    assert door.admitted(choice, "inline")
