import hashlib
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xla_evo.store.blobs import BlobError, BlobFolder, pack, unpack


@given(st.binary(max_size=300))
def test_pack_and_unpack(data):
    packed = pack(data)
    assert packed.digest == hashlib.sha256(data).hexdigest()
    assert packed.size == len(data)
    assert unpack(packed.digest, packed.stream) == data


def test_write_once_and_read(tmp_path):
    blobs = BlobFolder(tmp_path / "blobs")
    packed = pack(b"text " * 1000)
    assert blobs.write(packed)
    assert not blobs.write(packed)
    assert blobs.read(packed.digest) == b"text " * 1000
    assert blobs.stored_bytes(packed.digest) < 200
    assert list(blobs.digests()) == [packed.digest]
    file = blobs.path(packed.digest)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_damage_is_found(tmp_path):
    blobs = BlobFolder(tmp_path)
    packed, other = pack(b"one"), pack(b"other")
    blobs.write(packed)
    for stream in (b"", packed.stream[:-3], b"not zlib", other.stream):
        blobs.path(packed.digest).write_bytes(stream)
        with pytest.raises(BlobError, match="damaged"):
            blobs.read(packed.digest)
    assert blobs.remove(packed.digest)
    assert not blobs.remove(packed.digest)
    with pytest.raises(BlobError, match="missing"):
        blobs.read(packed.digest)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    blobs = BlobFolder(tmp_path)
    packed = pack(b"one")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space"):
        blobs.write(packed)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_old_partial_files_go(tmp_path):
    blobs = BlobFolder(tmp_path)
    folder = tmp_path / "ab"
    folder.mkdir()
    old, new = folder / ".partial-old", folder / ".partial-new"
    for file in (old, new):
        file.write_bytes(b"x")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    assert blobs.remove_partial() == 1
    assert new.exists()
    assert list(blobs.digests()) == []
