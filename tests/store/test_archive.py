import io
import json
import tarfile

import pytest

from xla_evo.errors import StoreError
from xla_evo.store import Key, Store

KEYS = [Key.of("compile", n=str(n)) for n in range(5)]


@pytest.fixture
def exported(tmp_path, store):
    for n, key in enumerate(KEYS):
        store.put(key, {"n": n, "ns": [0.1, float("inf")]}, {"a": b"shared", "b": bytes([n])})
    file = tmp_path / "export.tar"
    assert store.export(file) == 5
    return file


@pytest.fixture
def other(tmp_path):
    with Store.open(tmp_path / "other") as opened:
        yield opened


def test_round_trip(store, exported, other):
    report = other.import_(exported)
    assert (report.added, report.replaced, report.kept, report.blobs) == (5, 0, 0, 6)
    assert list(other.entries()) == list(store.entries())
    for entry in other.entries():
        assert other.blob(entry.blobs["a"]) == b"shared"
        assert other.blob(entry.blobs["b"]) == bytes([entry.value["n"]])
    again = other.import_(exported)
    assert (again.added, again.replaced, again.kept, again.blobs) == (0, 0, 5, 0)


def test_the_newer_entry_stays(store, exported, other):
    other.put(KEYS[0], {"n": "newer"})
    assert other.import_(exported).kept == 1
    assert other.get(KEYS[0]).value == {"n": "newer"}
    store.put(KEYS[0], {"n": "newest"})
    store.export(exported)
    report = other.import_(exported)
    assert (report.added, report.replaced, report.kept) == (0, 1, 4)
    assert other.get(KEYS[0]).value == {"n": "newest"}


def test_a_damaged_entry_is_not_exported(tmp_path, folder, store, exported):
    digest = store.get(KEYS[2]).blobs["b"]
    (folder / "blobs" / digest[:2] / digest[2:]).write_bytes(b"garbage")
    assert store.export(exported) == 4
    with Store.open(tmp_path / "third") as third:
        assert third.import_(exported).added == 4


def test_a_bad_file_is_refused_and_nothing_of_it_taken(tmp_path, exported, other):
    whole = exported.read_bytes()
    for name, data in {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"hello\n" * 500,
        "flipped": whole.replace(b'"n":3', b'"n":X'),
    }.items():
        file = tmp_path / name
        file.write_bytes(data)
        with pytest.raises(StoreError):
            other.import_(file)
        assert list(other.entries()) == [], name
    with pytest.raises(StoreError, match="No such file"):
        other.import_(tmp_path / "missing")
    with pytest.raises(StoreError, match="directory"):
        other.import_(tmp_path)


def archive(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_a_hostile_file_is_refused(tmp_path, other):
    file = tmp_path / "hostile.tar"
    marker = tmp_path / "marker"
    archive(file, {"format.json": b'{"format": 1}', f"blobs/../../{marker}": b"x"})
    with pytest.raises(StoreError, match="damaged"):
        other.import_(file)
    assert not marker.exists()
    archive(file, {"format.json": b'{"format": 99}', "entries.jsonl": b""})
    with pytest.raises(StoreError, match="upgrade xla-evo"):
        other.import_(file)
    line = {"kind": "k", "parts": [], "value": {}, "blobs": {"a": "0" * 64}, "created": 1.0}
    archive(file, {"format.json": b'{"format": 1}', "entries.jsonl": json.dumps(line).encode()})
    with pytest.raises(StoreError, match="lacks a blob"):
        other.import_(file)
    assert list(other.entries()) == []


def test_export_into_a_missing_folder(tmp_path, store):
    with pytest.raises(StoreError, match="cannot write"):
        store.export(tmp_path / "no" / "such" / "file.tar")
