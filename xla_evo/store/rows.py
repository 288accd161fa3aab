"""Entries as rows: how one is written, read back and checked.

Every row carries a checksum of all it says, so that a row with flipped bits, which SQLite itself
cannot see, is a miss and not a wrong result.
"""

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xla_evo.errors import StoreError
from xla_evo.store.key import Entry, Json, Key, dump_json

_SELECT = "SELECT digest, kind, parts, value, created, checksum FROM entries"
_SELECT_ONE = (
    "SELECT digest, kind, parts, value, created, checksum, name, blob"
    " FROM entries LEFT JOIN entry_blobs ON entry = digest WHERE digest = ?"
)
"""An entry and its blobs in one statement: between two another process may write them anew."""
_Fields = tuple[str, str, str, str, float, int]


class DamagedRowError(Exception):
    """A row does not say what was written."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry with its key and value as JSON text."""

    digest: str
    kind: str
    parts: str
    value: str
    created: float
    blobs: Mapping[str, str]

    @classmethod
    def of(cls, entry: Entry) -> "Row":
        """Returns the row of an entry; `StoreError` when its value is not JSON."""
        value = dump_json(entry.value, what=f"value of {entry.key.kind} {entry.key.digest[:12]}")
        parts = json.dumps(entry.key.parts, separators=(",", ":"))
        return cls(entry.key.digest, entry.key.kind, parts, value, entry.created, dict(entry.blobs))

    @property
    def checksum(self) -> int:
        """CRC-32 of the row's contents."""
        fields = [self.digest, self.value, repr(self.created), sorted(self.blobs.items())]
        return zlib.crc32(json.dumps(fields).encode())

    def entry(self) -> Entry:
        """Returns the entry; `DamagedRowError` when the text is not what its digest says."""
        try:
            key = Key(self.kind, tuple((name, text) for name, text in json.loads(self.parts)))
            value: dict[str, Json] = json.loads(self.value)
        except (ValueError, TypeError, StoreError) as error:
            raise DamagedRowError(self.digest) from error
        if key.digest != self.digest:
            raise DamagedRowError(self.digest)
        return Entry(key, value, self.blobs, self.created)


def write_row(connection: sqlite3.Connection, row: Row) -> None:
    """Inserts or replaces a row and its links to blobs, which must be in the table of blobs."""
    connection.execute(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?)",
        (row.digest, row.kind, row.parts, row.value, row.created, row.checksum),
    )
    connection.executemany(
        "INSERT INTO entry_blobs VALUES (?, ?, ?)",
        [(row.digest, name, blob) for name, blob in row.blobs.items()],
    )


def note_blob(connection: sqlite3.Connection, digest: str, size_bytes: int) -> None:
    """Records that a blob file of that size exists."""
    connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest, size_bytes))


def has_blob(connection: sqlite3.Connection, digest: str) -> bool:
    """Tells whether a blob is recorded."""
    return (
        connection.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone() is not None
    )


def _row(connection: sqlite3.Connection, fields: _Fields) -> Row:
    blobs = connection.execute("SELECT name, blob FROM entry_blobs WHERE entry = ?", fields[:1])
    return _checked(fields, dict(blobs))


def _checked(fields: _Fields, blobs: Mapping[str, str]) -> Row:
    digest, kind, parts, value, created, checksum = fields
    row = Row(digest, kind, parts, value, created, blobs)
    if row.checksum != checksum:
        raise DamagedRowError(digest)
    return row


def read_row(connection: sqlite3.Connection, digest: str) -> Row | None:
    """Returns the row of a key's digest, or None; `DamagedRowError` when it fails its checksum."""
    found = connection.execute(_SELECT_ONE, (digest,)).fetchall()
    if not found:
        return None
    return _checked(found[0][:6], {name: blob for *_, name, blob in found if name is not None})


def read_rows(connection: sqlite3.Connection, kind: str | None = None) -> Iterator[Row]:
    """Yields the sound rows of a kind, or of all, in the order of their creation."""
    where, arguments = ("", ()) if kind is None else ("WHERE kind = ?", (kind,))
    for fields in connection.execute(f"{_SELECT} {where} ORDER BY created", arguments):
        try:
            yield _row(connection, fields)
        except DamagedRowError:
            continue


def salvage_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    """Yields what can still be read of a damaged index, from both ends towards the damage."""
    seen: set[str] = set()
    for order in ("rowid", "rowid DESC"):
        try:
            for fields in connection.execute(f"{_SELECT} NOT INDEXED ORDER BY {order}"):
                if fields[0] in seen:
                    break
                try:
                    row = _row(connection, fields)
                    row.entry()
                except (DamagedRowError, TypeError):
                    continue
                seen.add(row.digest)
                yield row
        except sqlite3.Error:
            continue
