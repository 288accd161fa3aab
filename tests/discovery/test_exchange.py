import numpy as np
import pytest

from xla_evo.discovery.constants import steps_of
from xla_evo.discovery.encoding import ADDC, MUL, MULC, RDIVC, RSUBC
from xla_evo.discovery.exchange import exchange
from xla_evo.discovery.minimax import Fit
from xla_evo.discovery.remez import polynomial_error, remez

from .drafts import draft_of, make_draft


def exchanged(finisher, draft, n):
    """The exchange from where the draft is, without Lawson's method before."""
    problem = finisher.reference.problem(finisher.exchange_nodes(draft, n)[0])
    start = Fit(problem, np.ones(problem.x.size), finisher.error(draft, n))
    return exchange(draft, n, finisher, start)


def test_a_polynomial_ends_at_the_error_of_remez(reference, finisher):
    draft = make_draft((MULC, 0, 0.3), (ADDC, 1, 0.7), (MUL, 2, 0), (ADDC, 3, 0.9))
    found = exchanged(finisher, draft, 4)
    wanted = polynomial_error(reference, remez(reference, range(3)))
    assert found.error == pytest.approx(wanted, rel=1e-5)
    assert finisher.error(draft, 4) == found.error


def test_a_rational_with_a_redundant_constant(finisher):
    """c - d / (a - x), times a constant that is not needed."""
    draft = make_draft((RSUBC, 0, 3.5), (RDIVC, 1, 8.0), (ADDC, 2, -1.3), (MULC, 3, 1.01))
    assert exchanged(finisher, draft, 4).error == pytest.approx(8.6724e-4, rel=1e-4)


def test_the_weights_are_those_of_lawson(finisher):
    """The weighted least squares fit with them leaves the constants where they are."""
    draft = make_draft((RSUBC, 0, 3.4), (RDIVC, 1, 8.2), (ADDC, 2, -1.4))
    found = exchanged(finisher, draft, 3)
    assert np.count_nonzero(found.share > 1e-3) == 4
    assert found.share.mean() == pytest.approx(1.0)
    weighted = found.weighted()
    left = weighted.weight * (exact_values(draft, 3, weighted.x) - weighted.fh)
    for k in range(3):
        moved = make_draft(*[(int(draft.op[i]), int(draft.a[i]),
                              draft.c[i] * (1 + 1e-6 * (i == k))) for i in range(3)])  # fmt: skip
        change = weighted.weight * (exact_values(moved, 3, weighted.x) - weighted.fh) - left
        cosine = left @ change / np.linalg.norm(left) / np.linalg.norm(change)
        assert abs(cosine) < 1e-3


def exact_values(draft, n, x):
    """Values of a program on points, in float64."""
    from xla_evo.discovery.formula import compile_steps

    return compile_steps(steps_of(draft, n), float)(x)[-1]


def test_what_is_minimax_stays(finisher):
    draft = make_draft((RSUBC, 0, 3.4), (RDIVC, 1, 8.2), (ADDC, 2, -1.4))
    error = exchanged(finisher, draft, 3).error
    again = draft_of(steps_of(draft, 3))
    assert exchanged(finisher, again, 3).error == pytest.approx(error, rel=1e-5)
