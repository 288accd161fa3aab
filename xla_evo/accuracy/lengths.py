"""Whether a compiled function gives an input the same bits at every array length and position.

A compiler may compute the vector body and the remainder of a loop differently (contraction, other
approximations), so a function proven at one length is not proven at another.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo._processors import usable
from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.errors import TargetError
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import DType

DEFAULT_LENGTHS: tuple[int, ...] = (
    *range(1, 130), 1000, 4096, 4097, (1 << 16) + 1, (1 << 16) + 7, (1 << 16) + 31,
)  # fmt: skip
_BASE = 1 << 16
_WINDOWS = 3

Array = NDArray[Any]
Arguments = tuple[Array, ...]
Each = Callable[[Sequence[Arguments]], Sequence[Array]]
"""Groups of arguments to the results of each group."""


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
    each: Each | None = None,
) -> LengthViolation | None:
    """Compares results bit by bit between arrays of many lengths.

    The same 65,536 sampled inputs are evaluated in one array, and then in windows of each length at
    three places, so that an input is met in the vector body and in the remainder. A nan equals a
    nan.

    Args:
        evaluate: the compiled function on 1-D arrays of the format, of any length; safe to call
            from several threads, where ``each`` is left out.
        target: gives domain and format.
        lengths: lengths to try.
        seed: of the inputs and the windows.
        each: evaluates many arrays at once, such as `Executable.each`, which compiles for all
            lengths together; when left out, ``evaluate`` is called in several threads, a window in
            each.

    Returns:
        The first violation, or None.

    Raises:
        TargetError: a length is not positive.
    """
    random = np.random.default_rng(seed)
    sample = sample_inputs(target, _BASE, seed)
    arity = target.function.arity
    base = tuple(np.resize(random.permutation(sample), _BASE) for _ in range(arity))
    expected = _evaluate(evaluate, base)
    tried = list(lengths)
    for length in tried:
        if length < 1:
            raise TargetError(f"an array of length {length} cannot be tried; lengths start at 1")
    starts = [random.integers(0, _BASE, _WINDOWS) for _ in tried]
    for window in range(_WINDOWS):
        places = [
            (start[window] + np.arange(length)) % _BASE
            for start, length in zip(starts, tried, strict=True)
        ]
        groups = [tuple(column[place] for column in base) for place in places]
        results = each(groups) if each is not None else _threaded(evaluate, groups)
        for place, arguments, got in zip(places, groups, results, strict=True):
            violation = _violation(arguments, got, expected[place], target.dtype)
            if violation is not None:
                return violation
    return None


def _violation(
    arguments: Arguments, got: Array, expected: Array, dtype: DType
) -> LengthViolation | None:
    differs = np.flatnonzero(_bits_differ(got, expected, dtype))
    if not differs.size:
        return None
    position = int(differs[0])
    point = tuple(float(column[position]) for column in arguments)
    return LengthViolation(
        length=len(got),
        position=position,
        input=point if len(point) > 1 else next(iter(point)),
        got=float(got[position]),
        expected=float(expected[position]),
    )


def _threaded(evaluate: Callable[..., Any], groups: Sequence[Arguments]) -> list[Array]:
    with ThreadPoolExecutor(usable()) as pool:
        return list(pool.map(lambda arguments: _evaluate(evaluate, arguments), groups))


def _evaluate(evaluate: Callable[..., Any], arguments: Arguments) -> Array:
    return np.ascontiguousarray(evaluate(*arguments))


def _bits_differ(one: Array, two: Array, dtype: DType) -> NDArray[np.bool_]:
    unsigned = np.dtype(f"uint{dtype.bits}")
    return (one.view(unsigned) != two.view(unsigned)) & ~(np.isnan(one) & np.isnan(two))
