"""Functions that numba compiles and keeps on disk."""

import runpy
from pathlib import Path
from typing import Any

import numba
import pytest

from xla_evo import _numba


def test_cached_code_is_stale_when_any_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "doubling.py"
    path.write_text("def doubled(x):\n    return x * 2\n", encoding="utf-8")

    def hits(sources: str) -> int:
        monkeypatch.setattr(_numba, "_sources", lambda: sources)
        compiled: Any = _numba.njit(runpy.run_path(str(path))["doubled"])
        assert compiled(1.5) == 3.0
        return sum(compiled.stats.cache_hits.values())

    assert [hits("before"), hits("before"), hits("after")] == [0, 1, 0]


@pytest.mark.parametrize("writable", [True, False])
def test_without_a_folder_of_numbas_own_code_is_kept_in_the_store_or_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    path, file = tmp_path / "tripling.py", tmp_path / "__pycache__"
    path.write_text("def tripled(x):\n    return x * 3\n", encoding="utf-8")
    file.write_text("where a folder of compiled code would be", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path / "store" if writable else file))
    before = numba.config.CACHE_DIR

    def hits() -> int:
        compiled: Any = _numba.njit(runpy.run_path(str(path))["tripled"])
        assert compiled(1.5) == 4.5
        return sum(compiled.stats.cache_hits.values())

    assert [hits(), hits()] == [0, int(writable)]
    assert len(list(tmp_path.rglob("*.nbi"))) == int(writable)
    assert before == numba.config.CACHE_DIR
