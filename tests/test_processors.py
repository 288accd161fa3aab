import os

from xla_evo import _processors


def test_processors_that_a_container_withholds_are_not_counted(monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2}, raising=False)
    assert (_processors.kept_on(), _processors.usable()) == ([2, 5], 2)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert (_processors.kept_on(), _processors.usable()) == ([], 64)
