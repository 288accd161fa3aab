"""Compiler processes; those of GPUs and TPUs are tested where their plugins are installed."""

import os
import re
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
import pytest

from tests.lowering.plugins import installed
from xla_evo_lowering import backends
from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.artifacts import make_artifacts
from xla_evo_lowering.backends import BACKENDS, Backend, backend, fingerprint, require
from xla_evo_lowering.costs import static_cost
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.foreign import module_function
from xla_evo_lowering.frames import read_frame, write_frame
from xla_evo_lowering.gpu_targets import GPU_TARGETS, gpu_target, target_config
from xla_evo_lowering.stages import STAGE_TABLE

SPEC = [jax.ShapeDtypeStruct((16384,), "float32")]


FOREIGN = installed("cuda:sm_90", "tpu:v5e")
ISAS = [name for name in BACKENDS if name.startswith("cpu:")]


@pytest.mark.parametrize("name", [*ISAS, *FOREIGN])
def test_every_stage_is_made_in_a_process_of_its_own(name):
    row = backend(name)
    before = dict(os.environ)
    with AheadOfTime(row) as process:
        made = make_artifacts(row, lower_for(row, jnp.exp, SPEC), process=process)
        with pytest.raises(CompileError, match=f"backend {name} could not compile: "):
            process.compile(lower_for(row, jnp.exp, SPEC), {"xla_no_such_option": "1"})
        cost = static_cost(row, jnp.exp, (F32,), process)
        cheaper = static_cost(row, lambda x: x + 1, (F32,), process)
    optional = {"sass", "asm"}
    assert {item.name for item in STAGE_TABLE[row.platform]} - set(made.texts) <= optional
    assert cost.value > cheaper.value > 0
    assert dict(os.environ) == before


def test_instruction_sets_differ():
    listings = {}
    for name in ISAS:
        row = backend(name)
        made = make_artifacts(row, lower_for(row, lambda x: x * x + x, SPEC))
        listings[name] = made.texts["llvm_optimized"] + made.texts["object"]
    assert listings["cpu:avx2"] != listings["cpu:sse4"]


def test_nothing_is_left_of_a_process(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    row = backend("cpu:avx2")
    with AheadOfTime(row) as process:
        process.compile(lower_for(row, jnp.exp, SPEC))
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())


def test_a_process_that_dies_is_a_compile_error():
    row = backend("cpu:avx2")
    with AheadOfTime(row) as process:
        process._process.kill()
        with pytest.raises(CompileError, match="cpu:avx2"):
            process.compile(lower_for(row, jnp.exp, SPEC))


def test_a_compilation_that_takes_too_long_ends():
    row = backend("cpu:avx2")
    with AheadOfTime(row, limit_s=0.001) as process, pytest.raises(CompileError, match=r"0\.001 s"):
        process.compile(lower_for(row, jnp.exp, SPEC))


def test_a_backend_that_does_not_start_says_why():
    row = Backend(
        name="cpu:none", platform="cpu", contracts=False, flushes_subnormals=False,
        description="", environment={"JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    with pytest.raises(BackendError, match="cpu:none did not start: unknown backend"):
        AheadOfTime(row)


def test_a_missing_plugin_names_its_extra(monkeypatch):
    monkeypatch.setattr(backends, "_is_installed", lambda module: False)
    with pytest.raises(BackendError, match=r"tpu:v5e needs an extra: pip install 'xla-evo\[tpu\]'"):
        AheadOfTime(backend("tpu:v5e"))


def test_a_plugin_of_another_version_is_told(monkeypatch):
    monkeypatch.setattr(backends, "_is_installed", lambda module: True)
    monkeypatch.setattr(backends.importlib.metadata, "version", lambda name: "0.1.0")
    wanted = re.escape(jaxlib.version.__version__)
    message = f"is 0.1.0 but jaxlib is {wanted}; pip install jax-cuda12-plugin=={wanted}"
    with pytest.raises(BackendError, match=message):
        require(backend("cuda:sm_90"))


@pytest.mark.parametrize("name", FOREIGN[:1])
def test_a_description_of_a_gpu_that_does_not_parse_is_told(name):
    with pytest.raises(BackendError, match="the target configuration cannot be read"):
        AheadOfTime(backend(name), target_config="gpu_device_info { nonsense: 1 }")
    own = target_config("sm_90").replace("core_count: 132", "core_count: 66")
    with AheadOfTime(backend(name), target_config=own) as process:
        assert process.compile(lower_for(backend(name), jnp.exp, SPEC))["ptx"]


def test_only_a_gpu_has_a_description():
    with pytest.raises(BackendError, match="cpu:avx2 takes no target configuration"):
        AheadOfTime(backend("cpu:avx2"), target_config="x")


@pytest.mark.parametrize("name", FOREIGN[1:])
def test_a_lock_file_left_behind_does_not_matter(name):
    lock = Path("/tmp/libtpu_lockfile")
    left = not lock.exists()
    lock.touch()
    try:
        with AheadOfTime(backend(name)) as process:
            assert process.device
    finally:
        if left:
            lock.unlink(missing_ok=True)


def test_an_unknown_backend_is_told_with_those_there_are():
    with pytest.raises(BackendError, match="unknown backend 'gpu'; choose one of cpu, cpu:avx2"):
        backend("gpu")


@pytest.mark.parametrize("name", BACKENDS)
def test_fingerprints_differ(name):
    own = fingerprint(backend(name))
    assert own["backend"] == name
    assert {"device", "jax", "jaxlib"} <= set(own)
    assert fingerprint(backend(name), {"a": 1}) != own
    assert backend(name).platform in STAGE_TABLE


def test_flags_of_libtpu_are_of_the_fingerprint_of_tpus_alone(monkeypatch):
    names = ("cpu", "cuda:sm_90", "tpu:v5e")
    before = [fingerprint(backend(name)) for name in names]
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--xla_tpu_any=1")
    after = [fingerprint(backend(name)) for name in names]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False]


def test_frames_keep_names_and_bytes(tmp_path):
    path = tmp_path / "frames"
    with path.open("wb") as stream:
        write_frame(stream, {"a": [1]}, {"x": b"\0\n", "y": b""})
        write_frame(stream, {}, {})
    with path.open("rb") as stream:
        assert read_frame(stream) == ({"a": [1]}, {"x": b"\0\n", "y": b""})
        assert read_frame(stream) == ({}, {})
        assert read_frame(stream) is None
    path.write_bytes(path.read_bytes()[:6])
    with path.open("rb") as stream:
        assert read_frame(stream) is None


def test_a_module_in_text_form_is_a_function_again():
    def function(x, y):
        return jax.nn.softplus(x) * y, jnp.sin(y)

    x = np.linspace(-2, 2, 16, dtype=np.float32)
    lowered = lower_for(backend("cpu"), function, [x, x])
    results = [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(lowered.out_info)]
    again = jax.jit(module_function(lowered.as_text(), results))(x, x)
    for got, want in zip(again, jax.jit(function)(x, x), strict=True):
        np.testing.assert_array_equal(got, want)


def test_gpu_descriptions_have_a_row_for_each_backend():
    kinds = {row.kind for row in BACKENDS.values() if row.platform == "cuda"}
    assert kinds == set(GPU_TARGETS)
    assert "cuda_compute_capability { major: 9 minor: 0 }" in target_config("sm_90")
    with pytest.raises(BackendError, match="no GPU description for 'sm_70'"):
        gpu_target("sm_70")
