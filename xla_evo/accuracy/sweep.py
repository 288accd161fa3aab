"""Measures a compiled function: on given inputs, on a sample, or on every input of a domain.

``evaluate`` is a callable from 1-D arrays of the target's format to their results, of any length;
a compiled XLA function wrapped in ``numpy.asarray`` serves. It must be safe to call from several
threads. Blocks have one length (the last is padded), so that it is compiled once.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from xla_evo._processors import usable
from xla_evo.accuracy.inputs import sample_inputs, write_values
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.references import Arguments, Array, Known, add_results
from xla_evo.accuracy.statistics import Statistics
from xla_evo.errors import TargetError
from xla_evo.targets.ordering import ordinal
from xla_evo.targets.target import Target
from xla_evo_lowering.compile import input_buffer
from xla_evo_lowering.dtypes import F64, REAL

Evaluate = Callable[..., Any]
Watch = Callable[[int, Array, Array], None]
"""(number of a function, inputs, its results), arrays that are filled anew for the next block."""

BLOCK = 1 << 18
"""Inputs of a call: of shorter ones calling is most, and longer ones leave the cache."""
_ASK_S = 0.1
"""How often progress is told and an end asked for."""
_EXACT_AT_MOST = 1 << 14
_SMALLEST_BLOCK = 1 << 7


def measure_inputs(
    evaluate: Evaluate,
    target: Target,
    inputs: Array | Arguments,
    *,
    flush_to_zero: bool,
    reference: Array | None = None,
    exact: bool | None = None,
    exhaustive: bool = False,
) -> ErrorMeasurement:
    """Measures on given inputs.

    Args:
        evaluate: the compiled function.
        target: what it should compute.
        inputs: 1-D array of the target's format, or one for each argument.
        flush_to_zero: whether subnormal numbers of the format do not exist; an input below 2^emin
            may then be read as itself or as a zero, whichever is better.
        reference: ``references(target, inputs)`` if the caller has it already.
        exact: take every reference from mpmath, some 10,000 a second, instead of float64; when left
            out, for float64 results at up to 16,384 inputs, where a float64 reference says little.
        exhaustive: whether the inputs are all that the domain has (the caller knows).

    Raises:
        TargetError: the target is in real numbers, or a result has another shape than its input.
    """
    started = time.perf_counter()
    _check_format(target)
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    statistics = Statistics(target, flush_to_zero)
    results = _evaluated(evaluate, target, arguments)
    if exact is None:
        exact = target.dtype is F64 and len(results) <= _EXACT_AT_MOST
    if exact:
        statistics.add_exactly(arguments, results)
    else:
        add_results(statistics, arguments, results, reference)
    return statistics.finish(exhaustive=exhaustive, seconds=time.perf_counter() - started)


def measure_sampled(
    evaluate: Evaluate,
    target: Target,
    *,
    flush_to_zero: bool,
    samples: int = 1 << 16,
    seed: int = 0,
    near: Iterable[float] = (),
    exact: bool | None = None,
) -> ErrorMeasurement:
    """Measures on `sample_inputs`; a function of two arguments gets two samples, shuffled.

    Args:
        evaluate: the compiled function.
        target: what it should compute.
        flush_to_zero: see `measure_inputs`.
        samples: how many inputs.
        seed: of the sample.
        near: points whose neighbours are to be in it.
        exact: see `measure_inputs`.
    """
    _check_format(target)
    if target.function.arity == 1:
        inputs = sample_inputs(target, samples, seed, near)
        return measure_inputs(evaluate, target, inputs, flush_to_zero=flush_to_zero, exact=exact)
    pair = sample_pairs(target, samples, seed, near)
    return measure_inputs(evaluate, target, pair, flush_to_zero=flush_to_zero, exact=exact)


def sample_pairs(
    target: Target, samples: int, seed: int = 0, near: Iterable[float] = ()
) -> tuple[Array, Array]:
    """Returns two arguments of a function, each a sample of its inputs in an order of its own.

    A 16-bit format has fewer numbers than samples were asked for; pairs of them are enough.
    """
    inputs = sample_inputs(target, samples, seed, near)
    random = np.random.default_rng(seed)
    inputs = np.tile(inputs, max(1, samples // len(inputs)))
    return random.permutation(inputs), random.permutation(inputs)


def measure_exhaustive(
    evaluate: Evaluate,
    target: Target,
    *,
    flush_to_zero: bool,
    every_pattern: bool = False,
    threads: int | None = None,
    block: int = BLOCK,
    limit_ulp: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ErrorMeasurement:
    """Measures on every input of the domain.

    Args:
        evaluate: the compiled function, of one argument.
        target: what it should compute, in a format of at most 32 bits.
        flush_to_zero: see `measure_inputs`.
        every_pattern: measure every bit pattern of the format instead, nan and what lies outside
            the domain included.
        threads: worker threads; one per processor when left out.
        block: inputs per call of ``evaluate``.
        limit_ulp: stop early when an error is certainly above it.
        progress: called in this thread with (inputs done, inputs in all).
        stop: asked now and then; the sweep ends early when it returns True.

    Returns:
        The measurement; ``exhaustive`` is False and ``count`` short when it ended early.

    Raises:
        TargetError: a target of two arguments, of 64 bits or of real numbers.
    """
    (found,) = measure_exhaustive_together(
        [evaluate], target, flush_to_zero=flush_to_zero, every_pattern=every_pattern,
        threads=threads, block=block, limit_ulp=limit_ulp, progress=progress, stop=stop,
    )  # fmt: skip
    return found


def measure_exhaustive_together(
    evaluates: Sequence[Evaluate],
    target: Target,
    *,
    flush_to_zero: bool,
    every_pattern: bool = False,
    threads: int | None = None,
    block: int = BLOCK,
    limit_ulp: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    watch: Watch | None = None,
) -> list[ErrorMeasurement]:
    """Measures several functions for one target in one pass over its inputs.

    The references, which are most of a sweep's work, are computed once. Arguments are those of
    `measure_exhaustive`; with a limit, all end early when one is above it. ``watch`` is called in
    the threads of the sweep with each block of inputs and the results of each function for it.

    Returns:
        One measurement a function; each says the time of all.

    Raises:
        TargetError: as `measure_exhaustive`.
    """
    started = time.perf_counter()
    _check_format(target)
    if target.dtype is F64 or target.function.arity != 1:
        raise TargetError(f"{target.describe()} has too many inputs to measure all; sample it")
    half = 1 << (target.dtype.bits - 1)
    low, high = ordinal(target.low, target.dtype), ordinal(target.high, target.dtype)
    if every_pattern:
        low, high = -half, half - 1
    total = high - low + 1
    block = max(_SMALLEST_BLOCK, min(block, 1 << (total - 1).bit_length()))
    mirrored = target.function.symmetry != "none" and low == -1 - high
    sweep = _Sweep(evaluates, target, flush_to_zero, block, limit_ulp, watch, mirrored=mirrored)
    sweep.run(low, high, threads or usable(), progress, stop)
    merged = sweep.merged()
    seconds = time.perf_counter() - started
    return [
        part.finish(exhaustive=int(part.totals[0]) == total, seconds=seconds) for part in merged
    ]


class _Sweep:
    """One exhaustive sweep: a thread's buffers and statistics, and the queue of blocks.

    If it is ``mirrored``, each block of positive inputs is taken with the same of the other sign,
    whose references differ by a sign at most.
    """

    def __init__(
        self,
        evaluates: Sequence[Evaluate],
        target: Target,
        flush_to_zero: bool,
        block: int,
        limit_ulp: float | None,
        watch: Watch | None = None,
        *,
        mirrored: bool = False,
    ) -> None:
        self._evaluates = evaluates
        self._target = target
        self._flush_to_zero = flush_to_zero
        self._block = block
        self._limit_ulp = limit_ulp
        self._watch = watch
        self._mirrored = mirrored
        self._local = threading.local()
        self._parts: list[list[Statistics]] = []
        self._ended = threading.Event()

    def run(
        self,
        low: int,
        high: int,
        threads: int,
        progress: Callable[[int, int], None] | None,
        stop: Callable[[], bool] | None,
    ) -> None:
        starts = iter(range(0 if self._mirrored else low, high + 1, self._block))
        lock, done, total = threading.Lock(), 0, high - low + 1

        def work() -> None:
            nonlocal done
            while not self._ended.is_set():
                with lock:
                    first = next(starts, None)
                if first is None:
                    return
                count = self._measure_block(first, min(self._block, high + 1 - first))
                with lock:
                    done += count

        # Threads take blocks by themselves: one that is handed out costs a switch of threads.
        with ThreadPoolExecutor(threads, thread_name_prefix="xla-evo-sweep") as pool:
            pending = {pool.submit(work) for _ in range(threads)}
            try:
                while pending:
                    asked = progress is not None or stop is not None
                    finished, pending = wait(
                        pending, _ASK_S if asked else None, return_when=FIRST_COMPLETED
                    )
                    for future in finished:
                        future.result()
                    if progress is not None:
                        progress(done, total)
                    if stop is not None and stop():
                        self._ended.set()
            finally:
                self._ended.set()

    def _measure_block(self, first: int, count: int) -> int:
        target = self._target
        if not hasattr(self._local, "statistics"):
            self._local.statistics = self._statistics()
            self._local.inputs = input_buffer(self._block, target.dtype.numpy)
            self._parts.append(self._local.statistics)
        inputs: Array = self._local.inputs
        write_values(inputs[:count], first, target.dtype)
        inputs[count:] = inputs[count - 1]
        statistics: list[Statistics] = self._local.statistics
        several = len(statistics) > 1
        known = Known(target, (inputs[:count],), statistics[0], several=several)
        self._measure_known(inputs, count, known)
        if self._mirrored:
            inputs.view(f"uint{target.dtype.bits}")[:] ^= 1 << (target.dtype.bits - 1)
            self._measure_known(inputs, count, known.mirrored(inputs[:count]))
        limit = self._limit_ulp
        if limit is not None and any(self._certainly_above(part, limit) for part in statistics):
            self._ended.set()
        return 2 * count if self._mirrored else count

    def _measure_known(self, inputs: Array, count: int, known: Known) -> None:
        # One function after the other, so that what each leaves is still in cache.
        for number, run in enumerate(self._evaluates):
            results = _evaluated(run, self._target, (inputs,))[:count]
            known.add(self._local.statistics[number], results)
            if self._watch is not None:
                self._watch(number, inputs[:count], results)

    def _statistics(self) -> list[Statistics]:
        return [Statistics(self._target, self._flush_to_zero) for _ in self._evaluates]

    @staticmethod
    def _certainly_above(statistics: Statistics, limit_ulp: float) -> bool:
        # The kernel's errors may be too large near powers of two, so mpmath has the word.
        return statistics.largest_ulp > limit_ulp and statistics.decided_max_ulp() > limit_ulp

    def merged(self) -> list[Statistics]:
        merged = self._statistics()
        for parts in self._parts:
            for whole, part in zip(merged, parts, strict=True):
                whole.merge(part)
        return merged


def _check_format(target: Target) -> None:
    if target.dtype is REAL:
        raise TargetError("a function of real numbers has no rounding to measure; choose a format")


def _evaluated(evaluate: Evaluate, target: Target, arguments: Arguments) -> Array:
    results = np.asarray(evaluate(*arguments))
    if results.shape != arguments[0].shape or results.dtype != target.dtype.numpy:
        raise TargetError(
            f"the function for {target.describe()} gave {results.dtype}{list(results.shape)}"
            f" for {arguments[0].dtype}{list(arguments[0].shape)}"
        )
    return results
