import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xla_evo.accuracy.kernels import compute_errors, format_constants
from xla_evo.accuracy.ulp import is_correctly_rounded, ulp_error, ulp_error_mp
from xla_evo.targets.ordering import number, ordinal
from xla_evo_lowering.dtypes import BF16, F16, F32, F64, FLOATS

INF = math.inf
LEAST = 2.0**-126
TINY = 2.0**-149
LARGEST = (2 - 2.0**-23) * 2.0**127
THRESHOLD = (2 - 2.0**-24) * 2.0**127

# (result, reference, flush to zero, error), worked out by hand from JAX's definition for float32.
BY_HAND = [
    (1.0, 1.0, True, 0.0),
    (1.0 + 2.0**-23, 1.0, True, 1.0),
    (1.0 - 2.0**-24, 1.0, True, 0.5),  # the ULP is that of the reference's binade
    (1.0, 1.0 - 2.0**-25, True, 0.5),
    (1.0, 1.0 + 2.0**-24, True, 0.5),
    (-1.0, 1.0, True, 2.0**24 - 2 * (2.0**-126 - 2.0**-149) * 2.0**23),
    (math.nan, math.nan, True, 0.0),
    (math.nan, 1.0, True, INF),
    (1.0, math.nan, True, INF),
    (INF, INF, True, 0.0),
    (-INF, INF, True, INF),
    (INF, 1e300, True, 0.0),
    (INF, THRESHOLD, True, 0.0),
    (INF, LARGEST, True, 1.0),
    (INF, LARGEST + 0.25 * 2.0**104, True, 0.75),
    (LARGEST, THRESHOLD, True, 0.5),
    (LARGEST, 1e300, True, 1.0),
    (LARGEST, INF, True, 1.0),
    (INF, 2.0**127, True, 2.0**23),
    (INF, 2.0**126.5, True, INF),
    (0.0, LEAST / 2, True, 0.0),
    (0.0, LEAST / 2, False, 2.0**22),
    (TINY, -TINY, True, 0.0),
    (TINY, -TINY, False, 2.0),
    (0.0, LEAST, True, 1.0),  # the contracted gap
    (LEAST, 0.0, True, 1.0),
    (0.0, LEAST, False, 2.0**23),
    (-LEAST, LEAST, True, 2.0),
    (LEAST, LEAST - TINY / 2, True, 0.5),
    (LEAST + TINY, 0.0, True, 2.0),
    (0.0, TINY / 4, False, 0.25),
]


@pytest.mark.parametrize(("result", "reference", "flush", "error"), BY_HAND)
def test_errors_worked_out_by_hand(result, reference, flush, error):
    y, r = np.float32([result]), np.float64([reference])
    assert float(y[0]) == result or math.isnan(result)
    form = format_constants(F32, flush_to_zero=flush)
    assert ulp_error(y, r, F32, flush_to_zero=flush)[0] == error
    assert compute_errors(y, r, form)[0] == error
    assert ulp_error_mp(result, mp.mpf(reference), F32, flush_to_zero=flush) == error


def reference_near(value, dtype, steps, sixteenths):
    """A reference some ULP and sixteenths of a ULP from a number of the format."""
    if not math.isfinite(value):
        return value
    exponent = max(math.frexp(value)[1] - 1, dtype.emin) if value else dtype.emin
    return value + (steps + sixteenths / 16) * math.ldexp(1.0, exponent - dtype.precision + 1)


@given(
    st.sampled_from([F16, BF16, F32]),
    st.integers(min_value=0),
    st.integers(-40, 40),
    st.integers(0, 15),
    st.booleans(),
    st.sampled_from(["near", "zero", "infinity", "nan", "negated"]),
)
def test_the_three_forms_agree(dtype, seed, steps, sixteenths, flush, kind):
    low, high = ordinal(-INF, dtype), ordinal(INF, dtype)
    result = number(low + seed % (high - low + 1), dtype)
    reference = {
        "near": reference_near(result, dtype, steps, sixteenths),
        "zero": 0.0,
        "infinity": INF,
        "nan": math.nan,
        "negated": -reference_near(result, dtype, steps, sixteenths),
    }[kind]
    exact = ulp_error_mp(result, mp.mpf(reference), dtype, flush_to_zero=flush)
    y, r = np.asarray([result]).astype(dtype.numpy), np.asarray([reference])
    vector = ulp_error(y, r, dtype, flush_to_zero=flush)[0]
    kernel = compute_errors(y.astype(np.float32), r, format_constants(dtype, flush_to_zero=flush))[
        0
    ]
    assert vector == pytest.approx(exact, rel=1e-12)
    assert kernel == pytest.approx(exact, rel=1e-12)


