"""The shipped lgamma and digamma where few inputs are hard: next to zeros, and where forms meet."""

import numpy as np
import pytest
from scipy import special

from xla_evo.accuracy.sweep import measure_inputs
from xla_evo.library import entries
from xla_evo.targets.target import make_target
from xla_evo_lowering.compile import Executable

SEAMS = np.arange(-24, 12, dtype=np.float32) / 2
"""Integers and ties between them; where a form changes is one of these."""


def beside(places: np.ndarray, steps: int) -> np.ndarray:
    """The float32 numbers up to so many steps from some places."""
    down = up = places.astype(np.float32)
    found = [up]
    for _ in range(steps):
        down, up = np.nextafter(down, np.float32(-np.inf)), np.nextafter(up, np.float32(np.inf))
        found += [down, up]
    return np.concatenate(found)


def zeros(function, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a function is zero between each of some pairs, by halving; those of one sign drop."""
    first = function(low)
    kept = first * function(high) < 0
    low, high, first = low[kept], high[kept], first[kept]
    for _ in range(60):
        middle = (low + high) / 2
        same = first * function(middle) > 0
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return low


def hard(name: str) -> np.ndarray:
    integers = -np.arange(1.0, 100.0)
    if name == "digamma":
        found = zeros(special.digamma, integers + 1e-9, integers + 1 - 1e-9)
        return beside(np.append(found, 1.4616321449683623), 3)
    ends = integers[:12] + np.asarray([[-0.5], [1e-9], [-1e-9], [0.5]])
    low, high = ends[[0, 1]], ends[[2, 3]]
    found = zeros(special.gammaln, low.ravel(), high.ravel())
    return beside(np.append(found, [1.0, 2.0]), 9)


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_programs_hold_next_to_zeros_and_where_forms_meet(name: str) -> None:
    target = make_target(name, "float32")
    inputs = np.concatenate([hard(name), beside(SEAMS, 20)])
    assert inputs.size > 1000
    for entry in entries(name, "float32"):
        run = Executable.of_program(entry.program)
        found = measure_inputs(run, target, inputs, flush_to_zero=True)
        assert found.bound_ulp <= max(p.max_ulp for p in entry.certificate.proofs), entry.name
