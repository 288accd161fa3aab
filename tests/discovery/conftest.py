from functools import partial

import pytest

from xla_evo.discovery import DiscoveryConfig, Front, engine, run
from xla_evo.discovery.minimax import Finisher
from xla_evo.discovery.reference import Reference
from xla_evo.discovery.verify import Verifier


@pytest.fixture(scope="session")
def config() -> DiscoveryConfig:
    return DiscoveryConfig(function="exp2", candidates=12000, max_ops=5, seed=3)


@pytest.fixture(scope="session")
def reference(config: DiscoveryConfig) -> Reference:
    return Reference(config)


@pytest.fixture(scope="session")
def finisher(reference: Reference) -> Finisher:
    return Finisher.of(reference)


@pytest.fixture(scope="session")
def front(config: DiscoveryConfig) -> Front:
    return run(config)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finish on few points and without baselines."""
    monkeypatch.setattr(engine, "Verifier", partial(Verifier, count=201))
    monkeypatch.setattr(engine, "baselines", lambda *_: {})