@given(st.floats(), st.integers(-40, 40), st.integers(0, 15), st.booleans())
def test_the_three_forms_agree_in_float64_with_a_low_part(result, steps, sixteenths, flush):
    reference = reference_near(result, F64, steps, 0)
    low = 0.0
    if math.isfinite(reference) and abs(reference) > 1e-280:
        low = reference * 2.0**-53 * (sixteenths / 16)
    exact = mp.mpf(reference) + (mp.mpf(low) if math.isfinite(reference) else 0)
    with mp.workprec(200):
        exact = mp.mpf(reference) + mp.mpf(low)
    truth = ulp_error_mp(result, exact, F64, flush_to_zero=flush)
    y, r = np.asarray([result]), np.asarray([reference])
    got = ulp_error(y, r, F64, flush_to_zero=flush, reference_low=np.asarray([low]))[0]
    assert got == pytest.approx(truth, rel=1e-9, abs=1e-12)
    if low == 0.0:
        kernel = compute_errors(y, r, format_constants(F64, flush_to_zero=flush))[0]
        assert kernel == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda row: row.name)
def test_slack_never_lowers_an_error(dtype):
    random = np.random.default_rng(1)
    y = random.uniform(0.9, 4, 4000).astype(dtype.numpy).astype(np.float64)
    r = y * (1 + random.normal(size=4000) * 2.0**-dtype.precision)
    r[:1000] = 1.0 + np.arange(1000) * 2.0**-52
    y[:1000] = number(ordinal(1.0, dtype) - 1, dtype)
    y = y if dtype is F64 else y.astype(np.float32)
    plain = compute_errors(y, r, format_constants(dtype, flush_to_zero=False))
    slack = compute_errors(y, r, format_constants(dtype, flush_to_zero=False, slack=4))
    assert (slack >= plain).all()
    assert (slack[:4] == 2 * plain[:4]).all()
    np.testing.assert_array_equal(slack[1000:], plain[1000:])


@given(st.sampled_from([F16, BF16, F32]), st.floats(-1e30, 1e30))
def test_correct_rounding_is_the_casts(dtype, reference):
    with np.errstate(over="ignore"):
        nearest = float(np.asarray(np.float64(reference)).astype(dtype.numpy))
    exact = mp.mpf(reference)
    assert is_correctly_rounded(nearest, exact, dtype, flush_to_zero=False)
    for step in (-1, 1):
        other = number(ordinal(nearest, dtype) + step, dtype)
        if math.isfinite(other):
            right = is_correctly_rounded(other, exact, dtype, flush_to_zero=False)
            assert right == (other == nearest)


@pytest.mark.parametrize(
    ("result", "reference", "right"),
    [
        (1.0, 1.0 + 2.0**-24, True),  # a tie goes to the even pattern
        (1.0 + 2.0**-23, 1.0 + 2.0**-24, False),
        (1.0 + 2.0**-22, 1.0 + 3 * 2.0**-24, True),
        (0.0, LEAST / 3, True),
        (LEAST, LEAST / 3, False),
        (0.0, LEAST, False),
        (INF, THRESHOLD, True),
        (LARGEST, THRESHOLD, False),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
    ],
)
def test_correct_rounding_of_hard_cases(result, reference, right):
    assert is_correctly_rounded(result, mp.mpf(reference), F32, flush_to_zero=True) == right


UNIFORM = {
    "flushed": (1e-40, -1e-45),
    "flushed to zero": (0.0, 1e-39),
    "overflowed": (INF, 1e300),
    "overflowed to infinity": (-INF, -INF),
    "just overflowed": (INF, THRESHOLD),
    "nan": (math.nan, math.nan),
    "ordinary": (1.0, 1.0 + 2.0**-25),
}
ODD_ONE = [
    (1.0, 1.0),
    (LEAST, 1e-40),
    (0.0, LEAST),
    (INF, LARGEST),
    (LARGEST, THRESHOLD),
    (-INF, 1e300),
    (INF, math.nan),
    (math.nan, 1e300),
    (math.nan, 1e-40),
    (-1.0, 1.0),
]


@pytest.mark.parametrize("kind", UNIFORM)
@pytest.mark.parametrize("flush", [True, False])
@pytest.mark.parametrize("odd", [None, *ODD_ONE], ids=str)
def test_uniform_chunks_and_one_element_that_differs(kind, flush, odd):
    y = np.full(2500, UNIFORM[kind][0], np.float32)
    r = np.full(2500, UNIFORM[kind][1], np.float64)
    if odd is not None:
        y[2047], r[2047] = odd
        y[2300], r[2300] = odd
    kernel = compute_errors(y, r, format_constants(F32, flush_to_zero=flush))
    vector = ulp_error(y, r, F32, flush_to_zero=flush)
    np.testing.assert_allclose(kernel, vector, rtol=1e-12)
