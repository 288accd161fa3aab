"""Spawned processes that do not run the script of the process which starts them."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def no_script() -> Generator[None]:
    """Keeps spawned processes from running the user's script, which would begin its work again.

    They import the main module of the process that starts them, and only a script that says
    ``if __name__ == "__main__"`` expects that. Workers need nothing of it.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
