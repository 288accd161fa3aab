"""Several processes on one store."""

import os
import signal
import subprocess
import sys
import time

import pytest

from xla_evo.store import Key, Store

WRITER = """
import sys
from pathlib import Path
from xla_evo.store import Key, Store
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Store.open(folder) as store:
    print("open", flush=True)
    for n in range(count):
        store.put(Key.of("own", name=name, n=str(n)), {"n": n}, {"a": f"{name} {n}".encode()})
        store.put(Key.of("common", n=str(n)), {"by": name}, {"a": f"common {n}".encode() * 50})
        assert store.get(Key.of("own", name=name, n=str(n))).value == {"n": n}
"""

FORKER = """
import os, sys
from pathlib import Path
from xla_evo.store import Key, Store
with Store.open(Path(sys.argv[1])) as store:
    store.put(Key.of("before"), {"n": 1}, {"a": b"1"})
    children = []
    for name in "abc":
        child = os.fork()
        if child == 0:
            assert store._index._connection is None
            for n in range(30):
                store.put(Key.of("own", name=name, n=str(n)), {"n": n}, {"a": bytes([n])})
                store.get(Key.of("before"))
            store.close()
            os._exit(0)
        children.append(child)
    for n in range(30):
        store.put(Key.of("own", name="parent", n=str(n)), {"n": n})
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert store.notices == ()
"""


def start(script, *arguments):
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_processes_write_at_once(folder):
    names = ["one", "two", "three"]
    writers = [start(WRITER, folder, name, 100) for name in names]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    with Store.open(folder) as store:
        assert store.notices == ()
        rows = {row.kind: row for row in store.stats().kinds}
        assert rows["own"].entries == 300
        assert rows["own"].hits == 300
        assert rows["common"].entries == 100
        for entry in store.entries():
            for digest in entry.blobs.values():
                store.blob(digest)


def test_prune_beside_a_writer_keeps_what_is_written(folder):
    writer = start(WRITER, folder, "one", 300)
    writer.stdout.readline()
    with Store.open(folder) as store:
        while writer.poll() is None:
            store.prune(max_bytes=0, kinds=["common"])
        assert writer.returncode == 0, writer.communicate()[1]
        writer.communicate()
        for entry in store.entries():
            for digest in entry.blobs.values():
                store.blob(digest)
        assert store.notices == ()


def test_a_forked_child_has_its_own_connection(folder):
    forker = start(FORKER, folder)
    _, errors = forker.communicate(timeout=60)
    assert forker.returncode == 0, errors
    with Store.open(folder) as store:
        rows = {row.kind: row for row in store.stats().kinds}
    assert rows["own"].entries == 120
    assert rows["before"].hits == 90


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.2])
def test_a_killed_writer_leaves_a_whole_store(folder, delay_s):
    writer = start(WRITER, folder, "one", 100_000)
    writer.stdout.readline()
    time.sleep(delay_s)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    with Store.open(folder) as store:
        for entry in store.entries():
            for digest in entry.blobs.values():
                store.blob(digest)
        store.put(Key.of("after"), {})
        assert store.notices == ()
