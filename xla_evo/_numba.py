"""Typed `numba.njit`: the one place where the project's compiled functions get their options.

Every compiled function is cached on disk, releases the interpreter lock (so that threads run side
by side) and divides as IEEE arithmetic does. The decorators keep the signature of the function for
the type checker, which sees nothing through numba's own.

A cached function does not notice that a compiled function of *another* file that it calls has
changed: while editing, point ``NUMBA_CACHE_DIR`` at a fresh directory.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def njit(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function with strict IEEE arithmetic: no reassociation, no contraction."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("Callable[P, R]", compiled)


def njit_fast(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a function whose sums may be reassociated and contracted; inf and nan still work."""
    options = {"reassoc", "contract", "nsz", "arcp"}
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=options)(function)
    return cast("Callable[P, R]", compiled)
