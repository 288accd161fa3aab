"""Proves another compiled form of a program: by the same bits for every input, or by a sweep."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.lengths import check_length_invariance
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.library.certificate import Lowering, Proof, code_fingerprint, machine_identity
from xla_evo.library.certify import CertificationError, is_swept, prove, time_ratio
from xla_evo.library.loader import Entry
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Executable, input_buffer
from xla_evo_lowering.compile import Function as Graph
from xla_evo_lowering.dtypes import DType

_BLOCK, _NEAR = 1 << 18, 1 << 10
_SAMPLES = 1 << 22
"""Inputs of a format that has too many to meet all."""


class DifferentBitsError(CertificationError):
    """Another form of a program gives other bits than the inlined one."""


def prove_other_form(
    entry: Entry,
    lowering: Lowering,
    graph: Graph,
    *,
    time: bool = True,
    threads: int | None = None,
    measurement: ErrorMeasurement | None = None,
) -> Proof:
    """Proves another form by the bits of the inlined one, or by a measurement of its own.

    It is measured where its bits differ, since it contracts other products, and where there are too
    many inputs to hold all bits against each other. Then it must give each input one result
    whatever stands beside it.

    Args:
        entry: as for `prove_same_bits`.
        lowering: how ``graph`` computes the program.
        graph: the other form, as a function of JAX arrays.
        time: also time it against the built-in.
        threads: of a sweep.
        measurement: as for `prove_same_bits`.

    Raises:
        CertificationError: as `prove_same_bits` and `xla_evo.library.prove`.
    """
    target = make_target(entry.function, entry.dtype)
    try:
        if is_swept(target):
            return prove_same_bits(entry, lowering, graph, time=time, measurement=measurement)
    except DifferentBitsError:
        pass
    if target.function.arity == 1:
        other = Executable(graph, [target.dtype])
        _hold_against(entry, other, other, lowering)
    return prove(entry.program, target, lowering, graph, time=time, threads=threads, contexts=False)


def prove_same_bits(
    entry: Entry,
    lowering: Lowering,
    graph: Graph,
    *,
    time: bool = True,
    measurement: ErrorMeasurement | None = None,
) -> Proof:
    """Proves another compiled form of a program by holding every bit against the inlined one.

    Both are run on every bit pattern of the format; where all results are the same bits (any nan
    for a nan), what was measured of the inlined form here holds for the other one too.

    Args:
        entry: with a proof of the inlined form under the compiler at hand, of 32 bits at most.
        lowering: how ``graph`` computes the program.
        graph: the other form, as a function of JAX arrays.
        time: also time it against the built-in.
        measurement: of the inlined form over its whole domain, if it was made just now; that of the
            certificate when left out.

    Raises:
        CertificationError: there is no such proof.
        DifferentBitsError: a result differs; says at which input.
    """
    row = backend("cpu")
    live = machine_identity(code_fingerprint(entry.program, "inline", fingerprint(row)))
    known = [p for p in entry.proofs("inline") if machine_identity(p.fingerprint) == live]
    if not known or not known[0].measurement.exhaustive:
        raise CertificationError(f"{entry.name} has no exhaustive proof of its inlined form here")
    types = [parameter.dtype for parameter in entry.program.parameters]
    other = Executable(graph, types)
    _hold_against(entry, Executable.of_program(entry.program), other, lowering)
    target = make_target(entry.function, entry.dtype)
    violation = check_length_invariance(other, target)
    if violation is not None:
        raise CertificationError(f"{entry.name}: {violation}")
    return replace(
        known[0],
        lowering=lowering,
        measurement=measurement or known[0].measurement,
        fingerprint=code_fingerprint(entry.program, lowering, fingerprint(row)),
        contexts={},
        times=(time_ratio(graph, target),) if time else (),
    )


def _blocks(entry: Entry) -> tuple[int, Callable[[int, np.ndarray[Any, Any]], None]]:
    """(how many, what writes the block of a number) of every bit pattern, or of a sample.

    Both are in ascending order.
    """
    dtype = entry.program.dtype
    if dtype.bits > 32:
        sample = sample_inputs(make_target(entry.function, entry.dtype), _SAMPLES)
        count = -(-len(sample) // _BLOCK)
        rows = np.resize(sample, (count, _BLOCK))

        def sampled(number: int, out: np.ndarray[Any, Any]) -> None:
            out[:] = rows[number]

        return count, sampled
    unsigned = np.dtype(f"uint{dtype.bits}")
    length = _length(dtype)
    steps = np.arange(length, dtype=unsigned)

    def every(number: int, out: np.ndarray[Any, Any]) -> None:
        np.add(steps, unsigned.type(number * length), out=out.view(unsigned))

    return (1 << dtype.bits) // length, every


def _length(dtype: DType) -> int:
    return min(_BLOCK, 1 << dtype.bits)


class _Comparison:
    """Two forms side by side, and the arrays that a thread needs to compare a block of results."""

    def __init__(self, known: Executable, other: Executable, dtype: DType) -> None:
        self._known, self._other = known, other
        self._unsigned = np.dtype(f"uint{dtype.bits}")
        length = _length(dtype)
        self.inputs = input_buffer(length, dtype.numpy)
        rows = (length // _NEAR, _NEAR + 1)
        self._beside = input_buffer(rows[0] * rows[1], dtype.numpy)
        self._beside.fill(np.nan)
        self._inside = self._beside.reshape(rows)[:, :_NEAR]
        self._differs = np.empty((rows[0], _NEAR), np.bool_)

    def difference(self) -> str:
        """The first input of the block with other bits, or nothing."""
        shape = self._inside.shape
        self._inside[:] = self.inputs.reshape(shape)
        first = self._known(self.inputs).reshape(shape)
        near = self._other(self._beside).reshape(len(first), -1)[:, :_NEAR]
        for second in (self._other(self.inputs).reshape(shape), near):
            differs = np.not_equal(
                first.view(self._unsigned), second.view(self._unsigned), out=self._differs
            )
            if differs.any():
                for place in np.argwhere(differs & ~(np.isnan(first) & np.isnan(second)))[:1]:
                    x, one, two = (a[tuple(place)] for a in (self._inside, first, second))
                    return f"{two!r} for {x!r}, not {one!r}"
        return ""


def _hold_against(entry: Entry, known: Executable, other: Executable, lowering: str) -> None:
    """Compares every bit of two forms on all inputs, a block a thread.

    The other form is given each input twice: in order, and not far from a nan, since machine code
    may compute ordinary inputs apart where they stand alone.

    Raises:
        DifferentBitsError: a result differs; says at which input.
    """
    dtype = entry.program.dtype
    count, write = _blocks(entry)
    length = _length(dtype)
    for form, size in ((known, length), (other, length), (other, length + length // _NEAR)):
        form.compiled((size,))
    local = threading.local()

    def compare(number: int) -> str:
        if not hasattr(local, "comparison"):
            local.comparison = _Comparison(known, other, dtype)
        comparison: _Comparison = local.comparison
        write(number, comparison.inputs)
        return comparison.difference()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(compare, range(count)):
            if found:
                pool.shutdown(cancel_futures=True)
                raise DifferentBitsError(f"{entry.name}: {lowering} gives {found}")
