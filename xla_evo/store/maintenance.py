"""Upkeep: counts and sizes, and removal of what is old or no longer referred to."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from xla_evo.store.blobs import BlobFolder
from xla_evo.store.code import KIND, CodeFolder
from xla_evo.store.index import Index, StoreFullError, Work
from xla_evo.store.reports import KindStats, PruneReport, Stats
from xla_evo.store.schema import VERSION

T = TypeVar("T")

_ROW_BYTES = (
    "length(CAST(digest AS BLOB)) + length(CAST(parts AS BLOB)) + length(CAST(value AS BLOB))"
)


def add_lookups(connection: sqlite3.Connection, counts: Mapping[str, tuple[int, int]]) -> None:
    """Adds (hits, misses) a kind to the recorded ones."""
    connection.executemany(
        "INSERT INTO lookups VALUES (?, ?, ?) ON CONFLICT (kind) DO UPDATE "
        "SET hits = hits + excluded.hits, misses = misses + excluded.misses",
        [(kind, hits, misses) for kind, (hits, misses) in counts.items()],
    )


def disk_bytes(connection: sqlite3.Connection, folder: Path) -> int:
    """Returns what the index, its log, the blobs and machine code of custom calls take."""
    total = CodeFolder(folder).bytes()
    total += int(connection.execute("SELECT coalesce(sum(bytes), 0) FROM blobs").fetchone()[0])
    for name in ("index.sqlite", "index.sqlite-wal"):
        with contextlib.suppress(FileNotFoundError):
            total += (folder / name).stat().st_size
    return total


def stats(
    connection: sqlite3.Connection,
    folder: Path,
    pending: Mapping[str, tuple[int, int]],
    *,
    read_only: bool,
) -> Stats:
    """Returns the store's counts; `pending` are lookups that are not in the index."""
    rows = {
        kind: (entries, size)
        for kind, entries, size in connection.execute(
            f"SELECT kind, count(*), sum({_ROW_BYTES}) FROM entries GROUP BY kind"
        )
    }
    blobs = {
        kind: (count, size)
        for kind, count, size in connection.execute(
            "SELECT kind, count(*), sum(bytes) FROM (SELECT DISTINCT e.kind, b.digest, b.bytes "
            "FROM entries e JOIN entry_blobs eb ON eb.entry = e.digest "
            "JOIN blobs b ON b.digest = eb.blob) GROUP BY kind"
        )
    }
    lookups = {
        kind: (hits, misses)
        for kind, hits, misses in connection.execute("SELECT kind, hits, misses FROM lookups")
    }
    kinds: list[KindStats] = []
    for kind in sorted(rows.keys() | lookups.keys() | pending.keys()):
        entries, row_bytes = rows.get(kind, (0, 0))
        blob_count, blob_bytes = blobs.get(kind, (0, 0))
        hits, misses = lookups.get(kind, (0, 0))
        more_hits, more_misses = pending.get(kind, (0, 0))
        kinds.append(
            KindStats(
                kind=kind, entries=entries, hits=hits + more_hits, misses=misses + more_misses,
                blobs=blob_count, bytes=row_bytes + blob_bytes,
            )
        )  # fmt: skip
    libraries = CodeFolder(folder).libraries()
    if libraries:
        size = sum(library.bytes for library in libraries)
        kinds.append(
            KindStats(kind=KIND, entries=len(libraries), hits=0, misses=0, blobs=0, bytes=size)
        )
    return Stats(
        path=str(folder),
        schema=VERSION,
        read_only=read_only,
        bytes=disk_bytes(connection, folder),
        kinds=tuple(sorted(kinds, key=lambda row: row.kind)),
    )


