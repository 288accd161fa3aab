"""SASS of PTX: assembled with ptxas and listed with nvdisasm, where both are installed.

Both come with the CUDA toolkit, and with the cuda extra: nvdisasm of CUDA 13, the first that is a
package, reads what ptxas of CUDA 12 writes.
"""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from xla_evo_lowering.errors import BackendError

# Joined dumps hold several modules, each with its own header.
_MODULE = re.compile(r"(?=^\.version )", re.MULTILINE)
_TARGET = re.compile(r"^\.target (\w+)", re.MULTILINE)


def find_tool(name: str) -> str | None:
    """Path of a CUDA tool: from the PATH, else from NVIDIA's Python packages; None if nowhere."""
    found = shutil.which(name)
    if found:
        return found
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec else ():
        for path in sorted(Path(root).glob(f"*/bin/{name}")):
            return str(path)
    return None


def disassemble_ptx(ptx: str) -> str:
    """Returns the SASS listing of the kernels of PTX text.

    Raises:
        BackendError: a tool is not installed, or refuses the text.
    """
    ptxas, nvdisasm = find_tool("ptxas"), find_tool("nvdisasm")
    if ptxas is None or nvdisasm is None:
        raise BackendError("SASS needs ptxas and nvdisasm: pip install 'xla-evo[cuda]'")
    modules = [text for text in _MODULE.split(ptx) if _TARGET.search(text)]
    with tempfile.TemporaryDirectory(prefix="xla-evo-") as folder:
        source, binary = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        listings: list[str] = []
        for text in modules:
            match = _TARGET.search(text)
            source.write_text(text, encoding="utf-8")
            target = match[1] if match else ""
            _run([ptxas, f"-arch={target}", str(source), "-o", str(binary)])
            listings.append(_run([nvdisasm, "-c", str(binary)]))
    return "".join(listings)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise BackendError(f"{Path(command[0]).name}: {lines[-1]}")
    return done.stdout
