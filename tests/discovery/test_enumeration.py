import pytest

from xla_evo.discovery.enumeration import choices, enumerate_all
from xla_evo.errors import ConfigError


def test_choices_have_each_commutative_pair_once():
    assert len(choices(0)) == 4 + 1
    assert len(choices(1)) == 8 + 1 + 3 + 2 * 2


def test_all_structures_of_one_operation(config):
    """x + c, x c, c - x, c / x and x x."""
    assert enumerate_all(config, 1).structures == 5


def test_nothing_smaller_was_missed(config, front):
    for operations in (1, 2, 3):
        found = enumerate_all(config, operations)
        assert found.record is not None
        wanted = front.record(operations).verified.error
        assert found.record.verified.error == pytest.approx(wanted, rel=0.02)


def test_too_many_operations_are_refused(config):
    with pytest.raises(ConfigError):
        enumerate_all(config, 7)
