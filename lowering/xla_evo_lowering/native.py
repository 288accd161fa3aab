"""Programs as custom calls: C++ made by the system compiler, behind XLA's typed FFI.

What the compiler of XLA decides by itself is written out here: contracted products are explicit
fused operations and the C++ compiler may contract nothing more, so that the vector body and the
remainder of a loop give the same bits. Subnormals are flushed, as in XLA's own CPU code, except
where `spelling` says. Libraries are kept under the hash of everything that they depend on, in a
folder that is the user's own and that no one else may write to: any other is refused. A library is
loaded when it is a regular file, the user's own, that no one else may write to, and has the hash
that it was built with; else it is built again. Folders above are not looked at.
"""

import ctypes
import hashlib
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any

import jax
from jax.core import ShapedArray
from jax.extend.mlir import ir  # pyright: ignore[reportMissingImports]
from jax.extend.mlir.dialects import stablehlo as hlo  # pyright: ignore[reportMissingImports]

from xla_evo_lowering.backends import instruction_set, processor
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.cpp import emit_cpp
from xla_evo_lowering.dtypes import F32, F64
from xla_evo_lowering.errors import BackendError, CompileError, StoreError
from xla_evo_lowering.folders import default_path
from xla_evo_lowering.interpret import contract
from xla_evo_lowering.ordinary import Ordinary, ordinary
from xla_evo_lowering.program import Program

_FLAGS: tuple[str, ...] = (
    "-std=c++17", "-O3", "-march=native", "-funroll-loops", "-fPIC", "-shared", "-ffp-contract=off",
    "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden",
)  # fmt: skip
_WIDE = "-mprefer-vector-width=512"
"""Compilers keep to 256 bits on CPUs that slow down for more; loops of arithmetic alone gain."""
_SYMBOL = "xla_evo_call"
_TIMEOUT_S = 120.0
_lock = threading.RLock()
_targets: dict[str, str] = {}
_libraries: list[ctypes.CDLL] = []


def native_folder() -> Path:
    """Returns the folder of built libraries: ``native`` in the cache of `XLA_EVO_CACHE`.

    Raises:
        BackendError: there is no home folder to look in.
    """
    try:
        return default_path() / "native"
    except StoreError as error:
        raise BackendError(f"there is no place for machine code: {error}") from None


def _unusable(folder: Path | str, why: str) -> BackendError:
    return BackendError(
        f"{folder} cannot hold machine code: {why}; set XLA_EVO_CACHE to a folder of your own"
    )


def flags() -> tuple[str, ...]:
    """Returns the flags that programs are compiled with on this machine."""
    return (*_FLAGS, _WIDE) if instruction_set().startswith("avx512") else _FLAGS


@cache
def compiler() -> tuple[str, ...]:
    """Returns the command of the system's C++ compiler: ``CXX``, or the first that is there.

    Raises:
        BackendError: there is none, or ``CXX`` is no command; says what to do.
    """
    given = os.environ.get("CXX", "")
    try:
        chosen = shlex.split(given)
    except ValueError as error:
        raise BackendError(f"CXX is not a command, {str(error).lower()}: {given}") from None
    for command in [chosen] if chosen else [["c++"], ["g++"], ["clang++"]]:
        found = shutil.which(command[0])
        if found:
            return (found, *command[1:])
    what = (
        f"the compiler of CXX, {chosen[0]!r}, is not there" if chosen else "no C++ compiler found"
    )
    raise BackendError(
        f'{what}; custom calls need one: install g++ or clang, or use lowering="inline"'
    )


@cache
def _compiler_version(command: tuple[str, ...]) -> str:
    _, text, _ = _run([*command, "--version"])
    return text.splitlines()[0] if text else "unknown"


def _run(line: Sequence[str]) -> tuple[int, str, str]:
    """Runs a compiler, and ends all that it started when it takes too long or is interrupted.

    Returns:
        Its exit status, and what it wrote to standard output and to standard error.

    Raises:
        CompileError: it cannot be started, or took too long.
    """
    try:
        # A list, so no shell reads it; a group, since the driver leaves the work to others.
        with (
            subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
            ) as process,
            ExitStack() as unfinished,
        ):
            unfinished.callback(_end_group, process.pid)
            out, errors = process.communicate(timeout=_TIMEOUT_S)
            unfinished.pop_all()
            return process.returncode, out, errors
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"the C++ compiler did not run: {error}") from error


def _end_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def source(program: Program) -> str:
    """Returns the C++ of a program: its contracted form where this machine has fused multiply-add.

    Raises:
        BackendError: a parameter or the result is neither float32 nor float64.
    """
    types = {parameter.dtype for parameter in program.parameters} | {program.dtype}
    if not types <= {F32, F64}:
        names = ", ".join(sorted(row.name for row in types))
        raise BackendError(
            f"program {program.name} takes or gives {names}; custom calls know float32 and float64"
        )
    return emit_cpp(_written_out(program), _SYMBOL)


def _written_out(program: Program) -> Program:
    form = canonical(program)
    return contract(form) if "+fma" in instruction_set() else form


def ordinary_part(program: Program) -> Ordinary | None:
    """Returns which inputs the machine code of a program computes apart in blocks, if any."""
    return ordinary(_written_out(program))


def code_identity(program: Program) -> str:
    """Returns a hash of what decides the machine code of a program: source, flags and compiler.

    Flags that ``CXX`` holds are among them.

    Raises:
        BackendError: there is no compiler, or the type is unknown.
        CompileError: the compiler does not run.
    """
    return _code_identity(canonical(program))


