import math

import mpmath as mp
import numpy as np
import pytest

from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.targets.expression import function_from_expression
from xla_evo.targets.parity import BY_ORDER, EVEN, ODD
from xla_evo.targets.target import make_target


@pytest.mark.parametrize(
    ("text", "symmetry"),
    [
        ("erf(x)/x", "even"),
        ("sin(x)/x", "even"),
        ("x**3", "odd"),
        ("x**-2", "even"),
        ("power(t, 3)*cos(t)", "odd"),
        ("-x*(2 + x*x)/(1 + x**4)", "odd"),
        ("(exp(x) - exp(-x))/2", "odd"),
        ("1/(exp(-x) + exp(x))", "even"),
        ("sqrt(1 + x) - sqrt(1 - x)", "odd"),
        ("fabs(x - 3) + fabs(x + 3)", "even"),
        ("besselj(1, x)", "odd"),
        ("chebyt(4, x)", "even"),
        ("atanh(x)/x", "even"),
        ("exp(x)", "none"),
        ("airyai(x)", "none"),
        ("x + 1", "none"),
        ("x**0.5", "none"),
        ("besselj(1.5, x)", "none"),
        ("2**x", "none"),
        # Alike as far as sixty digits tell, next to 0 or all but a part of the line.
        ("(fabs(x-3)+x-3)/2", "none"),
        ("x**2 + (fabs((x-4)*(5-x)) + (x-4)*(5-x))/2", "none"),
        ("cos(x) + exp(100*(x-10))", "none"),
        ("exp(0.1*x) + exp(-0.1000000000000000055*x)", "none"),
    ],
)
def test_a_symmetry_is_proven_or_not_had(text, symmetry):
    assert function_from_expression(text).symmetry == symmetry


# Before mpmath 1.4 some functions are an error at infinity, or have a sign of chance there.
FAR = [math.inf] if tuple(map(int, mp.__version__.split(".")[:2])) >= (1, 4) else []


@pytest.mark.parametrize("name", sorted(ODD | EVEN | BY_ORDER))
def test_mpmath_has_the_symmetries_of_the_table(name):
    for order in (0, 1, 2, 3) if name in BY_ORDER else (None,):
        text = f"{name}(x)" if order is None else f"{name}({order}, x)"
        row = function_from_expression(text)
        sign = 1 if name in EVEN or (order is not None and order % 2 == 0) else -1
        assert row.symmetry == ("even" if sign > 0 else "odd")
        x = np.asarray([0.25, 0.75, 1.5, 3.0, 7.25, 60.0, *FAR])
        np.testing.assert_array_equal(row.f64(-x), sign * row.f64(x))
        form = getattr(mp, "fabs" if name == "abs" else name)
        with mp.workdps(30):
            for z in (mp.mpc(0.5, 0.25), mp.mpc(2, 3)) if name != "erfinv" else ():
                one, two = (form(v) if order is None else form(order, v) for v in (z, -z))
                assert mp.almosteq(two, sign * one)


def test_special_values_of_one_side_leave_no_symmetry():
    both = ((math.inf, 0.0), (-math.inf, -0.0))
    assert function_from_expression("sin(x)/x", both).symmetry == "even"
    assert function_from_expression("sin(x)/x", both[:1]).symmetry == "none"
    assert function_from_expression("sin(x)/x", ((0.0, 1.0),)).symmetry == "even"
    poles = ((0.0, math.inf), (-0.0, -math.inf))
    assert function_from_expression("1/x", poles).symmetry == "odd"
    assert function_from_expression("1/x", poles[:1]).symmetry == "none"


def test_a_function_that_vanishes_around_zero_is_measured_on_both_sides():
    target = make_target(dtype="bfloat16", expr="(fabs(x-3)+x-3)/2", low=-8.0, high=8.0)

    def right(x):
        return np.maximum(x.astype(np.float64) - 3, 0).astype(x.dtype)

    found = measure_exhaustive(right, target, flush_to_zero=True, threads=1)
    assert found.max_ulp <= 0.5
    mirrored = measure_exhaustive(lambda x: right(np.abs(x)), target, flush_to_zero=True, threads=1)
    assert mirrored.max_ulp > 1000
