import pytest

from xla_evo.discovery.constants import LOSS, shorten
from xla_evo.discovery.encoding import ADDC, MULC, RDIVC, RSUBC
from xla_evo.discovery.selection import finished

from .drafts import make_draft


def digits(text):
    return len(text.split("e")[0].removesuffix(".0").replace(".", "").lstrip("-0"))


def test_constants_are_shortened_within_one_per_cent(finisher):
    draft = make_draft((RSUBC, 0, 3.4), (RDIVC, 1, 8.2), (ADDC, 2, -1.4))
    state = finished(draft, 3, 1e-2, finisher)[1]
    steps = shorten(draft, 3, state, finisher)
    error = finisher.error(draft, 3)
    assert error <= state.error * (1 + LOSS)
    assert max(digits(step.constant) for step in steps) <= 7


def test_a_redundant_constant_becomes_short(finisher):
    rows = ((MULC, 0, 1.234), (RSUBC, 1, 3.4 * 1.234), (RDIVC, 2, 8.2 * 1.234), (ADDC, 3, -1.4))
    draft = make_draft(*rows)
    state = finished(draft, 4, 1e-2, finisher)[1]
    steps = shorten(draft, 4, state, finisher)
    assert digits(steps[0].constant) == 1
    assert finisher.error(draft, 4) == pytest.approx(state.error, rel=1.1 * LOSS)
