"""The store itself: get, put, blobs, and why a lookup missed."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from absl import logging

from xla_evo.errors import StoreError
from xla_evo.store import archive, maintenance, rows
from xla_evo.store.blobs import BlobError, BlobFolder, Packed, pack
from xla_evo.store.explain import explain
from xla_evo.store.index import Index
from xla_evo.store.key import Entry, Json, Key
from xla_evo.store.reports import ImportReport, PruneReport, Stats
from xla_evo.store.rows import DamagedRowError, Row
from xla_evo_lowering.folders import default_path

_FLUSH_S = 5.0
Item = tuple[Key, Mapping[str, Json], Mapping[str, bytes]]


class Store:
    """Entries under explainable keys, shared by threads, forked children and other processes.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        """Opens the store of a folder; `Store.open` chooses the default one."""
        self.path = path
        self._blobs = BlobFolder(path / "blobs")
        self._index = Index(path, self._blobs.stored_bytes)
        self._lookups = _Lookups()

    @classmethod
    def open(cls, path: Path | None = None) -> "Store":
        """Opens or makes a store, by default the one of `default_path`.

        A damaged index is set aside, with a notice, and a new one takes what could be read of it.

        Raises:
            StoreError: a newer xla-evo wrote it, or the folder cannot be used or is not known.
        """
        return cls(default_path() if path is None else Path(path))

    @property
    def read_only(self) -> bool:
        """Whether the folder can only be read; a put then raises StoreError."""
        return self._index.read_only

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know about this store, a line each; also logged as warnings."""
        return tuple(self._index.notices)

    def get(self, key: Key) -> Entry | None:
        """Returns the entry of a key, or None; counts a hit or a miss for the key's kind.

        Raises:
            StoreError: the index cannot be read.
        """
        try:
            entry = self._index.read(lambda connection: _read(connection, key))
        except DamagedRowError:
            entry = self._drop_if_damaged(key)
        self._lookups.count(key.kind, hit=entry is not None)
        if self._lookups.due and not self.read_only:
            self._flush()
        return entry

    def put(
        self, key: Key, value: Mapping[str, Json], blobs: Mapping[str, bytes] | None = None
    ) -> Entry:
        """Records a value and its blobs, atomically; the last writer wins.

        Raises:
            StoreError: the value is not JSON, or the store is read-only, full or locked.
        """
        return self.put_many([(key, value, blobs or {})])[0]

    def put_many(self, items: Iterable[Item]) -> list[Entry]:
        """Records (key, value, blobs) of each item, all or none, in one transaction.

        Raises:
            StoreError: as `put`.
        """
        entries: list[Entry] = []
        packed: dict[str, Packed] = {}
        created = time.time()
        for key, value, contents in items:
            named = {name: pack(data) for name, data in contents.items()}
            packed.update({blob.digest: blob for blob in named.values()})
            digests = {name: blob.digest for name, blob in named.items()}
            entries.append(Entry(key, dict(value), digests, created))
        written = [Row.of(entry) for entry in entries]

        def work(connection: sqlite3.Connection) -> None:
            for blob in packed.values():
                # In the transaction, so that no prune removes a file between this and the row.
                self._blobs.write(blob)
                rows.note_blob(connection, blob.digest, len(blob.stream))
            for row in written:
                rows.write_row(connection, row)

        self._index.write(work)
        return entries

    def blob(self, digest: str) -> bytes:
        """Returns the bytes of a blob, checked against its hash.

        A missing or damaged blob is removed with every entry that refers to it, so that their next
        lookup is a miss and they are made anew.

        Raises:
            StoreError: there is no such blob, or it is damaged.
        """
        try:
            return self._blobs.read(digest)
        except BlobError as error:
            if not self.read_only:
                self._drop_blob(digest, str(error))
            raise StoreError(f"store {self.path}: {error}; compute it again") from error
        except OSError as error:
            raise StoreError(f"store {self.path}: {error}") from error

    def entries(self, kind: str | None = None) -> Iterator[Entry]:
        """Yields the entries of a kind, or all, in the order of their creation; counts no lookup.

        Raises:
            StoreError: the index cannot be read.
        """
        for row in self._index.read(lambda connection: list(rows.read_rows(connection, kind))):
            try:
                yield row.entry()
            except DamagedRowError:
                continue

    def explain(self, key: Key) -> str:
        """Says that a key hits, or which named parts differ from the nearest one recorded."""
        return self._index.read(lambda connection: explain(connection, key))

    def stats(self) -> Stats:
        """Returns counts and sizes a kind; hits and misses are those of all processes so far.

        Raises:
            StoreError: the index cannot be read.
        """
        written = not self.read_only and self._flush()
        pending = {} if written else self._lookups.pending()
        return self._index.read(
            lambda connection: maintenance.stats(
                connection, self.path, pending, read_only=self.read_only
            )
        )

    def prune(
        self,
        *,
        max_bytes: int | None = None,
        older_than_s: float | None = None,
        kinds: Sequence[str] | None = None,
    ) -> PruneReport:
        """Removes entries, then blobs that no entry refers to.

        Machine code of custom calls, of the kind ``native``, is as old as its last use.

        Args:
            max_bytes: remove code, then the oldest entries, until the store takes at most this on
                disk.
            older_than_s: remove what is older than this, in seconds.
            kinds: touch only these kinds; alone it removes all entries of these kinds.

        Raises:
            StoreError: the store is read-only, full or locked.
        """
        return maintenance.prune(
            self._index, self._blobs, max_bytes=max_bytes, older_than_s=older_than_s, kinds=kinds
        )

    def export(self, path: Path) -> int:
        """Writes the whole store into one tar file; returns the number of entries.

        Raises:
            StoreError: the store cannot be read or the file not be written.
        """
        return archive.export(self._index, self._blobs, Path(path))

    def import_(self, path: Path) -> ImportReport:
        """Takes in a file that `export` wrote, all or nothing; of two entries the newer stays.

        Raises:
            StoreError: the file is not such a file, or damaged, or the store cannot be written.
        """
        return archive.import_(self._index, self._blobs, Path(path))

    def close(self) -> None:
        """Writes the counts of lookups and closes the index."""
        if not self.read_only:
            self._flush()
        self._index.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _flush(self) -> bool:
        """Adds the counts of lookups to the index; a failure costs counts, not the caller."""
        pending = self._lookups.take()
        if not pending:
            return True
        try:
            self._index.write(lambda connection: maintenance.add_lookups(connection, pending))
        except StoreError as error:
            self._lookups.give_back(pending)
            logging.debug("counts of lookups are not written yet: %s", error)
            return False
        return True

    def _drop_if_damaged(self, key: Key) -> Entry | None:
        """Drops an entry that failed its checksum, unless it has been written anew since."""

        def work(connection: sqlite3.Connection) -> tuple[Entry | None, bool]:
            try:
                return _read(connection, key), False
            except DamagedRowError:
                connection.execute("DELETE FROM entries WHERE digest = ?", (key.digest,))
                return None, True

        entry, dropped = (None, True) if self.read_only else self._index.write(work)
        if dropped:
            self._notice(f"{key.kind} {key.digest[:12]} failed its checksum; dropped 1 entries")
        return entry

    def _drop_blob(self, digest: str, reason: str) -> None:
        def work(connection: sqlite3.Connection) -> int:
            users = "SELECT entry FROM entry_blobs WHERE blob = ?"
            dropped = connection.execute(
                f"DELETE FROM entries WHERE digest IN ({users})", (digest,)
            ).rowcount
            connection.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
            self._blobs.remove(digest)
            return dropped

        dropped = self._index.write(work)
        if dropped:
            self._notice(f"{reason}; dropped {dropped} entries that refer to it")

    def _notice(self, text: str) -> None:
        notice = f"store {self.path}: {text}"
        self._index.notices.append(notice)
        logging.warning("%s", notice)


def _read(connection: sqlite3.Connection, key: Key) -> Entry | None:
    row = rows.read_row(connection, key.digest)
    return None if row is None else row.entry()


class _Lookups:
    """Hits and misses a kind that are not in the index yet; a forked child starts with none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._pid = os.getpid()
        self._flushed = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether a few seconds have passed since the counts were taken."""
        return time.monotonic() - self._flushed > _FLUSH_S

    def count(self, kind: str, *, hit: bool) -> None:
        """Counts one lookup."""
        if os.getpid() != self._pid:
            self.__init__()
        with self._lock:
            self._counts.setdefault(kind, [0, 0])[0 if hit else 1] += 1

    def pending(self) -> dict[str, tuple[int, int]]:
        """Returns (hits, misses) a kind."""
        with self._lock:
            return {kind: (hits, misses) for kind, (hits, misses) in self._counts.items()}

    def take(self) -> dict[str, tuple[int, int]]:
        """Returns (hits, misses) a kind and starts at zero."""
        if os.getpid() != self._pid:
            self.__init__()
        with self._lock:
            taken = {kind: (hits, misses) for kind, (hits, misses) in self._counts.items()}
            self._counts = {}
            self._flushed = time.monotonic()
            return taken

    def give_back(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """Adds counts that could not be written."""
        with self._lock:
            for kind, (hits, misses) in counts.items():
                own = self._counts.setdefault(kind, [0, 0])
                own[0] += hits
                own[1] += misses
