import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo import dumping
from xla_evo.dumping import dump, parse_specs, resolve
from xla_evo.errors import BackendError, ConfigError
from xla_evo.library import loader
from xla_evo.library.loader import MODELLED, entries
from xla_evo.store import Store
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program

TEXT = "program half(x: f32) -> f32 { %0: f32 = const 0x1p-1 %1: f32 = mul x, %0 return %1 }"


def user_function(x, y):
    return jnp.exp(x) * y


def test_any_function_on_arrays_or_their_shapes():
    x = np.ones((8, 128), np.float32)
    first = dump(user_function, x, x)
    second = dump(user_function, jax.ShapeDtypeStruct(x.shape, "float32"), x)
    assert first.name == "user_function"
    assert first.texts["stablehlo"] == second.texts["stablehlo"]
    assert "tensor<8x128xf32>" in first.text("stablehlo")
    assert first.counts("stablehlo")["exponential"] == 1


def test_programs_and_names_bring_their_own_shapes():
    assert dump(parse_program(TEXT)).counts("stablehlo")["multiply"] == 1
    assert dump("jnp.tanh").counts("stablehlo") == {"tanh": 1}
    spec = jax.ShapeDtypeStruct((16,), "float32")
    assert "tensor<16xf32>" in dump("jnp.tanh", spec).text("stablehlo")


def test_a_library_function_is_the_one_for_the_backend():
    def text(backend):
        return jax.jit(resolve("tanh", backend=backend).function).lower(np.float32(1)).as_text()

    best = min(
        entries("tanh", "float32", "tpu:v5e", folder=MODELLED),
        key=lambda entry: entry.proofs("inline", "tpu:v5e")[0].max_ulp,
    )
    made = jax.jit(as_function(best.program)).lower(np.float32(1)).as_text()
    assert text("tpu:v5e") == made != text("cpu")


def test_of_the_library_a_program_in_formats_of_the_backend_comes_first(monkeypatch, tmp_path):
    """Where no program was proven for the backend."""
    monkeypatch.setattr(loader, "MODELLED", tmp_path)

    def text(backend):
        return jax.jit(resolve("exp2", backend=backend).function).lower(np.float32(1)).as_text()

    assert "f64" in text("cpu")
    assert text("cuda:sm_80") == text("cpu")
    assert "f64" not in text("tpu:v4")


def test_float64_needs_no_mode():
    assert "f64" in dump(jnp.exp, jax.ShapeDtypeStruct((64,), np.float64)).text("stablehlo")


@pytest.mark.parametrize(
    ("argument", "mode", "wide"),
    [
        ({"a": np.ones(4)}, False, True),
        (jax.ShapeDtypeStruct((4,), "complex64"), False, False),
        (jax.random.key(0), False, False),
        (np.ones(4, np.float32), True, True),
    ],
)
def test_the_mode_is_that_of_the_process_or_of_the_arrays(argument, mode, wide):
    with jax.enable_x64(mode):
        made = dump(lambda _: jnp.arange(3.0), argument)
    assert ("f64" in made.text("stablehlo").split("->")[1]) == wide


def test_the_store_is_asked_first(tmp_path, monkeypatch):
    with Store.open(tmp_path) as store:
        first = dump("jnp.cosh", store=store)
        assert not first.from_store
        monkeypatch.setattr(dumping, "make_artifacts", None)
        second = dump("jnp.cosh", store=store)
        assert second.from_store
        assert (second.texts, second.missing) == (first.texts, first.missing)


def test_files_have_stable_names(tmp_path):
    made = dump("jnp.exp")
    paths = made.write(tmp_path / "new")
    assert [path.name for path in paths][:2] == [
        "jnp.exp.cpu.stablehlo.mlir",
        "jnp.exp.cpu.hlo",
    ]
    assert paths[0].read_bytes() == made.texts["stablehlo"]
    assert made.write(tmp_path / "new") == paths


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        dump("jnp.exp").write(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jnp.expo", "cannot find jnp.expo"),
        ("nomodule:f", "cannot find nomodule:f"),
        ("math:pi", "is a float, not a function"),
        ("none.prog", "no such file"),
        ("nosuch", "unknown function 'nosuch'"),
    ],
)
def test_names_that_stand_for_nothing(name, message):
    with pytest.raises(ConfigError, match=message):
        resolve(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(x): return x +", "fails with SyntaxError: "),
        ("1 / 0", "fails with ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "fails with SystemExit: 3"),
        ("import no_such_module", "fails with ModuleNotFoundError: No module named 'no_such_m"),
    ],
)
def test_a_module_that_cannot_be_imported(tmp_path, monkeypatch, text, message):
    (tmp_path / "a_failing_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=f"a_failing_module {message}"):
        resolve("a_failing_module:f")


def test_files_and_folders_that_are_no_programs(tmp_path):
    (tmp_path / "binary.prog").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is not text in UTF-8"):
        resolve(str(tmp_path / "binary.prog"))
    with pytest.raises(ConfigError, match="is a folder; give a program file"):
        resolve(str(tmp_path))
    (tmp_path / "best.prog").write_text(TEXT)
    with pytest.raises(ConfigError, match=f"is a folder; give {tmp_path / 'best.prog'}"):
        resolve(str(tmp_path))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of a user's own."""
    lines = ["def product(x, y, z=1): return x * y * z", "def anything(*args): return args[0]"]
    (tmp_path / "a_users_module.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    return "a_users_module"


def test_a_function_of_unknown_arguments_asks_for_them(module):
    with pytest.raises(ConfigError, match=r"say for which arrays to compile a_users_module:any"):
        resolve(f"{module}:anything")


def test_user_functions_and_program_files(module, tmp_path):
    subject = resolve(f"{module}:product")
    assert (subject.name, len(subject.specs)) == ("product", 2)
    path = tmp_path / "half.prog"
    path.write_text(TEXT)
    assert resolve(str(path), parse_specs(["f32[4]"])).specs[0].shape == (4,)
    assert resolve("jax.nn.gelu", parse_specs(["f32[4]"])).name == "jax.nn.gelu"


def test_specifications():
    (first, second) = parse_specs(["f32[8, 128]", "int32[]"])
    assert (first.shape, second.shape) == ((8, 128), ())
    assert second.dtype == np.int32
    for text in ("f32", "f32[a]", "f99[1]"):
        with pytest.raises(ConfigError):
            parse_specs([text])


def test_stages_that_are_not_text_or_not_there():
    made = dump("jnp.exp")
    with pytest.raises(BackendError, match="binary"):
        made.text("object")
    with pytest.raises(BackendError, match="has no stage 'llo'"):
        made.text("llo")
