"""Machine code of programs: how it is built, kept, checked and found again."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xla_evo_lowering import native
from xla_evo_lowering.errors import BackendError, CompileError

from .programs import needs_compiler, square_plus


@needs_compiler
def test_libraries_are_private_kept_and_checked(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    text = native.source(square_plus(2.25))
    path, key = native.build(text)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.name == f"{key}.so"
    built = path.stat().st_mtime_ns
    digest = path.with_suffix(".sha256")
    os.utime(digest, (1, 1))
    assert native.build(text)[0].stat().st_mtime_ns == built
    assert digest.stat().st_mtime > 1, "the time of its last use"
    with path.open("r+b") as file:
        file.seek(200)
        file.write(b"damaged")
    assert native.build(text)[0].stat().st_mtime_ns != built
    assert native.build(native.source(square_plus(2.5)))[1] != key


@needs_compiler
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path, monkeypatch, mode) -> None:
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    folder = native.native_folder()
    folder.mkdir()
    folder.chmod(mode)
    native.build("int nothing;")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "made anew, for it was empty"
    folder.chmod(mode)
    with pytest.raises(BackendError, match=f"{folder} cannot .* XLA_EVO_CACHE"):
        native.build("int nothing;")
    assert stat.S_IMODE(folder.stat().st_mode) == mode


@needs_compiler
def test_a_folder_or_library_of_another_user_is_not_used(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    native.build("int nothing;")
    monkeypatch.setattr(native.os, "getuid", lambda: os.geteuid() + 1)
    with pytest.raises(BackendError, match="belongs to others"):
        native.build("int nothing;")


def _make_writable(library: Path) -> None:
    library.chmod(0o772)


def _make_link(library: Path) -> None:
    library.rename(library.with_name("elsewhere"))
    library.symlink_to("elsewhere")


@needs_compiler
@pytest.mark.parametrize("spoil", [_make_writable, _make_link])
def test_a_library_that_others_may_have_put_there_is_built_again(
    tmp_path, monkeypatch, spoil
) -> None:
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    umask = os.umask(0o002)
    try:
        library, _ = native.build("int nothing;")
    finally:
        os.umask(umask)
    built = library.stat().st_mtime_ns
    assert native.build("int nothing;")[0].stat().st_mtime_ns == built
    spoil(library)
    native.build("int nothing;")
    assert library.lstat().st_mtime_ns != built
    assert stat.S_IMODE(library.lstat().st_mode) == 0o700


@needs_compiler
def test_a_cache_that_cannot_be_used_is_an_error_of_one_line(tmp_path, monkeypatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for chosen in (str(file), str(file / "deeper"), "/proc/nope", "~nosuchuser/x"):
        monkeypatch.setenv("XLA_EVO_CACHE", chosen)
        with pytest.raises(BackendError, match="set XLA_EVO_CACHE to") as raised:
            native.build("int nothing;")
        assert chosen in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_user_without_a_home_folder_is_told_where_machine_code_may_be(homeless) -> None:
    with pytest.raises(BackendError, match="no place for machine code: there is no home folder ~;"):
        native.native_folder()


def test_a_compiler_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path, monkeypatch
) -> None:
    started = tmp_path / "started"
    slow = tmp_path / "slow"
    slow.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit 0\n'
        f"sleep 600 &\necho $! > {started}.part\nmv {started}.part {started}\nwait\n"
    )
    slow.chmod(0o755)
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    monkeypatch.setattr(native, "compiler", lambda: (str(slow),))
    monkeypatch.setattr(native, "_TIMEOUT_S", 4.0)
    with pytest.raises(CompileError, match="timed out"):
        native.build("int nothing;")
    sleeper = Path("/proc", started.read_text().strip(), "cmdline")
    for _ in range(100):
        if not sleeper.exists() or b"sleep" not in sleeper.read_bytes():
            break
        time.sleep(0.1)
    else:
        pytest.fail("it goes on")


def test_no_compiler_is_a_clear_error(monkeypatch) -> None:
    monkeypatch.setattr(native, "_targets", {})
    monkeypatch.setattr(native.shutil, "which", lambda _: None)
    native.compiler.cache_clear()
    try:
        with pytest.raises(BackendError, match=r"install g\+\+ or clang"):
            native.register(square_plus(3.5))
        monkeypatch.setenv("CXX", "nowhere++")
        with pytest.raises(BackendError, match=r"CXX, 'nowhere\+\+', is not there"):
            native.register(square_plus(3.5))
        monkeypatch.setenv("CXX", 'g++ "-O3')
        with pytest.raises(BackendError, match="CXX is not a command, no closing quotation"):
            native.register(square_plus(3.5))
    finally:
        native.compiler.cache_clear()


@needs_compiler
def test_flags_of_the_compiler_command_are_of_the_identity(monkeypatch) -> None:
    own, plain = native.compiler(), native.code_identity(square_plus())
    found = {plain}
    for flags in ((), ("-ffast-math",), ("-funsafe-math-optimizations", "-g")):
        monkeypatch.setattr(native, "compiler", lambda flags=flags: (*own, *flags))
        native._code_identity.cache_clear()
        found.add(native.code_identity(square_plus()))
    native._code_identity.cache_clear()
    assert len(found) == 3


@needs_compiler
def test_libraries_of_another_processor_are_not_loaded(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    own, _ = native.build("int f() { return 1; }")
    monkeypatch.setattr(native, "processor", lambda: "another (6.85)")
    assert native.build("int f() { return 1; }")[0] != own


@needs_compiler
def test_refused_source_is_a_compile_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    with pytest.raises(CompileError, match="refused"):
        native.build("int broken(")
    assert not list(Path(tmp_path, "native").glob("*.so"))


@needs_compiler
def test_another_process_finds_the_library(tmp_path) -> None:
    code = (
        "import time, jax.numpy as jnp\n"
        "from xla_evo_lowering import native\n"
        "from xla_evo_lowering.custom_call import as_custom_call\n"
        "from xla_evo_lowering.text import parse_program\n"
        "p = parse_program('program p(x: f32) -> f32 {\\n %0: f32 = mul x, x\\n return %0\\n}')\n"
        "print(float(as_custom_call(p)(jnp.float32(3))), len(list("
        "native.native_folder().glob('*.so'))))\n"
    )
    env = {**os.environ, "XLA_EVO_CACHE": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
        )
        assert done.stdout.split() == ["9.0", "1"]
