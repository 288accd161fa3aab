"""Proves another compiled form of a program: by the same bits for every input, or by a sweep."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.accuracy.lengths import check_length_invariance
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.accuracy.sweep import BLOCK
from xla_evo.library.bits import Array, Comparison, block_length, first_difference
from xla_evo.library.certificate import Lowering, Proof, code_fingerprint, machine_identity
from xla_evo.library.certify import CertificationError, is_swept, prove
from xla_evo.library.loader import Entry
from xla_evo.library.times import time_ratio
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.compile import Function as Graph
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.native import ordinary_part
from xla_evo_lowering.ordinary import Ordinary

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
    difference: str | None = None,
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
        difference: as for `prove_same_bits`.

    Raises:
        CertificationError: as `prove_same_bits` and `xla_evo.library.prove`.
    """
    target = make_target(entry.function, entry.dtype)
    try:
        if is_swept(target):
            return prove_same_bits(
                entry, lowering, graph, time=time, measurement=measurement, difference=difference
            )
    except DifferentBitsError:
        pass
    if target.function.arity == 1:
        other = Executable(graph, [target.dtype])
        _hold_against(entry, other, other, lowering)
        _hold_at_ends(entry, other, other, lowering)
    return prove(entry.program, target, lowering, graph, time=time, threads=threads, contexts=False)


def prove_swept_form(
    entry: Entry,
    lowering: Lowering,
    graph: Graph,
    measurement: ErrorMeasurement,
    difference: str,
) -> Proof:
    """Proves another form that was swept just now, held against itself by `Beside`.

    Args:
        entry: as for `prove_same_bits`.
        lowering: how ``graph`` computes the program.
        graph: the other form, as a function of JAX arrays.
        measurement: of ``graph`` over the whole domain.
        difference: what `Beside` found; empty where it gives each input one result.

    Raises:
        DifferentBitsError: there is a difference.
        CertificationError: as `xla_evo.library.prove`.
    """
    if difference:
        raise DifferentBitsError(f"{entry.name}: {lowering} gives {difference}")
    target = make_target(entry.function, entry.dtype)
    other = Executable(graph, [target.dtype])
    _hold_at_ends(entry, other, other, lowering)
    return prove(
        entry.program, target, lowering, graph, time=False, contexts=False, measurement=measurement
    )


