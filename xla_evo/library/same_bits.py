"""Proves one compiled form of a program by another: the same bits for every input."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from xla_evo.accuracy.lengths import check_length_invariance
from xla_evo.library.certificate import Lowering, Proof, code_fingerprint, machine_identity
from xla_evo.library.certify import CertificationError, time_ratio
from xla_evo.library.loader import Entry
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.compile import Function as Graph

_BLOCK, _NEAR = 1 << 18, 1 << 10


def prove_same_bits(entry: Entry, lowering: Lowering, graph: Graph, *, time: bool = True) -> Proof:
    """Proves another compiled form of a program by holding every bit against the inlined one.

    Both are run on every bit pattern of the format; where all results are the same bits (any nan
    for a nan), what was measured of the inlined form here holds for the other one too.

    Args:
        entry: with a proof of the inlined form under the compiler at hand, of 32 bits at most.
        lowering: how ``graph`` computes the program.
        graph: the other form, as a function of JAX arrays.
        time: also time it against the built-in.

    Raises:
        CertificationError: there is no such proof, or a result differs; says at which input.
    """
    row = backend("cpu")
    live = machine_identity(fingerprint(row))
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
        fingerprint=code_fingerprint(entry.program, lowering, fingerprint(row)),
        contexts={},
        time=time_ratio(graph, target) if time else None,
    )


def _hold_against(entry: Entry, inlined: Executable, other: Executable, lowering: str) -> None:
    """Compares every bit of two forms on every bit pattern, a block a thread.

    The other form is given each input twice: in order, and not far from a nan, since machine code
    may compute ordinary inputs apart where they stand alone.

    Raises:
        CertificationError: a result differs; says at which input.
    """
    dtype = entry.program.dtype
    unsigned = np.dtype(f"uint{dtype.bits}")
    length = min(_BLOCK, 1 << dtype.bits)
    steps = np.arange(length, dtype=unsigned)
    beside = np.full((length // _NEAR, _NEAR + 1), np.nan, dtype.numpy)
    for form, size in ((inlined, length), (other, length), (other, beside.size)):
        form.compiled((size,))

    def compare(start: int) -> str:
        x = (steps + unsigned.type(start)).view(dtype.numpy)
        mixed = beside.copy()
        mixed[:, :_NEAR] = x.reshape(-1, _NEAR)
        first = inlined(x)
        near = other(mixed.reshape(-1)).reshape(mixed.shape)[:, :_NEAR].reshape(-1)
        for second in (other(x), np.ascontiguousarray(near)):
            differs = first.view(unsigned) != second.view(unsigned)
            if differs.any():
                differs &= ~(np.isnan(first) & np.isnan(second))
            for place in np.flatnonzero(differs)[:1].tolist():
                return f"{second[place]!r} for {x[place]!r}, inlined {first[place]!r}"
        return ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(compare, range(0, 1 << dtype.bits, length)):
            if found:
                pool.shutdown(cancel_futures=True)
                raise CertificationError(f"{entry.name}: {lowering} gives {found}")
