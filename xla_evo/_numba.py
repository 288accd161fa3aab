"""Typed `numba.njit`: the one place where the project's compiled functions get their options.

Every compiled function is cached on disk, releases the interpreter lock (so that threads run side
by side) and divides as IEEE arithmetic does. The decorators keep the signature of the function for
the type checker, which sees nothing through numba's own.

Of itself numba takes a cached function for fresh while its own file is unchanged, and so keeps what
has been compiled into it from other files. Here it is fresh while all files of the package are.

Compiled code stands where numba puts it: beside the sources, or among the user's caches. Where
neither can be written it stands in the store's folder, and without that nowhere.
"""

import functools
import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
_FOLDER = "numba"
"""Of compiled code, in the folder of the store."""


@functools.cache
def _sources() -> str:
    """SHA-256 of the package's files that may hold compiled functions."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        text = path.read_bytes()
        if b"njit" in text:
            digest.update(text)
    return digest.hexdigest()


def _dispatcher(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    """A function of `numba.njit`, cached where there is a folder for it."""
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # numba found no folder that it can write
        pass
    from xla_evo.store import default_path

    settings: Any = importlib.import_module("numba.core.config")  # has no types
    before = settings.CACHE_DIR
    try:
        settings.CACHE_DIR = str(default_path() / _FOLDER)
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        return numba.njit(**options)(function)
    finally:
        settings.CACHE_DIR = before


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    compiled = _dispatcher(function, options)
    if compiled._cache.cache_path is not None:  # numba has no public way to say what is fresh
        compiled._cache._cache_file._source_stamp = _sources()
    return cast("Callable[P, R]", compiled)


def njit(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function with strict IEEE arithmetic: no reassociation, no contraction."""
    return _compiled(function, nogil=True, error_model="numpy")


def njit_fast(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function whose sums may be reassociated and contracted; inf and nan still work."""
    fast = {"reassoc", "contract", "nsz", "arcp"}
    return _compiled(function, nogil=True, error_model="numpy", fastmath=fast)


def argument(value: int) -> int:
    """An integer for calls between compiled functions.

    For each plain integer that stands at a call numba compiles the called function once more.
    """
    return cast("int", np.int64(value))


def njit_with(**options: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Compiles a function with these options of `numba.njit`, cached as the others are."""
    return lambda function: _compiled(function, **options)
