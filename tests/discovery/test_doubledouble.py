import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xla_evo.discovery.doubledouble import dd_add, dd_div, dd_mul, forward_dd

NUMBER = st.floats(min_value=1e-30, max_value=1e30) | st.floats(min_value=-1e30, max_value=-1e-30)
TAIL = st.floats(min_value=-0.5, max_value=0.5)


def pair(high, tail):
    return high, tail * np.spacing(high)


@pytest.mark.parametrize(
    ("operation", "meaning"),
    [
        (dd_add, lambda x, y: x + y),
        (dd_mul, lambda x, y: x * y),
        (dd_div, lambda x, y: x / y),
    ],
)
@given(NUMBER, TAIL, NUMBER, TAIL)
def test_operations_are_right_to_a_hundred_bits(operation, meaning, a, s, b, t):
    x, y = pair(a, s), pair(b, t)
    high, low = operation(*x, *y)
    with mp.workprec(400):
        big = [mp.mpf(p[0]) + mp.mpf(p[1]) for p in (x, y)]
        wanted = meaning(*big)
        scale = abs(big[0]) + abs(big[1]) if operation is dd_add else abs(wanted)
        assert abs(mp.mpf(float(high)) + mp.mpf(float(low)) - wanted) <= scale * mp.mpf(2) ** -102


def test_forward_keeps_the_low_parts():
    op, a, b = (np.array(v, np.int8) for v in ([1, 3, 4], [0, 1, 2], [0, 0, 1]))
    c, cl = np.array([1 / 3, 2.0, 0.0]), np.array([1 / 3 * 2**-54, 0.0, 0.0])
    high, low = np.zeros((4, 2)), np.zeros((4, 2))
    high[0] = [0.7, 1.9]
    forward_dd(op, a, b, c, cl, 3, high, low)
    with mp.workdps(50):
        for j in range(2):
            third = (mp.mpf(c[0]) + mp.mpf(cl[0])) * mp.mpf(high[0, j])
            wanted = 2 / third + third
            assert abs(mp.mpf(high[3, j]) + mp.mpf(low[3, j]) - wanted) < 1e-30
