"""Screening one candidate: fit over the reals, round, test in float32, polish.

Each step is cheaper than the next, and a candidate that cannot enter the population stops at the
first step that shows it. All of it is compiled code and needs no JAX.

A thousand test points do not find where a good candidate is worst, and its constants are moved to
suit them: those near the goal are checked at many more, polished once more with the worst of these
among the test points, and checked again. The worst inputs come back with the candidate, so that the
next ones meet them too; a compilation, which would show them as well, costs a hundred times more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xla_evo._random import seeded
from xla_evo.search.fit import fit_minimax
from xla_evo.search.frame import Frame
from xla_evo.search.genome import Nodes, Tape, contracted, to_tape, with_constants
from xla_evo.search.kernels import BIG, forward, max_error
from xla_evo.search.points import Points
from xla_evo.search.polish import polish
from xla_evo.search.structure import without_factors_of_one

_ITERATIONS, _LAWSON = 40, 8
_FIRST_TRIES, _MORE_TRIES = 60, 300
_CLOSE, _PROMISING, _WORTH = 4.0, 2.0, 1.4
"""Errors from which units in the last place may lead to the goal, or into the population: the first
two in goals, the last in thresholds."""
_WORST = 8
"""Inputs of a check that join the test points."""
_TURNS, _JOINING = 5, 48
"""Parts of a long polishing, and inputs that join the test points after each."""


@dataclass(frozen=True, slots=True)
class Screened:
    """A candidate that passed.

    Attributes:
        nodes: the genome with the constants of the fit, from which children start.
        rounded: the genome with float32 constants, as it would be compiled.
        fit_ulp: largest error of the fit over the reals, at the fit points.
        ulp: largest error of the rounded program in the float32 model, at the test points.
        noise_ulp: the part of it that is rounding: largest distance from the same program over the
            reals.
        worst: inputs with errors above those at the test points; empty where it was not checked.
    """

    nodes: Nodes
    rounded: Nodes
    fit_ulp: float
    ulp: float
    noise_ulp: float
    worst: tuple[float, ...] = ()


def _values(tape: Tape, points: Points) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    given = points.rows.shape[0]
    values = np.empty((given + tape.code.size, points.x.size))
    values[:given] = points.rows
    return values


def fit(nodes: Nodes, points: Points, hopeless: float) -> tuple[Nodes, float]:
    """Fits the constants over the reals; returns the genome and its largest error."""
    tape = to_tape(nodes)
    error = fit_minimax(
        tape.code, tape.operands, tape.constants, tape.free, _values(tape, points),
        points.reference, points.weight, _ITERATIONS, hopeless, _LAWSON,
    )  # fmt: skip
    return with_constants(nodes, tape, tape.constants[tape.free]), error


def _whole(nodes: Nodes, frame: Frame | None, *, contracts: bool) -> Tape:
    """The program that a genome is, or is a part of, contracted as the backend does it."""
    if frame is not None:
        return frame.tape(nodes)
    return to_tape(contracted(nodes) if contracts else nodes)


def rounding_noise(
    nodes: Nodes, points: Points, frame: Frame | None = None, *, contracts: bool = True
) -> float:
    """Largest difference of a rounded program in float32 and over the reals, in ULP."""
    tape = _whole(nodes, frame, contracts=contracts)
    values = _values(tape, points)
    forward(tape.code, tape.operands, tape.constants, values, True)
    single = values[-1].copy()
    forward(tape.code, tape.operands, tape.constants, values, False)
    return max_error(single, values[-1], points.weight)


def errors_at(
    nodes: Nodes, points: Points, frame: Frame | None = None, *, contracts: bool = True
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Errors of a rounded program in float32 in ULP, shape (points,)."""
    tape = _whole(nodes, frame, contracts=contracts)
    values = _values(tape, points)
    forward(tape.code, tape.operands, tape.constants, values, True)
    errors = np.abs(values[-1] - points.reference) * points.weight
    return np.where(errors < BIG, errors, BIG)


def improve(
    nodes: Nodes, points: Points, tries: int, goal: float, seed: int, frame: Frame | None = None,
    *, contracts: bool = True,
) -> tuple[Nodes, float]:  # fmt: skip
    """Rounds the constants to float32 and polishes them; returns the genome and its error.

    With a frame the error is that of the whole function that the genome is a part of, and the
    frame knows whether the backend contracts.
    """
    tape = _whole(nodes, frame, contracts=contracts)
    error = polish(
        tape.code, tape.operands, tape.constants, tape.free, _values(tape, points),
        points.reference, points.weight, tries, goal, seeded(seed, 0),
    )  # fmt: skip
    rounded = with_constants(nodes, tape, tape.constants[tape.free])
    shorter = without_factors_of_one(rounded)
    if len(shorter) < len(rounded):
        return improve(shorter, points, tries, goal, seed, frame, contracts=contracts)
    return rounded, error


