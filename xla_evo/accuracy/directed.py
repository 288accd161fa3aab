"""Measures a function of too many inputs: a sample, then a search from the worst of them.

2^64 inputs, of float64 or of two arguments, cannot be met, so what comes out is no bound. A sample
of float64 takes every binade from 2^-60 on, and the intervals in which functions live by value; the
search draws neighbours of the worst inputs of every block, at distances from half a binade down to
one unit in the last place, and goes on from the worst of what it met (a hill climb with many
climbers). Both are the same for the same seed, on any number of threads.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo._processors import usable
from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.references import add_results
from xla_evo.accuracy.statistics import Statistics
from xla_evo.accuracy.sweep import Evaluate
from xla_evo.errors import TargetError
from xla_evo.targets.ordering import from_ordinal, ordinal, to_ordinal
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import F64

SAMPLES = 100 << 20
CLIMBERS = 256
STEPS = range(51, -1, -1)
"""Logarithms to 2 of the distances of a climb, in units in the last place."""

_BLOCK = 1 << 20
_PIECE = 1 << 14
"""Pairs of which the worst are kept."""
_LEAST = 2.0**-60
_REACHES = (1.0, 8.0, 40.0, 800.0)
"""Half of a sample is uniform in value between these and their negatives, as many in each."""


def measure_directed(
    evaluate: Evaluate,
    target: Target,
    *,
    flush_to_zero: bool,
    samples: int = SAMPLES,
    seed: int = 0,
    climb: Iterable[int] = STEPS,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ErrorMeasurement:
    """Measures a compiled float64 function of one argument on a sample and around its worst inputs.

    Args:
        evaluate: the compiled function; safe to call from several threads.
        target: what it should compute; its function has a reference for float64 (`Function.pair`).
        flush_to_zero: whether subnormal numbers do not exist.
        samples: inputs before the climb, rounded up to blocks of 2^20.
        seed: of all that is drawn.
        climb: see `STEPS`.
        threads: of the sample; one per processor when left out.
        progress: called with (inputs done, inputs in all) during the sample.

    Returns:
        The measurement, sampled; ``count`` includes the climb.

    Raises:
        TargetError: another format, two arguments, or no such reference.
    """
    if target.dtype is not F64 or target.function.arity != 1 or target.function.pair is None:
        raise TargetError(f"{target.describe()} has no reference for 10^8 float64 inputs")
    started = time.perf_counter()
    blocks = -(-samples // _BLOCK)

    def block(number: int) -> Statistics:
        return _measured(evaluate, target, flush_to_zero, _drawn(target, seed, number))

    merged = Statistics(target, flush_to_zero)
    worst: list[tuple[float, float]] = []
    with ThreadPoolExecutor(threads or usable()) as pool:
        for number, part in enumerate(pool.map(block, range(blocks))):
            worst += _points(part)
            merged.merge(part)
            if progress is not None:
                progress(min((number + 1) * _BLOCK, samples), samples)
    random = np.random.default_rng((seed, blocks))
    for step in climb:
        worst = sorted(set(worst), reverse=True)[:CLIMBERS]
        centres = np.asarray([x for _, x in worst])
        if not centres.size:
            break
        part = _Rounds(evaluate, target, flush_to_zero, random)
        worst += part.around(centres, step, merged)
    return merged.finish(exhaustive=False, seconds=time.perf_counter() - started)


def measure_pairs(
    evaluate: Evaluate,
    target: Target,
    pairs: tuple[NDArray[Any], ...],
    *,
    flush_to_zero: bool,
    seed: int = 0,
) -> ErrorMeasurement:
    """Measures a compiled function of two arguments on given pairs and around the worst of them.

    Args:
        evaluate: the compiled function.
        target: what it should compute.
        pairs: an array of the format for each argument, of one length.
        flush_to_zero: whether subnormal numbers do not exist.
        seed: of what is drawn.

    Returns:
        The measurement, sampled; ``count`` includes the climb.
    """
    started = time.perf_counter()
    merged = Statistics(target, flush_to_zero)
    worst: set[tuple[float, tuple[float, ...]]] = set()

    def meet(arguments: tuple[NDArray[Any], ...]) -> None:
        results = np.asarray(evaluate(*arguments))
        for start in range(0, len(results), _PIECE):
            part = slice(start, start + _PIECE)
            piece = Statistics(target, flush_to_zero)
            add_results(piece, tuple(a[part] for a in arguments), results[part])
            worst.update((error, point) for error, (point, _) in piece.worst)
            merged.merge(piece)

    meet(pairs)
    dtype, random = target.dtype, np.random.default_rng(seed)
    low, high = ordinal(target.low, dtype), ordinal(target.high, dtype)
    for step in range(dtype.mantissa_bits - 1, -1, -1):
        climbers = sorted(worst, reverse=True)[:CLIMBERS]
        worst = set(climbers)
        if not climbers:
            break
        columns = np.asarray([point for _, point in climbers]).T.astype(dtype.numpy)
        centres = to_ordinal(columns, dtype)[:, np.arange(_BLOCK // 8) % len(climbers)]
        places = centres + random.integers(-(1 << step), (1 << step) + 1, centres.shape)
        first, second = from_ordinal(np.clip(places, low, high), dtype)
        meet((first, second))
    return merged.finish(exhaustive=False, seconds=time.perf_counter() - started)


class _Rounds:
    """One round of the climb: neighbours of the climbers, measured climber by climber."""

    def __init__(
        self,
        evaluate: Evaluate,
        target: Target,
        flush_to_zero: bool,
        random: np.random.Generator,
    ) -> None:
        self._evaluate, self._target, self._flush = evaluate, target, flush_to_zero
        self._random = random

    def around(
        self, centres: NDArray[np.float64], step: int, merged: Statistics
    ) -> list[tuple[float, float]]:
        """Adds what is found up to 2^step ULP from the centres; the worst of each sixteenth."""
        each = _BLOCK // 8 // len(centres)
        distance = self._random.integers(-(1 << step), (1 << step) + 1, (len(centres), each))
        places = to_ordinal(centres, F64)[:, None] + distance
        low, high = ordinal(self._target.low, F64), ordinal(self._target.high, F64)
        found: list[tuple[float, float]] = []
        for rows in np.array_split(np.clip(places, low, high), 16):
            inputs = np.resize(from_ordinal(rows.ravel(), F64), _BLOCK // 128)
            part = _measured(self._evaluate, self._target, self._flush, inputs)
            found += _points(part)
            merged.merge(part)
        return found


def _measured(
    evaluate: Evaluate, target: Target, flush_to_zero: bool, inputs: NDArray[Any]
) -> Statistics:
    statistics = Statistics(target, flush_to_zero)
    add_results(statistics, (inputs,), np.asarray(evaluate(inputs)))
    return statistics


def _points(statistics: Statistics) -> list[tuple[float, float]]:
    return [(error, arguments[0]) for error, (arguments, _) in statistics.worst]


def _drawn(target: Target, seed: int, number: int) -> NDArray[np.float64]:
    """A block of the sample; the first has the places named in `sample_inputs` too."""
    random = np.random.default_rng((seed, number))
    parts: list[NDArray[np.float64]] = []
    for reach in _REACHES:
        ends = max(target.low, -reach), min(target.high, reach)
        if ends[0] < ends[1]:
            parts.append(random.uniform(*ends, _BLOCK // 2 // len(_REACHES)))
    if number == 0:
        parts.append(sample_inputs(target, _BLOCK // 8, seed))
    rest = _BLOCK - sum(map(len, parts))
    parts.append(_by_binade(target.high, rest // 2, random))
    parts.append(-_by_binade(-target.low, rest - rest // 2, random))
    return np.concatenate(parts)


def _by_binade(top: float, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Positive numbers, half of them from 2^-60 to 1 and half from there to ``top``."""
    least, one = ordinal(_LEAST, F64), ordinal(1.0, F64)
    last = min(ordinal(top, F64), ordinal(np.inf, F64) - 1)
    near = random.integers(least, min(one, last), count - count // 2, endpoint=True)
    far = random.integers(min(one, last) if last > one else least, last, count // 2, endpoint=True)
    return from_ordinal(np.concatenate([near, far]), F64)
