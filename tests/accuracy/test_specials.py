import math

import numpy as np
import pytest

from xla_evo.accuracy.specials import check_specials, special_inputs
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.dtypes import BF16, F16, F32

INF = math.inf
ROWS = [pytest.param(row, id=name) for name, row in CATALOGUE.items()]


def rounded(row, dtype):
    def evaluate(*arguments):
        with np.errstate(all="ignore"):
            return row.f64(*(a.astype(np.float64) for a in arguments)).astype(dtype.numpy)

    return evaluate


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("dtype", [F32, BF16, F16], ids=lambda d: d.name)
def test_the_rounded_function_has_no_failure(row, dtype):
    failures = check_specials(
        rounded(row, dtype), row, dtype, *row.domain, flush_to_zero=False, max_ulp=0.51
    )
    assert failures == []


def broken(row, at, value):
    def evaluate(x):
        y = rounded(row, F32)(x)
        same = (x == np.float32(at)) & (np.signbit(x) == np.signbit(np.float32(at)))
        hit = np.isnan(x) if math.isnan(at) else same
        return np.where(hit, np.float32(value), y)

    return evaluate


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("sin", -0.0, 0.0),
        ("sin", 0.0, 2.0**-149),
        ("exp", math.nan, 0.0),
        ("exp", -INF, 2.0**-149),
        ("exp", INF, 3.4e38),
        ("exp", -0.0, 1.0000001),
        ("log", 0.0, -3.4e38),
        ("tanh", INF, math.nan),
        ("log_sigmoid", INF, 0.0),
        ("atan", 3.4028234663852886e38, -1.5707964),
        ("exp", 88.72283172607422, INF),
        ("exp", 88.72283935546875, 1.0),
    ],
)
def test_one_wrong_special_value_is_caught(name, at, value):
    row = CATALOGUE[name]
    check = {"flush_to_zero": True, "max_ulp": 4.0}
    failures = check_specials(broken(row, at, value), row, F32, *row.domain, **check)
    shown = [f.input for f in failures]
    assert len(shown) == 1, [str(f) for f in failures]
    np.testing.assert_array_equal(shown[0], at)
    assert "should be" in str(failures[0])


@pytest.mark.parametrize("name", ["atan2", "pow"])
def test_nan_beside_infinity_is_tried_in_either_place(name):
    """Where neither is named, as 1 to the power of nan is."""
    row = CATALOGUE[name]

    def evaluate(x, y):
        wrong = np.isnan(x) & np.isinf(y) | np.isinf(x) & np.isnan(y)
        return np.where(wrong, np.float32(0), rounded(row, F32)(x, y))

    failures = check_specials(evaluate, row, F32, *row.domain, flush_to_zero=True)
    found = {str(one.input) for one in failures}
    assert found == {str(pair) for a in (INF, -INF) for pair in ((a, math.nan), (math.nan, a))}


def test_signalling_nans_are_nans():
    def evaluate(x):
        return np.full(len(x), 0x7F800001, np.uint32).view(np.float32)

    failures = check_specials(evaluate, CATALOGUE["exp"], F32, -INF, INF, flush_to_zero=True)
    assert {failure.input for failure in failures} >= {0.0, INF}


def test_only_inputs_of_the_domain_are_tried():
    inputs = [a for (a,) in special_inputs(CATALOGUE["exp"], F32, 0.0, 1.0)]
    assert all(a != a or 0 <= a <= 1 for a in inputs)
    assert {math.copysign(1, a) for a in inputs if a == 0} == {1.0, -1.0}
    assert {2.0**-149, 2.0**-126, 1.0} <= set(inputs)


def test_overflow_and_underflow_edges_are_tried():
    inputs = {a for (a,) in special_inputs(CATALOGUE["exp"], F32, -INF, INF)}
    assert any(88.7 < a < 88.73 for a in inputs)
    assert any(-87.4 < a < -87.3 for a in inputs)
    assert any(-104.1 < a < -103.9 for a in inputs)


def test_a_flushed_subnormal_passes_only_with_flushing():
    row = CATALOGUE["sin"]

    def flushing(x):
        y = rounded(row, F32)(x)
        return np.where(np.abs(y) < 2.0**-126, np.copysign(np.float32(0), y), y)

    assert check_specials(flushing, row, F32, -INF, INF, flush_to_zero=True, max_ulp=1) == []
    assert check_specials(flushing, row, F32, -INF, INF, flush_to_zero=False, max_ulp=1)
