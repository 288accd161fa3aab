"""References for float64 results against mpmath."""

import math

import mpmath as mp
import numpy as np
import pytest

from xla_evo.targets import pair_errors
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo.targets.pair_forms import ERROR_ULP

ROWS = [pytest.param(row, id=name) for name, row in CATALOGUE.items() if row.pair is not None]


def points(row, count=40):
    random = np.random.default_rng(11)
    size = 2.0 ** np.concatenate([random.uniform(-90, 10, count), random.uniform(-6, 6, count)])
    x = np.concatenate(
        [size, -size, random.uniform(-1, 1, count), random.uniform(-700, 700, count)]
    )
    if row.domain[1] == 1.0:
        x = np.concatenate([x, 1.0 - 2.0 ** random.uniform(-53, -1, count)])
    if row.domain[0] == -1.0:
        x = np.concatenate([x, 2.0 ** random.uniform(-53, -1, count) - 1.0])
    if row.domain[1] > 1e308:
        x = np.concatenate([x, 2.0 ** random.uniform(0, 1023.9, count)])
    near = 2.0 ** random.uniform(-52, -2, count)
    x = np.concatenate([x, 1.0 + near, 1.0 - near, 0.5 + near, 2.0 ** random.uniform(20, 60, 8)])
    least = 2.0 ** random.uniform(-1074, -90, count)
    x = np.concatenate([x, least, -least, 0.5 - near])
    return x[(x > row.domain[0]) & (x < row.domain[1])]


def test_which_functions_have_one():
    wanted = {
        "exp2", "expm1", "log1p", "sinh", "cosh", "tanh", "erfc", "erf_inv", "exp", "log", "log2",
        "log10", "asin", "acos", "atan", "asinh", "acosh", "atanh", "cbrt", "logistic", "softplus",
        "log_sigmoid", "erf", "sin", "cos", "tan",
    }  # fmt: skip
    assert wanted == {name for name, row in CATALOGUE.items() if row.pair is not None}


@pytest.mark.parametrize("row", ROWS)
def test_number_and_rest_are_within_the_stated_error(row):
    x = points(row)
    high, rest = row.pair(x)
    worst = 0.0
    with mp.workprec(200):
        for a, y, low in zip(x.tolist(), high.tolist(), rest.tolist(), strict=True):
            exact = row.mp(mp.mpf(a))
            if abs(exact) >= mp.mpf(2) ** 1024:
                assert math.isinf(y), a
            elif abs(exact) >= mp.mpf(2) ** -1022:
                unit = mp.ldexp(1, int(mp.mag(mp.mpf(y))) - 53)
                worst = max(worst, float(abs((mp.mpf(y) - exact) / unit + mp.mpf(low))))
                assert abs(low) <= 0.501, a
    assert 0.0 < worst < ERROR_ULP


@pytest.mark.parametrize("row", ROWS)
def test_special_values(row):
    for key, expected in row.specials:
        high, rest = (float(part[0]) for part in row.pair(np.asarray([key])))
        assert high == expected or (math.isnan(high) and math.isnan(expected)), key
        assert rest == 0.0 or expected in (0.5, 1.0, 2.0), key


@pytest.mark.parametrize("row", ROWS)
def test_it_agrees_with_the_float64_form(row):
    x = points(row)
    high, _ = row.pair(x)
    other = row.f64(x)
    ordinary = np.isfinite(other) & (np.abs(other) >= 2.0**-1022)
    distance = np.abs(high[ordinary] - other[ordinary])
    assert (distance <= (row.f64_error_ulp + 1) * np.spacing(np.abs(other[ordinary]))).all()


def test_tables_are_made_while_no_other_thread_sets_the_precision(monkeypatch):
    held = []

    class Lock:
        def __enter__(self):
            held.append(self)

        def __exit__(self, *_):
            held.clear()

    monkeypatch.setattr(pair_errors, "MPMATH", Lock())
    table = pair_errors._series_table(lambda _: [mp.mpf(len(held))], 0.1)
    assert (table[:, 0, 0] == 1).all()
