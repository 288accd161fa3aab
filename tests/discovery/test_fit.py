import mpmath as mp
import numpy as np
import pytest

from xla_evo.discovery.canonical import new_draft
from xla_evo.discovery.encoding import ADD, ADDC, DIV, MUL, MULC, NODES, RDIVC
from xla_evo.discovery.evolve import (
    GAUSS_NEWTON,
    WEAKEST_TOO,
    copy_constants,
    new_bench,
    slide,
)  # fmt: skip
from xla_evo.discovery.fit import Problem, fit, gauss_newton, levenberg, new_scratch
from xla_evo.discovery.reference import fitting_nodes

from .drafts import make_draft

HORNER = ((MULC, 0, 1.0), (ADDC, 1, 1.0), (MUL, 2, 0), (ADDC, 3, 1.0))


def problem_of(function):
    x = fitting_nodes(0.0, 1.0)
    with mp.workdps(50):
        exact = [function(mp.mpf(float(v))) for v in x]
        high = np.array([float(v) for v in exact])
        low = np.array([float(v - mp.mpf(h)) for v, h in zip(exact, high, strict=True)])
    return Problem(x, high, low, 1 / np.abs(high))


def fitted(draft, n, problem, iterations=200):
    scratch = new_scratch(problem)
    return fit(
        draft.op, draft.a, draft.b, draft.c, draft.cl, n, problem.weight, scratch,
        iterations, 1e300, 0, 1e-6, 1.0,
    )  # fmt: skip


def test_a_linear_problem_agrees_with_least_squares():
    problem = problem_of(lambda x: mp.power(2, x))
    draft = make_draft(*HORNER)
    error = fitted(draft, 4, problem)
    matrix = np.vander(problem.x, 3) * problem.weight[:, None]
    wanted, residual, *_ = np.linalg.lstsq(matrix, np.ones(NODES), rcond=None)
    assert error == pytest.approx(np.sqrt(residual[0] / NODES), rel=1e-6)
    assert [draft.c[i] for i in (0, 1, 3)] == pytest.approx(wanted, rel=1e-4)


def test_extended_arithmetic_goes_far_below_float64():
    problem = problem_of(lambda x: (x + mp.mpf(1) / 3) / (x + 7) * mp.pi)
    draft = make_draft((ADDC, 0, 0.1), (ADDC, 0, 6.0), (DIV, 1, 2), (MULC, 3, 2.0))
    assert fitted(draft, 4, problem) < 1e-27
    with mp.workdps(40):
        assert abs(mp.mpf(draft.c[3]) + mp.mpf(draft.cl[3]) - mp.pi) < 1e-24


def test_a_frozen_constant_does_not_move():
    problem = problem_of(lambda x: mp.power(2, x))
    draft = make_draft(*HORNER)
    draft.c[1] = 0.5
    scratch = new_scratch(problem)
    levenberg(
        draft.op, draft.a, draft.b, draft.c, draft.cl, 4, problem.weight, scratch,
        False, 50, 1e300, 0b010, 1e-6,
    )  # fmt: skip
    assert draft.c[1] == 0.5
    assert draft.c[0] != 1.0


def test_a_start_that_is_not_finite_is_told():
    problem = problem_of(lambda x: mp.power(2, x))
    draft = make_draft((MULC, 0, 0.0), (RDIVC, 1, 1.0))
    assert fitted(draft, 2, problem) == np.inf


@pytest.mark.parametrize("directions", [GAUSS_NEWTON, WEAKEST_TOO])
def test_the_valley_is_followed_where_the_fit_alone_stays(directions):
    """2^x in nine operations: steps that first raise the error lead on."""
    problem = problem_of(lambda x: mp.power(2, x))
    rows = ((RDIVC, 0, 357.0), (ADD, 0, 1), (RDIVC, 2, 918.0), (ADD, 3, 2), (RDIVC, 4, 3700.0),
            (ADD, 4, 5), (ADDC, 6, -123.0), (RDIVC, 7, 247.0), (ADDC, 8, 1.0))  # fmt: skip
    draft = make_draft(*rows)
    error = fitted(draft, 9, problem, 30)
    kept = new_draft()
    copy_constants(draft, kept, 9)
    found = slide(draft, 9, error, problem, new_bench(problem), 200, 0, directions)
    assert found <= error
    assert found < 1.7e-14


def test_the_weakest_direction_hardly_moves_the_function():
    """(x c1 + c2) c3: growing c1 and c2 while c3 shrinks changes nothing to first order."""
    problem = problem_of(lambda x: 1 + x / 2)
    draft = make_draft((MULC, 0, 1.0), (ADDC, 1, 3.0), (MULC, 2, 0.4))
    scratch = new_scratch(problem)
    assert gauss_newton(
        draft.op, draft.a, draft.b, draft.c, draft.cl, 3, problem.weight, scratch, False, 1e-3, 0,
        True,
    )  # fmt: skip
    by_part = (scratch.ch[:3] + scratch.cl[:3]) / draft.c[:3] - 1
    assert by_part[0] == pytest.approx(by_part[1], rel=1e-3)
    assert by_part[0] == pytest.approx(-by_part[2], rel=1e-2)
    assert abs(by_part[0]) > 1e-4
