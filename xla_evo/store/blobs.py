"""Content-addressed files: a blob's name is the sha256 of its bytes, its file is their zlib stream.

A file is written beside its place and renamed into it, so a reader sees all of it or nothing.
What a crash of the machine tears is found by the hash when it is read.
"""

import contextlib
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LEVEL = 1
_STALE_S = 3600.0
_PARTIAL = ".partial-"


class BlobError(Exception):
    """A blob is missing or its bytes do not have its hash; the store turns it into StoreError."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A blob ready to be written: its digest, its size in bytes, and its zlib stream."""

    digest: str
    size: int
    stream: bytes


def pack(data: bytes) -> Packed:
    """Hashes and compresses `data`."""
    return Packed(hashlib.sha256(data).hexdigest(), len(data), zlib.compress(data, _LEVEL))


def unpack(digest: str, stream: bytes) -> bytes:
    """Returns the bytes of a zlib stream; `BlobError` when they do not have the digest."""
    try:
        data = zlib.decompress(stream)
    except zlib.error as error:
        raise BlobError(f"blob {digest[:12]} is damaged ({error})") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise BlobError(f"blob {digest[:12]} is damaged (its bytes have another hash)")
    return data


class BlobFolder:
    """The files ``<root>/<first two hex digits>/<the rest>``, mode 0600 in folders of 0700."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Returns where the blob is or would be."""
        return self.root / digest[:2] / digest[2:]

    def stored_bytes(self, digest: str) -> int | None:
        """Returns the size of a blob's file, None when there is none."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def write(self, packed: Packed) -> bool:
        """Writes a blob unless it is there; returns whether it wrote. Raises OSError."""
        target = self.path(packed.digest)
        if target.is_file():
            return False
        for folder in (self.root, target.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(packed.stream)
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        return True

    def stream(self, digest: str) -> bytes:
        """Returns the zlib stream of a blob; `BlobError` when it is missing. Raises OSError."""
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise BlobError(f"blob {digest[:12]} is missing") from error

    def read(self, digest: str) -> bytes:
        """Returns the bytes of a blob; `BlobError` when missing or damaged. Raises OSError."""
        return unpack(digest, self.stream(digest))

    def remove(self, digest: str) -> bool:
        """Removes a blob; returns whether there was one. Raises OSError."""
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def digests(self) -> Iterator[str]:
        """Yields the digest of every file, in no order."""
        for folder in self.root.glob("??"):
            for file in folder.iterdir():
                if not file.name.startswith(_PARTIAL):
                    yield folder.name + file.name

    def remove_partial(self) -> int:
        """Removes what writers killed an hour or more ago left; returns how many files."""
        removed = 0
        for file in self.root.glob(f"??/{_PARTIAL}*"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > _STALE_S:
                    file.unlink()
                    removed += 1
        return removed
