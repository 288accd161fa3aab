from pathlib import Path

import pytest

from xla_evo.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path):
    with Store.open(folder) as opened:
        yield opened
