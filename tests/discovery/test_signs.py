import numpy as np

from xla_evo.discovery.constants import steps_of
from xla_evo.discovery.encoding import ADDC, DIV, MUL, RDIVC, RSUBC, SUB
from xla_evo.discovery.formula import Step, compile_steps, formula
from xla_evo.discovery.signs import fewer_minus_signs

from .test_formula import drafts

X = np.linspace(-2.0, 3.0, 41)


def negatives(steps):
    return sum(s.constant.startswith("-") and s.code != ADDC for s in steps)


def test_results_stay_the_same_bit_by_bit():
    fewer = 0
    for draft, n in drafts(150):
        steps = steps_of(draft, n)
        found = fewer_minus_signs(steps)
        with np.errstate(all="ignore"):
            one = compile_steps(steps, float)(X)[-1] + 0 * X
            two = compile_steps(found, float)(X)[-1] + 0 * X
        assert np.array_equal(one, two, equal_nan=True)
        assert negatives(found) <= negatives(steps)
        fewer += negatives(found) < negatives(steps)
    assert fewer > 10


def test_sums_products_and_squares_take_the_sign_up():
    steps = (Step(RDIVC, 0, 0, "-3.0"), Step(SUB, 0, 1), Step(RDIVC, 2, 0, "-8.5"),
             Step(RSUBC, 3, 0, "-1.25"), Step(MUL, 4, 4))  # fmt: skip
    assert formula(fewer_minus_signs(steps)) == "t1 = 8.5 / (x + 3 / x) - 1.25; t1 * t1"


def test_a_sign_that_reaches_the_result_stays():
    steps = (Step(RDIVC, 0, 0, "-3.0"), Step(DIV, 1, 0))
    assert fewer_minus_signs(steps) == steps
