import pytest

from xla_evo.budget import Budget
from xla_evo.search.config import DEFAULT_OPS, SearchConfig
from xla_evo.store import Store
from xla_evo.targets.target import make_target


@pytest.fixture
def exp2_target():
    return make_target("exp2", "float32", 0.0, 1.0)


@pytest.fixture
def config(exp2_target):
    return SearchConfig(
        target=exp2_target,
        max_ulp=100.0,
        budget=Budget(candidates=400),
        offspring=100,
        workers=1,
        ops=DEFAULT_OPS,
    )


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as opened:
        yield opened
