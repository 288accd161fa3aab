"""Damage, newer schemas, missing rights and full disks."""

import errno
import os
import shutil
import sqlite3
import subprocess

import pytest

from xla_evo.errors import StoreError
from xla_evo.store import Key, Store
from xla_evo.store import index as index_module

KEYS = [Key.of("timing", n=str(n)) for n in range(400)]


def fill(folder):
    with Store.open(folder) as store:
        store.put_many([(key, {"n": n, "pad": "x" * 200}, {}) for n, key in enumerate(KEYS)])
        store.put(Key.of("compile"), {}, {"a": b"the code"})


def spoil_start(path):
    path.write_bytes(b"this is no database\n" * 100)


def spoil_middle(path):
    data = bytearray(path.read_bytes())
    page = 4096
    for start in range(page * 10, len(data), page * 8):
        data[start : start + page] = b"\xa5" * page
    path.write_bytes(data)


def spoil_end(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 // 4096 * 4096 + 100])


def spoil_schema(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE lookups")
    connection.close()


@pytest.mark.parametrize("spoil", [spoil_start, spoil_middle, spoil_end, spoil_schema])
def test_a_damaged_index_is_set_aside_told_and_rebuilt(folder, spoil):
    fill(folder)
    spoil(folder / "index.sqlite")
    with Store.open(folder) as store:
        found = [store.get(key) for key in KEYS]
        for n, entry in enumerate(found):
            assert entry is None or entry.value["n"] == n
        entry = store.put(KEYS[0], {"n": "anew"})
        assert store.get(KEYS[0]) == entry
        (notice,) = store.notices
    assert "set aside as index.sqlite.corrupt-" in notice
    assert len(list(folder.glob("index.sqlite.corrupt-*[0-9]"))) == 1
    with Store.open(folder) as store:
        assert store.notices == ()
        assert store.get(KEYS[0]) == entry


def test_what_can_be_read_is_saved(folder):
    fill(folder)
    spoil_schema(folder / "index.sqlite")
    with Store.open(folder) as store:
        assert all(store.get(key) is not None for key in KEYS)
        entry = store.get(Key.of("compile"))
        assert store.blob(entry.blobs["a"]) == b"the code"
        assert "401 entries that could be saved" in store.notices[0]


def test_damage_in_the_middle_keeps_the_ends(folder):
    fill(folder)
    path = folder / "index.sqlite"
    with sqlite3.connect(path) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'")
        assert root.fetchone()
        pages = path.stat().st_size // 4096
    connection.close()
    data = bytearray(path.read_bytes())
    leaf = pages // 2
    data[leaf * 4096 : leaf * 4096 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with Store.open(folder) as store:
        hits = sum(store.get(key) is not None for key in KEYS)
        list(store.entries())
        hits = min(hits, sum(store.get(key) is not None for key in KEYS))
    assert len(KEYS) // 4 < hits


def test_an_entry_whose_blob_is_gone_is_not_saved(folder):
    fill(folder)
    shutil.rmtree(folder / "blobs")
    spoil_schema(folder / "index.sqlite")
    with Store.open(folder) as store:
        assert store.get(Key.of("compile")) is None
        assert store.get(KEYS[0]) is not None


def test_damage_during_a_run_keeps_the_run(folder):
    fill(folder)
    with Store.open(folder) as store:
        spoil_middle(folder / "index.sqlite")
        for n in range(100):
            store.put(Key.of("during", n=str(n)), {"n": n})
        assert all(entry is None or entry.key in KEYS for entry in map(store.get, KEYS))
        (notice,) = store.notices
        assert "was damaged" in notice
        assert store.put(KEYS[0], {}) == store.get(KEYS[0])


def test_an_index_that_another_process_set_aside_is_noticed(folder):
    with Store.open(folder) as one, Store.open(folder) as other:
        one.put(KEYS[0], {"n": 0})
        (folder / "index.sqlite").rename(folder / "aside")
        other.put(KEYS[1], {"n": 1})
        one._index._set_aside(sqlite3.DatabaseError("seen before the other process acted"))
        assert list(folder.glob("*.corrupt-*")) == []
        assert one.get(KEYS[1]).value == {"n": 1}
        assert one.notices == other.notices == ()


def test_a_folder_removed_during_a_run_is_made_again(folder):
    with Store.open(folder) as store:
        store.put(KEYS[0], {"n": 0}, {"a": b"1"})
        shutil.rmtree(folder)
        store.put(KEYS[1], {"n": 1}, {"a": b"1"})
        assert store.get(KEYS[0]) is None
        assert store.get(KEYS[1]) is not None


def test_a_newer_schema_is_left_alone(folder):
    fill(folder)
    with sqlite3.connect(folder / "index.sqlite") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"schema 7.*upgrade xla-evo, or set XLA_EVO_CACHE"):
            Store.open(folder)
    assert list(folder.glob("*.corrupt-*")) == []


def test_a_file_in_place_of_the_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    for path in (file, file / "below"):
        with pytest.raises(StoreError, match="set XLA_EVO_CACHE to a folder that you can write"):
            Store.open(path)


@pytest.fixture
def without_rights(monkeypatch):
    monkeypatch.setattr(index_module.os, "access", lambda *_: False)


def test_a_read_only_folder_can_be_read(folder, without_rights, monkeypatch):
    monkeypatch.undo()
    fill(folder)
    monkeypatch.setattr(index_module.os, "access", lambda *_: False)
    with Store.open(folder) as store:
        assert store.read_only
        assert store.get(KEYS[3]).value["n"] == 3
        assert store.get(Key.of("none")) is None
        stats = store.stats()
        assert stats.read_only
        assert [row.hits for row in stats.kinds if row.kind == "timing"] == [1]
        with pytest.raises(StoreError, match="read-only: make it writable, or set XLA_EVO_CACHE"):
            store.put(KEYS[0], {})
        with pytest.raises(StoreError, match="read-only"):
            store.prune(max_bytes=0)


def test_a_read_only_folder_without_a_store(tmp_path, without_rights):
    with pytest.raises(StoreError, match="holds no store"):
        Store.open(tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill_disk(store, at_most=10_000):
    written = []
    with pytest.raises(StoreError, match=r"no space left on its disk.*cache prune"):  # noqa: PT012
        for n in range(at_most):
            key = Key.of("compile", n=str(n))
            store.put(key, {"n": n}, {"a": b"shared", "b": os.urandom(4000)})
            written.append(key)
    return written


def test_a_full_disk_loses_nothing_and_can_be_pruned(small_disk):
    with Store.open(small_disk / "store") as store:
        (small_disk / "ballast").write_bytes(bytes(3 << 20))
        written = fill_disk(store)
        assert written
        assert all(store.get(key) is not None for key in written)
        report = store.prune(max_bytes=200_000)
        assert report.bytes_after <= 200_000
        assert store.get(store.put(written[0], {"n": "again"}, {"c": b"c"}).key) is not None


def test_a_full_index(folder, store):
    pages = store._index.read(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    store._index.read(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 10}").fetchone())
    written = fill_disk(store)
    assert written
    assert all(store.get(key) is not None for key in written)


def test_no_room_for_a_blob(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("xla_evo.store.blobs.BlobFolder.write", full)
    with pytest.raises(StoreError, match="no space left on its disk"):
        store.put(KEYS[0], {}, {"a": b"1"})
    assert store.get(KEYS[0]) is None
    store.put(KEYS[0], {})
    assert store.get(KEYS[0]) is not None


def test_a_lock_that_stays_is_one_line(folder, store, monkeypatch):
    monkeypatch.setattr(index_module, "BUSY_S", 0.1)
    store.put(KEYS[0], {})
    store.close()
    with Store.open(folder) as other:
        holder = sqlite3.connect(folder / "index.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has kept it locked"):
            other.put(KEYS[1], {})
        assert other.get(KEYS[0]) is not None
        holder.execute("ROLLBACK")
        holder.close()
        other.put(KEYS[1], {})
