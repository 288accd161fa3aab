"""For all tests: no deadline an example, and a store of their own."""

import pwd

import pytest
from hypothesis import settings

# The first example may compile (XLA, numba); how long one takes is the machine's affair.
settings.register_profile("xla-evo", deadline=None)
settings.load_profile("xla-evo")


@pytest.fixture(scope="session", autouse=True)
def own_store(tmp_path_factory):
    """Keeps the tests, and the processes they start, away from the user's store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_EVO_CACHE", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture
def fresh_store(tmp_path, monkeypatch):
    """An empty store for one test, and no choice remembered from before or kept for later."""
    from xla_evo.integration.dispatch import forget_choices

    monkeypatch.setenv("XLA_EVO_CACHE", str(tmp_path))
    forget_choices()
    yield
    forget_choices()


@pytest.fixture
def homeless(monkeypatch):
    """A user whom the system does not know, as in a container with a user number of its own."""

    def unknown(key):
        raise KeyError(key)

    for name in ("HOME", "XLA_EVO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
