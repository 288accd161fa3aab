"""Holds the branches of a program against each other: an input has one result, whatever is beside.

A program with `branches` computes arrays of ordinary inputs by itself. A sweep over all inputs in
order meets both branches, each on inputs of its own; here every ordinary input goes through both.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo.accuracy.inputs import sample_inputs
from xla_evo.library.bits import Array, block_length, first_difference
from xla_evo.library.contexts import changed_beside
from xla_evo.targets.target import Target
from xla_evo_lowering.branches import branches
from xla_evo_lowering.compile import SINGLE_THREAD, Executable, Function
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.ordinary import Ordinary
from xla_evo_lowering.program import Program

_SAMPLES = 1 << 22
"""Inputs of a format that has too many to meet all, and of what stands beside a subtraction."""

Patterns = NDArray[Any]
"""Numbers by their bits."""


def changed_by_branch(
    program: Program, function: Function, target: Target, *, samples: int | None = None
) -> str:
    """Says where an ordinary input has another result in an array that holds a nan.

    Nor may it have another beside a subtraction, see `changed_beside`.

    Args:
        program: what is looked at; nothing is to be said of one without branches.
        function: its inlined form, as a function of JAX arrays.
        target: what it computes, of one argument.
        samples: how many inputs; every ordinary one where left out, in a format of 32 bits at most.

    Returns:
        The first difference, empty where there is none.
    """
    found = branches(program)
    if found is None:
        return ""
    sample = sample_inputs(target, samples or _SAMPLES)
    ordinary = sample[~evaluate(found.extraordinary, sample)]
    is_every = samples is None and target.dtype.bits <= 32
    return _changed_beside_nan(
        function,
        target,
        found.part,
        None if is_every else ordinary.view(f"u{target.dtype.bits // 8}"),
    ) or changed_beside(function, target, inputs=ordinary)


def _changed_beside_nan(
    function: Function, target: Target, part: Ordinary, patterns: Patterns | None
) -> str:
    dtype = target.dtype
    run = Executable(function, [dtype], SINGLE_THREAD)
    length = block_length(dtype)
    count = _count(part, dtype.bits) if patterns is None else len(patterns)

    def write(number: int, out: Array) -> None:
        places = np.minimum(np.arange(number * length, (number + 1) * length), count - 1)
        bits = _pattern(part, places, dtype.bits) if patterns is None else patterns[places]
        out.view(bits.dtype)[:] = bits

    found = first_difference(run, run, dtype, -(-count // length), write)
    return f"beside a nan it gives {found}" if found else ""


def _count(part: Ordinary, bits: int) -> int:
    """How many inputs are ordinary."""
    return (part.span + 1) * (1 if part.mask == (1 << bits) - 1 else 2)


def _pattern(part: Ordinary, places: NDArray[np.int64], bits: int) -> Patterns:
    """The ordinary inputs of some numbers, as bits: magnitudes, then those of the other sign."""
    sign, place = np.divmod(places, part.span + 1)
    return (place + part.base).astype(f"uint{bits}") | sign.astype(f"uint{bits}") << (bits - 1)
