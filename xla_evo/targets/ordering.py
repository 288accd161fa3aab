"""Floats as ordered integers: the position of a number among all of its format.

The ordinal of a pattern with a clear sign bit is the pattern, of one with a set sign bit minus the
rest minus one; so ordinals grow with the value, -0 is -1, +0 is 0, and neighbours differ by one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo.errors import TargetError
from xla_evo_lowering.dtypes import DType

Ordinals = NDArray[np.int64]


def _integer(dtype: DType) -> np.dtype[Any]:
    return np.dtype(f"int{dtype.bits}")


def to_ordinal(values: NDArray[Any], dtype: DType) -> Ordinals:
    """Returns the ordinals (int64) of an array of ``dtype`` values."""
    bits = np.ascontiguousarray(values).view(_integer(dtype)).astype(np.int64)
    lowest = -(1 << (dtype.bits - 1)) if dtype.bits < 64 else np.iinfo(np.int64).min
    return np.where(bits < 0, np.int64(lowest) - bits - 1, bits)


def from_ordinal(ordinals: Ordinals, dtype: DType) -> NDArray[Any]:
    """Returns the ``dtype`` values at int64 ordinals; the inverse of `to_ordinal`."""
    lowest = -(1 << (dtype.bits - 1)) if dtype.bits < 64 else np.iinfo(np.int64).min
    bits = np.where(ordinals < 0, np.int64(lowest) - ordinals - 1, ordinals)
    return bits.astype(_integer(dtype)).view(dtype.numpy)


def ordinal(value: float, dtype: DType) -> int:
    """Returns the ordinal of one number, rounded to nearest in ``dtype``; -0 is not +0."""
    with np.errstate(over="ignore"):
        rounded = np.asarray([value], dtype=np.float64).astype(dtype.numpy)
    return int(to_ordinal(rounded, dtype)[0])


def number(position: int, dtype: DType) -> float:
    """Returns the number at an ordinal as a Python float (exact)."""
    return float(from_ordinal(np.asarray([position], dtype=np.int64), dtype)[0])


def round_up(value: float, dtype: DType) -> float:
    """Returns the least number of ``dtype`` that is not below ``value``."""
    position = ordinal(value, dtype)
    return (
        number(position + 1, dtype) if number(position, dtype) < value else number(position, dtype)
    )


def round_down(value: float, dtype: DType) -> float:
    """Returns the greatest number of ``dtype`` that is not above ``value``."""
    position = ordinal(value, dtype)
    return (
        number(position - 1, dtype) if number(position, dtype) > value else number(position, dtype)
    )


def count_between(low: float, high: float, dtype: DType) -> int:
    """Returns how many patterns of ``dtype`` lie from ``low`` to ``high``, both included.

    Raises:
        TargetError: an end is not a number of the format.
    """
    for end in (low, high):
        if number(ordinal(end, dtype), dtype) != end:
            raise TargetError(f"{end!r} is not a {dtype.name} number")
    return ordinal(high, dtype) - ordinal(low, dtype) + 1
