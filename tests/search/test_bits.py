"""Bits of real numbers: those of float32 numbers, and between two of them a fraction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xla_evo.search.bits import bit_row
from xla_evo.search.genome import AND, AS_FLOAT, AS_INT, INT_ADD, INT_SUB, OR, SHR, XOR

SINGLE = st.floats(width=32, allow_nan=False)
FINE = 2.0**-44
"""Of 53 bits, 31 are the integer's and 22 the fraction's."""


def apply(code, a, b=0.0):
    out = np.empty(1)
    bit_row(code, np.array([a], np.float64), np.array([b], np.float64), out)
    return float(out[0])


@given(SINGLE)
def test_the_bits_of_a_float32_number_are_its_own(value):
    bits = apply(AS_INT, value)
    assert bits == np.float32(value).view(np.int32)
    back = apply(AS_FLOAT, bits)
    assert back == value
    assert math.copysign(1.0, back) == math.copysign(1.0, value)


@given(st.floats(1e-30, 1e30), st.sampled_from([1.0, -1.0]))
def test_bits_of_a_real_number_give_it_back(size, sign):
    value = sign * size
    bits = apply(AS_INT, value)
    assert apply(AS_FLOAT, bits) == pytest.approx(value, rel=FINE)
    towards_zero = np.float32(value)
    if abs(float(towards_zero)) > size:
        towards_zero = np.nextafter(towards_zero, np.float32(0))
    assert math.floor(bits) == towards_zero.view(np.int32)


@pytest.mark.parametrize("steps", [-3, 1, 5])
def test_an_exponent_added_to_the_bits_is_a_power_of_two(steps):
    value = 1.0 + 0.3 * 2.0**-23
    for code, number in ((INT_ADD, steps << 23), (INT_SUB, -(steps << 23))):
        moved = apply(AS_FLOAT, apply(code, apply(AS_INT, value), number))
        assert moved == pytest.approx(value * 2.0**steps, rel=FINE)


@pytest.mark.parametrize("code", [OR, XOR])
def test_a_sign_in_the_bits_negates(code):
    value = 0.7 + 0.1 * 2.0**-24
    for operands in ((apply(AS_INT, value), -(2.0**31)), (-(2.0**31), apply(AS_INT, value))):
        assert apply(AS_FLOAT, apply(code, *operands)) == pytest.approx(-value, rel=FINE)


def test_a_mask_that_drops_bits_drops_the_fraction():
    bits = apply(AS_INT, 1.0 + 1.6 * 2.0**-23)
    assert apply(AND, bits, -4096) == apply(AND, -4096, bits) == 0x3F800000
    assert apply(AND, bits, 0x7FFFFFFF) == apply(AND, 0x7FFFFFFF, bits) == bits
    assert apply(SHR, bits, 23) == 127
