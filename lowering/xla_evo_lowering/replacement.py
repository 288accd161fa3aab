"""What stands in place of JAX's functions: a context that is part of the key of JAX's caches.

The packages above set it and register lowering rules that ask for it. Here it is put aside, so that
what is measured as the built-in is the built-in, whatever the process has replaced.
"""

from contextlib import AbstractContextManager
from typing import Any

import jax

REPLACEMENT: Any = jax.make_user_context(None)
"""The value in force in this thread; None leaves every function as it is."""


def nothing_replaced() -> AbstractContextManager[None]:
    """Returns a context in which this thread traces and compiles JAX's own functions."""
    return REPLACEMENT(None)
