import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import mpmath as mp
import numpy as np
import pytest

from xla_evo.accuracy.specials import check_specials
from xla_evo.errors import TargetError
from xla_evo.targets.expression import function_from_expression
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.dtypes import F32


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("airyai(x)", 1, mp.airyai(1)),
        ("besselj(0, x)", 2.5, mp.besselj(0, 2.5)),
        ("-x**2 + 3*x - 1/4", 2, mp.mpf("1.75")),
        ("exp(-t*t)*pi", 0.5, mp.exp(-0.25) * mp.pi),
        ("0.1*x", 3, mp.mpf(3) / 10),
    ],
)
def test_values_are_mpmaths(text, x, expected):
    with mp.workdps(15):
        assert mp.almosteq(function_from_expression(text).mp(mp.mpf(x)), expected)


def test_decimals_are_exact_at_any_precision():
    with mp.workdps(60):
        value = function_from_expression("0.1 + 0*x").mp(mp.mpf(1))
        assert abs(value - mp.mpf(1) / 10) < mp.mpf(10) ** -58


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("erf(x)/x", 0, lambda: 2 / mp.sqrt(mp.pi)),
        ("sin(x)/x", 0, lambda: 1),
        ("log2(x)/(x-1)", 1, lambda: 1 / mp.log(2)),
        ("(1-cos(x))/x**2", 0, lambda: mp.mpf(1) / 2),
        ("x*log(x)", 0, lambda: 0),
        ("(exp(x)-1-x)/x**2", 0, lambda: mp.mpf(1) / 2),
        ("(cos(x)-1+x**2/2-x**4/24)/x**6", 0, lambda: -mp.mpf(1) / 720),
        ("(sqrt(1+x)-1)/sqrt(x)", 0, lambda: 0),
        ("log(x)/sqrt(x-1)", 1, lambda: 0),
        ("sqrt(x)*log(x)", 0, lambda: 0),
        ("log(1+sqrt(x))/sqrt(x)", 0, lambda: 1),
    ],
)
def test_removable_singularities_have_their_limit(text, x, expected):
    with mp.workdps(30):
        value = function_from_expression(text).mp(mp.mpf(x))
        assert abs(value - expected()) < mp.mpf(10) ** -28


@pytest.mark.parametrize("x", ["1e-25", "1e-30", "1e-38", "-1e-44", "1e-300"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1-cos(x))/x**2", lambda x: 1 / mp.mpf(2)),
        ("(x-sin(x))/x**3", lambda x: 1 / mp.mpf(6)),
        ("1+(x-sin(x))/x**3", lambda x: 7 / mp.mpf(6)),
        ("(sin(x)-x+x**3/6)/x**5", lambda x: 1 / mp.mpf(120)),
        ("coth(x)-1/x", lambda x: x / 3),
        ("2-(1-cos(x**3))/x**6", lambda x: mp.mpf(3) / 2),
        ("2+(sin(tan(x))-tan(sin(x)))/x**7", lambda x: mp.mpf(59) / 30),
    ],
)
def test_cancellation_near_a_removable_singularity_costs_no_digit(text, expected, x):
    with mp.workdps(20):
        value = function_from_expression(text).mp(mp.mpf(x))
        assert abs(value / expected(mp.mpf(x)) - 1) < mp.mpf(10) ** -19


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("sqrt(x*x+1)-x", 1e30, lambda x: 1 / (2 * x)),
        ("log(1+exp(x))-x", 700, lambda x: mp.exp(-x)),
        ("1-tanh(x)", 300, lambda x: 2 * mp.exp(-2 * x)),
    ],
)
def test_what_is_left_of_large_terms_is_not_taken_for_zero(text, x, expected):
    with mp.workdps(20):
        value = function_from_expression(text).mp(mp.mpf(x))
        assert abs(value / expected(mp.mpf(x)) - 1) < mp.mpf(10) ** -19


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("exp(-exp(x))", [1e5, 1e10, 3e38], [0.0, 0.0, 0.0]),
        ("tanh(exp(x))", [1e10], [1.0]),
        ("1/(1+exp(exp(x)))", [1e10], [0.0]),
        ("exp(exp(x))", [1e10], [math.inf]),
        ("2**-exp(x)", [1e10], [0.0]),
        ("erfc(exp(x))+1", [1e5], [1.0]),
        ("log(exp(exp(x)))", [700.0], [math.exp(700.0)]),
        ("log(1+exp(x))", [1e30], [1e30]),
    ],
)
def test_exponentials_of_exponentials_take_no_long_numbers(text, at, expected):
    assert function_from_expression(text, narrow=True).f64(np.array(at)).tolist() == expected


