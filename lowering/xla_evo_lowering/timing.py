"""Timing: candidates and the built-in in turn, inside a compiled loop over an array in cache.

Each sample runs one compiled loop that applies the function to rows of an array that stays in the
second-level cache and stores the result, so neither dispatch nor memory hides the arithmetic.
Functions take turns round by round, and raw samples are kept: on a shared machine absolute times
drift by tens of per cent, ratios within one round much less. Kernels stay on the calling thread
(see `compile.SINGLE_THREAD`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax

from xla_evo_lowering.compile import SINGLE_THREAD, Function, compile_lowered, lower
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.replacement import nothing_replaced

ELEMENTS = 16000
"""Array length: input and output stay in the second-level cache, and rows do not start at the same
place of a page, where loads would wait for stores to other rows."""
ROWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Samples of one function, taken in turn with others.

    Attributes:
        samples_ns: nanoseconds an element, one a round, in order.
        elements: array length of the loop.
    """

    samples_ns: tuple[float, ...]
    elements: int

    @property
    def best_ns(self) -> float:
        """Least nanoseconds an element: the run with the least interference."""
        return min(self.samples_ns)


def ratio(reference: Timing, candidate: Timing) -> float:
    """Speed-up of `candidate` over `reference`: the ratio of their least samples.

    The least sample is the one that was disturbed least; on a busy machine it repeats better than
    the median of the ratios within each round.
    """
    return reference.best_ns / candidate.best_ns


def loop(function: Function, elements: int = ELEMENTS) -> Function:
    """Returns ``run(xs, repetitions)``: `function` applied to rows of `xs`, one a repetition.

    `xs` has the shape (`ROWS`, `elements`); the result is that of the last repetition, which for
    one repetition is ``function(xs[1])``. The row changes from one repetition to the next, so the
    compiler cannot lift the work out of the loop.
    """

    def run(xs: jax.Array, repetitions: jax.Array) -> jax.Array:
        def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            left, _ = state
            row = lax.dynamic_index_in_dim(xs, left & 1, keepdims=False)
            return left - 1, function(row)

        start = (repetitions, jax.numpy.zeros((elements,), xs.dtype))
        return lax.while_loop(lambda state: state[0] > 0, step, start)[1]

    return run


def loop_specs(dtype: DType, elements: int = ELEMENTS) -> tuple[Any, Any]:
    """Argument specifications of a `loop`."""
    rows = jax.ShapeDtypeStruct((ROWS, elements), dtype.numpy)
    return rows, jax.ShapeDtypeStruct((), np.dtype(np.int32))


def compile_loop(
    function: Function,
    dtype: DType,
    options: Mapping[str, object] | None = None,
    elements: int = ELEMENTS,
) -> Any:
    """Compiles a `loop` of a function for timing, JAX's functions as they are.

    Raises:
        CompileError: XLA refused it.
    """
    with nothing_replaced(), jax.enable_x64(dtype.bits == 64):
        lowered = lower(loop(function, elements), loop_specs(dtype, elements))
        return compile_lowered(lowered, {**SINGLE_THREAD, **(options or {})})


def floor_function(x: jax.Array) -> jax.Array:
    """The least a function can do in the loop: load, one addition, store."""
    return x + jax.numpy.ones((), x.dtype)


def _repetitions(run: Callable[..., Any], device: jax.Array, sample_ns: float) -> jax.Array:
    """How many repetitions take about `sample_ns`; the cost of the call itself cancels."""

    def spent(repetitions: int) -> float:
        count = jax.numpy.int32(repetitions)
        start = time.perf_counter_ns()
        run(device, count).block_until_ready()
        return time.perf_counter_ns() - start

    spent(1)
    each = max(50.0, (min(spent(40), spent(40)) - min(spent(4), spent(4))) / 36)
    return jax.numpy.int32(max(4, min(1_000_000, round(sample_ns / each))))


def time_loops(
    loops: Sequence[Callable[..., Any]],
    xs: np.ndarray[Any, Any],
    *,
    rounds: int = 15,
    sample_ns: float = 5e5,
) -> list[Timing]:
    """Times compiled loops in turn.

    Args:
        loops: what `compile_loop` gave, all for the dtype and shape of `xs`.
        xs: inputs, shape (`ROWS`, elements).
        rounds: samples of each.
        sample_ns: length of one sample to aim for, in nanoseconds.

    Returns:
        One `Timing` a loop, all with the same number of samples.
    """
    with jax.enable_x64(xs.dtype.itemsize == 8):
        return _take_turns(loops, xs, rounds, sample_ns)


def _take_turns(
    loops: Sequence[Callable[..., Any]],
    xs: np.ndarray[Any, Any],
    rounds: int,
    sample_ns: float,
) -> list[Timing]:
    elements = int(xs.shape[1])
    device = jax.numpy.asarray(xs)
    counts = [_repetitions(run, device, sample_ns) for run in loops]
    samples: list[list[float]] = [[] for _ in loops]
    for _ in range(rounds):
        for run, count, taken in zip(loops, counts, samples, strict=True):
            start = time.perf_counter_ns()
            run(device, count).block_until_ready()
            taken.append((time.perf_counter_ns() - start) / (int(count) * elements))
    return [Timing(samples_ns=tuple(taken), elements=elements) for taken in samples]
