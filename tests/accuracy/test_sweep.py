import itertools
import math
import threading
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.kernels import CHUNK
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.rounded import negated, rounded_errors_into
from xla_evo.accuracy.rounded import rounded as rounded_references
from xla_evo.accuracy.statistics import DECIDED_IN_MPMATH, Statistics
from xla_evo.accuracy.sweep import (
    measure_exhaustive,
    measure_exhaustive_together,
    measure_inputs,
    measure_sampled,
)
from xla_evo.accuracy.tally import HISTOGRAM_EDGES, WORST_KEPT
from xla_evo.accuracy.ulp import is_correctly_rounded, ulp_error
from xla_evo.errors import TargetError
from xla_evo.targets.ordering import from_ordinal, to_ordinal
from xla_evo.targets.target import make_target
from xla_evo_lowering.dtypes import BF16, F32


def rounded(target):
    """The correctly rounded function, through float64 (no double rounding matters here)."""

    def evaluate(*arguments):
        with np.errstate(all="ignore"):
            wide = (a.astype(np.float64) for a in arguments)
            return target.function.f64(*wide).astype(target.dtype.numpy)

    return evaluate


def off_by_one_at(target, where, steps=1):
    """`rounded`, but wrong by some units at one input."""

    def evaluate(x):
        y = rounded(target)(x)
        wrong = from_ordinal(to_ordinal(y, target.dtype) + steps, target.dtype)
        return np.where(x.astype(np.float64) == where, wrong, y)

    return evaluate


def test_a_correctly_rounded_function_is_found_to_be_one():
    target = make_target("exp2", "bfloat16")
    got = measure_exhaustive(rounded(target), target, flush_to_zero=False)
    assert got.max_ulp <= 0.5
    assert (got.not_correctly_rounded, got.undecided, got.nan_mismatches) == (0, 0, 0)
    assert got.exhaustive
    assert got.count == target.count() == sum(got.histogram)


@pytest.mark.parametrize("where", [1.0, -0.0078125, 2.0**-120, -3.5])
def test_one_unit_at_one_input_is_caught(where):
    target = make_target("tanh", "bfloat16")
    got = measure_exhaustive(off_by_one_at(target, where), target, flush_to_zero=False)
    assert got.not_correctly_rounded == 1
    assert got.worst_input == where
    assert 0.5 < got.max_ulp <= 1.5
    assert got.worst_input_hex == where.hex()


def test_one_unit_at_one_input_is_caught_over_float32():
    target = make_target("exp", "float32", 0.5, 1)
    where = float(np.float32(0.7654321))
    got = measure_exhaustive(off_by_one_at(target, where), target, flush_to_zero=True)
    assert (got.count, got.exhaustive) == (2**23 + 1, True)
    assert got.not_correctly_rounded == 1
    assert got.worst_input == where


def test_a_nan_at_one_input_is_caught():
    target = make_target("exp", "float16")
    x0 = 1.25

    def evaluate(x):
        return np.where(x == x0, np.float16(np.nan), rounded(target)(x))

    got = measure_exhaustive(evaluate, target, flush_to_zero=False)
    assert (got.nan_mismatches, got.max_ulp, got.worst_input) == (1, math.inf, x0)
    assert got.histogram[-1] == 1


def test_every_pattern_includes_nan_and_what_is_outside_the_domain():
    target = make_target("log", "bfloat16")
    got = measure_exhaustive(rounded(target), target, flush_to_zero=False, every_pattern=True)
    assert (got.count, got.nan_mismatches) == (2**16, 0)

    def wrong(x):
        return np.where(np.signbit(x), BF16.numpy.type(0), rounded(target)(x))

    got = measure_exhaustive(wrong, target, flush_to_zero=False, every_pattern=True)
    assert got.nan_mismatches > 30_000


