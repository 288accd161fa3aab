import math

import numpy as np
import pytest

from xla_evo.discovery import DiscoveryConfig
from xla_evo.discovery.encoding import ADDC, MUL, MULC, RDIVC, RSUBC
from xla_evo.discovery.minimax import errors_on, extrema_of
from xla_evo.discovery.reference import Reference
from xla_evo.discovery.remez import polynomial_error, remez
from xla_evo.discovery.selection import finished

from .drafts import make_draft

QUADRATIC = ((MULC, 0, 0.34), (ADDC, 1, 0.65), (MUL, 2, 0), (ADDC, 3, 1.0))


def test_lawson_and_remez_agree(reference, finisher):
    wanted = polynomial_error(reference, remez(reference, range(3)))
    state = finished(make_draft(*QUADRATIC), 4, 1e-2, finisher)[1]
    assert state.error == pytest.approx(wanted, rel=2e-3)


def test_the_error_alternates_at_the_end(finisher):
    """c - d / (a - x) has three constants, so four extrema of equal size and alternating sign."""
    draft = make_draft((RSUBC, 0, 3.4), (RDIVC, 1, 8.2), (ADDC, 2, -1.4))
    finished(draft, 3, 1e-2, finisher)
    out = np.empty(finisher.dense.x.size)
    worst = errors_on(draft, 3, finisher.dense, out)
    assert worst == pytest.approx(8.67e-4, rel=2e-3)
    peaks = [out[i] for i in extrema_of(out) if abs(out[i]) > 0.99 * worst]
    assert len(peaks) == 4
    assert all(a * b < 0 for a, b in zip(peaks[1:], peaks[:-1], strict=True))


def test_the_remez_line_of_a_known_function(reference):
    """The best relative error of a + b x for 2^x on [0, 1] is 0.0298 (degree 1), 7.5e-8 (5)."""
    for degree, error in ((1, 0.02982), (5, 7.5e-8)):
        found = polynomial_error(reference, remez(reference, range(degree + 1)))
        assert found == pytest.approx(error, rel=5e-3)


def test_powers_of_one_parity_alone():
    """The best a + b x^2 for cos on [0, pi/2], as found with z = x^2 by hand: equal extrema."""
    config = DiscoveryConfig(
        function="cos", high=math.pi / 2, measure="absolute", seconds=1.0, max_ops=5
    )
    reference = Reference(config)
    even = remez(reference, (0, 2, 4))
    assert even[1] == even[3] == 0
    assert polynomial_error(reference, even) == pytest.approx(5.98e-4, rel=5e-3)
    assert polynomial_error(reference, even) < polynomial_error(
        reference, remez(reference, range(3))
    )
