"""What a search of `tune` begins with: what was evolved for the same hole before."""

import math

from xla_evo.library.choice import best_proof
from xla_evo.library.loader import Entry, entries
from xla_evo.scaffolds import SCAFFOLDS, Scaffold, hole_of, scaffold
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import print_program


def beginning(frame: Scaffold, max_ulp: float) -> str:
    """Returns the text of what fills the hole of a program of the library; empty: of none.

    Programs by hand are left out, so that what comes of a search was evolved all the way. Of those
    whose error is at most the bound it is the fastest, else the one of the least error.

    Args:
        frame: the scaffold of the search.
        max_ulp: bound of the search, in ULP.
    """
    found = [
        (_worth(entry, max_ulp), hole)
        for entry in entries(frame.function, "float32")
        if (hole := _evolved(entry, frame)) is not None
    ]
    return print_program(max(found, key=lambda one: one[0])[1]) if found else ""


def _evolved(entry: Entry, frame: Scaffold) -> Program | None:
    """What fills the hole of an evolved program, if the scaffold's hole is for the same."""
    name = entry.certificate.provenance.kind.removeprefix("from scaffold ")
    if name not in SCAFFOLDS:  # by hand, or from scratch
        return None
    other = scaffold(name)
    if (other.expression, other.dtype) != (frame.expression, frame.dtype):
        return None
    return hole_of(other, entry.program)


def _worth(entry: Entry, max_ulp: float) -> tuple[bool, float]:
    """The larger the better to begin with, by proof and time on the machine at hand."""
    live = fingerprint(backend("cpu"))
    proof, _ = best_proof(entry, "inline", "cpu", live)
    if proof is None or proof.max_ulp > max_ulp:
        return False, -math.inf if proof is None else -proof.max_ulp
    time = proof.time_on(live.get("device", ""))
    return True, time.ratio if time else 0.0
