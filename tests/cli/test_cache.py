import json

import pytest

from xla_evo.cli.main import main
from xla_evo.store import Key, Store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "store"
    monkeypatch.setenv("XLA_EVO_CACHE", str(folder))
    with Store.open(folder) as store:
        for n in range(3):
            store.put(Key.of("timing", n=str(n)), {"n": n}, {"a": bytes([n])})
        store.get(Key.of("timing", n="0"))
        store.get(Key.of("timing", n="none"))
    return folder


def printed(capsys, *words):
    assert main(["cache", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_stats(folder, capsys):
    lines = printed(capsys, "stats").splitlines()
    assert lines[0].startswith(f"{folder}  schema 1  ")
    assert lines[1].split() == ["kind", "entries", "hits", "misses", "hit", "rate", "blobs", "size"]
    assert lines[2].split()[:6] == ["timing", "3", "1", "1", "50.0%", "3"]


def test_stats_json(folder, capsys):
    stats = json.loads(printed(capsys, "stats", "--json"))
    assert stats["path"] == str(folder)
    (timing,) = stats["kinds"]
    assert timing["bytes"] > 0
    del timing["bytes"]
    assert timing == {
        "kind": "timing", "entries": 3, "hits": 1, "misses": 1, "hit_rate": 0.5, "blobs": 3,
    }  # fmt: skip


def test_path_makes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "new"))
    assert printed(capsys, "path") == f"{tmp_path / 'new'}\n"
    assert not (tmp_path / "new").exists()


def test_export_and_import(folder, tmp_path, monkeypatch, capsys):
    file = tmp_path / "store.tar"
    assert printed(capsys, "export", str(file)).startswith(f"wrote 3 entries to {file}, ")
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "other"))
    assert "3 entries added, 0 replaced" in printed(capsys, "import", str(file))
    report = json.loads(printed(capsys, "import", str(file), "--json"))
    assert report == {"added": 0, "replaced": 0, "kept": 3, "blobs": 0}
    assert main(["cache", "import", str(tmp_path / "missing")]) == 1
    assert "cannot read" in capsys.readouterr().err


def test_an_export_says_what_it_leaves_out(folder, tmp_path, capsys):
    blob = next(path for path in (folder / "blobs").rglob("*") if path.is_file())
    blob.unlink()
    file = str(tmp_path / "store.tar")
    assert "; 1 left out, since" in printed(capsys, "export", file)
    data = json.loads(printed(capsys, "export", file, "--json"))
    assert (data["entries"], data["left_out"]) == (2, 1)


def test_prune(folder, capsys):
    assert "removed 0 entries and 0 blobs" in printed(capsys, "prune")
    assert "removed 0 entries" in printed(capsys, "prune", "--older-than", "1h")
    report = json.loads(printed(capsys, "prune", "--kind", "timing", "--json"))
    assert (report["entries"], report["blobs"]) == (3, 3)


def test_machine_code_is_a_kind_of_its_own(folder, capsys):
    (folder / "native").mkdir()
    (folder / "native" / "a.so").write_bytes(bytes(1000))
    lines = printed(capsys, "stats").splitlines()
    assert lines[2].split()[:2] == ["native", "1"]
    assert "removed 1 entries and 0 blobs" in printed(capsys, "prune", "--kind", "native")
    assert len(json.loads(printed(capsys, "stats", "--json"))["kinds"]) == 1
