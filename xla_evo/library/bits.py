"""Compares results bit by bit, those of inputs in order and those of inputs near a nan."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from xla_evo._numba import njit_with
from xla_evo._processors import usable
from xla_evo.accuracy.sweep import BLOCK
from xla_evo_lowering.compile import Executable, input_buffer
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.ordinary import Ordinary

Array = np.ndarray[Any, Any]

NEAR = 1 << 10
"""Inputs between two nans."""


def block_length(dtype: DType) -> int:
    """Inputs in a block: `BLOCK`, or every number of a format that has fewer."""
    return min(BLOCK, 1 << dtype.bits)


@njit_with(nogil=True)
def _place_of_difference(
    known: Any,
    plain: Any,
    beside: Any,
    row: int,
    stride: int,
    size: int | np.unsignedinteger[Any],
    infinity: int,
) -> tuple[int, bool]:
    """Where the first pattern is that one of two arrays has not; -1 if all are the same or nan.

    Args:
        known: bit patterns.
        plain: the other ones.
        beside: the other ones again, the rows of which lie ``stride`` apart.
        row: patterns in a row.
        stride: at least ``row``.
        size: all bits of a pattern but the sign.
        infinity: pattern of an infinity; those of nan are greater.

    Returns:
        (place, whether it is ``plain`` that differs there).
    """
    for number in range(len(known) // row):
        here = known[number * row :][:row]
        first, second = plain[number * row :][:row], beside[number * stride :][:row]
        differing = here[0] ^ here[0]
        for i in range(row):
            differing |= (here[i] ^ first[i]) | (here[i] ^ second[i])
        if differing:
            for i in range(row):
                for other in (first[i], second[i]):
                    ordinary = min(here[i] & size, other & size) <= infinity
                    if here[i] != other and ordinary:
                        return number * row + i, other == first[i]
    return -1, False


@njit_with(nogil=True)
def _nearest(patterns: Any, mask: Any, base: Any) -> Any:
    """How far the least `Ordinary` input is below the nearest of some; all of one unsigned type."""
    nearest = (patterns[0] & mask) - base
    for i in range(len(patterns)):
        nearest = min(nearest, (patterns[i] & mask) - base)
    return nearest


class Comparison:
    """Other forms beside known results, and the array that a thread needs to run one near a nan."""

    def __init__(self, dtype: DType, length: int) -> None:
        self._unsigned = np.dtype(f"uint{dtype.bits}")
        self._size = self._unsigned.type((1 << (dtype.bits - 1)) - 1)
        self._infinity = self._unsigned.type(
            self._size >> dtype.mantissa_bits << dtype.mantissa_bits
        )
        self._beside = input_buffer(length + length // NEAR, dtype.numpy)
        self._beside.fill(np.nan)
        self._inside = self._beside.reshape(-1, NEAR + 1)[:, :NEAR]

    def take(self, inputs: Array) -> None:
        """Takes the inputs that forms are to be run on."""
        self._inputs = inputs
        self._inside[:] = inputs.reshape(self._inside.shape)

    def difference(self, other: Executable, known: Array, *, twice: bool = True) -> str:
        """The first of the inputs for which a form gives other bits than known; or nothing.

        Args:
            other: the form.
            known: results.
            twice: run it near nans too.
        """
        plain = other(self._inputs)
        beside, stride = (other(self._beside), NEAR + 1) if twice else (plain, NEAR)
        place, in_order = _place_of_difference(
            known.view(self._unsigned), plain.view(self._unsigned), beside.view(self._unsigned),
            NEAR, stride, self._size, self._infinity,
        )  # fmt: skip
        if place < 0:
            return ""
        row, column = divmod(place, NEAR)
        got = plain[place] if in_order else beside[row * stride + column]
        return f"{got!s} for {self._inputs[place]!s}, not {known[place]!s}"

    def has_ordinary(self, apart: Ordinary) -> bool:
        """Whether any of the inputs is ordinary."""
        numbers = map(self._unsigned.type, (apart.mask, apart.base))
        nearest = _nearest(self._inputs.view(self._unsigned), *numbers)
        return int(nearest) <= apart.span


def first_difference(
    known: Executable,
    other: Executable,
    dtype: DType,
    count: int,
    write: Callable[[int, Array], None],
) -> str:
    """The first input for which two forms differ, of blocks that are shared out over threads.

    The other form is given each input twice, see `Comparison.difference`.

    Args:
        known: one form; the other one itself where it is held against itself.
        other: another form.
        dtype: of inputs and results.
        count: how many blocks.
        write: writes the block of a number into an array of `block_length`.

    Returns:
        The difference, as of `Comparison.difference`; empty where there is none.
    """
    length = block_length(dtype)
    for form, size in ((known, length), (other, length), (other, length + length // NEAR)):
        form.compiled((size,))
    local = threading.local()

    def compare(number: int) -> str:
        if not hasattr(local, "comparison"):
            local.comparison = Comparison(dtype, length)
            local.inputs = input_buffer(length, dtype.numpy)
        write(number, local.inputs)
        local.comparison.take(local.inputs)
        return local.comparison.difference(other, known(local.inputs))

    with ThreadPoolExecutor(usable()) as pool:
        for found in pool.map(compare, range(count)):
            if found:
                pool.shutdown(cancel_futures=True)
                return found
    return ""
