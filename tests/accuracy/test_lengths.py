import numpy as np
import pytest

from xla_evo.accuracy.lengths import DEFAULT_LENGTHS, check_length_invariance
from xla_evo.errors import TargetError
from xla_evo.targets.target import make_target

TARGET = make_target("exp", "float32", -1, 1)


def test_an_elementwise_function_passes():
    assert check_length_invariance(lambda x: x * np.float32(1.1), TARGET) is None
    assert set(range(1, 130)) <= set(DEFAULT_LENGTHS)


@pytest.mark.parametrize("lanes", [4, 16])
def test_a_remainder_loop_that_rounds_differently_is_caught(lanes):
    def evaluate(x):
        body = len(x) // lanes * lanes
        y = x * np.float32(1.1)
        y[body:] = np.nextafter(y[body:], np.float32(9))
        return y

    found = check_length_invariance(evaluate, TARGET)
    assert found is not None
    assert found.length < lanes
    assert found.got != found.expected
    assert "position" in str(found)


def test_only_the_tail_of_a_large_array_is_enough():
    def evaluate(x):
        y = x * np.float32(1.1)
        if len(x) > 1 << 16:
            y[-1] += np.float32(1)
        return y

    found = check_length_invariance(evaluate, TARGET)
    assert found is not None
    assert found.length == (1 << 16) + 1


def test_arrays_may_be_evaluated_together():
    def each(groups):
        return [x * np.float32(1.1) + (len(x) == 31) * np.float32(1) for (x,) in groups]

    def evaluate(x):
        assert len(x) == 1 << 16
        return x * np.float32(1.1)

    found = check_length_invariance(evaluate, TARGET, each=each)
    assert found is not None
    assert found.length == 31
    assert found.got == np.float32(found.expected) + 1
    target = make_target("atan2", "float32")
    twisted = check_length_invariance(
        np.arctan2,
        target,
        lengths=[3, 5],
        each=lambda groups: [np.arctan2(y, -x) for x, y in groups],
    )
    assert twisted is not None
    assert twisted.expected == np.arctan2(*np.float32(twisted.input))


def test_two_arguments_and_chosen_lengths():
    target = make_target("atan2", "float32")
    with np.errstate(all="ignore"):
        assert check_length_invariance(np.arctan2, target, lengths=[1, 2, 5]) is None
    with pytest.raises(TargetError, match="start at 1"):
        check_length_invariance(np.exp, TARGET, lengths=[0])
