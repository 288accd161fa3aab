import numpy as np
import pytest

from xla_evo.accuracy.results import outside
from xla_evo.targets.catalogue import CATALOGUE

ABOVE_ONE = np.nextafter(np.float32(1), np.float32(2))


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("tanh", ABOVE_ONE, "f(2.0) is 1.0000001192092896, above all results of the function"),
        ("cos", -ABOVE_ONE, "f(2.0) is -1.0000001192092896, below all results of the function"),
        ("cosh", 1 - 2.0**-24, "f(2.0) is 0.9999999403953552, below all results of the function"),
        ("exp", -1e-40, "below all results"),
    ],
)
def test_a_result_outside_is_told(name: str, wrong: float, said: str) -> None:
    inputs = np.array([1, 2, 3], np.float32)
    results = np.array([1, wrong, np.nan], np.float32)
    assert said in outside(CATALOGUE[name], inputs, results)


@pytest.mark.parametrize("name", ["tanh", "exp", "log"])
def test_ends_zeros_of_either_sign_and_nan_are_inside(name: str) -> None:
    inputs = np.arange(4, dtype=np.float32)
    assert not outside(CATALOGUE[name], inputs, np.array([1, 0, -0.0, np.nan], np.float32))


@pytest.mark.parametrize("name", [n for n, row in CATALOGUE.items() if row.arity == 1])
def test_the_function_itself_stays_inside(name: str) -> None:
    x = np.linspace(-30.0, 30.0, 4801)
    assert not outside(CATALOGUE[name], x, CATALOGUE[name].f64(x))
