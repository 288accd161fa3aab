"""Compiling ahead of time: each backend in a process of its own.

A compiler for hardware that is not here needs environment variables, takes lock files and may
crash; none of that may reach the user's process. The process stays up for a batch of programs.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import jax

from xla_evo_lowering.backends import Backend, require
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.frames import Frame, read_frame, write_frame

START_LIMIT_S = 180.0
TARGET_CONFIG = "XLA_EVO_GPU_TARGET_CONFIG"
"""Variable of the compiler process with the text of a GPU's description; empty for the table's."""


class AheadOfTime:
    """A compiler process for one backend; use it in a ``with`` statement.

    Attributes:
        row: the backend.
        device: what the compiler calls the device.
    """

    def __init__(self, row: Backend, *, limit_s: float = 120.0, target_config: str = "") -> None:
        """Starts the process.

        Args:
            row: a backend that is not live.
            limit_s: longest time of one compilation.
            target_config: ``GpuTargetConfigProto`` as text, for a GPU of the row's architecture
                that is not the product of `gpu_targets`.

        Raises:
            BackendError: its plugin is missing or does not start, or the description of the GPU
                cannot be read.
        """
        require(row)
        if target_config and row.platform != "cuda":
            raise BackendError(f"backend {row.name} takes no target configuration; GPUs do")
        self.row = row
        self._limit_s = limit_s
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # Each process removes the folder, since either may be killed before it could.
        self._folder = tempfile.TemporaryDirectory(prefix="xla-evo-", ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "xla_evo_lowering.worker", row.name, self._folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            env={**_environment(row), TARGET_CONFIG: target_config},
        )  # fmt: skip
        try:
            header, _ = self._read(START_LIMIT_S)
        except BackendError:
            self.close()
            raise
        if "error" in header:
            self.close()
            raise BackendError(f"backend {row.name} did not start: {header['error']}")
        self.device: str = header["ready"]

    def __enter__(self) -> "AheadOfTime":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process and removes what it dumped."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.terminate()
        self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def compile(
        self, lowered: Any, options: Mapping[str, object] | None = None
    ) -> dict[str, bytes]:
        """Compiles what `lower_for` gave and returns its stages by name.

        Raises:
            CompileError: the compiler refused it, died or took too long.
        """
        header = {
            "inputs": _specs(lowered.args_info),
            "results": _specs(lowered.out_info),
            "options": dict(options or {}),
        }
        stream = cast(BinaryIO, self._process.stdin)
        try:
            write_frame(stream, header, {"stablehlo": lowered.as_text().encode()})
            answer, texts = self._read(self._limit_s)
        except (BackendError, BrokenPipeError) as error:
            raise CompileError(f"backend {self.row.name}: {error}") from error
        if "error" in answer:
            raise CompileError(f"backend {self.row.name} could not compile: {answer['error']}")
        return texts

    def _read(self, limit_s: float) -> Frame:
        timer = threading.Timer(limit_s, self._process.kill)
        timer.start()
        try:
            frame = read_frame(cast(BinaryIO, self._process.stdout))
        finally:
            expired = not timer.is_alive()
            timer.cancel()
        if frame is None:
            reason = f"it took more than {limit_s:g} s" if expired else self._last_line()
            raise BackendError(f"the compiler process of {self.row.name} ended: {reason}")
        return frame

    def _last_line(self) -> str:
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else f"exit code {self._process.returncode}"


def _environment(row: Backend) -> dict[str, str]:
    root = str(Path(__file__).parents[1])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    merged = {**os.environ, **row.environment}
    flags = (os.environ.get("XLA_FLAGS", ""), row.environment.get("XLA_FLAGS", ""))
    merged["XLA_FLAGS"] = " ".join(filter(None, flags))
    merged["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return merged


def _specs(tree: Any) -> list[tuple[list[int], str]]:
    return [([int(size) for size in leaf.shape], str(leaf.dtype)) for leaf in jax.tree.leaves(tree)]


def lower_for(row: Backend, function: Any, specs: Any) -> Any:
    """Traces a function and lowers it for a backend's platform, in this process.

    Raises:
        CompileError: it cannot be traced, or has no lowering for that platform.
    """
    try:
        traced = jax.jit(function, keep_unused=True).trace(*specs)
        return traced.lower(lowering_platforms=(row.platform,))
    except Exception as error:
        line = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise CompileError(f"lowering for {row.name} failed: {line}") from error
