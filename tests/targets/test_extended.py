"""Expressions over arrays of extended numbers: near enough where they say so, else by mpmath."""

import mpmath as mp
import numpy as np
import pytest

from xla_evo.targets import extended
from xla_evo.targets.expression import function_from_expression

pytestmark = pytest.mark.skipif(not extended.is_extended(), reason="no x87 numbers, or no glibc")

EXPRESSIONS = [
    ("sin(x)/x", 0.1, 1.0), ("exp(-x*x)", 0.0, 9.0), ("log(1+exp(x))", -20.0, 20.0),
    ("x*tanh(log(1+exp(x)))", -9.0, 9.0), ("sqrt(1+x**2)-1", 0.0, 9.0), ("x-sin(x)", 0.0, 0.1),
    ("(exp(x)-1)/x", -1.0, 1.0), ("2**(x/3)", -9.0, 9.0), ("asin(x)*acos(x)", -1.0, 1.0),
    ("cos(x**3)*0.1+tan(x)", -3.0, 3.0), ("cosh(x)/sinh(-x)", 0.1, 20.0), ("acosh(x)", 1.0, 1.01),
    ("atanh(x)+cbrt(x)", 0.0, 1.0), ("ln(x)+log2(x)*log10(x)", 0.9, 1.1), ("abs(x)", -1.0, 1.0),
    ("asinh(x)-atan(x)", 0.0, 2.0), ("log1p(x)-expm1(x)", -0.5, 0.5), ("1/(x-1)", 0.999, 1.001),
    ("exp(-x*x/2)/sqrt(2*pi)", -6.0, 6.0), ("sin(pi*x)*e", 0.9, 1.1), ("x**1.5-x**-2", 0.9, 1.1),
    ("x**-0.25", 0.0, 9.0), ("erf(x)/x", -3.0, 3.0), ("erfc(x*sqrt(x))", 0.0, 9.0),
    ("x*erf(x*x+0.25)", -3.0, 3.0), ("erfc(-x)*erfc(2*x)", -13.0, 13.0),
    ("(1-cos(x))/x**2", 0.01, 1.0), ("(exp(x)-1-x)/x**2", 0.001, 1.0),
]  # fmt: skip


def points(low: float, high: float, count: int = 400) -> np.ndarray:
    inside = np.random.default_rng(0).uniform(low, high, count)
    return np.concatenate([inside, inside.astype(np.float32).astype(np.float64)])


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize(("text", "low", "high"), EXPRESSIONS)
def test_values_are_as_near_as_the_function_says(text, low, high, narrow):
    function = function_from_expression(text, narrow=narrow)
    x = points(low, high)
    got = function.f64(x)
    with mp.workprec(200):
        exact = [function.mp(mp.mpf(value)) for value in x.tolist()]
        errors = [
            float(abs(mp.mpf(y) - z) / np.spacing(abs(y)))
            for y, z in zip(got.tolist(), exact, strict=True)
        ]
    assert max(errors) <= function.f64_error_ulp


@pytest.mark.parametrize(("text", "low", "high"), EXPRESSIONS)
def test_bounds_hold_where_nothing_is_near_enough_too(text, low, high):
    function = function_from_expression(text)
    form = function.f64._wide
    x = points(low, high, 100)
    start = extended.Bounded(x.astype(np.longdouble), np.zeros(len(x), np.longdouble), 53)
    with np.errstate(all="ignore"):
        found = form(start)
    with mp.workprec(200):
        for value, value_error, at in zip(found.value, found.error, x.tolist(), strict=True):
            high_part = float(value)
            given = mp.mpf(high_part) + mp.mpf(float(value - np.longdouble(high_part)))
            if np.isfinite(value_error):
                assert abs(given - function.mp(mp.mpf(at))) <= float(value_error) * 1.0001


@pytest.mark.parametrize(
    ("text", "narrow"),
    [
        ("sin(x)/x", False), ("x**1.5*exp(-pi*x)", False), ("(1-cos(x))/x**2", True),
        ("x*erfc(-x/sqrt(2))/2", True),
    ],
)  # fmt: skip
def test_what_needs_no_mpmath(text, narrow):
    values = function_from_expression(text, narrow=narrow).f64
    _, sure = extended.values(values._wide, points(0.1, 1.0), values._tolerance_ulp)
    assert sure.all()


@pytest.mark.parametrize("text", ["airyai(x)", "x**0.1", "gamma(x)", "x**x", "besselj(0, x)"])
def test_what_is_not_known_is_left_to_mpmath(text):
    function = function_from_expression(text)
    assert function.f64._wide is None
    x = points(0.1, 1.0, 5)
    np.testing.assert_array_equal(
        function.f64(x), [float(function.mp(mp.mpf(value))) for value in x.tolist()]
    )


def test_special_values_and_limits_stay():
    function = function_from_expression("sin(x)/x", ((np.inf, 0.0),))
    got = function.f64(np.array([0.0, np.inf, np.nan, 1.0, -np.inf]))
    np.testing.assert_array_equal(got, [1.0, 0.0, np.nan, np.sin(1.0), np.nan])


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("x*1e-400*1e300*1e100", 0.75, 0.75), ("x*1e-320*1e300*1e20", 0.75, 0.75),
        ("1e400*x/1e400", 0.75, 0.75), ("log(exp(-x))/x", 11397.5517578125, -1.0),
    ],
)  # fmt: skip
def test_what_leaves_the_range_of_the_extended_numbers_is_left_to_mpmath(text, x, expected):
    assert function_from_expression(text).f64(np.array([x])).tolist() == [expected]