def prove_same_bits(
    entry: Entry,
    lowering: Lowering,
    graph: Graph,
    *,
    time: bool = True,
    measurement: ErrorMeasurement | None = None,
    difference: str | None = None,
) -> Proof:
    """Proves another compiled form of a program by holding every bit against the inlined one.

    Both are run on every bit pattern of the format, and on ordinary inputs alone next to the ends
    of these; where all results are the same bits (any nan for a nan), what was measured of the
    inlined form here holds for the other one too.

    Args:
        entry: with a proof of the inlined form under the compiler at hand, of 32 bits at most.
        lowering: how ``graph`` computes the program.
        graph: the other form, as a function of JAX arrays.
        time: also time it against the built-in.
        measurement: of the inlined form over its whole domain, if it was made just now; that of the
            certificate when left out.
        difference: what `Beside` found, if the forms were held against each other just now.

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
    inlined, other = Executable.of_program(entry.program), Executable(graph, types)
    if difference is None:
        _hold_against(entry, inlined, other, lowering)
    elif difference:
        raise DifferentBitsError(f"{entry.name}: {lowering} gives {difference}")
    _hold_at_ends(entry, inlined, other, lowering)
    target = make_target(entry.function, entry.dtype)
    violation = check_length_invariance(other, target, each=other.each)
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
        count = -(-len(sample) // BLOCK)
        rows = np.resize(sample, (count, BLOCK))

        def sampled(number: int, out: np.ndarray[Any, Any]) -> None:
            out[:] = rows[number]

        return count, sampled
    unsigned = np.dtype(f"uint{dtype.bits}")
    length = block_length(dtype)
    steps = np.arange(length, dtype=unsigned)

    def every(number: int, out: np.ndarray[Any, Any]) -> None:
        np.add(steps, unsigned.type(number * length), out=out.view(unsigned))

    return (1 << dtype.bits) // length, every


class Beside:
    """Other forms of programs, held against the inlined ones while these are swept.

    An instance is the ``watch`` of a sweep of every bit pattern: it gives each form every input, as
    `prove_same_bits` does, and near a nan those that machine code may compute apart: blocks with
    ordinary inputs (`ordinary_part`). Without any, a run near a nan does what the first has done.
    A form that is swept itself is held against its own results, and run near a nan on every input.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        forms: Mapping[str, Graph],
        swept: Mapping[str, Graph] | None = None,
    ) -> None:
        """Nothing is compared yet.

        Args:
            entries: whose inlined forms are swept, in this order.
            forms: name of an entry to another form of it, where it has one.
            swept: forms that are swept themselves after these, by names of their own.
        """
        swept = swept or {}
        self._names = [*(entry.name for entry in entries), *swept]
        self._swept = frozenset(swept)
        self._forms = {
            entry.name: Executable(forms[entry.name], [entry.program.dtype])
            for entry in entries
            if entry.name in forms
        }
        types = [entries[0].program.dtype]
        self._forms |= {name: Executable(graph, types) for name, graph in swept.items()}
        self._apart = {
            entry.name: ordinary_part(entry.program) for entry in entries if entry.name in forms
        }
        self._dtype = entries[0].program.dtype
        self._local = threading.local()
        self.differences: dict[str, str] = {}
        """Name of an entry to the first difference that was found, where there was one."""

    def __call__(self, number: int, inputs: Array, results: Array) -> None:
        """Compares the results of one entry for a block of inputs in the thread that calls."""
        name = self._names[number]
        if not hasattr(self._local, "comparison"):
            self._local.comparison = Comparison(self._dtype, len(inputs))
        if number == 0:
            self._local.comparison.take(inputs)
        if name in self._forms and name not in self.differences:
            comparison, apart = self._local.comparison, self._apart.get(name)
            twice = name in self._swept or (apart is not None and comparison.has_ordinary(apart))
            found = comparison.difference(self._forms[name], results, twice=twice)
            if found:
                self.differences.setdefault(name, found)


def _hold_against(entry: Entry, known: Executable, other: Executable, lowering: str) -> None:
    """Compares every bit of two forms on all inputs, a block a thread.

    The other form is given each input twice: in order, and not far from a nan, since machine code
    may compute ordinary inputs apart where they stand alone.

    Raises:
        DifferentBitsError: a result differs; says at which input.
    """
    found = first_difference(known, other, entry.program.dtype, *_blocks(entry))
    if found:
        raise DifferentBitsError(f"{entry.name}: {lowering} gives {found}")


def _hold_at_ends(entry: Entry, known: Executable, other: Executable, lowering: str) -> None:
    """Compares two forms on arrays of ordinary inputs alone, next to the ends of their intervals.

    In a run over all inputs, what machine code computes apart is not met there: it works in blocks,
    and for a while after one that was not ordinary it does not ask.

    Raises:
        DifferentBitsError: a result differs; says at which input.
    """
    apart, dtype = ordinary_part(entry.program), entry.program.dtype
    if apart is None:
        return
    comparison = Comparison(dtype, BLOCK)
    for inputs in _ends(apart, dtype):
        comparison.take(inputs)
        found = comparison.difference(other, known(inputs))
        if found:
            raise DifferentBitsError(f"{entry.name}: {lowering} gives {found}")


def _ends(apart: Ordinary, dtype: DType) -> list[Array]:
    """Arrays of `BLOCK` ordinary inputs from each end of each interval of them inwards.

    No call of a run over all inputs that meets others too reaches farther in.
    """
    steps = np.arange(BLOCK, dtype=np.uint64) % np.uint64(apart.span + 1)
    least = np.uint64(apart.base)
    magnitudes = (least + steps, least + np.uint64(apart.span) - steps)
    rest = np.uint64(((1 << dtype.bits) - 1) ^ apart.mask)
    unsigned = np.dtype(f"uint{dtype.bits}")
    return [
        (bits | sign).astype(unsigned).view(dtype.numpy)
        for bits in magnitudes
        for sign in sorted({np.uint64(0), rest})
    ]
