"""Assembly listings of object code, by whichever disassembler is installed."""

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from xla_evo_lowering.errors import BackendError

_TOOLS = (
    ("objdump", ("-d", "-r", "--no-show-raw-insn")),
    ("llvm-objdump", ("-d", "-r", "--no-show-raw-insn")),
)


@functools.cache
def disassembler() -> tuple[str, ...] | None:
    """The command of the disassembler to use, None when there is none."""
    for tool, arguments in _TOOLS:
        if shutil.which(tool):
            return (tool, *arguments)
    return None


def disassemble(objects: Sequence[bytes]) -> str:
    """Returns the assembly listing of some ELF objects, one after the other.

    Relocations are shown, since they tell constants and calls apart.

    Raises:
        BackendError: no disassembler is installed, or it does not know the format.
    """
    command = disassembler()
    if command is None:
        raise BackendError(
            "assembly needs objdump or llvm-objdump on the PATH; install binutils or llvm"
        )
    return "".join(_listing(command, content) for content in objects)


def _listing(command: Sequence[str], content: bytes) -> str:
    with tempfile.NamedTemporaryFile(suffix=".o") as file:
        file.write(content)
        file.flush()
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(
            [*command, file.name], capture_output=True, text=True, check=False, env=environment
        )
        if done.returncode:
            reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise BackendError(f"{command[0]} could not read the object code: {reason}")
        # The listing starts with the file's name, which is of no use to anyone.
        return done.stdout.replace(file.name, "object")
