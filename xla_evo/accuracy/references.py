"""References at a few inputs, and results beside them.

They are computed once for all functions that are measured at these inputs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo.accuracy.kernels import compute_errors, has_below
from xla_evo.accuracy.statistics import Statistics, widened_results
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import F64

Array = NDArray[Any]
Arguments = tuple[Array, ...]

_CHUNK = 1 << 16
"""Results that are fed to the statistics at a time: in shorter ones threads wait for each other."""


def references(target: Target, arguments: Arguments) -> Array:
    """Returns float64 references at inputs of the target's format (not flushed)."""
    return target.function.f64(*_widened(arguments))


def _widened(arguments: Arguments) -> Arguments:
    with np.errstate(invalid="ignore"):  # a signalling nan becomes a quiet one
        return tuple(a.astype(np.float64) for a in arguments)


def add_results(
    statistics: Statistics, arguments: Arguments, results: Array, reference: Array | None = None
) -> None:
    """Feeds results and their references to running statistics, a chunk at a time.

    Args:
        statistics: what is added to.
        arguments: one 1-D array of the format for each argument.
        results: of the format.
        reference: float64 references; computed when left out.
    """
    for part in chunks(len(arguments[0])):
        inputs = tuple(a[part] for a in arguments)
        known = None if reference is None else reference[part]
        Known(statistics.target, inputs, statistics, known).add(statistics, results[part])


def chunks(length: int) -> list[slice]:
    """Returns consecutive slices of an array that are fed to statistics one by one."""
    return [slice(start, min(start + _CHUNK, length)) for start in range(0, length, _CHUNK)]


class Known:
    """References at a few inputs, computed once for all functions that are measured there."""

    def __init__(
        self, target: Target, inputs: Arguments, like: Statistics, reference: Array | None = None
    ) -> None:
        """Computes what is not given.

        Args:
            target: what the functions should compute.
            inputs: one array for each argument.
            like: statistics of one of the functions, for what they have in common.
            reference: float64 references.
        """
        self._target, self._like = target, like
        self._inputs = inputs
        self._wide = _widened(inputs)
        self._rest: Array | None = None
        self._readings = False
        flush = like.flush_to_zero
        pair = target.function.pair if target.dtype is F64 and reference is None else None
        if pair is not None:
            x = self._wide[0]
            self._values, self._rest = pair(_flushed(x, like) if flush else x)
            return
        self._values = target.function.f64(*self._wide) if reference is None else reference
        self._readings = flush and any(has_below(a, like.form.least) for a in self._wide)

    def mirrored(self, inputs: Array) -> "Known":
        """What is known at the same inputs of the other sign, of a function with a symmetry."""
        values = -self._values if self._target.function.symmetry == "odd" else self._values
        return Known(self._target, (inputs,), self._like, values)

    def add(self, statistics: Statistics, results: Array) -> None:
        """Adds the results of one function to its statistics."""
        values = self._values
        if self._readings:
            values = _better_reading(statistics, self._wide, results, values)
        statistics.add(self._inputs, results, values, self._rest)


def _flushed(x: Array, statistics: Statistics) -> Array:
    """X with zeros of its signs in place of subnormal numbers."""
    return np.where(np.abs(x) < statistics.form.least, np.copysign(0.0, x), x)


def _better_reading(statistics: Statistics, wide: Arguments, results: Array, r: Array) -> Array:
    """References that read inputs below 2^emin as themselves or as zero, whichever is nearer."""
    flushed = tuple(_flushed(a, statistics) for a in wide)
    other = statistics.target.function.f64(*flushed)
    results = widened_results(results)
    as_is = compute_errors(results, r, statistics.form)
    return np.where(compute_errors(results, other, statistics.form) < as_is, other, r)
