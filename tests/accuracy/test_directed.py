"""The sample and the climb for float64, and the climb for two arguments."""

import mpmath as mp
import numpy as np
import pytest

from xla_evo.accuracy.directed import _drawn, measure_directed, measure_pairs
from xla_evo.accuracy.kernels import format_constants, pair_errors_into
from xla_evo.accuracy.sweep import measure_inputs, sample_pairs
from xla_evo.accuracy.ulp import ulp_error_mp
from xla_evo.errors import TargetError
from xla_evo.targets.catalogue import function
from xla_evo.targets.target import make_target
from xla_evo_lowering.dtypes import F64

COSH = function("cosh")
TARGET = make_target("cosh", "float64")


def bumped(x):
    """The nearest number to cosh, but for a hill of 1000 ULP that is 2^-11 wide, at 3."""
    y = COSH.pair(x)[0]
    with np.errstate(over="ignore", invalid="ignore"):
        hill = np.rint(1000.0 * np.exp(-(((x - 3.0) * 2.0**11) ** 2)))
        return np.where(hill > 0, y + hill * np.spacing(y), y)


def test_climb_finds_the_top_of_a_narrow_hill():
    flat = measure_directed(
        bumped, TARGET, flush_to_zero=True, samples=1 << 20, climb=(), threads=1
    )
    found = measure_directed(bumped, TARGET, flush_to_zero=True, samples=1 << 20, threads=1)
    assert flat.max_ulp < 999.0
    assert found.max_ulp == pytest.approx(1000.0, abs=0.6)
    assert found.count > flat.count >= 1 << 20
    assert not found.exhaustive


def test_threads_do_not_change_what_is_found():
    one, two = (
        measure_directed(bumped, TARGET, flush_to_zero=True, samples=2 << 20, climb=(9,), threads=n)
        for n in (1, 2)
    )
    assert one.worst_inputs == two.worst_inputs
    assert one.histogram == two.histogram


@pytest.mark.parametrize(("name", "low"), [("log", 0.0), ("acosh", 1.0)])
def test_a_domain_on_one_side_is_drawn_whole_and_without_repetition(name, low):
    x = _drawn(make_target(name, "float64"), seed=0, number=1)
    assert x.min() >= low
    assert (x > 1e300).any()
    assert ((x > low) & (x < low + 2.0**-40)).any()
    assert np.unique(x).size > 0.9 * x.size
    assert low > 0.0 or (x < 2.0**-1000).any()


def ridged(y, x):
    """The nearest number to atan2, but for a ridge of 1000 ULP that is 2^-9 wide, at y = x/8."""
    angle = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    with np.errstate(all="ignore"):
        away = np.nan_to_num((y.astype(np.float64) / x * 8.0 - 1.0) * 2.0**9, nan=99.0)
        ridge = np.rint(1000.0 * np.exp(-np.minimum(away * away, 99.0)))
        return (angle + ridge * np.spacing(angle.astype(y.dtype))).astype(y.dtype)


def test_climb_of_two_arguments_finds_the_top_of_a_narrow_ridge():
    target = make_target("atan2", "float32")
    pairs = sample_pairs(target, 1 << 17)
    sampled = measure_inputs(ridged, target, pairs, flush_to_zero=True)
    found = measure_pairs(ridged, target, pairs, flush_to_zero=True)
    assert sampled.max_ulp < 999.0
    assert found.max_ulp == pytest.approx(1000.0, abs=1.0)
    assert found.count > sampled.count
    assert not found.exhaustive


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_climb_of_two_arguments_finds_nothing_where_results_are_the_nearest(dtype):
    target = make_target("atan2", dtype)

    def nearest(y, x):
        return target.function.f64(y.astype(np.float64), x.astype(np.float64)).astype(y.dtype)

    pairs = sample_pairs(target, 1 << 14)
    found = measure_pairs(nearest, target, pairs, flush_to_zero=dtype == "bfloat16")
    assert found.max_ulp <= 0.5001


def test_other_formats_and_functions_are_refused():
    for target in (make_target("cosh", "float32"), make_target("lgamma", "float64")):
        with pytest.raises(TargetError, match="no reference"):
            measure_directed(np.cos, target, flush_to_zero=True)


@pytest.mark.parametrize("name", ["exp2", "erfc", "sinh"])
def test_errors_against_number_and_rest_are_those_of_mpmath(name):
    row = function(name)
    random = np.random.default_rng(2)
    x = np.concatenate([random.uniform(-4, 4, 50), [0.0, 1.0, -1.0, 2.0**-60, 3.0, 26.0]])
    exact = row.pair(x)[0]
    y = exact + random.integers(-3, 4, x.size) * np.spacing(exact)
    out = np.empty(x.size)
    pair_errors_into(out, y, *row.pair(x), format_constants(F64, flush_to_zero=True))
    with mp.workprec(200):
        expected = [
            ulp_error_mp(b, row.mp(mp.mpf(a)), F64, flush_to_zero=True)
            for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
    np.testing.assert_allclose(out, expected, atol=2.0**-14)


def test_infinities_and_nan_count_as_in_other_formats():
    form = format_constants(F64, flush_to_zero=True)
    y = np.asarray([np.inf, np.nan, 0.0, 1.0])
    high = np.asarray([np.inf, np.nan, 2.0**-1030, np.nan])
    out = np.empty(4)
    assert pair_errors_into(out, y, high, np.zeros(4), form) == 1
    assert out.tolist() == [0.0, 0.0, 0.0, np.inf]


def test_measuring_many_given_inputs_uses_the_rests():
    x = np.random.default_rng(0).uniform(-5, 5, 40_000)
    found = measure_inputs(lambda v: COSH.pair(v)[0], TARGET, x, flush_to_zero=True)
    assert found.max_ulp <= 0.5
    assert found.reference_error_ulp < 1e-4
