"""Coefficients moved by units in the last place until a few hard inputs round well.

Where a result is a difference of numbers 2^30 times as large, its error is that of their roundings,
and no fit has a say in it: those of two versions of NumPy differ in the last place, and then there
by several ULP. A coefficient is moved until the inputs hold with the contraction of a*b + c and
without.
"""

from collections.abc import Callable, Sequence

import mpmath as mp
import numpy as np

from xla_evo_lowering.contraction import contract
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Program

_TRIED = 100


def units_that_round_well(
    program_with: Callable[[int], Program],
    function: Callable[[mp.mpf], mp.mpf],
    inputs: Sequence[str],
    max_ulp: float,
) -> int:
    """The fewest units with which a program of float32 holds at a few inputs.

    Args:
        program_with: makes the program whose coefficient is moved by so many units.
        function: what it computes.
        inputs: decimal numbers next to the inputs.
        max_ulp: the largest error allowed, in ULP.

    Raises:
        ValueError: no number of units up to a hundred does.
    """
    points = np.float32([float(text) for text in inputs])
    with mp.workdps(40):
        wanted = [function(mp.mpf(float(point))) for point in points]
    places = np.spacing(np.abs(np.float32([float(value) for value in wanted])))

    def worst(program: Program) -> float:
        found = evaluate(program, points)
        return max(
            float(abs(mp.mpf(float(y)) - value) / float(place))
            for y, value, place in zip(found, wanted, places, strict=True)
        )

    for units in sorted(range(-_TRIED, _TRIED + 1), key=abs):
        program = program_with(units)
        if max(worst(program), worst(contract(program))) <= max_ulp:
            return units
    raise ValueError(f"no coefficient within {_TRIED} units holds {max_ulp} ULP both ways")
