"""The SQLite index of a store's folder: opening, transactions, damage and plain error messages.

One connection a process, used under a lock by its threads; a forked child opens its own. Before
each use the file is compared with the one that was opened, so a process notices when another one
has set a damaged index aside.
"""

import contextlib
import errno
import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

from absl import logging

from xla_evo.errors import StoreError
from xla_evo.store import rows, schema
from xla_evo.store.schema import DamagedIndexError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_S = 30.0
_ATTEMPTS = 3
_SIDE_FILES = ("", "-wal", "-shm")
_ELSEWHERE = "set XLA_EVO_CACHE to a folder that you can write"
_HINTS = {
    sqlite3.SQLITE_FULL: "no space left on its disk: free some (`xla-evo cache prune`), "
    "or set XLA_EVO_CACHE to another disk",
    sqlite3.SQLITE_READONLY: f"it is read-only: make it writable, or {_ELSEWHERE}",
    sqlite3.SQLITE_CANTOPEN: f"it cannot be opened: check its rights, or {_ELSEWHERE}",
    sqlite3.SQLITE_BUSY: f"another process has kept it locked for {BUSY_S:.0f} s: "
    "end that process, or set XLA_EVO_CACHE to another folder",
}
_ABANDONED: list[sqlite3.Connection] = []
_INDEXES: "weakref.WeakSet[Index]" = weakref.WeakSet()


class StoreFullError(StoreError):
    """There is no space left on the store's disk."""


