import math

import pytest

from xla_evo.discovery import DiscoveryConfig
from xla_evo.discovery.encoding import ADD, ADDC, DIV, MULC, RDIVC, RSUBC
from xla_evo.discovery.formula import Step
from xla_evo.discovery.reference import Reference
from xla_evo.discovery.verify import POINTS, Verifier, verification_points


def verifier(expression, low=0.0, high=1.0):
    config = DiscoveryConfig(expression=expression, low=low, high=high, seconds=1.0)
    return Verifier(Reference(config), count=401)


def test_there_are_twenty_thousand_points_with_both_ends():
    points = verification_points(-1.0, 3.0)
    assert POINTS > 20_000
    assert len(points) >= 20_000
    assert (points[0], points[-1]) == (-1.0, 3.0)


def test_the_maximum_is_refined_between_points():
    """|x - 1.25| / ... : the error of 1 against 1 + x (0.5 - x) has its maximum at x = 0.25."""
    found = verifier("1/(1 + x*(0.5 - x))", 0.0, 0.5).verify((Step(MULC, 0, 0, "0"),
        Step(ADDC, 1, 0, "1")))  # fmt: skip
    assert found.error == pytest.approx(0.0625, rel=1e-12)
    assert found.worst == pytest.approx(0.25, abs=1e-6)
    assert found.finite


def test_a_removable_singularity_is_named():
    """1 / (1 + 1/x) is x / (x + 1) with its limit 0 at 0; against itself, all is rounding."""
    steps = (Step(RDIVC, 0, 0, "1"), Step(ADDC, 1, 0, "1"), Step(RDIVC, 2, 0, "1"),
             Step(ADDC, 3, 0, "1"))  # fmt: skip
    found = verifier("x/(x + 1) + 1").verify(steps)
    assert found.error < 1e-40
    assert not found.finite
    (point,) = found.singularities
    assert (point.x, point.step, point.removable, point.float64) == (0.0, 1, True, "right")
    assert found.float64.not_finite == 0


def test_float64_may_give_nan_where_the_limit_exists():
    """(1/x) / (1/x + 1) is inf / inf in float64 at 0."""
    steps = (Step(RDIVC, 0, 0, "1"), Step(ADDC, 1, 0, "1"), Step(DIV, 1, 2, ""),
             Step(ADDC, 3, 0, "1"))  # fmt: skip
    found = verifier("1/(1 + x) + 1").verify(steps)
    assert found.error < 1e-40
    assert [point.float64 for point in found.singularities] == ["nan"]
    assert found.float64.not_finite >= 1
    assert 0.0 in found.float64.where


def test_a_pole_between_the_points_is_found():
    pole = "0.30001234567"
    steps = (Step(RSUBC, 0, 0, pole), Step(RDIVC, 1, 0, "1e-9"), Step(ADDC, 2, 0, "1"))
    found = verifier("1 + 0*x").verify(steps)
    assert found.error == math.inf
    assert found.singularities[0].x == pytest.approx(float(pole), abs=1e-15)
    assert not found.singularities[0].removable


def test_a_zero_of_the_function_needs_a_zero():
    good = (Step(MULC, 0, 0, "1"),)
    bad = (Step(ADDC, 0, 0, "1e-3"),)
    assert verifier("x").verify(good).error == 0
    assert verifier("x").verify(bad).error == math.inf


def test_sums_of_steps():
    assert verifier("2*x + 1").verify((Step(ADD, 0, 0), Step(ADDC, 1, 0, "1"))).error == 0


def test_a_pole_of_tiny_residue_is_no_removable_singularity():
    """1 + 1e-25 / (x - a) is right to 1e-20 on every point of a grid and has a pole."""
    steps = (Step(ADDC, 0, 0, "-0.3000123456789"), Step(RDIVC, 1, 0, "1e-25"),
             Step(ADDC, 2, 0, "1"))  # fmt: skip
    found = verifier("1 + 0*x").verify(steps)
    assert found.error == math.inf
    assert not found.singularities[0].removable


def test_a_zero_beside_another_singular_point_is_found():
    """1/x - 3e4 has its zero in the first interval, whose left end is the pole of 1/x."""
    steps = (Step(RDIVC, 0, 0, "1"), Step(ADDC, 1, 0, "-3e4"), Step(RDIVC, 2, 0, "1e-12"),
             Step(ADDC, 3, 0, "1"))  # fmt: skip
    found = verifier("1 + 0*x").verify(steps)
    assert found.error == math.inf
    assert [point.removable for point in found.singularities] == [True, False]
    assert found.singularities[1].x == pytest.approx(1 / 3e4, rel=1e-12)