def improve_checked(
    nodes: Nodes, error: float, test_at: Points, check_at: Points, goal: float, seed: int,
    frame: Frame | None = None, *, contracts: bool = True,
) -> tuple[Nodes, float, tuple[float, ...]]:  # fmt: skip
    """Checks a polished program at many points and polishes it where it is worst.

    Args:
        nodes: the rounded genome.
        error: its error at the test points.
        test_at: the test points.
        check_at: the many points.
        goal: polishing below this is of no use.
        seed: of the polishing moves.
        frame: as for `improve`.
        contracts: as for `improve`.

    Returns:
        The genome, its error at all these points, and the worst of the inputs that surprised.
    """
    errors = errors_at(nodes, check_at, frame, contracts=contracts)
    limit = max(error, goal)
    worst = np.argsort(-errors)[:_WORST]
    worst = worst[errors[worst] > limit]
    if not worst.size:
        return nodes, max(error, float(errors.max())), ()
    inputs = tuple(check_at.x[worst].tolist())
    before = float(errors.max())
    moved, after = improve(
        nodes, test_at.join(check_at.take(worst)), _MORE_TRIES, goal, seed, frame,
        contracts=contracts,
    )  # fmt: skip
    after = max(after, float(errors_at(moved, check_at, frame, contracts=contracts).max()))
    return (moved, after, inputs) if after < before else (nodes, before, inputs)


def improve_afresh(
    nodes: Nodes, test_at: Points, many: Callable[[int], Points], tries: int, goal: float,
    seed: int, frame: Frame | None = None, *, contracts: bool = True,
) -> tuple[Nodes, float]:  # fmt: skip
    """Polishes in turns, after each of which the worst of many new inputs join the test points.

    Rounding errors are sums of several parts, and the inputs where all of them are large are rare:
    constants that suit a set of inputs, however large, have worse ones outside it.

    Args:
        nodes: a genome.
        test_at: the test points to begin with.
        many: a large set of inputs for a number.
        tries: moves in all turns together.
        goal: polishing below this is of no use.
        seed: of the polishing moves.
        frame: as for `improve`.
        contracts: as for `improve`.

    Returns:
        The genome of the turn that was best, and its error at the test points and at inputs that
        it was not polished at.
    """
    best, least = nodes, BIG
    for turn in range(_TURNS):
        nodes, error = improve(
            nodes, test_at, tries // _TURNS, goal, seed + turn, frame, contracts=contracts
        )
        fresh = many(seed + turn)
        errors = errors_at(nodes, fresh, frame, contracts=contracts)
        worst = np.argsort(-errors)[:_JOINING]
        worst = worst[errors[worst] > max(error, goal)]
        met = max(error, float(errors.max()))
        if met < least:
            best, least = nodes, met
        if not worst.size:
            break
        test_at = test_at.join(fresh.take(worst))
    return best, least


def screen(
    nodes: Nodes, fit_at: Points, test_at: Points, limits: tuple[float, float], goal: float,
    seed: int, frame: Frame | None = None, *, contracts: bool = True,
    check_at: Points | None = None,
) -> tuple[Screened | None, str]:  # fmt: skip
    """Screens one candidate.

    Args:
        nodes: a simplified genome.
        fit_at: points to fit at.
        test_at: points in float32.
        limits: an error above the first does not enter the population, unless that of the fit is
            below the second: such a candidate may have its place for rounding well.
        goal: polishing below this is of no use.
        seed: of the polishing moves.
        frame: the scaffold whose hole the genome fills; none when it is the whole program.
        contracts: whether the backend makes one operation of a*b + c.
        check_at: many more points, for candidates near the goal.

    Returns:
        The candidate or None, and the name of the last step it reached.
    """
    threshold, fit_limit = limits
    fitted, fit_error = fit(nodes, fit_at, max(limits))
    # The largest error between the points is a little above that at them, never far below.
    if not fit_error < min(max(limits), BIG):
        return None, "fitted"
    rounded, error = improve(fitted, test_at, 0, goal, seed, frame, contracts=contracts)
    if goal < error < _CLOSE * goal:
        # A few moves tell whether more are worth their time.
        rounded, error = improve(
            fitted, test_at, _FIRST_TRIES, goal, seed, frame, contracts=contracts
        )
        if goal < error < min(_PROMISING * goal, _WORTH * threshold):
            rounded, error = improve(
                rounded, test_at, _MORE_TRIES, goal, seed, frame, contracts=contracts
            )
        step = "polished"
    else:
        step = "tested"
    if not error < BIG or (error >= threshold and fit_error > fit_limit):
        return None, step
    worst: tuple[float, ...] = ()
    if check_at is not None and error < min(_PROMISING * goal, threshold):
        rounded, error, worst = improve_checked(
            rounded, error, test_at, check_at, goal, seed, frame, contracts=contracts
        )
    noise = rounding_noise(rounded, test_at, frame, contracts=contracts)
    return Screened(fitted, rounded, fit_error, error, noise, worst), "passed"


def screen_batch(
    batch: Sequence[tuple[Nodes, tuple[float, float], int]], fit_at: Points, test_at: Points,
    goal: float, frame: Frame | None = None, *, contracts: bool = True,
    check_at: Points | None = None,
) -> tuple[list[Screened | None], dict[str, int]]:  # fmt: skip
    """Screens (genome, limits, seed) one after the other.

    Returns:
        One result each, and how many candidates stopped at each step.
    """
    counts: dict[str, int] = {}
    results: list[Screened | None] = []
    for nodes, limits, seed in batch:
        result, step = screen(
            nodes, fit_at, test_at, limits, goal, seed, frame, contracts=contracts,
            check_at=check_at,
        )  # fmt: skip
        counts[step] = counts.get(step, 0) + 1
        results.append(result)
    return results, counts
