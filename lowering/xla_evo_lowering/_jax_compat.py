"""The only file that uses names which JAX does not promise to keep.

Each function says which versions it was tried on: jax 0.10.2 to 0.12.
"""

from typing import Any

from xla_evo_lowering.errors import CompileError


def serialized_executable(compiled: Any) -> bytes:
    """Bytes of XLA's own serialisation of a compiled function; on CPU they hold the object code."""
    try:
        return compiled.runtime_executable().serialize()
    except Exception as error:
        raise CompileError(f"this jaxlib does not serialise executables: {error}") from error
