"""The process that compiles ahead of time: ``python -m xla_evo_lowering.worker BACKEND FOLDER``.

It reads requests from standard input and answers on standard output, see `frames`. Whatever the
compilers print goes to standard error, what they dump into the folder, which is removed at the end.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

from xla_evo_lowering.frames import read_frame, write_frame


def main() -> None:
    """Starts the backend, says that it is ready, and answers until the input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    folder = Path(sys.argv[2])
    try:
        _serve(sys.argv[1], folder, requests, answers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(name: str, folder: Path, requests: BinaryIO, answers: BinaryIO) -> None:
    llo = folder / "llo"
    llo.mkdir()
    if name.startswith("tpu"):
        # libtpu dumps for the whole process, so each request empties the folder; all of its
        # passes would be 300 files and most of the time.
        dump = (
            f"--xla_jf_dump_to={llo} --xla_jf_dump_llo_text=true"
            " --xla_jf_dump_llo_pass_label_regex=final_bundles"
        )
        given = os.environ.get("LIBTPU_INIT_ARGS", "")
        os.environ["LIBTPU_INIT_ARGS"] = f"{given} {dump}".strip()
    try:
        compiler = _Compiler(name, folder, llo)
    except Exception as error:
        write_frame(answers, {"error": _line(error)}, {})
        return
    write_frame(answers, {"ready": compiler.device}, {})
    while (request := read_frame(requests)) is not None:
        header, contents = request
        try:
            texts = compiler.compile(header, contents["stablehlo"].decode())
        except Exception as error:
            write_frame(answers, {"error": _line(error)}, {})
        else:
            write_frame(answers, {}, texts)


def _line(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return lines[0][:300]


class _Compiler:
    """Compiles StableHLO for the backend's device and gathers what was dumped."""

    def __init__(self, name: str, folder: Path, llo: Path) -> None:
        import jax

        from xla_evo_lowering.backends import backend

        jax.config.update("jax_enable_x64", True)
        self._row = backend(name)
        self._folder = folder
        self._llo = llo
        self._device: Any = _device(self._row)
        self.device = str(getattr(self._device, "device_kind", self._device))

    def compile(self, header: dict[str, Any], text: str) -> dict[str, bytes]:
        import jax
        from jax.sharding import SingleDeviceSharding

        from xla_evo_lowering._jax_compat import serialized_executable
        from xla_evo_lowering.foreign import module_function
        from xla_evo_lowering.machine_code import objects
        from xla_evo_lowering.stages import collect, plain_hlo

        results = [(tuple(shape), dtype) for shape, dtype in header["results"]]
        sharding = SingleDeviceSharding(self._device)
        specs = [
            jax.ShapeDtypeStruct(tuple(shape), dtype, sharding=sharding)
            for shape, dtype in header["inputs"]
        ]
        dumped = self._folder / "xla"
        options = {**header["options"], "xla_dump_to": str(dumped), "xla_dump_emitter_re": ".*"}
        if self._row.platform == "tpu":
            options.pop("xla_dump_emitter_re")
        try:
            lowered = jax.jit(module_function(text, results), keep_unused=True).lower(*specs)
            compiled = lowered.compile(compiler_options=options)
            texts = {
                **collect(dumped, self._row.platform),
                **collect(self._llo, self._row.platform),
            }
            if self._row.platform == "cpu":
                elfs = objects(serialized_executable(compiled))
                texts.update({f"object.{number}": elf for number, elf in enumerate(elfs)})
        finally:
            shutil.rmtree(dumped, ignore_errors=True)
            for path in self._llo.iterdir():
                path.unlink()
        for name in ("hlo", "optimized"):
            if name in texts:
                texts[name] = plain_hlo(texts[name].decode()).encode()
        return texts


def _device(row: Any) -> Any:
    """The device to compile for: this machine's, or one of a topology that is not here."""
    import jax
    from jax.experimental import topologies

    if not row.topology:
        return jax.local_devices(backend=row.platform)[0]
    if row.platform == "cuda":
        from xla_evo_lowering.ahead import TARGET_CONFIG
        from xla_evo_lowering.errors import BackendError
        from xla_evo_lowering.gpu_targets import target_config

        given = os.environ.get(TARGET_CONFIG, "")
        try:
            topology = topologies.get_topology_desc(
                row.kind, "cuda", target_config=given or target_config(row.kind),
                topology=row.topology,
            )  # fmt: skip
        except Exception as error:
            if not given:
                raise
            raise BackendError(f"the target configuration cannot be read: {_line(error)}") from None
    else:
        topology = topologies.get_topology_desc(platform="tpu", topology_name=row.topology)
    return topology.devices[0]


if __name__ == "__main__":
    main()
