"""Whether a compiled function gives an input the same bits at every array length and position.

A compiler may compute the vector body and the remainder of a loop differently (contraction, other
approximations), so a function proven at one length is not proven at another.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.errors import TargetError
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import DType

DEFAULT_LENGTHS: tuple[int, ...] = (
    *range(1, 130), 1000, 4096, 4097, (1 << 16) + 1, (1 << 16) + 7, (1 << 16) + 31,
)  # fmt: skip
_BASE = 1 << 16
_WINDOWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthViolation:
    """An input that gave other bits in another array.

    Attributes:
        length: length of the array.
        position: place of the input in it.
        input: the argument, or the pair of arguments.
        got: result there.
        expected: result in an array of 65,536.
    """

    length: int
    position: int
    input: float | tuple[float, ...]
    got: float
    expected: float

    def __str__(self) -> str:
        return (
            f"f({self.input!r}) is {self.got!r} at position {self.position} of {self.length},"
            f" but {self.expected!r} in a long array"
        )


def check_length_invariance(
    evaluate: Callable[..., Any],
    target: Target,
    *,
    lengths: Iterable[int] = DEFAULT_LENGTHS,
    seed: int = 0,
) -> LengthViolation | None:
    """Compares results bit by bit between arrays of many lengths.

    The same 65,536 sampled inputs are evaluated in one array, and then in windows of each length at
    three places, so that an input is met in the vector body and in the remainder. A nan equals a
    nan. ``evaluate`` is called from several threads, a length in each, and compiles once a length:
    20 to 50 ms each for a small program under XLA.

    Args:
        evaluate: the compiled function on 1-D arrays of the format, of any length; safe to call
            from several threads.
        target: gives domain and format.
        lengths: lengths to try.
        seed: of the inputs and the windows.

    Returns:
        The first violation, or None.

    Raises:
        TargetError: a length is not positive.
    """
    random = np.random.default_rng(seed)
    dtype = target.dtype
    sample = sample_inputs(target, _BASE, seed)
    arity = target.function.arity
    base = tuple(np.resize(random.permutation(sample), _BASE) for _ in range(arity))
    expected = _evaluate(evaluate, base)
    windows: list[tuple[int, list[int]]] = []
    for length in lengths:
        if length < 1:
            raise TargetError(f"an array of length {length} cannot be tried; lengths start at 1")
        windows.append((length, random.integers(0, _BASE, _WINDOWS).tolist()))

    def violation(window: tuple[int, list[int]]) -> LengthViolation | None:
        length, starts = window
        for start in starts:
            places = (start + np.arange(length)) % _BASE
            got = _evaluate(evaluate, tuple(column[places] for column in base))
            differs = np.flatnonzero(_bits_differ(got, expected[places], dtype))
            if differs.size:
                position = int(differs[0])
                place = int(places[position])
                arguments = tuple(float(column[place]) for column in base)
                return LengthViolation(
                    length=length,
                    position=position,
                    input=arguments if arity > 1 else next(iter(arguments)),
                    got=float(got[position]),
                    expected=float(expected[place]),
                )
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(violation, windows):
            if found is not None:
                pool.shutdown(cancel_futures=True)
                return found
    return None


def _evaluate(evaluate: Callable[..., Any], arguments: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return np.ascontiguousarray(evaluate(*arguments))


def _bits_differ(one: NDArray[Any], two: NDArray[Any], dtype: DType) -> NDArray[np.bool_]:
    unsigned = np.dtype(f"uint{dtype.bits}")
    return (one.view(unsigned) != two.view(unsigned)) & ~(np.isnan(one) & np.isnan(two))
