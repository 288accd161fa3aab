from fractions import Fraction

import numpy as np
import pytest

from xla_evo_lowering import arithmetic
from xla_evo_lowering.dtypes import BF16, F16, F32, F64, FLOATS

from .programs import same, values


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def _round(number: Fraction, dtype) -> float:
    """A nonzero rational rounded to the nearest, ties to even, by the definition of the format."""
    size = abs(number)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    exponent = max(exponent, dtype.emin)
    unit = Fraction(2) ** (exponent - dtype.mantissa_bits)
    rounded = round(size / unit) * unit
    if rounded >= Fraction(2) ** (dtype.emax + 1):
        return float("inf") if number > 0 else float("-inf")
    return float(rounded) if number > 0 else -float(rounded)


@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_fma_rounds_once(dtype):
    a, b, c = (values(dtype, 3000, seed) for seed in range(3))
    rng = np.random.default_rng(0)
    half = len(a) // 2  # sums that nearly cancel, and products just beside a tie
    c[half:] = -(a[half:] * b[half:]) * rng.choice([1, 1, 2.0**-12, 2.0**40], half).astype(c.dtype)
    got = arithmetic.fma(a, b, c)
    checked = 0
    for x, y, z, result in zip(*(v.astype(np.float64) for v in (a, b, c)), got, strict=True):
        if not np.isfinite([x, y, z]).all():
            continue
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        if exact == 0 or (dtype is F64 and abs(exact) < Fraction(2) ** -1022):
            continue
        assert float(result) == _round(exact, dtype), (x, y, z)
        checked += 1
    assert checked > 800


@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_fma_of_specials_is_that_of_a_product_and_a_sum(dtype):
    a, b, c = (values(dtype, 3000, seed) for seed in range(3))
    with np.errstate(all="ignore"):
        wide = [v.astype(np.float64) for v in (a, b, c)]
        unbounded = ~np.isfinite(wide).all(axis=0)
        # A product of numbers is a number, though its rounding may be infinite.
        bounded = np.isfinite(wide[:2]).all(axis=0) & np.isinf(wide[2])
        plain = np.where(bounded, wide[2], wide[0] * wide[1] + wide[2]).astype(dtype.numpy)
    assert same(arithmetic.fma(a, b, c), plain)[unbounded].all()


@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_fma_of_an_infinite_addend_is_the_addend_however_large_the_product(dtype):
    big = np.full(2, np.finfo(np.float64).max if dtype is F64 else 2.0**15).astype(dtype.numpy)
    addend = np.array([-np.inf, np.inf], dtype.numpy)
    assert same(arithmetic.fma(big, big, addend), addend).all()
    assert same(arithmetic.fma(-big, big, addend), addend).all()
    assert np.isnan(arithmetic.fma(big * np.inf, big, addend)[0])


@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_minimum_and_maximum_order_zeros_and_keep_nan(dtype):
    zero = np.zeros(1, dtype.numpy)
    assert np.signbit(arithmetic.minimum(zero, -zero))[0]
    assert np.signbit(arithmetic.minimum(-zero, zero))[0]
    assert not np.signbit(arithmetic.maximum(-zero, zero))[0]
    assert not np.signbit(arithmetic.maximum(zero, -zero))[0]
    nan = np.full(1, np.nan, dtype.numpy)
    assert np.isnan(arithmetic.maximum(nan, zero))[0]
    assert np.isnan(arithmetic.minimum(zero, nan))[0]


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_shifts_beyond_the_width(bits):
    x = np.array([-1, -1, -1, 5], f"i{bits // 8}")
    amount = np.array([bits, -1, bits - 1, 1], x.dtype)
    assert arithmetic.shift_left(x, amount).tolist() == [0, 0, -(1 << (bits - 1)), 10]
    assert arithmetic.shift_right_logical(x, amount).tolist() == [0, 0, 1, 2]
    assert arithmetic.shift_right_arithmetic(x, amount).tolist() == [-1, -1, -1, 2]


def test_conversion_to_integers_truncates_and_saturates():
    x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 2.9, -2.9, 2147483520.0], np.float32)
    top, bottom = 2**31 - 1, -(2**31)
    assert arithmetic.convert(x, np.dtype(np.int32)).tolist() == [
        0, top, bottom, top, bottom, 2, -2, 2147483520,
    ]  # fmt: skip
    assert arithmetic.convert(x, np.dtype(np.uint16)).tolist() == [
        0,
        65535,
        0,
        65535,
        0,
        2,
        0,
        65535,
    ]
    assert arithmetic.convert(np.array([0.5, 0.0, np.nan]), np.dtype(bool)).tolist() == [1, 0, 1]


@pytest.mark.parametrize("dtype", [F16, BF16, F32, F64], ids=repr)
def test_flushing_takes_subnormals_only(dtype):
    x = values(dtype, 2000)
    flushed = arithmetic.flush_subnormals(x)
    size = np.abs(x.astype(np.float64))
    subnormal = (size < 2.0**dtype.emin) & (size > 0)
    assert subnormal.any()
    assert (flushed[subnormal] == 0).all()
    assert (np.signbit(flushed) == np.signbit(x))[subnormal].all()
    assert same(flushed, x)[~subnormal].all()
