"""NumPy meanings of operations where NumPy's own function differs from StableHLO's definition.

Every function here takes arrays of one dtype and returns an array of the documented dtype, exactly
as the StableHLO specification defines the operation (github.com/openxla/stablehlo, docs/spec.md).
"""

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def unsigned_view(x: Array) -> Array:
    """Returns the bit patterns of `x` as unsigned integers of the same width."""
    return x.view(_UNSIGNED[x.dtype.itemsize])


def maximum(a: Array, b: Array) -> Array:
    """IEEE 754-2019 maximum: NaN wins, and +0 is above -0."""
    picked = np.maximum(a, b)
    if np.issubdtype(a.dtype, np.integer) or a.dtype == np.bool_:
        return picked
    return np.where((a == 0) & (b == 0), a + b, picked).astype(a.dtype)


def minimum(a: Array, b: Array) -> Array:
    """IEEE 754-2019 minimum: NaN wins, and -0 is below +0."""
    picked = np.minimum(a, b)
    if np.issubdtype(a.dtype, np.integer) or a.dtype == np.bool_:
        return picked
    return np.where((a == 0) & (b == 0), -((-a) + (-b)), picked).astype(a.dtype)


def clamp(low: Array, x: Array, high: Array) -> Array:
    """``minimum(maximum(x, low), high)``, the order of StableHLO."""
    return minimum(maximum(x, low), high)


def shift_left(x: Array, amount: Array) -> Array:
    """Logical left shift; 0 when the amount, read as unsigned, is at least the width."""
    bits = x.dtype.itemsize * 8
    count = unsigned_view(amount)
    inside = count < bits
    shifted = unsigned_view(x) << np.where(inside, count, 0).astype(count.dtype)
    return np.where(inside, shifted, 0).astype(count.dtype).view(x.dtype)


def shift_right_logical(x: Array, amount: Array) -> Array:
    """Right shift that fills with zeros; 0 when the amount is at least the width."""
    bits = x.dtype.itemsize * 8
    count = unsigned_view(amount)
    inside = count < bits
    shifted = unsigned_view(x) >> np.where(inside, count, 0).astype(count.dtype)
    return np.where(inside, shifted, 0).astype(count.dtype).view(x.dtype)


def shift_right_arithmetic(x: Array, amount: Array) -> Array:
    """Right shift that fills with the sign bit; all signs when the amount is at least the width."""
    bits = x.dtype.itemsize * 8
    count = np.minimum(unsigned_view(amount), bits - 1)
    signed = x.view(np.dtype(f"i{x.dtype.itemsize}"))
    return (signed >> count.astype(signed.dtype)).view(x.dtype)


def convert(x: Array, to: np.dtype[Any]) -> Array:
    """Value conversion as XLA does it.

    Float to integer truncates, saturates at the ends of the range, and takes NaN to 0; float to
    bool asks ``x != 0``; integers wrap; floats round to nearest even.
    """
    from_float = x.dtype.kind == "f" or x.dtype.name == "bfloat16"
    if to == np.bool_:
        return x != 0
    if from_float and to.kind in "iu":
        limits = np.iinfo(to)
        wide = x.astype(np.float64)
        low, high = float(limits.min), float(limits.max)
        inside = np.clip(np.where(np.isnan(wide), 0.0, wide), low, high)
        # float(limits.max) rounds up for 64-bit types, so the top is set by hand.
        truncated = np.where(inside >= high, 0.0, np.trunc(inside)).astype(to)
        return np.where(inside >= high, to.type(limits.max), truncated).astype(to)
    return x.astype(to)


def flush_subnormals(x: Array) -> Array:
    """Subnormal floats become zero of their sign; every other value stays."""
    tiny = np.abs(x) < ml_dtypes.finfo(x.dtype).smallest_normal
    return np.where(tiny, np.copysign(np.zeros((), x.dtype), x), x).astype(x.dtype)


def rsqrt(x: Array) -> Array:
    """1/sqrt(x) with both steps rounded; XLA's own is within a unit in the last place of it."""
    return (np.ones((), x.dtype) / np.sqrt(x)).astype(x.dtype)


def round_mantissa(x: Array) -> Array:
    """The guard: ``reduce_precision`` to the type's own format is the identity on every value."""
    return x


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Knuth's exact sum of float64 numbers: the rounded sum and its error."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _odd_sum(a: Array, b: Array) -> Array:
    """float64 a + b rounded to odd (Boldo and Melquiond, IEEE Trans. Comput. 57(4), 2008)."""
    total, error = _two_sum(a, b)
    even = (total.view(np.int64) & 1) == 0
    toward = np.where((error > 0) == (total > 0), 1, -1)
    moved = (total.view(np.int64) + toward).view(np.float64)
    fix = (error != 0) & even & np.isfinite(total) & np.isfinite(error)
    return np.where(fix, moved, total)


def _odd_float32(x: Array) -> Array:
    """float64 numbers rounded to float32, to the odd neighbour where they are not exact."""
    near = x.astype(np.float32)
    even = (near.view(np.int32) & 1) == 0
    inward = np.abs(near.astype(np.float64)) > np.abs(x)
    moved = (near.view(np.int32) + np.where(inward, -1, 1)).astype(np.int32).view(np.float32)
    fix = even & (near.astype(np.float64) != x) & np.isfinite(x)
    return np.where(fix, moved, near)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """Veltkamp and Dekker's exact product of float64 numbers (Numer. Math. 18, 1971)."""

    def split(x: Array) -> tuple[Array, Array]:
        scaled = 134217729.0 * x
        high = scaled - (scaled - x)
        return high, x - high

    product = a * b
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def fma(a: Array, b: Array, c: Array) -> Array:
    """a*b + c with one rounding.

    Formats of at most 32 bits: the product is exact in float64 and the sum is rounded to odd there,
    which makes the second rounding harmless. float64: algorithm Fma of Boldo and Melquiond (2008)
    on factors scaled to [1/2, 1); a subnormal result is rounded twice.
    """
    with np.errstate(all="ignore"):
        if a.dtype != np.float64:
            product = a.astype(np.float64) * b.astype(np.float64)
            total = _odd_sum(product, c.astype(np.float64))
            # bfloat16 is rounded by way of float32, which has to be odd as well.
            total = _odd_float32(total) if a.dtype.name == "bfloat16" else total
            return total.astype(a.dtype)
        return _fma64(a, b, c)


def _fma64(a: Array, b: Array, c: Array) -> Array:
    (a_part, a_exponent), (b_part, b_exponent) = np.frexp(a), np.frexp(b)
    exponent = a_exponent + b_exponent
    addend = np.ldexp(c, -exponent)
    # Far below the product only the sign of the addend matters: it breaks ties.
    speck = 2.0**-200
    addend = np.where((c != 0) & (np.abs(addend) < speck), np.copysign(speck, c), addend)
    high, low = _two_product(a_part, b_part)
    tail, tail_error = _two_sum(addend, low)
    head, head_error = _two_sum(high, tail)
    total = head + _odd_sum(head_error, tail_error)
    fused = np.ldexp(total, exponent)
    # Zeros, infinities and NaNs need one rounding only, and the plain form has their signs; beside
    # an infinite addend a product must not overflow.
    plain = np.where(np.isinf(c), a_part * b_part, a * b) + c
    return np.where(np.isfinite(total) & (total != 0) & (a_part * b_part != 0), fused, plain)
