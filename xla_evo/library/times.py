"""Times of programs against the built-in, taken in turn inside compiled loops."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from xla_evo.library.certificate import TimeRatio
from xla_evo.targets.target import Target
from xla_evo_lowering import timing
from xla_evo_lowering.backends import processor
from xla_evo_lowering.compile import Function as Graph

TIMED_RANGES: dict[str, tuple[float, float]] = {
    "exp": (-10.0, 10.0), "exp2": (-10.0, 10.0), "expm1": (-4.0, 4.0), "tanh": (-4.0, 4.0),
    "sinh": (-4.0, 4.0), "cosh": (-4.0, 4.0), "asin": (-1.0, 1.0), "acos": (-1.0, 1.0),
    "atanh": (-1.0, 1.0), "erf_inv": (-1.0, 1.0), "acosh": (1.0, 10.0), "erf": (-4.0, 4.0),
    "erfc": (-4.0, 4.0), "log1p": (-0.9, 10.0), "logistic": (-8.0, 8.0),
}  # fmt: skip
"""Inputs of timings, uniform in an interval; functions not named here take `_TIMED_RANGE`."""

_TIMED_RANGE = (0.05, 10.0)


def timed_range(function: str) -> tuple[float, float]:
    """Returns the interval from which inputs of timings are drawn."""
    return TIMED_RANGES.get(function, _TIMED_RANGE)


def _of_one(function: Graph, arity: int) -> Graph:
    """A graph of two arguments as one of an array: the second is a line in the first."""
    if arity == 1:
        return function

    def graph(x: Any) -> Any:
        slope, offset = (jax.numpy.asarray(value, x.dtype) for value in (-0.75, 2.0))
        return function(x, x * slope + offset)

    return graph


def time_ratio(graph: Graph, target: Target, *, rounds: int = 15) -> TimeRatio:
    """Times a graph and the built-in in turn, as `time_ratios` does several."""
    (found,) = time_ratios([graph], target, rounds=rounds)
    return found


def time_ratios(graphs: Sequence[Graph], target: Target, *, rounds: int = 15) -> list[TimeRatio]:
    """Times graphs and the built-in in turn, inside compiled loops over an array in cache.

    The built-in's own time differs by a third between processes, so ratios are compared with each
    other only where they share its samples, as these do.

    Args:
        graphs: programs as functions of JAX arrays.
        target: what they compute.
        rounds: samples of each.
    """
    low, high = timed_range(target.function.name)
    random = np.random.default_rng(0)
    xs = random.uniform(low, high, (timing.ROWS, timing.ELEMENTS)).astype(target.dtype.numpy)
    arity = target.function.arity
    functions: list[Any] = [timing.floor_function, *(_of_one(graph, arity) for graph in graphs)]
    if target.function.builtin:
        functions.append(_of_one(target.function.builtin_function(), arity))
    loops = [timing.compile_loop(function, target.dtype) for function in functions]
    floor, *timed = timing.time_loops(loops, xs, rounds=rounds)
    builtin = timed[len(graphs)] if target.function.builtin else None
    return [
        TimeRatio(
            candidate_ns=candidate.samples_ns,
            builtin_ns=builtin.samples_ns if builtin else (),
            floor_ns=floor.samples_ns,
            ratio=timing.ratio(builtin, candidate) if builtin else 0.0,
            range=(low, high),
            processor=processor(),
        )
        for candidate in timed[: len(graphs)]
    ]
