import math

import numpy as np
import pytest

from xla_evo._random import seeded
from xla_evo.errors import TargetError
from xla_evo.search.genome import ADD, DIV, MUL, SUB, contracted, float_constant, node, to_tape
from xla_evo.search.kernels import BIG, forward, jacobian, max_error
from xla_evo.search.points import around, fit_points, format_points, make_points
from xla_evo.search.polish import polish, step_single
from xla_evo.search.screen import errors_at, fit, improve, screen
from xla_evo.targets.target import make_target

from .genomes import horner


def test_fit_finds_the_minimax_polynomial(exp2_target):
    # Degree 3 on [0, 1]: equioscillation gives 1.1e-4 absolute (Remez), at 2**-23 a unit.
    _, error = fit(horner(0.1, 0.1, 0.1, 1.0), fit_points(exp2_target), BIG)
    assert 850 < error < 960


def test_jacobian_agrees_with_differences():
    nodes = (*horner(0.3, -0.7, 1.1), float_constant(2.0), node(DIV, 7, 8))
    tape = to_tape(nodes)
    x = np.linspace(0.1, 1, 9)
    values = np.zeros((len(nodes) + 1, 9))
    values[0] = x
    forward(tape.code, tape.operands, tape.constants, values, False)
    out = np.zeros((9, tape.free.size))
    jacobian(tape.code, tape.operands, values, tape.free, np.zeros_like(values), out)
    base = values[-1].copy()
    for k, index in enumerate(tape.free):
        moved = tape.constants.copy()
        moved[index] += 1e-6
        forward(tape.code, tape.operands, moved, values, False)
        np.testing.assert_allclose((values[-1] - base) / 1e-6, out[:, k], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("value", [1.0, -1.0, 0.0, 1.5e-45, -1e-38, 3.4e38])
@pytest.mark.parametrize("units", [1, -1, 100])
def test_steps_follow_the_order_of_float32(value, units):
    expected = np.float32(value)
    for _ in range(abs(units)):
        expected = np.nextafter(expected, np.float32(math.copysign(np.inf, units)))
    if np.isfinite(expected):
        assert step_single(value, units) == expected


def test_polish_improves_and_tells_the_truth(exp2_target):
    fitted, _ = fit(horner(*[0.1] * 6, 1.0), fit_points(exp2_target), BIG)
    points = format_points(exp2_target, 512, 0)
    _, before = improve(fitted, points, 0, 0.0, 0)
    polished, after = improve(fitted, points, 3000, 0.0, 0)
    assert after < before
    tape = to_tape(contracted(polished))
    values = np.zeros((len(polished) + 1, points.x.size))
    values[0] = points.x
    forward(tape.code, tape.operands, tape.constants, values, True)
    assert max_error(values[-1], points.reference, points.weight) == after
    assert all(float(np.float32(c)) == c for c in tape.constants)


def test_polish_is_repeatable(exp2_target):
    fitted, _ = fit(horner(*[0.1] * 5, 1.0), fit_points(exp2_target), BIG)
    points = format_points(exp2_target, 256, 0)
    assert improve(fitted, points, 500, 0.0, 7) == improve(fitted, points, 500, 0.0, 7)


def test_screening_stops_what_cannot_enter(exp2_target):
    fit_at, test_at = fit_points(exp2_target), format_points(exp2_target, 256, 0)
    result, step = screen(horner(0.1, 1.0), fit_at, test_at, (10.0, 10.0), 0.5, 0)
    assert result is None
    assert step == "fitted"
    result, _ = screen(horner(*[0.1] * 5, 1.0), fit_at, test_at, (1e9, 0.0), 0.5, 0)
    assert result is not None
    assert result.ulp < 10


def test_what_is_near_the_goal_is_checked_at_many_points(exp2_target):
    """A few test points believe what many refute; the worst of these are told."""
    fit_at, few = fit_points(exp2_target), format_points(exp2_target, 16, 0)
    many = format_points(exp2_target, 4096, 0)
    nodes = horner(*[0.1] * 6, 1.0)
    believed, _ = screen(nodes, fit_at, few, (1e9, 1e9), 0.5, 0)
    checked, _ = screen(nodes, fit_at, few, (1e9, 1e9), 0.5, 0, check_at=many)
    assert believed is not None
    assert checked is not None
    assert believed.worst == ()
    true = errors_at(believed.rounded, many).max()
    assert believed.ulp < true
    assert checked.ulp == errors_at(checked.rounded, many).max() <= true
    assert set(checked.worst) <= set(many.x.tolist())
    assert errors_at(checked.rounded, make_points(exp2_target, np.array(checked.worst))).size == 8


def test_a_constant_that_rounds_to_one_is_no_factor(exp2_target):
    points = format_points(exp2_target, 64, 0)
    nodes = (*horner(0.3, 0.6, 1.0), float_constant(1.0 + 2.0**-30))
    rounded, error = improve((*nodes, node(MUL, len(nodes), len(nodes) - 1)), points, 0, 0.5, 0)
    assert rounded == improve(nodes[:-1], points, 0, 0.5, 0)[0]
    assert error == errors_at(rounded, points).max()


def log2_forms():
    """t * p(t) and t + (t - t*t) * q(t) with t = x - 1: equal fits, unlike rounding."""
    first = [float_constant(1.0), node(SUB, 0, 1)]
    plain = [*first]
    held = [*first, node(MUL, 2, 2), node(SUB, 2, 3)]
    for form, terms in ((plain, 9), (held, 8)):
        form.append(float_constant(0.1))
        total = len(form)
        for _ in range(terms - 1):
            form.append(node(MUL, total, 2))
            form.append(float_constant(0.1))
            form.append(node(ADD, len(form) - 1, len(form)))
            total = len(form)
    plain.append(node(MUL, len(plain), 2))
    held.append(node(MUL, len(held), 4))
    held.append(node(ADD, len(held), 2))
    return tuple(plain), tuple(held)


def test_forms_that_fit_alike_differ_by_their_rounding():
    target = make_target("log2", "float32", 1.0, 2.0)
    fit_at, test_at = fit_points(target), format_points(target, 1024, 0)
    found = [screen(form, fit_at, test_at, (1e9, 1e9), 0.1, 0)[0] for form in log2_forms()]
    plain, held = found
    assert plain is not None
    assert held is not None
    assert max(plain.fit_ulp, held.fit_ulp) < 0.6
    assert held.noise_ulp < 0.9 < 1.2 < plain.noise_ulp


def test_a_fit_within_its_limit_passes_whatever_the_error():
    target = make_target("log2", "float32", 1.0, 2.0)
    fit_at, test_at = fit_points(target), format_points(target, 1024, 0)
    plain, _ = log2_forms()
    assert screen(plain, fit_at, test_at, (1.0, 0.1), 0.1, 0)[0] is None
    assert screen(plain, fit_at, test_at, (1.0, 0.6), 0.1, 0)[0] is not None


def test_points_near_a_zero_of_the_function():
    target = make_target("log2", "float32", 1.0, 2.0)
    points = fit_points(target)
    assert points.x.min() < 1.001
    assert (points.reference != 0).all()
    near = format_points(target, 256, 0)
    assert 1.0 in near.x


@pytest.mark.parametrize(
    ("domain", "least"),
    [
        ({"name": "logistic", "low": -1e20, "high": 10.0}, -87.0),
        ({"expr": "1/(1+x*x)", "low": -3.0, "high": 1e30}, -3.0),
        ({"name": "erfc", "low": 0.0, "high": 1e6}, 0.0),
    ],
)
def test_a_long_tail_of_zeros_leaves_points_to_fit_at(domain, least):
    points = fit_points(make_target(**domain))
    assert points.x.size > 40
    assert points.x.min() >= least
    assert np.sum(np.abs(points.x) > 1.0) > 20
    assert (np.abs(points.reference) >= 2.0**-126).all()


def test_the_numbers_around_an_input():
    target = make_target("exp2", "float32", 0.0, 1.0)
    x = around(np.array([0.5, 1.0], np.float32), 16, target)
    assert x.dtype == np.float32
    assert x.size == 16
    steps = set((x.view(np.int32) - np.float32(0.5).view(np.int32)).tolist())
    assert set(range(-4, 4)) <= steps
    assert x.max() == 1.0
    tiny = around(np.array([2.0**-126], np.float32), 8, target)
    assert tiny.min() == np.float32(2.0**-126)
    assert (around(np.array([0.0], np.float32), 8, target) == 0.0).all()


def test_an_infinite_domain_asks_for_one():
    with pytest.raises(TargetError, match="--domain"):
        fit_points(make_target("exp2", "float32"))


def test_a_pole_is_named():
    with pytest.raises(TargetError, match="not finite"):
        make_points(make_target("log2", "float32", 0.0, 1.0), np.array([0.0, 0.5]))


def test_random_state_is_used(exp2_target):
    fitted, _ = fit(horner(*[0.1] * 5, 1.0), fit_points(exp2_target), BIG)
    points = format_points(exp2_target, 128, 0)
    tape = to_tape(contracted(fitted))
    values = np.zeros((len(fitted) + 1, points.x.size))
    values[0] = points.x
    state = seeded(1, 0)
    before = state.copy()
    polish(
        tape.code, tape.operands, tape.constants, tape.free, values,
        points.reference, points.weight, 10, 0.0, state,
    )  # fmt: skip
    assert (state != before).any()
