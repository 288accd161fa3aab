"""Float64 sine, cosine and tangent of arguments next to multiples of pi/2, however large."""

import mpmath as mp
import numpy as np
import pytest

from xla_evo.library import entries
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering.branches import LEAST_ELEMENTS, branches
from xla_evo_lowering.compile import Executable

HARDEST = 6381956970095103 * 2.0**797
"""The float64 number that is nearest to a multiple of pi/2 (Muller, Elementary Functions)."""
BRANCH = 2.0**20
ENTRIES = [entries(name, "float64")[0] for name in ("sin", "cos", "tan")]


def next_to_multiples(count=400):
    """Float64 numbers next to multiples of pi/2, some of each exponent up to the largest."""
    random = np.random.default_rng(5)
    found = []
    with mp.workprec(1200):
        for exponent in random.uniform(0, 1023.5, count):
            k = mp.nint(mp.power(2, exponent) / (mp.pi / 2))
            found.append(float(k * mp.pi / 2))
    few = np.rint(random.uniform(1, BRANCH, count)) * (np.pi / 2)
    ends = np.asarray([np.nextafter(BRANCH, 0.0), BRANCH, HARDEST, np.finfo(np.float64).max])
    return np.concatenate([found, few, ends])


def error(name, results, x):
    exact, rest = CATALOGUE[name].pair(x)
    unit = np.ldexp(1.0, np.frexp(exact)[1] - 53)
    return np.abs((results - exact) / unit - rest)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.function)
def test_every_argument_is_within_one_ulp(entry):
    x = next_to_multiples()
    x = np.concatenate([x, -x])
    assert x.size >= LEAST_ELEMENTS
    run = Executable.of_program(entry.program)
    assert error(entry.function, run(x), x).max() < 1.0
    assert np.isnan(run(np.asarray([np.inf, -np.inf, np.nan]))).all()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.function)
def test_what_is_ordinary_ends_where_the_exact_parts_do(entry):
    part = branches(entry.program).part
    ends = np.asarray([part.base, part.base + part.span + 1], np.uint64).view(np.float64)
    assert ends.tolist() == [0.0, BRANCH]
    assert part.program.operation_count() < entry.program.operation_count() / 2


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_the_reference_of_the_hardest_argument_is_that_of_mpmath(name):
    high, rest = (float(v[0]) for v in CATALOGUE[name].pair(np.asarray([HARDEST])))
    with mp.workprec(1400):
        exact = getattr(mp, name)(mp.mpf(HARDEST))
        unit = mp.ldexp(1, int(mp.mag(mp.mpf(high))) - 53)
        assert abs((mp.mpf(high) - exact) / unit + rest) < 2.0**-15
