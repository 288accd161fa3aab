"""Machine code of custom calls beside the store: counted with it, and removed by last use.

`xla_evo_lowering.native` keeps a library and its hash in two files of one name, and sets the time
of the latter whenever it hands out the former. What is removed is built again in a few seconds.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KIND = "native"
"""What this code is called among the kinds of entries; also the name of its folder."""
_STALE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One library: its files, their bytes, and when it was last used, in seconds of the epoch."""

    files: tuple[Path, ...]
    bytes: int
    used: float


class CodeFolder:
    """The folder of libraries of one store; it need not be there."""

    def __init__(self, store: Path) -> None:
        self._root = store / KIND

    def bytes(self) -> int:
        """Returns what the folder takes, builds that were killed included."""
        total = 0
        for file in self._root.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                total += file.lstat().st_size if not file.is_dir() else 0
        return total

    def libraries(self) -> list[Library]:
        """Returns the libraries, the one used longest ago first."""
        found: dict[str, list[Path]] = {}
        for file in (*self._root.glob("*.sha256"), *self._root.glob("*.so")):
            found.setdefault(file.stem, []).append(file)
        libraries: list[Library] = []
        for files in found.values():
            with contextlib.suppress(FileNotFoundError):
                stats = [file.lstat() for file in files]
                size, used = sum(s.st_size for s in stats), max(s.st_mtime for s in stats)
                libraries.append(Library(files=tuple(files), bytes=size, used=used))
        return sorted(libraries, key=lambda library: library.used)

    def remove_before(self, cutoff: float) -> int:
        """Removes libraries last used before a time, in seconds of the epoch; returns how many."""
        return sum(_remove(library) for library in self.libraries() if library.used < cutoff)

    def remove_bytes(self, wanted: int) -> int:
        """Removes those used longest ago until they make up so many bytes; returns how many."""
        removed = 0
        for library in self.libraries():
            if wanted <= 0:
                break
            if _remove(library):
                removed += 1
                wanted -= library.bytes
        return removed

    def remove_partial(self) -> None:
        """Removes what builds that were killed an hour or more ago left."""
        for folder in self._partial():
            shutil.rmtree(folder, ignore_errors=True)

    def _partial(self) -> Iterator[Path]:
        for folder in list(self._root.glob("tmp*")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > _STALE_S:
                    yield folder


def _remove(library: Library) -> bool:
    """Removes the files of a library, the hash first; returns whether it could."""
    try:
        for file in library.files:
            file.unlink(missing_ok=True)
    except OSError:
        return False
    return True
