"""References at a few inputs, and results beside them.

They are computed once for all functions that are measured at these inputs.
"""

import copy
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.kernels import compute_errors, has_below
from xla_evo.accuracy.rounded import NOT_ROUNDED, negated, rounded
from xla_evo.accuracy.statistics import Statistics, widened_results
from xla_evo.targets.target import Target
from xla_evo_lowering.dtypes import F32, F64

Array = NDArray[Any]
Arguments = tuple[Array, ...]

_CHUNK = 1 << 15
"""References that are computed at a time, so that what their functions pass on stays in cache."""
_BY_MPMATH_S = 2e-5
"""A number takes longer by mpmath, and less by arithmetic over arrays, few ones too."""


def references(target: Target, arguments: Arguments) -> Array:
    """Returns float64 references at inputs of the target's format (not flushed)."""
    return target.function.f64(*_widened(arguments))


def reference_seconds(target: Target) -> float:
    """Returns how long the references of a sweep take, about: where mpmath is asked, for hours.

    Of a function of one argument, from up to 65,536 of its inputs.
    """
    for count in (1 << 8, 1 << 16):
        inputs = sample_inputs(target, count)
        started = time.perf_counter()
        references(target, (inputs,))
        each = (time.perf_counter() - started) / len(inputs)
        if each > _BY_MPMATH_S:
            break
    return each * target.count()


def _widened(arguments: Arguments) -> Arguments:
    with np.errstate(invalid="ignore"):  # a signalling nan becomes a quiet one
        return tuple(a.astype(np.float64) for a in arguments)


def add_results(
    statistics: Statistics, arguments: Arguments, results: Array, reference: Array | None = None
) -> None:
    """Feeds results and their references to running statistics.

    Args:
        statistics: what is added to.
        arguments: one 1-D array of the format for each argument.
        results: of the format.
        reference: float64 references; computed when left out.
    """
    Known(statistics.target, arguments, statistics, reference).add(statistics, results)


class Known:
    """References at a few inputs, computed once for all functions that are measured there."""

    def __init__(
        self,
        target: Target,
        inputs: Arguments,
        like: Statistics,
        reference: Array | None = None,
        *,
        several: bool = False,
    ) -> None:
        """Computes what is not given, a chunk at a time.

        Args:
            target: what the functions should compute.
            inputs: one 1-D array for each argument.
            like: statistics of one of the functions, for what they have in common.
            reference: float64 references.
            several: whether they are for more than one function, so that it pays to round them.
        """
        self._target, self._inputs = target, inputs
        self._values = np.empty(len(inputs[0])) if reference is None else reference
        self._rest: Array | None = None
        self._rounded = NOT_ROUNDED
        self._read_twice: list[slice] = []
        parts = _chunks(len(inputs[0]))
        if target.dtype is F64 and target.function.pair is not None and reference is None:
            self._rest = np.empty(len(inputs[0]))
            for part in parts:
                (x,) = _widened((inputs[0][part],))
                x = _flushed(x, like) if like.flush_to_zero else x
                self._values[part], self._rest[part] = target.function.pair(x)
            return
        for part in parts:
            wide = _widened(tuple(a[part] for a in inputs))
            if reference is None:
                self._values[part] = target.function.f64(*wide)
            if like.flush_to_zero and any(has_below(a, like.form.least) for a in wide):
                self._read_twice.append(part)
        if several and target.dtype is F32:
            self._rounded = rounded(self._values, like.form)

    def mirrored(self, inputs: Array) -> "Known":
        """What is known at the same inputs of the other sign, of a function with a symmetry.

        They are of a format of at most 32 bits, whose references have no rests.
        """
        other = copy.copy(self)
        other._inputs = (inputs,)
        if self._target.function.symmetry == "odd":
            other._values, other._rounded = -self._values, negated(self._rounded)
        return other

    def add(self, statistics: Statistics, results: Array) -> None:
        """Adds the results of one function to its statistics."""
        values, beside = self._values, self._rounded
        if self._read_twice:
            values, beside = values.copy(), NOT_ROUNDED
            for part in self._read_twice:
                wide = _widened(tuple(a[part] for a in self._inputs))
                values[part] = _better_reading(statistics, wide, results[part], values[part])
        statistics.add(self._inputs, results, values, self._rest, beside)


def _chunks(length: int) -> list[slice]:
    """Consecutive slices of an array."""
    return [slice(start, min(start + _CHUNK, length)) for start in range(0, length, _CHUNK)]


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
