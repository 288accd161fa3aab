"""Functions that numba compiles and keeps on disk."""

import runpy
from pathlib import Path
from typing import Any

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
