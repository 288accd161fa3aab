import math
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xla_evo.errors import StoreError
from xla_evo.store import Key, Store, default_path, rows

KEY = Key.of("timing", program="ab", backend="cpu")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def kinds(store):
    return {row.kind: row for row in store.stats().kinds}


def test_put_then_get(store):
    entry = store.put(KEY, {"ns": [1.5, 2.0]}, {"hlo": b"HloModule", "object": b"\x7fELF\x00"})
    assert store.get(KEY) == entry
    assert store.blob(entry.blobs["hlo"]) == b"HloModule"
    assert store.blob(entry.blobs["object"]) == b"\x7fELF\x00"
    assert store.get(Key.of("timing", program="ab", backend="cuda")) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(value=st.dictionaries(st.text(), JSON, max_size=4))
def test_values_come_back_as_they_were(store, value):
    store.put(KEY, value)
    assert store.get(KEY).value == value


def test_infinities_come_back(store):
    store.put(KEY, {"max_ulp": math.inf, "worst": math.nan})
    value = store.get(KEY).value
    assert value["max_ulp"] == math.inf
    assert math.isnan(value["worst"])


def test_last_writer_wins(store):
    first = store.put(KEY, {"n": 1}, {"a": b"1", "b": b"2"})
    second = store.put(KEY, {"n": 2}, {"a": b"3"})
    assert store.get(KEY) == second
    assert set(second.blobs) == {"a"}
    assert second.created >= first.created
    assert [row.entries for row in store.stats().kinds] == [1]


def test_put_many_is_all_or_nothing(store):
    items = [(Key.of("k", n=str(n)), {"n": n}, {}) for n in range(10)]
    assert len(store.put_many(items)) == 10
    bad = [(Key.of("k", n="new"), {"n": 0}, {}), (Key.of("k", n="bad"), {"n": object()}, {})]
    with pytest.raises(StoreError, match="cannot be stored as JSON"):
        store.put_many(bad)
    assert len(list(store.entries("k"))) == 10
    assert store.get(bad[0][0]) is None


def test_it_is_still_there_after_reopening(folder):
    with Store.open(folder) as store:
        entry = store.put(KEY, {"n": 1}, {"a": b"1"})
    with Store.open(folder) as store:
        assert store.get(KEY) == entry
        assert list(store.entries()) == [entry]
        assert store.blob(entry.blobs["a"]) == b"1"


def test_rights_are_the_users_alone(folder, store):
    store.put(KEY, {}, {"a": b"1"})
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in folder.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_hits_and_misses_are_kept(folder):
    with Store.open(folder) as store:
        store.get(KEY)
        store.put(KEY, {})
        store.get(KEY)
        store.get(KEY)
        store.get(Key.of("compile", program="ab"))
        rows = kinds(store)
    with Store.open(folder) as store:
        store.get(KEY)
        again = kinds(store)
    assert (rows["timing"].hits, rows["timing"].misses) == (2, 1)
    assert (rows["compile"].hits, rows["compile"].misses) == (0, 1)
    assert (again["timing"].hits, again["timing"].misses) == (3, 1)
    assert again["timing"].hit_rate == 0.75
    assert again["compile"].entries == 0


def test_lookups_that_cannot_be_written_are_counted_later(folder, store, monkeypatch):
    with monkeypatch.context() as patch:

        def full(_):
            raise StoreError("full")

        patch.setattr(store._index, "write", full)
        store.get(KEY)
        assert kinds(store)["timing"].misses == 1
    store.get(KEY)
    store.close()
    with Store.open(folder) as again:
        assert kinds(again)["timing"].misses == 2


def test_a_damaged_blob_is_an_error_and_then_a_miss(folder, store):
    entry = store.put(KEY, {"n": 1}, {"a": b"the code"})
    other = Key.of("timing", program="cd", backend="cpu")
    store.put(other, {"n": 2})
    digest = entry.blobs["a"]
    (folder / "blobs" / digest[:2] / digest[2:]).write_bytes(b"garbage")
    with pytest.raises(StoreError, match=r"damaged.*compute it again"):
        store.blob(digest)
    assert store.get(KEY) is None
    assert store.get(other) is not None
    assert any("dropped 1 entries" in notice for notice in store.notices)
    again = store.put(KEY, {"n": 1}, {"a": b"the code"})
    assert store.blob(again.blobs["a"]) == b"the code"


