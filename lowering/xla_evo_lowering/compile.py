"""Compiling on the live CPU backend, and every stage that the compiler leaves behind.

`Executable` is what accuracy and timing run; `compile_stages` also keeps StableHLO, HLO before and
after optimisation, the object code and, when asked, LLVM IR, from one compilation.
"""

import ctypes
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from xla_evo_lowering import _jax_compat
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.errors import CompileError
from xla_evo_lowering.machine_code import machine_code_hash, objects
from xla_evo_lowering.program import Program
from xla_evo_lowering.replacement import nothing_replaced
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.stages import collect, plain_hlo

Array = np.ndarray[Any, Any]
Function = Callable[..., Any]

SINGLE_THREAD: Mapping[str, object] = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
"""Compile options that keep a kernel on the calling thread.

XLA splits a fusion over the thread pool by a cost model that counts HLO operations, so that of two
equally fast functions one runs on one core and the other on all; timing would compare that.
"""


@dataclass(frozen=True, slots=True)
class Stages:
    """What one compilation left behind.

    Attributes:
        call: the compiled function; JAX arrays in, JAX array out.
        texts: stage name (see `stages`) to its bytes; several kernels of one module are joined.
        objects: the ELF objects, one a kernel.
        code_hash: identity of the machine code.
    """

    call: Function
    texts: Mapping[str, bytes]
    objects: tuple[bytes, ...]
    code_hash: str


def lower(function: Function, specs: Sequence[Any]) -> Any:
    """Traces and lowers a function to StableHLO; failures become `CompileError`."""
    try:
        return jax.jit(function).lower(*specs)
    except Exception as error:
        raise CompileError(f"lowering failed: {_first_line(error)}") from error


def compile_lowered(lowered: Any, options: Mapping[str, object] | None = None) -> Any:
    """Compiles what `lower` gave; failures become `CompileError`."""
    try:
        return lowered.compile(compiler_options=dict(options) if options else None)
    except Exception as error:
        raise CompileError(f"XLA could not compile: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def code_hash(compiled: Any) -> str:
    """Identity of the machine code of a compiled function (see `machine_code`)."""
    return machine_code_hash(objects(_jax_compat.serialized_executable(compiled)))


def compile_stages(
    function: Function,
    specs: Sequence[Any],
    options: Mapping[str, object] | None = None,
    *,
    llvm: bool = False,
) -> Stages:
    """Compiles a function of arrays and keeps its stages.

    Args:
        function: anything `jax.jit` takes.
        specs: `jax.ShapeDtypeStruct` of each argument.
        options: XLA compile options that differ from the defaults.
        llvm: also keep the LLVM IR before and after optimisation, which XLA has to dump to files;
            the compilation takes several times as long.

    Raises:
        CompileError: XLA refused it.
    """
    return stages_of_lowered(lower(function, specs), options, llvm=llvm)


def stages_of_lowered(
    lowered: Any, options: Mapping[str, object] | None = None, *, llvm: bool = False
) -> Stages:
    """Compiles what `lower` gave and keeps its stages, see `compile_stages`."""
    if llvm:
        compiled, dumped = _compile_with_dump(lowered, options)
    else:
        compiled, dumped = compile_lowered(lowered, options), {}
    elfs = tuple(objects(_jax_compat.serialized_executable(compiled)))
    texts = {
        "stablehlo": lowered.as_text().encode(),
        "hlo": plain_hlo(lowered.as_text("hlo")).encode(),
        "optimized": plain_hlo(compiled.as_text()).encode(),
        **{name: dumped[name] for name in ("llvm", "llvm_optimized") if name in dumped},
        "object": b"".join(elfs),
    }
    return Stages(compiled, texts, elfs, machine_code_hash(elfs))


def _compile_with_dump(
    lowered: Any, options: Mapping[str, object] | None
) -> tuple[Any, dict[str, bytes]]:
    folder = Path(tempfile.mkdtemp(prefix="xla-evo-"))
    # From jaxlib 0.12 on, LLVM IR is dumped for those emitters only that this matches.
    dump = {"xla_dump_to": str(folder), "xla_dump_emitter_re": ".*"}
    try:
        return compile_lowered(lowered, {**(options or {}), **dump}), collect(folder, "cpu")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def dispatch_on_calling_thread() -> None:
    """Keeps calls of the CPU client on the thread that makes them; only before JAX is first used.

    Of itself the client hands programs of some size to a thread of its own, for which the threads
    of a sweep would wait at every block.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 1 << 25


def keep_freed_memory() -> bool:
    """Makes the C library keep what is freed, for programs that own their process.

    XLA allocates each result anew. Of a block of a sweep it is a megabyte, which glibc would give
    back when it is freed, so that the system clears its pages again at every call.

    Returns:
        Whether it will: a C library other than glibc has no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return all(mallopt(which, _KEPT_BYTES) for which in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))


