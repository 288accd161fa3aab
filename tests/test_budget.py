import pytest

from xla_evo.budget import Budget, parse_budget, parse_duration
from xla_evo.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("3m", 180), ("1h", 3600), ("1h30m", 5400), ("2d", 172800), ("0.5s", 0.5)],
)
def test_times(text, seconds):
    assert parse_duration(text) == seconds
    assert parse_budget(text) == Budget(seconds=seconds)


def test_candidates():
    assert parse_budget("200000c") == Budget(candidates=200_000)
    assert str(Budget(candidates=5, seconds=90.0)) == "90s or 5c"


@pytest.mark.parametrize(
    "text", ["", "3", "m", "3 m", "-3m", "three minutes", "3x", "1.5c", "infs"]
)
def test_what_is_no_budget(text):
    with pytest.raises(ConfigError, match="is not a time: write 90s, 3m, 1h or 1h30m, or a number"):
        parse_budget(text)


@pytest.mark.parametrize("text", ["0s", "0m", "0c"])
def test_nothing_is_no_budget(text):
    with pytest.raises(ConfigError, match="a budget must be"):
        parse_budget(text)


def test_a_budget_needs_a_limit():
    with pytest.raises(ConfigError, match="needs a time or a number"):
        Budget()
    with pytest.raises(ConfigError, match="above zero"):
        Budget(seconds=float("nan"))


@pytest.mark.parametrize("text", ["", "5", "soon"])
def test_what_is_no_duration(text):
    with pytest.raises(ConfigError, match="is not a time; write it as"):
        parse_duration(text)