@cache
def _code_identity(program: Program) -> str:
    command = compiler()
    parts = (source(program), *flags(), *command[1:], _compiler_version(command))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def register(program: Program) -> str:
    """Builds a program as a custom call, once, and returns the name it is registered under.

    Raises:
        BackendError: there is no compiler, the folder is not private, or the type is unknown.
        CompileError: the compiler refused the source, or its library cannot be loaded.
    """
    identity = content_hash(program)
    with _lock:
        if identity not in _targets:
            text = source(program)
            path, key = build(text)
            try:
                library = ctypes.CDLL(str(path))
            except OSError as error:
                raise CompileError(f"a program's machine code cannot be loaded: {error}") from error
            name = f"xla_evo_{key[:32]}"
            capsule = jax.ffi.pycapsule(getattr(library, _SYMBOL))
            jax.ffi.register_ffi_target(name, capsule, platform="cpu")
            jax.ffi.register_ffi_target_as_batch_partitionable(name)
            _libraries.append(library)
            _targets[identity] = name
        return _targets[identity]


def build(text: str) -> tuple[Path, str]:
    """Compiles C++ into a shared library, or finds the one of an earlier time.

    Returns:
        The library's path, and the hash of all that it depends on.

    Raises:
        BackendError: there is no compiler, or the folder is not private to the user or not usable.
        CompileError: the compiler refused the source, or took too long.
    """
    command = compiler()
    parts = (
        text,
        *flags(),
        *command,
        _compiler_version(command),
        instruction_set(),
        processor(),
        jax.__version__,
    )
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    folder = native_folder()
    library, digest = folder / f"{key}.so", folder / f"{key}.sha256"
    try:
        _make_private(folder)
        if _is_intact(library, digest):
            with suppress(OSError):  # The time of its last use is of no use in a read-only folder.
                os.utime(digest)
        else:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                built = _compile(command, text, Path(scratch))
                built.chmod(0o700)
                Path(scratch, "digest").write_text(_hash(built), encoding="ascii")
                Path(scratch, "digest").replace(digest)
                built.replace(library)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    return library, key


def _make_private(folder: Path) -> None:
    """Makes a folder that only the user can enter; raises BackendError for one not the user's own.

    One that others may write to is made anew when it is empty, and refused when it is not.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_own(folder.stat()):
        try:
            folder.rmdir()
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise _unusable(folder, "it belongs to others or they may write to it") from error


def _is_own(found: os.stat_result) -> bool:
    """Whether a file or folder is the user's own and no one else may write to it."""
    owned = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    return owned and not stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_intact(library: Path, digest: Path) -> bool:
    try:
        found = library.lstat()
        if not stat.S_ISREG(found.st_mode) or not _is_own(found):
            return False
        return digest.read_text(encoding="ascii") == _hash(library)
    except (OSError, UnicodeDecodeError):
        return False


def _compile(command: Sequence[str], text: str, scratch: Path) -> Path:
    cpp, built = scratch / "program.cc", scratch / "program.so"
    cpp.write_text(text, encoding="ascii")
    line = [*command, *flags(), "-I", jax.ffi.include_dir(), str(cpp), "-o", str(built)]
    status, _, errors = _run(line)
    if status != 0:
        reason = next((row for row in errors.splitlines() if "error" in row), errors)
        raise CompileError(f"{command[0]} refused a program's C++: {reason[:300]}")
    return built


def lower_native(ctx: Any, program: Program, operands: Sequence[Any]) -> list[Any]:
    """A lowering rule for the CPU: calls the program's machine code.

    The call is marked as a batch of independent elements, so that over several devices each works
    on the part that it holds and nothing is gathered. XLA knows batches of something only, hence
    the last axis of size 1.

    Raises:
        BackendError, CompileError: as `register`.
    """
    name = register(program)
    (out,) = ctx.avals_out
    if not all(isinstance(size, int) for size in out.shape):
        return list(jax.ffi.ffi_lowering(name)(ctx, *operands))
    shape = (*out.shape, 1)
    inner = ctx.replace(
        avals_in=[ShapedArray(shape, value.dtype) for value in ctx.avals_in],
        avals_out=[ShapedArray(shape, out.dtype)],
    )
    attributes: dict[str, Any] = {
        "mhlo.frontend_attributes": ir.DictAttr.get(
            {"num_batch_dims": ir.StringAttr.get(str(len(out.shape)))}
        ),
        "sdy.sharding_rule": ir.Attribute.parse(_elementwise_rule(shape, len(operands))),
    }
    columns = [_reshaped(value, shape) for value in operands]
    lower = jax.ffi.ffi_lowering(name, extra_attributes=attributes)
    (result,) = lower(inner, *columns)
    return [_reshaped(result, out.shape)]


def _reshaped(value: Any, shape: Sequence[int]) -> Any:
    return hlo.reshape(ir.RankedTensorType.get(list(shape), value.type.element_type), value)


def _elementwise_rule(shape: Sequence[int], operands: int) -> str:
    """Shardy's attribute that says: every axis of every operand is that axis of the result."""
    letters = [chr(ord("i") + n) if n < 18 else f"z_{n - 17}" for n in range(len(shape))]
    axes = f"[{', '.join(letters)}]"
    sizes = ", ".join(f"{name}={size}" for name, size in zip(letters, shape, strict=True))
    return f"#sdy.op_sharding_rule<({', '.join([axes] * operands)})->({axes}) {{{sizes}}}, custom>"
