import mpmath as mp
import numpy as np
import pytest

from xla_evo.discovery import DiscoveryConfig
from xla_evo.discovery.reference import Reference, chebyshev, default_measure
from xla_evo.errors import ConfigError, TargetError
from xla_evo.targets.function import resolve


def settings(**changes):
    return DiscoveryConfig(**({"function": "exp2", "seconds": 1.0} | changes))


BAD = {
    "an unknown function": ({"function": "nope"}, TargetError, "nope"),
    "no function": ({"function": ""}, ConfigError, "either"),
    "both": ({"expression": "x"}, ConfigError, "either"),
    "an unknown name": ({"function": "", "expression": "foo(x)"}, TargetError, "foo"),
    "two variables": ({"function": "", "expression": "x*y"}, TargetError, "2 variables"),
    "a pole": ({"function": "", "expression": "1/(x-0.3)"}, TargetError, "pole"),
    "a branch": ({"function": "", "expression": "sqrt(x-0.5)"}, TargetError, "not a real number"),
    "one point": ({"low": 1.0}, TargetError, "one point"),
    "a reversed domain": ({"low": 2.0}, TargetError, "reversed"),
    "an infinite domain": ({"high": np.inf}, TargetError, "finite"),
    "no operations": ({"max_ops": 0}, ConfigError, "max-ops"),
    "too many operations": ({"max_ops": 99}, ConfigError, "max-ops"),
    "no budget": ({"seconds": None}, ConfigError, "budget"),
    "a budget too short": ({"seconds": None, "candidates": 5}, ConfigError, "too short"),
    "no time": ({"seconds": 0.0}, ConfigError, "budget"),
    "a measure": ({"measure": "ulp"}, ConfigError, "measure"),
    "a weight alone": ({"weight": "x"}, ConfigError, "weight"),
    "two arguments": ({"function": "atan2"}, TargetError, "arguments"),
    "workers": ({"workers": 0}, ConfigError, "workers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_told_in_one_line(name):
    changes, error, text = BAD[name]
    with pytest.raises(error, match=text) as caught:
        settings(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "zero"),
    [("x - 0.5", "0.5"), ("sin(x) - 0.25", "0.25268"), ("(x - 0.5)**2", "0.5")],
)
def test_relative_error_needs_a_function_without_zeros(expression, zero):
    config = settings(function="", expression=expression)
    with pytest.raises(TargetError, match=f"changes its sign or is zero near x = {zero},"):
        Reference(config)
    Reference(settings(function="", expression=expression, measure="absolute"))


def test_a_weight_must_be_positive():
    with pytest.raises(TargetError, match="weight"):
        Reference(settings(measure="weighted", weight="x - 0.5"))


def test_settings_survive_json():
    config = settings(low=0.1, high=np.pi, measure="weighted", weight="1/x")
    again = DiscoveryConfig.from_json(config.to_json())
    assert again == config
    with pytest.raises(ConfigError):
        DiscoveryConfig.from_json({"function": "exp2"})


def test_values_are_right_to_a_hundred_bits_and_weights_follow_the_measure():
    x = chebyshev(0.5, 2.0, 9)
    assert x[0] > 0.5
    assert x[-1] < 2.0
    for changes, weight in (
        ({}, lambda v: 2.0**-v),
        ({"measure": "absolute"}, lambda v: 1.0 + 0 * v),
        ({"measure": "weighted", "weight": "1/x"}, lambda v: 1 / v),
    ):
        high, low, got = Reference(settings(low=0.5, high=2.0, **changes)).arrays(x)
        assert got == pytest.approx(weight(x), rel=1e-14)
        with mp.workdps(50):
            for v, h, t in zip(x, high, low, strict=True):
                assert abs(mp.mpf(h) + mp.mpf(t) - mp.power(2, mp.mpf(v))) < 1e-30


def test_a_removable_singularity_of_the_function_has_its_limit():
    reference = Reference(settings(function="", expression="sin(x)/x"))
    assert reference.at(0.0)[0] == 1


def test_a_domain_that_ends_next_to_a_zero_is_measured_absolutely():
    half_pi = float(np.pi / 2)
    assert default_measure(resolve("cos"), 0.0, half_pi) == "absolute"
    assert default_measure(resolve("sin"), 0.0, half_pi) == "relative"
    with pytest.raises(TargetError, match="zero close to an end"):
        Reference(settings(function="cos", high=half_pi))


def test_a_jump_is_told_and_a_kink_or_a_steep_slope_is_none():
    with pytest.raises(TargetError, match=r"jumps at x = 0\.3"):
        Reference(settings(function="", expression="sign(x - 0.3) + 2"))
    for expression in ("abs(x - 0.3) + 1", "atan(1000*(x - 0.3)) + 2", "cbrt(x) + 1"):
        Reference(settings(function="", expression=expression))