class Index:
    """The file ``index.sqlite`` of a folder.

    Attributes:
        path: the file.
        read_only: whether it could only be opened for reading.
        notices: what a person should know: damage found, rows saved.
    """

    def __init__(self, folder: Path, blob_bytes: Callable[[str], int | None]) -> None:
        """Opens or makes the index.

        Args:
            folder: the store's folder, made with mode 0700 when missing.
            blob_bytes: size in bytes of a blob's file, None when missing; used to save rows.

        Raises:
            StoreError: the folder or the index cannot be used.
        """
        self.path = folder / "index.sqlite"
        self.read_only = False
        self.notices: list[str] = []
        self._blob_bytes = blob_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        _INDEXES.add(self)
        self.read(lambda connection: connection.execute("PRAGMA user_version").fetchone())

    def read(self, work: Work[T]) -> T:
        """Runs `work` on the connection, outside a transaction.

        It runs again, on a new index, when the index proves damaged.

        Raises:
            StoreError: the index cannot be read.
        """
        return self._run(work)

    def write(self, work: Work[T]) -> T:
        """Runs `work` in a transaction that holds the write lock from its start.

        Raises:
            StoreError: the index cannot be written; nothing of `work` is then in it.
        """

        def transaction(connection: sqlite3.Connection) -> T:
            if self.read_only:
                raise StoreError(f"store {self.path.parent}: {_HINTS[sqlite3.SQLITE_READONLY]}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
            return result

        return self._run(transaction)

    def close(self) -> None:
        """Closes this process's connection; the next use opens one again."""
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.close()
                self._connection = None

    def forget(self) -> None:
        """Leaves the connection to the parent process; called in a child after fork."""
        if self._connection is not None:
            _ABANDONED.append(self._connection)
        self._connection = None
        self._lock = threading.RLock()

    def _run(self, work: Work[T]) -> T:
        with self._lock:
            for _ in range(_ATTEMPTS):
                try:
                    return work(self._connected())
                except (sqlite3.Error, DamagedIndexError) as error:
                    if not self._damaged(error):
                        raise self._explained(error) from error
                    self._set_aside(error)
                except OSError as error:
                    raise self._explained(error) from error
            raise StoreError(f"store {self.path.parent} is damaged again and again: check its disk")

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and _identity(self.path) == self._file:
            return self._connection
        self.close()
        folder = self.path.parent
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        present = self.path.exists()
        self.read_only = not os.access(folder, os.W_OK | os.X_OK) or (
            present and not os.access(self.path, os.W_OK)
        )
        if self.read_only:
            if not present:
                raise PermissionError(errno.EACCES, "folder is read-only and holds no store")
            self._file = _identity(self.path)
            self._connection = _open_read_only(self.path)
            return self._connection
        with folder_lock(folder):
            self.path.touch(mode=0o600)
            self._file = _identity(self.path)
            self._connection = _open(self.path)
            try:
                schema.prepare(self._connection, self.path)
            except BaseException:
                self.close()
                raise
        return self._connection

    def _damaged(self, error: Exception) -> bool:
        if isinstance(error, DamagedIndexError):
            return True
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return True
        if code in _HINTS:
            return False
        try:
            with contextlib.closing(_open(self.path)) as connection:
                return connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok"
        except sqlite3.Error as second:
            return second.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

    def _explained(self, error: Exception) -> StoreError:
        where = f"store {self.path.parent}"
        code = getattr(error, "sqlite_errorcode", None)
        no_space = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if no_space or code == sqlite3.SQLITE_FULL:
            return StoreFullError(f"{where}: {_HINTS[sqlite3.SQLITE_FULL]}")
        if isinstance(error, OSError):
            return StoreError(f"{where} cannot be used: {error.strerror or error}; {_ELSEWHERE}")
        hint = _HINTS.get((code or 0) & 0xFF)
        return StoreError(f"{where}: {hint}" if hint else f"{where}: SQLite says {error}")

    def _set_aside(self, error: Exception) -> None:
        """Renames the damaged index, unless another process has, and saves what it can of it."""
        if self.read_only:
            raise StoreError(f"store {self.path.parent} is damaged and read-only: {_ELSEWHERE}")
        self.close()
        with folder_lock(self.path.parent):
            if _identity(self.path) != self._file:
                return
            aside = self.path.with_name(f"{self.path.name}.corrupt-{time.time_ns() // 1_000_000}")
            for suffix in _SIDE_FILES:
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
            self.path.touch(mode=0o600)
            with contextlib.closing(_open(self.path)) as fresh:
                schema.prepare(fresh, self.path)
                saved = self._salvage(fresh, aside)
        notice = (
            f"store {self.path.parent} was damaged ({error}): set aside as {aside.name}, "
            f"started anew with the {saved} entries that could be saved"
        )
        self.notices.append(notice)
        logging.warning("%s", notice)

    def _salvage(self, fresh: sqlite3.Connection, aside: Path) -> int:
        saved = 0
        try:
            with contextlib.closing(_open(aside)) as old:
                fresh.execute("BEGIN IMMEDIATE")
                for row in rows.salvage_rows(old):
                    sizes = {blob: self._blob_bytes(blob) for blob in row.blobs.values()}
                    if None in sizes.values():
                        continue
                    for blob, size in sizes.items():
                        rows.note_blob(fresh, blob, size or 0)
                    rows.write_row(fresh, row)
                    saved += 1
        except sqlite3.Error:
            logging.debug("index %s: reading stopped after %d entries", aside, saved)
        if fresh.in_transaction:
            fresh.execute("COMMIT")
        return saved


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _lenient_text(data: bytes) -> str:
    """Decodes damaged text too; the row's checksum then tells."""
    return data.decode(errors="replace")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _lenient_text
    return connection


def _open_read_only(path: Path) -> sqlite3.Connection:
    """Opens a WAL index that cannot be written; ``immutable`` where no side file may be made."""
    error: sqlite3.Error | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_S,
            isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        connection.text_factory = _lenient_text
        try:
            if schema.read_version(connection, path) == 0:
                raise StoreError(f"store {path.parent} is read-only and empty: {_ELSEWHERE}")
        except sqlite3.OperationalError as caught:
            connection.close()
            error = caught
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    assert error is not None
    raise error


@contextlib.contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """Holds the folder against other processes that open, make or set aside its index."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _after_fork_in_child() -> None:
    for index in list(_INDEXES):
        index.forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