def test_a_missing_blob_is_an_error(store):
    with pytest.raises(StoreError, match="missing"):
        store.blob("0" * 64)


def test_a_row_with_flipped_bits_is_a_miss(store):
    store.put(KEY, {"ns": 1.5})
    store._index.write(lambda c: c.execute("UPDATE entries SET value = replace(value, '1', '9')"))
    assert store.get(KEY) is None
    assert "checksum" in store.notices[0]
    assert list(store.entries()) == []


def test_an_entry_that_is_written_anew_while_it_is_read_is_none_the_worse(folder, store):
    written = [store.put(KEY, {"n": 0}, {"a": b"0"})]
    with Store.open(folder) as other:

        def write_anew(_):
            n = len(written)
            written.append(other.put(KEY, {"n": n}, {"a": b"%d" % n}))

        store._index.read(lambda connection: connection.set_trace_callback(write_anew))
        assert store.get(KEY) in written
        store._index.read(lambda connection: connection.set_trace_callback(None))
    assert len(written) > 1
    assert store.get(KEY) == written[-1]
    assert store.notices == ()


def test_a_damaged_entry_that_was_written_anew_since_is_kept(store, monkeypatch):
    entry = store.put(KEY, {"n": 1}, {"a": b"1"})
    read, seen = rows.read_row, []

    def damaged_at_first(connection, digest):
        seen.append(digest)
        if len(seen) == 1:
            raise rows.DamagedRowError(digest)
        return read(connection, digest)

    monkeypatch.setattr(rows, "read_row", damaged_at_first)
    assert store.get(KEY) == entry
    assert store.notices == ()


def test_explain(store):
    key = Key.of("timing", program="ab", backend="cpu", jaxlib="0.12.0")
    assert "no timing entry is recorded" in store.explain(key)
    store.put(Key.of("timing", program="ab", backend="cpu", jaxlib="0.10.2"), {})
    store.put(Key.of("timing", program="zz", backend="cuda", jaxlib="0.10.2"), {})
    store.put(Key.of("compile", program="ab", backend="cpu", jaxlib="0.12.0"), {})
    lines = store.explain(key).splitlines()
    assert lines[0].startswith("miss: timing(program=ab")
    assert "nearest of 2 timing entries" in lines[1]
    assert "differs in 1 of 3 parts" in lines[1]
    assert lines[2:] == ["  jaxlib: asked 0.12.0, recorded 0.10.2"]
    store.put(key, {})
    assert store.explain(key).startswith("hit: timing(program=ab")
    other = store.explain(Key.of("timing", backend="cpu", jaxlib="0.12.0", flags="-O3"))
    assert "flags: asked -O3, recorded (no such part)" in other
    assert "program: asked (no such part), recorded ab" in other
    assert "another order" in store.explain(Key(key.kind, key.parts[::-1]))


def test_threads_share_a_store(store):
    failures = []

    def work(name):
        try:
            for n in range(50):
                key = Key.of("k", name=name, n=str(n))
                store.put(key, {"n": n}, {"a": b"shared", "b": f"{name}{n}".encode()})
                assert store.get(key).value == {"n": n}
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    row = kinds(store)["k"]
    assert (row.entries, row.hits, row.blobs) == (200, 200, 201)


def test_default_path(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XLA_EVO_CACHE", "/somewhere/else")
    assert default_path() == Path("/somewhere/else")
    monkeypatch.delenv("XLA_EVO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_path() == Path("/caches/xla-evo")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_path() == Path.home() / ".cache" / "xla-evo"
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_path() == Path.home() / "Library" / "Caches" / "xla-evo"


def test_a_user_without_a_home_folder_is_told_what_to_set(homeless, monkeypatch):
    for call in (default_path, Store.open):
        with pytest.raises(StoreError, match="no home folder ~; set XLA_EVO_CACHE"):
            call()
    monkeypatch.setenv("XLA_EVO_CACHE", "~nobody/cache")
    with pytest.raises(StoreError, match="no home folder ~nobody/cache; set XLA_EVO_CACHE"):
        default_path()
