import mpmath as mp
import numpy as np
import pytest

from xla_evo.discovery.encoding import MAX_OPS, NODES
from xla_evo.discovery.kernels import backward, forward

from .drafts import exact, random_draft


@pytest.mark.parametrize("seed", range(40))
def test_values_and_derivatives_agree_with_mpmath(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    d = random_draft(rng, n)
    values = np.zeros((MAX_OPS + 1, NODES))
    values[0] = np.linspace(0.3, 1.7, NODES)
    adjoint, jacobian = np.zeros((MAX_OPS + 1, NODES)), np.zeros((MAX_OPS, NODES))
    weight = np.linspace(1.0, 2.0, NODES)
    with np.errstate(all="ignore"):
        forward(d.op, d.a, d.b, d.c, n, values)
        count = backward(d.op, d.a, d.b, d.c, n, values, weight, adjoint, jacobian)
    places = [i for i in range(n) if d.op[i] < 4]
    assert count == len(places)
    for j in range(0, NODES, 7):
        with mp.workdps(60):
            middle = exact(d, n, values[0, j])
            if not mp.isfinite(middle) or abs(middle) > 1e6:
                continue
            assert values[n, j] == pytest.approx(float(middle), rel=1e-8, abs=1e-8)
            step = mp.mpf(10) ** -20
            for k, place in enumerate(places):
                kept = d.cl[place]
                d.cl[place] = float(step)
                up = exact(d, n, values[0, j])
                d.cl[place] = kept
                wanted = float((up - middle) / step) * weight[j]
                assert jacobian[k, j] == pytest.approx(wanted, rel=1e-5, abs=1e-5)
