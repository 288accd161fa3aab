"""Where a user's caches are."""

import os
import sys
from pathlib import Path

from xla_evo_lowering.errors import StoreError


def default_path() -> Path:
    """Returns ``XLA_EVO_CACHE``, or the folder for xla-evo among the user's caches.

    Raises:
        StoreError: that is in the home folder of a user who has none.
    """
    chosen = os.environ.get("XLA_EVO_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME")
    try:
        if chosen:
            return Path(chosen).expanduser()
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "xla-evo"
        return (Path(caches) if caches else Path.home() / ".cache") / "xla-evo"
    except RuntimeError:
        raise StoreError(
            f"there is no home folder {chosen or '~'}; set XLA_EVO_CACHE to a folder of your own"
        ) from None