def test_the_cube_root_is_the_real_one():
    row = function_from_expression("cbrt(x)", narrow=True)
    x = np.array([-8.0, -0.3, 0.0, 0.3])
    exact = [float(row.mp(mp.mpf(v))) for v in x.tolist()]
    np.testing.assert_allclose(row.f64(x), exact, rtol=1e-15)
    np.testing.assert_allclose(exact, np.cbrt(x), rtol=1e-15)


def test_what_vanishes_is_zero():
    for text in ("(fabs(x)-x)*erf(x)", "sin(x)**2+cos(x)**2-1"):
        assert function_from_expression(text).mp(mp.mpf(2)) == 0


def test_float64_form_is_correctly_rounded_and_total():
    row = function_from_expression("erf(x)/x")
    x = np.asarray([0.0, -0.0, 0.3, -2.0, np.nan])
    values = row.f64(x)
    with mp.workdps(40):
        exact = [float(row.mp(mp.mpf(v))) for v in x[:4].tolist()]
    np.testing.assert_array_equal(values, [*exact, math.nan])
    np.testing.assert_array_equal(row.f64(x), values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("erf(x", "does not parse at column"),
        ("erff(x)", "unknown function 'erff'.*did you mean erf"),
        ("x*y", "2 variables"),
        ("x + pie", "did you mean pi"),
        ("pi*2", "no variable"),
        ("x^2", "write \\*\\*"),
        ("__import__('os').system('true')", "not understood"),
        ("x.real", "not understood"),
        ("[x for x in (1,)]", "not understood|variables"),
        ("lambda x: x", "not understood"),
        ("x if x else 1", "not understood"),
        ("True*x", "not understood"),
        ("'a'*x", "not understood"),
        ("1j*x", "not understood"),
        ("exp", "needs its argument|no variable"),
        ("(" * 900 + "x" + ")" * 900, "does not parse|nested"),
        ("x+" * 3000 + "x", "characters"),
        ("1e999999*x", "not a decimal"),
    ],
)
def test_bad_expressions_are_refused_in_one_line(text, message):
    with pytest.raises(TargetError, match=message) as caught:
        function_from_expression(text)
    assert "\n" not in str(caught.value)


def test_declared_special_values_are_asked_of_a_program():
    target = make_target(
        expr="sin(x)/x", low=-math.inf, high=math.inf, specials={math.inf: 0.0, -math.inf: -0.0}
    )
    row = target.function
    np.testing.assert_array_equal(row.f64(np.asarray([0.0, math.inf, -math.inf])), [1.0, 0.0, 0.0])
    for again in (pickle.loads(pickle.dumps(target)), Target.from_json(target.to_json())):
        assert [math.copysign(1.0, y) for _, y in again.function.declared_specials()] == [1.0, -1.0]

    def program(x: np.ndarray) -> np.ndarray:
        wide = x.astype(np.float64)
        with np.errstate(all="ignore"):
            y = np.where(x == 0.0, 1.0, np.sin(wide) / wide)
        return np.where(np.isinf(x), 0.0, y).astype(np.float32)

    failures = check_specials(program, row, F32, -math.inf, math.inf, flush_to_zero=True)
    assert [failure.input for failure in failures] == [-math.inf]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expr": "cos(x)", "specials": {0.0: 2.0}}, "is 1.0 at x = 0.0, not 2.0"),
        ({"expr": "cos(x)", "specials": {math.nan: 2.0}}, "no input"),
        ({"name": "cos", "specials": {0.0: 1.0}}, "the catalogue has the special values of cos"),
    ],
)
def test_special_values_that_are_not_the_functions_are_refused(arguments, message):
    with pytest.raises(TargetError, match=message):
        make_target(low=-1.0, high=1.0, **arguments)


def test_special_values_of_both_zeros_stay_apart():
    row = function_from_expression("x", ((0.0, 0.0), (-0.0, -0.0)))
    assert [math.copysign(1.0, y) for y in row.f64(np.asarray([0.0, -0.0]))] == [1.0, -1.0]


def test_threads_have_the_references_of_one_thread_and_leave_the_precision():
    target = make_target(expr="gamma(x)", low=1e-4, high=1.0)  # by mpmath alone
    form = target.function.mp
    x = np.linspace(1e-4, 1.0, 1200)
    with mp.workprec(90):
        expected = np.asarray([float(form(mp.mpf(value))) for value in x.tolist()])
    before, switched = mp.mp.prec, sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(target.function.f64, np.array_split(x, 16)))
    finally:
        sys.setswitchinterval(switched)
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert mp.mp.prec == before