_ALIGNMENT = 64


def input_buffer(length: int, dtype: np.dtype[Any] | type) -> Array:
    """Returns an uninitialised array that JAX's CPU client takes as it lies; it copies others.

    The client takes an array that begins at a multiple of 64 bytes, where NumPy aligns to 16.
    """
    size = length * np.dtype(dtype).itemsize
    raw = np.empty(size + _ALIGNMENT, np.uint8)
    first = -raw.ctypes.data % _ALIGNMENT
    return raw[first : first + size].view(dtype)


class Executable:
    """A function of one or more arrays of one shape, compiled once for each shape that it meets.

    Calls take and return NumPy arrays, and release the interpreter lock while they run. 64-bit
    arguments work whether or not the process has JAX's x64 mode on, and JAX's functions are its
    own even where they are replaced.
    """

    def __init__(
        self,
        function: Function,
        dtypes: Sequence[DType],
        options: Mapping[str, object] | None = None,
        *,
        device: Any = None,
    ) -> None:
        """Keeps the function; nothing is compiled yet.

        Args:
            function: a function of JAX arrays.
            dtypes: types of its arguments.
            options: XLA compile options that differ from the defaults.
            device: JAX device to compile for and run on; JAX's default one when left out.
        """
        self._function = function
        self._device = device
        self._dtypes = tuple(dtypes)
        self._options = dict(options or {})
        self._compiled: dict[tuple[Any, ...], Any] = {}
        # Without the x64 mode 64-bit values would silently become 32-bit.
        self._wide = any(dtype.bits == 64 for dtype in self._dtypes)

    @classmethod
    def of_program(
        cls, program: Program, options: Mapping[str, object] | None = None
    ) -> "Executable":
        """The executable of a program."""
        types = [parameter.dtype for parameter in program.parameters]
        made = cls(as_function(program), types, options)
        made._wide = made._wide or program.dtype.bits == 64
        return made

    def compiled(self, shape: tuple[int, ...]) -> Any:
        """JAX's compiled function for one shape.

        Raises:
            CompileError: XLA refused it.
        """
        if shape not in self._compiled:
            specs = [jax.ShapeDtypeStruct(shape, dtype.numpy) for dtype in self._dtypes]
            with self._settings():
                self._compiled[shape] = compile_lowered(lower(self._function, specs), self._options)
        return self._compiled[shape]

    @contextmanager
    def _settings(self) -> Generator[None]:
        """What decides the compiled code, whatever is set in the process."""
        with nothing_replaced(), jax.enable_x64(self._wide), jax.default_device(self._device):
            yield

    def __call__(self, *arrays: Array) -> Array:
        """Runs on arrays of the declared dtypes."""
        compiled = self.compiled(arrays[0].shape)
        with jax.enable_x64(self._wide):
            return np.asarray(compiled(*arrays))

    def each(self, groups: Sequence[tuple[Array, ...]]) -> list[Array]:
        """Runs on several groups of arguments, of any shapes, by one module with a copy for each.

        One module is traced once, and XLA compiles its kernels in several threads.

        Raises:
            CompileError: XLA refused it.
        """
        shapes = tuple(group[0].shape for group in groups)
        flat = [array for group in groups for array in group]

        def copies(*arrays: Any) -> list[Any]:
            each = len(self._dtypes)
            return [
                self._function(*arrays[first : first + each])
                for first in range(0, len(arrays), each)
            ]

        with self._settings():
            if shapes not in self._compiled:
                specs = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in flat]
                self._compiled[shapes] = compile_lowered(lower(copies, specs), self._options)
            return [np.asarray(result) for result in self._compiled[shapes](*flat)]
