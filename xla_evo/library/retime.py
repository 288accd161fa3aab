"""Times of certified programs on the machine at hand, taken anew."""

from collections.abc import Callable, Mapping, Sequence

from xla_evo.library.certificate import Lowering
from xla_evo.library.certify import add_proof
from xla_evo.library.choice import best_proof
from xla_evo.library.loader import Entry
from xla_evo.library.times import time_ratios
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend, fingerprint
from xla_evo_lowering.compile import Function as Graph
from xla_evo_lowering.custom_call import as_custom_call
from xla_evo_lowering.program import Program
from xla_evo_lowering.stablehlo import as_function

FORMS: Mapping[Lowering, Callable[[Program], Graph]] = {
    "inline": as_function,
    "custom_call": as_custom_call,
}
"""How a program becomes a function of JAX arrays under each lowering."""


def retime(found: Sequence[Entry], lowering: Lowering = "inline") -> list[Entry]:
    """Returns entries with times of this machine, the others as they are.

    All take turns with one built-in, since a request takes the one of best ratio. The times stand
    in the proof that is nearest to the compiler at hand.

    Args:
        found: entries of one function and format.
        lowering: of the proofs that are timed; entries without one are left alone.

    Raises:
        BackendError: custom calls, and there is no compiler for them.
    """
    live = fingerprint(backend("cpu"))
    proofs = {
        entry.name: proof
        for entry in found
        if (proof := best_proof(entry, lowering, "cpu", live)[0]) is not None
    }
    here = [entry for entry in found if entry.name in proofs]
    if not here:
        return list(found)
    target = make_target(here[0].function, here[0].dtype)
    times = time_ratios([FORMS[lowering](entry.program) for entry in here], target)
    again = {
        entry.name: add_proof(entry, proofs[entry.name].with_times([time]))
        for entry, time in zip(here, times, strict=True)
    }
    return [again.get(entry.name, entry) for entry in found]
