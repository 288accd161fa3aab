import os
import time

import pytest

from xla_evo.store import Key


def fill(store, count, kind="compile", size=4000):
    for n in range(count):
        blobs = {"object": os.urandom(size), "shared": b"the same for all"}
        store.put(Key.of(kind, n=str(n)), {"n": n}, blobs)


def add_code(folder, used):
    """A library of 1000 bytes for each time in seconds of the epoch."""
    native = folder / "native"
    native.mkdir(exist_ok=True)
    for n, seconds in enumerate(used):
        (native / f"{n}.so").write_bytes(bytes(936))
        (native / f"{n}.sha256").write_bytes(bytes(64))
        os.utime(native / f"{n}.so", (1, 1))
        os.utime(native / f"{n}.sha256", (seconds, seconds))
    return native


def names(native):
    return sorted(file.name for file in native.iterdir())


def on_disk(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_stats_count_a_shared_blob_once(folder, store):
    fill(store, 10)
    fill(store, 3, kind="other")
    stats = store.stats()
    compiled, other = stats.kinds
    assert (compiled.kind, compiled.entries, compiled.blobs) == ("compile", 10, 11)
    assert (other.entries, other.blobs) == (3, 4)
    assert 40_000 < compiled.bytes < 50_000
    assert stats.path == str(folder)
    assert stats.schema == 1
    assert not stats.read_only
    assert stats.bytes == pytest.approx(on_disk(folder), abs=40_000)


def test_prune_by_size_removes_the_oldest(folder, store):
    fill(store, 200)
    report = store.prune(max_bytes=300_000)
    left = [entry.value["n"] for entry in store.entries()]
    assert 0 < len(left) < 100
    assert left == list(range(200 - len(left), 200))
    assert report.entries == 200 - len(left)
    assert report.blobs == report.entries
    assert report.bytes_after <= 300_000 < report.bytes_before
    assert on_disk(folder) <= 300_000 + 40_000
    for entry in store.entries():
        for digest in entry.blobs.values():
            store.blob(digest)


def test_prune_by_age_and_kind(store, monkeypatch):
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now - 100)
    fill(store, 4, kind="old")
    fill(store, 4, kind="old too")
    monkeypatch.setattr("time.time", lambda: now)
    fill(store, 4, kind="new")
    assert store.prune(older_than_s=50, kinds=["old", "new"]).entries == 4
    assert {row.kind for row in store.stats().kinds} == {"old too", "new"}
    assert store.prune(older_than_s=50).entries == 4
    assert store.prune(older_than_s=50).entries == 0
    assert store.prune(kinds=["old"]).entries == 0
    assert store.prune(kinds=["new"]).entries == 4
    assert list(store.entries()) == []


def test_prune_without_limits_removes_orphans_alone(folder, store):
    fill(store, 3)
    (folder / "blobs" / "ab").mkdir(exist_ok=True)
    (folder / "blobs" / "ab" / ("0" * 62)).write_bytes(b"nobody's")
    report = store.prune()
    assert (report.entries, report.blobs) == (0, 1)
    assert len(list(store.entries())) == 3


def test_prune_to_nothing(folder, store):
    fill(store, 20)
    report = store.prune(max_bytes=0)
    assert report.entries == 20
    assert report.bytes_after < 100_000
    assert [file for file in (folder / "blobs").rglob("*") if file.is_file()] == []


def test_machine_code_is_counted_and_removed_by_last_use(folder, store):
    empty = store.stats()
    assert empty.kinds == ()
    native = add_code(folder, [300.0, 100.0, 200.0])
    stats = store.stats()
    (row,) = stats.kinds
    assert (row.kind, row.entries, row.bytes, row.hit_rate) == ("native", 3, 3000, None)
    assert stats.bytes == empty.bytes + 3000
    assert store.prune().entries == 0
    assert store.prune(older_than_s=time.time() - 150).entries == 1
    assert names(native) == ["0.sha256", "0.so", "2.sha256", "2.so"]
    bytes_now = store.prune().bytes_after
    report = store.prune(max_bytes=bytes_now - 1)
    assert (report.entries, report.bytes_after) == (1, bytes_now - 1000)
    assert names(native) == ["0.sha256", "0.so"]
    assert store.prune(kinds=["native"]).entries == 1
    assert names(native) == []


def test_machine_code_goes_before_entries_and_not_with_those_of_a_kind(folder, store):
    fill(store, 3)
    native = add_code(folder, [1.0])
    assert store.prune(kinds=["compile"], older_than_s=0).entries == 3
    assert len(names(native)) == 2
    fill(store, 3)
    assert store.prune(max_bytes=store.prune().bytes_after - 1).entries == 1
    assert names(native) == []
    assert len(list(store.entries())) == 3


def test_builds_that_were_killed_long_ago_are_removed(folder, store):
    native = add_code(folder, [])
    for name, seconds in (("tmpold", 1.0), ("tmpnew", time.time())):
        (native / name).mkdir()
        (native / name / "program.cc").write_text("int x;")
        os.utime(native / name, (seconds, seconds))
    assert store.stats().bytes >= 12
    store.prune()
    assert names(native) == ["tmpnew"]
