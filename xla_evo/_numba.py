"""Typed `numba.njit`: the one place where the project's compiled functions get their options.

Every compiled function is cached on disk, releases the interpreter lock (so that threads run side
by side) and divides as IEEE arithmetic does. The decorators keep the signature of the function for
the type checker, which sees nothing through numba's own.

Of itself numba takes a cached function for fresh while its own file is unchanged, and so keeps what
has been compiled into it from other files. Here it is fresh while all files of the package are.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


@functools.cache
def _sources() -> str:
    """SHA-256 of the package's files that may hold compiled functions."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        text = path.read_bytes()
        if b"njit" in text:
            digest.update(text)
    return digest.hexdigest()


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    compiled._cache._cache_file._source_stamp = _sources()  # numba has no public way to say it
    return cast("Callable[P, R]", compiled)


def njit(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function with strict IEEE arithmetic: no reassociation, no contraction."""
    return _compiled(function)


def njit_fast(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function whose sums may be reassociated and contracted; inf and nan still work."""
    return _compiled(function, fastmath={"reassoc", "contract", "nsz", "arcp"})