def prune(
    index: Index,
    blobs: BlobFolder,
    *,
    max_bytes: int | None,
    older_than_s: float | None,
    kinds: Sequence[str] | None,
) -> PruneReport:
    """Removes entries as `Store.prune` says, then orphaned blobs, then empty pages."""
    folder = index.path.parent
    code = CodeFolder(folder)
    prunes_code = kinds is None or KIND in kinds
    before = index.read(lambda connection: disk_bytes(connection, folder))
    of_kinds, names = "1", []
    if kinds is not None:
        of_kinds, names = f"kind IN ({', '.join('?' * len(kinds))})", list(kinds)

    cutoff = time.time() - older_than_s if older_than_s is not None else time.time() + 1.0

    def by_age(connection: sqlite3.Connection) -> int:
        return connection.execute(
            f"DELETE FROM entries WHERE {of_kinds} AND created < ?", (*names, cutoff)
        ).rowcount

    selects_all = kinds is not None and max_bytes is None
    entries = 0

    def write(work: Work[int]) -> int:
        return _with_room(index, blobs, lambda: index.write(work))

    if older_than_s is not None or selects_all:
        entries = write(by_age)
        entries += code.remove_before(cutoff) if prunes_code else 0
    removed = write(lambda connection: _remove_orphans(connection, blobs))
    code.remove_partial()
    after = index.read(lambda connection: _settled_bytes(connection, folder))
    if max_bytes is not None and prunes_code:
        entries += code.remove_bytes(after - max_bytes)
        after = index.read(lambda connection: disk_bytes(connection, folder))
    while max_bytes is not None and after > max_bytes:
        excess = after - max_bytes
        dropped = write(lambda c, excess=excess: _drop_oldest(c, excess, of_kinds, names))
        removed += write(lambda connection: _remove_orphans(connection, blobs))
        after = index.read(lambda connection: _settled_bytes(connection, folder))
        entries += dropped
        if not dropped:
            break
    blobs.remove_partial()
    return PruneReport(entries=entries, blobs=removed, bytes_before=before, bytes_after=after)


def _with_room(index: Index, blobs: BlobFolder, work: Callable[[], T]) -> T:
    """Runs `work`; on a full disk, where even a removal needs room, makes some and tries again.

    Room is made by removing the blob files of the oldest entries, ever more of them. Such an entry
    goes when its blob is next asked for, as any whose blob is damaged.
    """
    wanted = 64 * 1024
    while True:
        try:
            return work()
        except StoreFullError:
            if not _remove_files(blobs, index.read(_oldest_blobs), wanted):
                raise
            wanted *= 2


def _oldest_blobs(connection: sqlite3.Connection) -> list[str]:
    query = (
        "SELECT eb.blob FROM entry_blobs eb JOIN entries e ON e.digest = eb.entry "
        "ORDER BY e.created"
    )
    return [digest for (digest,) in connection.execute(query)]


def _remove_files(blobs: BlobFolder, digests: Sequence[str], wanted_bytes: int) -> int:
    freed = 0
    for digest in digests:
        if freed >= wanted_bytes:
            break
        size = blobs.stored_bytes(digest) or 0
        if blobs.remove(digest):
            freed += size
    return freed


def _settled_bytes(connection: sqlite3.Connection, folder: Path) -> int:
    """Gives empty pages and the log back to the disk, where it has room to, then measures."""
    try:
        # A script, because `execute` takes one step, and a step gives back one page.
        connection.executescript("PRAGMA incremental_vacuum")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
    return disk_bytes(connection, folder)


def _drop_oldest(
    connection: sqlite3.Connection, excess_bytes: int, of_kinds: str, names: Sequence[str]
) -> int:
    """Removes the oldest entries until they and the blobs that only they use reach the excess."""
    users: dict[str, int] = dict(
        connection.execute("SELECT blob, count(*) FROM entry_blobs GROUP BY blob")
    )
    sizes: dict[str, int] = dict(connection.execute("SELECT digest, bytes FROM blobs"))
    doomed: list[tuple[str]] = []
    freed = 0
    for digest, row_bytes in connection.execute(
        f"SELECT digest, {_ROW_BYTES} FROM entries WHERE {of_kinds} ORDER BY created", names
    ):
        if freed >= excess_bytes:
            break
        doomed.append((digest,))
        freed += row_bytes
        for (blob,) in connection.execute(
            "SELECT blob FROM entry_blobs WHERE entry = ?", (digest,)
        ):
            users[blob] -= 1
            if users[blob] == 0:
                freed += sizes[blob]
    connection.executemany("DELETE FROM entries WHERE digest = ?", doomed)
    return len(doomed)


def _remove_orphans(connection: sqlite3.Connection, blobs: BlobFolder) -> int:
    """Removes blobs without an entry, in the table and on disk; the write lock is held."""
    connection.execute(
        "DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM entry_blobs WHERE blob = digest)"
    )
    known = {digest for (digest,) in connection.execute("SELECT digest FROM blobs")}
    return sum(blobs.remove(digest) for digest in list(blobs.digests()) if digest not in known)
