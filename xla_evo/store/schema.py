"""Tables of the index, their version, and how an older index becomes the current one.

A migration is a row of `MIGRATIONS`; the version is ``PRAGMA user_version``.
"""

import sqlite3
from pathlib import Path

from xla_evo.errors import StoreError

APPLICATION_ID = 0x786C6165  # "xlae"

_VERSION_1 = (
    """CREATE TABLE entries (
        digest TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        parts TEXT NOT NULL,
        value TEXT NOT NULL,
        created REAL NOT NULL,
        checksum INTEGER NOT NULL
    )""",
    "CREATE INDEX entries_by_kind ON entries (kind, created)",
    "CREATE TABLE blobs (digest TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE entry_blobs (
        entry TEXT NOT NULL REFERENCES entries (digest) ON DELETE CASCADE,
        name TEXT NOT NULL,
        blob TEXT NOT NULL REFERENCES blobs (digest),
        PRIMARY KEY (entry, name)
    ) WITHOUT ROWID""",
    "CREATE INDEX entry_blobs_by_blob ON entry_blobs (blob)",
    """CREATE TABLE lookups (
        kind TEXT PRIMARY KEY, hits INTEGER NOT NULL, misses INTEGER NOT NULL
    ) WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1,)
"""Row n holds the statements that lead from version n to version n + 1."""

VERSION = len(MIGRATIONS)
_TABLES = frozenset({"entries", "blobs", "entry_blobs", "lookups"})


class DamagedIndexError(Exception):
    """The file is an SQLite database, but not a whole index of ours."""


def read_version(connection: sqlite3.Connection, path: Path) -> int:
    """Returns the schema version of the index, 0 when it is empty.

    Raises:
        StoreError: a newer xla-evo wrote it.
        DamagedIndexError: tables are missing, or it belongs to something else.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StoreError(
            f"store {path.parent} has schema {version}, this xla-evo knows up to {VERSION}: "
            "upgrade xla-evo, or set XLA_EVO_CACHE to another folder"
        )
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if version == 0 and tables:
        raise DamagedIndexError("it holds tables but no schema version")
    if version and not tables >= _TABLES:
        raise DamagedIndexError(f"it lacks the tables {', '.join(sorted(_TABLES - tables))}")
    return version


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Sets the connection up and brings the index to the current version.

    Raises:
        StoreError: a newer xla-evo wrote it.
        DamagedIndexError: tables are missing, or it belongs to something else.
        sqlite3.Error: as SQLite says.
    """
    version = read_version(connection, path)
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
