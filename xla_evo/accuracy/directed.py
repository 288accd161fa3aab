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

import numpy as np
from numpy.typing import NDArray

from xla_evo._processors import usable
from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.references import Arguments, add_results
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
_NEIGHBOURS = 1 << 17
"""Inputs of one round of a climb."""
_PIECE, _PAIRS_NEAR = 1 << 14, 1 << 22
"""Pairs of a block, and of a round: with 2^17 what a climb ends at depends on the seed."""
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
    blocks = -(-samples // _BLOCK)

    def report(done: int) -> None:
        if progress is not None:
            progress(min(done * _BLOCK, samples), samples)

    found = _Directed(evaluate, target, flush_to_zero=flush_to_zero)
    found.sample(lambda number: (_drawn(target, seed, number),), blocks, threads, report)
    found.climb(climb, _NEIGHBOURS, np.random.default_rng((seed, blocks)))
    return found.finish()


def measure_pairs(
    evaluate: Evaluate,
    target: Target,
    pairs: Arguments,
    *,
    flush_to_zero: bool,
    seed: int = 0,
    threads: int | None = None,
) -> ErrorMeasurement:
    """Measures a compiled function of two arguments on given pairs and around the worst of them.

    Args:
        evaluate: the compiled function; safe to call from several threads.
        target: what it should compute.
        pairs: an array of the format for each argument, of one length.
        flush_to_zero: whether subnormal numbers do not exist.
        seed: of the climb.
        threads: of the given pairs; one per processor when left out.

    Returns:
        The measurement, sampled; ``count`` includes the climb.
    """
    pieces = -(-len(pairs[0]) // _PIECE)

    def piece(number: int) -> Arguments:
        return tuple(column[number * _PIECE :][:_PIECE] for column in pairs)

    found = _Directed(evaluate, target, flush_to_zero=flush_to_zero)
    found.sample(piece, pieces, threads)
    steps = range(target.dtype.mantissa_bits - 1, -1, -1)
    found.climb(steps, _PAIRS_NEAR, np.random.default_rng(seed))
    return found.finish()


class _Directed:
    """A sample and a climb from its worst inputs, both in the same statistics."""

    def __init__(self, evaluate: Evaluate, target: Target, *, flush_to_zero: bool) -> None:
        self._evaluate, self._target, self._flush = evaluate, target, flush_to_zero
        self._started = time.perf_counter()
        self._merged = Statistics(target, flush_to_zero)
        self._worst: list[tuple[float, tuple[float, ...]]] = []

    def sample(
        self,
        draw: Callable[[int], Arguments],
        blocks: int,
        threads: int | None,
        report: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Measures numbered blocks of inputs; the climb may begin with the worst of each."""
        with ThreadPoolExecutor(threads or usable()) as pool:
            parts = pool.map(lambda number: self._measured(draw(number)), range(blocks))
            for number, part in enumerate(parts):
                self._keep(part)
                report(number + 1)

    def climb(self, steps: Iterable[int], count: int, random: np.random.Generator) -> None:
        """Measures neighbours of the worst inputs, and of the worst of what it meets, see `STEPS`.

        As many as `count` for each step, climber by climber, so that the worst of each sixteenth of
        them are kept.
        """
        dtype = self._target.dtype
        low, high = ordinal(self._target.low, dtype), ordinal(self._target.high, dtype)
        for step in steps:
            self._worst = sorted(set(self._worst), reverse=True)[:CLIMBERS]
            if not self._worst:
                break
            centres = np.asarray([point for _, point in self._worst], dtype.numpy).T
            each = count // len(self._worst)
            distance = random.integers(-(1 << step), (1 << step) + 1, (*centres.shape, each))
            places = np.clip(to_ordinal(centres, dtype)[..., None] + distance, low, high)
            for part in np.array_split(places, 16, axis=1):
                columns = (np.resize(column.ravel(), count // 16) for column in part)
                inputs = tuple(from_ordinal(column, dtype) for column in columns)
                self._keep(self._measured(inputs))

    def finish(self) -> ErrorMeasurement:
        """Returns what was found, sampled."""
        seconds = time.perf_counter() - self._started
        return self._merged.finish(exhaustive=False, seconds=seconds)

    def _measured(self, arguments: Arguments) -> Statistics:
        part = Statistics(self._target, self._flush)
        add_results(part, arguments, np.asarray(self._evaluate(*arguments)))
        return part

    def _keep(self, part: Statistics) -> None:
        self._worst += [(error, arguments) for error, (arguments, _) in part.worst]
        self._merged.merge(part)


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
    if target.low < 0.0:
        parts.append(_by_binade(target.high, rest // 2, random))
        parts.append(-_by_binade(-target.low, rest - rest // 2, random))
    else:
        # Next to 0 these functions are not the input itself, so that the least ones count too.
        least = max(target.low, 2.0**F64.emin)
        parts.append(_by_binade(target.high, rest // 2, random, first=least))
        beside = _by_binade(
            1.0, rest - rest // 2, random, first=max(_LEAST, float(np.spacing(target.low)))
        )
        parts.append(target.low + beside)
    return np.concatenate(parts)


def _by_binade(
    top: float, count: int, random: np.random.Generator, *, first: float = _LEAST
) -> NDArray[np.float64]:
    """Positive numbers from the first to ``top``, half of them up to 1 where that is between."""
    least, one = ordinal(first, F64), ordinal(1.0, F64)
    last = min(ordinal(top, F64), ordinal(np.inf, F64) - 1)
    middle = one if least < one < last else last
    near = random.integers(least, middle, count - count // 2, endpoint=True)
    far = random.integers(middle if middle < last else least, last, count // 2, endpoint=True)
    return from_ordinal(np.concatenate([near, far]), F64)
