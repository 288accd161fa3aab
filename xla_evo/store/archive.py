"""One file for a whole store: a tar of ``format.json``, ``blobs/<sha256>`` and ``entries.jsonl``.

Blobs stand as they are stored (zlib streams) and before the entries that refer to them.
Nothing is ever unpacked by name: members are read as bytes and checked.
"""

import io
import json
import sqlite3
import tarfile
import tempfile
import time
from pathlib import Path
from typing import IO

from xla_evo.errors import StoreError
from xla_evo.store.blobs import BlobError, BlobFolder, Packed, unpack
from xla_evo.store.index import Index
from xla_evo.store.key import Entry, Key
from xla_evo.store.reports import ImportReport
from xla_evo.store.rows import (
    DamagedRowError,
    Row,
    has_blob,
    note_blob,
    read_row,
    read_rows,
    write_row,
)

FORMAT = 1
_FORMAT_NAME, _ENTRIES_NAME, _BLOBS_PREFIX = "format.json", "entries.jsonl", "blobs/"


def export(index: Index, blobs: BlobFolder, path: Path) -> int:
    """Writes the archive beside `path` and renames it; returns the number of entries.

    An entry one of whose blobs is missing or damaged is left out.

    Raises:
        StoreError: the index cannot be read or the file not be written.
    """
    partial: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".export-", delete=False) as file:
            partial = Path(file.name)
            count = index.read(lambda connection: _write(connection, blobs, file))
        partial.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)
    return count


def _write(connection: sqlite3.Connection, blobs: BlobFolder, file: IO[bytes]) -> int:
    lines: list[str] = []
    done: set[str] = set()
    file.seek(0)
    file.truncate()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, _FORMAT_NAME, json.dumps({"format": FORMAT}).encode())
        for row in list(read_rows(connection)):
            try:
                streams = {blob: blobs.stream(blob) for blob in row.blobs.values()}
                for blob, stream in streams.items():
                    unpack(blob, stream)
            except BlobError:
                continue
            for blob, stream in streams.items():
                if blob not in done:
                    _add(tar, _BLOBS_PREFIX + blob, stream)
                    done.add(blob)
            lines.append(_line(row))
        _add(tar, _ENTRIES_NAME, "".join(lines).encode())
    return len(lines)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mtime = int(time.time())
    member.mode = 0o600
    tar.addfile(member, io.BytesIO(data))


def _line(row: Row) -> str:
    fields = {
        "kind": row.kind,
        "parts": json.loads(row.parts),
        "value": json.loads(row.value),
        "blobs": dict(row.blobs),
        "created": row.created,
    }
    return json.dumps(fields, separators=(",", ":")) + "\n"


def import_(index: Index, blobs: BlobFolder, path: Path) -> ImportReport:
    """Takes an archive in, in one transaction.

    Raises:
        StoreError: it is missing, not such a file, damaged or of a newer format; or the store
            cannot be written.
    """
    try:
        with tarfile.open(path, mode="r:") as tar:
            return index.write(lambda connection: _read(connection, blobs, tar, path))
    except (tarfile.TarError, EOFError) as error:
        raise StoreError(f"{path} is not a whole export of a store: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _read(
    connection: sqlite3.Connection, blobs: BlobFolder, tar: tarfile.TarFile, path: Path
) -> ImportReport:
    counts = {"added": 0, "replaced": 0, "kept": 0, "blobs": 0}
    seen: set[str] = set()
    for member in tar:
        file = tar.extractfile(member)
        if file is None:
            continue
        data = file.read()
        if member.name == _FORMAT_NAME:
            _check_format(data, path)
        elif member.name.startswith(_BLOBS_PREFIX):
            counts["blobs"] += _take_blob(
                connection, blobs, member.name.removeprefix(_BLOBS_PREFIX), data, path
            )
        elif member.name == _ENTRIES_NAME:
            for line in data.decode(errors="replace").splitlines():
                counts[_take_entry(connection, line, path)] += 1
        seen.add(member.name)
    if not seen >= {_FORMAT_NAME, _ENTRIES_NAME}:
        raise StoreError(f"{path} is not a whole export of a store: its list of entries is missing")
    return ImportReport(**counts)


def _check_format(data: bytes, path: Path) -> None:
    try:
        found = int(json.loads(data)["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not an export of a store") from error
    if found > FORMAT:
        raise StoreError(
            f"{path} has format {found}, this xla-evo knows up to {FORMAT}: upgrade xla-evo"
        )


def _take_blob(
    connection: sqlite3.Connection, blobs: BlobFolder, digest: str, stream: bytes, path: Path
) -> bool:
    try:
        size = len(unpack(digest, stream))
    except BlobError as error:
        raise StoreError(f"{path}: {error}; nothing of it was taken in") from error
    written = blobs.write(Packed(digest, size, stream))
    note_blob(connection, digest, len(stream))
    return written


def _take_entry(connection: sqlite3.Connection, line: str, path: Path) -> str:
    try:
        fields = json.loads(line)
        key = Key(fields["kind"], tuple((name, text) for name, text in fields["parts"]))
        entry = Entry(key, fields["value"], fields["blobs"], float(fields["created"]))
        row = Row.of(entry)
    except (ValueError, KeyError, TypeError, StoreError) as error:
        raise StoreError(f"{path}: a damaged entry; nothing of it was taken in") from error
    if not all(has_blob(connection, blob) for blob in row.blobs.values()):
        raise StoreError(f"{path}: {key.kind} {key.digest[:12]} lacks a blob; nothing was taken in")
    try:
        present = read_row(connection, key.digest)
    except DamagedRowError:
        present = None
    if present is not None and present.created >= row.created:
        return "kept"
    write_row(connection, row)
    return "added" if present is None else "replaced"