@pytest.mark.parametrize("name", ["exp2", "tanh", "log"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_sweep_is_what_numpy_and_mpmath_say(name, dtype):
    target = make_target(name, dtype)
    builtin = jax.jit(target.function.builtin_function())
    got = measure_exhaustive(builtin, target, flush_to_zero=False, threads=2, block=4096)
    x = sample_inputs(target, target.count())
    y = np.asarray(builtin(x))
    reference = target.function.f64(x.astype(np.float64))
    errors = ulp_error(y, reference, target.dtype, flush_to_zero=False)
    assert got.max_ulp == pytest.approx(errors.max(), rel=1e-6)
    edges = np.searchsorted(HISTOGRAM_EDGES, errors, side="left")
    counts = np.bincount(edges, minlength=len(HISTOGRAM_EDGES) + 1)
    moved = np.abs(counts - got.histogram).sum()
    # An error against a reference that is a power of two may be doubled, never halved.
    with np.errstate(invalid="ignore"):
        powers = int(np.sum(np.frexp(reference)[0] == 0.5))
    assert moved <= 2 * powers
    suspects = np.flatnonzero(errors >= 0.49)
    wrong = sum(
        not is_correctly_rounded(
            float(y[i]), target.function.mp(float(x[i])), target.dtype, flush_to_zero=False
        )
        for i in suspects.tolist()
        if np.isfinite(x[i]) and np.isfinite(reference[i])
    )
    assert got.not_correctly_rounded == wrong


def test_flushed_inputs_may_be_read_as_zero():
    target = make_target("log", "float32", 0.0, 2.0**-120)
    sampled = measure_sampled(jax.jit(jnp.log), target, flush_to_zero=True, samples=4096)
    assert sampled.max_ulp < 1.5


def test_an_error_in_one_sample_is_an_error():
    target = make_target("exp", "float32", 0, 1)
    got = measure_sampled(off_by_one_at(target, 1.0), target, flush_to_zero=True, samples=4096)
    assert (got.not_correctly_rounded, got.worst_input, got.exhaustive) == (1, 1.0, False)
    assert "sampled 4,096" in got.bound()


def test_float64_results_are_decided_in_mpmath():
    target = make_target("exp", "float64", 0, 1)
    exact = measure_sampled(np.exp, target, flush_to_zero=False, samples=2048)
    assert 0.4 < exact.max_ulp < 1.0
    assert exact.reference_error_ulp == 0.0
    off = measure_sampled(
        lambda x: np.nextafter(np.exp(x), 9), target, flush_to_zero=False, samples=2048
    )
    assert 1.0 < off.max_ulp < 2.0


def test_two_arguments_are_sampled():
    target = make_target("atan2", "float32")
    got = measure_sampled(rounded(target), target, flush_to_zero=False, samples=4096)
    assert got.max_ulp <= 0.5001
    assert isinstance(got.worst_input, tuple)
    with pytest.raises(TargetError, match="too many inputs"):
        measure_exhaustive(rounded(target), target, flush_to_zero=False)


def test_a_limit_stops_early_and_says_so():
    target = make_target("exp", "float32", 0, 1)
    got = measure_exhaustive(
        lambda x: rounded(target)(x) * np.float32(1.00001), target, flush_to_zero=True,
        limit_ulp=2.0, block=1 << 14, threads=2,
    )  # fmt: skip
    assert got.max_ulp > 2
    assert not got.exhaustive
    assert got.count < target.count()
    assert "sampled" in got.bound()


def test_stop_progress_and_errors_reach_the_caller():
    target = make_target("exp", "float32", 0.5, 1)
    seen = []

    def slow(x):
        time.sleep(0.02)
        return rounded(target)(x)

    got = measure_exhaustive(
        slow, target, flush_to_zero=True, block=1 << 16, threads=2,
        progress=lambda done, total: seen.append((done, total)), stop=lambda: len(seen) > 3,
    )  # fmt: skip
    assert not got.exhaustive
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {target.count()}

    def broken(x):
        raise RuntimeError("the compiler died")

    before = threading.active_count()
    with pytest.raises(RuntimeError, match="compiler died"):
        measure_exhaustive(broken, target, flush_to_zero=True, threads=2)
    assert threading.active_count() == before
    with pytest.raises(TargetError, match="gave float64"):
        measure_inputs(lambda x: x.astype(np.float64), target, np.float32([1]), flush_to_zero=True)


def test_threads_and_blocks_do_not_change_the_result():
    target = make_target("tanh", "float32", 0.5, 0.75)
    builtin = jax.jit(jnp.tanh)
    one = measure_exhaustive(builtin, target, flush_to_zero=True, threads=1, block=1 << 20)
    two = measure_exhaustive(builtin, target, flush_to_zero=True, threads=2, block=1 << 17)
    assert one.histogram == two.histogram
    assert one.worst_inputs == two.worst_inputs
    assert one.not_correctly_rounded == two.not_correctly_rounded
    assert len(one.worst_inputs) == WORST_KEPT
    assert one.bound_ulp >= one.max_ulp


def test_functions_swept_together_are_measured_as_alone():
    target = make_target("exp2", "bfloat16")
    functions = [rounded(target), off_by_one_at(target, 1.0)]
    together = measure_exhaustive_together(functions, target, flush_to_zero=True, block=1 << 12)
    alone = [measure_exhaustive(f, target, flush_to_zero=True) for f in functions]
    assert [replace(m, seconds=0.0) for m in together] == [replace(m, seconds=0.0) for m in alone]
    assert together[1].max_ulp == 1.0


def test_a_sweep_is_watched_block_by_block():
    target = make_target("exp2", "bfloat16")
    seen = []

    def watch(number, inputs, results):
        same = np.array_equal(results, rounded(target)(inputs), equal_nan=True)
        seen.append((number, len(inputs), np.unique(inputs.view(np.uint16)), same))

    measure_exhaustive_together(
        [rounded(target)] * 2, target, flush_to_zero=True, every_pattern=True, block=1 << 12,
        watch=watch,
    )  # fmt: skip
    assert [length for _, length, _, _ in seen] == [1 << 12] * 32
    for function in range(2):
        patterns = [patterns for number, _, patterns, _ in seen if number == function]
        assert len(np.unique(np.concatenate(patterns))) == 1 << 16
    assert all(same for _, _, _, same in seen)


@pytest.mark.parametrize("name", ["tanh", "cos", "asin"])
def test_a_function_with_a_symmetry_is_asked_for_references_of_one_sign(name):
    target = make_target(name, "bfloat16")
    asked = []

    def f64(x):
        if x.size > WORST_KEPT:  # what the worst inputs are decided by is asked for one by one
            asked.append(x)
        return target.function.f64(x)

    def uneven(x):  # 3% off for negative inputs, so that they are known from the others
        y = rounded(target)(x)
        return np.where(np.signbit(x), (y * BF16.numpy.type(1.03)).astype(BF16.numpy), y)

    counted = replace(target, function=replace(target.function, f64=f64))
    plain = replace(target, function=replace(target.function, symmetry="none"))
    seen, told = [], {}
    got, expected = (
        measure_exhaustive_together(
            [uneven], t, flush_to_zero=False, every_pattern=True, block=1 << 12,
            watch=lambda number, inputs, results: seen.append(inputs.view(np.uint16).copy()),
            progress=lambda done, total, t=t: told.update({t.function.symmetry: (done, total)}),
        )[0]
        for t in (counted, plain)
    )  # fmt: skip
    assert not np.any(np.signbit(np.concatenate(asked)))
    assert replace(got, seconds=0.0) == replace(expected, seconds=0.0)
    assert got.not_correctly_rounded > 10_000
    assert list(told.values()) == [(1 << 16, 1 << 16)] * 2
    half = len(seen) // 2
    for patterns in (seen[:half], seen[half:]):
        assert np.array_equal(np.sort(np.concatenate(patterns)), np.arange(1 << 16))


def test_one_run_keeps_as_many_near_ties_as_are_decided():
    target = make_target("exp", "float32")
    y = 1.5 + np.arange(DECIDED_IN_MPMATH + 900) * 2.0**-23
    running = Statistics(target, flush_to_zero=True)
    running.add((y,), y.astype(np.float32), y + 2.0**-24)
    assert running.totals[2] == len(y)
    assert running.undecided == [((v,), v) for v in y[:DECIDED_IN_MPMATH].tolist()]


@pytest.mark.parametrize("dtype", [F32, BF16])
def test_running_counts_are_those_of_each_error(dtype):
    """Chunks that are ordinary, with some wrong signs, wrong in many ways, or at the ends."""
    random = np.random.default_rng(0)
    target = make_target("exp", dtype.name)
    sizes = [2.0**k for k in (-126, -125, 0, 126, 127, 128, -130)] + [np.inf, np.nan]
    for spread, wrong in ((0.2, ""), (1.0, ""), (1.0, "signs"), (40.0, "all")):
        for size in sizes:
            r = size * random.uniform(1, 2, 3000)
            y = r * (1 + spread * random.normal(size=3000) * 2.0**-dtype.precision)
            if wrong:
                y[::7] = -y[::7]
            if wrong == "all":
                y[::11], y[::13], y[::17] = 0.0, np.nan, np.inf
            with np.errstate(all="ignore"):
                y = y.astype(dtype.numpy)
            running = Statistics(target, flush_to_zero=True)
            running.add((np.ones(3000),), y, r)
            running.add((np.ones(3000),), y, r)
            errors = ulp_error(y.astype(np.float32), r, dtype, flush_to_zero=True)
            assert running.above.tolist() == [2 * int((errors > e).sum()) for e in HISTOGRAM_EDGES]
            assert [e for e, _ in running.worst] == [
                e for e in np.sort([*errors, *errors])[::-1][:WORST_KEPT].tolist() if e > 0
            ]
            assert running.totals[3] == 2 * (np.isnan(y) != np.isnan(r)).sum()


@pytest.mark.parametrize("around", [1.0, 1.5, -1.25, 2.0**-126, 2.0**-125, 2.0**127, 0.0, 1e-40])
def test_references_rounded_once_count_as_they_do_one_by_one(around):
    """Results by units about references that lie anywhere between two floats, above and below."""
    random = np.random.default_rng(0)
    target = make_target("exp", "float32")
    told = []
    ranges = ((-0.5, 0.5), (-0.2, 0), (0, 0), (0.49 - 1e-8, 0.49 + 1e-8))
    shares = [random.uniform(low, high, 5000) for low, high in ranges]
    off = ((0, 0), (0, 1), (-1, 0), (-3, 3), (-5, 5))
    for spread, share, (least, most) in itertools.product((0, 4096), shares, off):
        steps = random.integers(-spread, spread + 1, 5000)
        nearest = from_ordinal(to_ordinal(np.full(5000, around, np.float32), F32) + steps, F32)
        r = nearest + np.spacing(nearest).astype(np.float64) * share
        y = from_ordinal(to_ordinal(nearest, F32) + random.integers(least, most + 1, 5000), F32)
        for wrong in (None, np.nan, np.inf, -around):
            y[4000] = y[4000] if wrong is None else wrong
            plain, once = (Statistics(target, flush_to_zero=True) for _ in range(2))
            # From a first worst point on, only what is worse is looked at more closely.
            for running in (plain, once):
                three = np.full(20, 1.5 + 3 * 2.0**-23, np.float32)
                running.add((np.ones(20),), three, np.full(20, 1.5))
            beside = rounded_references(r, once.form)
            plain.add((np.ones(5000),), y, r)
            once.add((np.ones(5000),), y, r, rounded=beside)
            assert once.above.tolist() == plain.above.tolist()
            assert once.totals.tolist() == plain.totals.tolist()
            assert repr(once.worst) == repr(plain.worst)
            assert repr(once.undecided) == repr(plain.undecided)
            told.append(_largest_told(y, beside))
        for one, other in zip(negated(beside), rounded_references(-r, once.form), strict=True):
            assert np.array_equal(one, other) or not beside.limits.all()
    assert any(map(math.isfinite, told)) == (abs(around) >= 2.0**-126)


@pytest.mark.parametrize("name", ["sinh", "cosh"])
def test_functions_measured_together_have_the_errors_that_each_has_alone(name):
    """Both signs of a symmetric domain, subnormal numbers and half a binade of others."""
    high = 1.5 * 2.0**-126
    target = make_target(name, "float32", -high, high)

    def often_wrong(x):
        y = rounded(target)(x)
        return np.where(x.view(np.int32) % 1009 == 0, np.nextafter(y, np.float32(np.inf)), y)

    functions = [rounded(target), often_wrong, rounded(target)]
    together = measure_exhaustive_together(functions, target, flush_to_zero=True)
    for function, found in zip(functions, together, strict=True):
        alone = measure_exhaustive(function, target, flush_to_zero=True)
        assert replace(found, seconds=0.0) == replace(alone, seconds=0.0)
        assert found.exhaustive


def _largest_told(y, beside):
    """The largest error of the first chunk that needs no float64, infinite where it does."""
    part, out = slice(0, CHUNK), np.empty(CHUNK, np.float32)
    patterns, rests = beside.patterns[part], beside.rests[part]
    return rounded_errors_into(out, y[part].view(np.int32), patterns, rests, beside.limits[0])


def test_measurements_survive_json():
    import json

    target = make_target("log", "bfloat16")
    bad = lambda x: np.where(x == 1, BF16.numpy.type(np.nan), rounded(target)(x))  # noqa: E731
    got = measure_exhaustive(bad, target, flush_to_zero=False)
    text = json.dumps(got.to_json(), allow_nan=False)
    assert ErrorMeasurement.from_json(json.loads(text)) == got or math.isnan(
        got.worst_inputs[0].result
    )
    clean = measure_exhaustive(rounded(target), target, flush_to_zero=False)
    assert ErrorMeasurement.from_json(json.loads(json.dumps(clean.to_json()))) == clean
    with pytest.raises(TargetError, match="bins"):
        ErrorMeasurement.from_json({"max_ulp": 1.0})


def test_real_targets_are_refused():
    target = make_target("exp", "real", 0, 1)
    with pytest.raises(TargetError, match="no rounding"):
        measure_sampled(np.exp, target, flush_to_zero=False)


def test_the_bound_is_rounded_up():
    target = make_target("exp2", "bfloat16", 0, 1)
    got = measure_exhaustive(rounded(target), target, flush_to_zero=False)
    claimed = float(got.bound().split()[1])
    assert claimed >= got.bound_ulp
    assert F32.precision == 24
