import numpy as np
import pytest

from xla_evo.accuracy.inputs import sample_inputs, write_values
from xla_evo.targets.ordering import from_ordinal, ordinal, to_ordinal
from xla_evo.targets.target import make_target
from xla_evo_lowering.dtypes import BF16, F32


@pytest.mark.parametrize("first", [-(2**31), -1000, -5, -1, 0, 1, 2**31 - 8])
def test_blocks_of_values_are_the_ordinals(first):
    out = np.empty(8, np.float32)
    write_values(out, first, F32)
    expected = from_ordinal(np.arange(first, first + 8), F32)
    np.testing.assert_array_equal(out.view(np.uint32), expected.view(np.uint32))


def test_a_block_of_every_ordinal_has_every_pattern_once():
    values = np.empty(2**16, BF16.numpy)
    write_values(values, -(2**15), BF16)
    assert len(np.unique(values.view(np.uint16))) == 2**16


def test_a_sample_of_all_that_there_are_is_the_domain_in_order():
    target = make_target("exp2", "bfloat16", 0, 1)
    inputs = sample_inputs(target, target.count()).astype(np.float64)
    assert len(inputs) == target.count()
    assert (inputs[0], inputs[-1]) == (0.0, 1.0)
    assert (np.diff(inputs) > 0).all()


def test_a_sample_is_distinct_ordered_inside_and_repeatable():
    target = make_target("log", "float32", 0, 100)
    sample = sample_inputs(target, 5000, seed=3, near=[0.7])
    np.testing.assert_array_equal(sample, sample_inputs(target, 5000, seed=3, near=[0.7]))
    assert not np.array_equal(sample, sample_inputs(target, 5000, seed=4, near=[0.7]))
    ordinals = to_ordinal(sample, F32)
    assert len(sample) == 5000
    assert (np.diff(ordinals) > 0).all()
    assert (sample[0], sample[-1]) == (0.0, 100.0)


def test_a_sample_has_every_binade_the_edges_and_the_named_places():
    target = make_target("log", "float32")
    sample = sample_inputs(target, 20_000, near=[0.7])
    ordinals = set(to_ordinal(sample, F32).tolist())
    binades, counts = np.unique(to_ordinal(sample, F32) >> 23, return_counts=True)
    assert set(range(255)) <= set(binades.tolist())
    assert counts[binades < 255].min() > 30
    for place in (0.7, 1.0, 2.0**-126, np.inf, 0.0):
        centre = ordinal(place, F32)
        top = ordinal(np.inf, F32)
        assert {p for p in range(centre - 16, centre + 17) if 0 <= p <= top} <= ordinals
    assert 1 in ordinals
    assert any(0 < o < 2**23 for o in ordinals)


def test_a_small_domain_is_taken_whole():
    target = make_target("exp", "bfloat16", 1, 2)
    assert len(sample_inputs(target, 1000)) == target.count() == 129


def test_a_full_domain_sample_has_both_zeros_and_infinities():
    sample = sample_inputs(make_target("exp", "float32"), 10_000)
    zeros = sample[sample == 0]
    assert np.signbit(zeros).tolist() == [True, False]
    assert np.isinf(sample).sum() == 2
