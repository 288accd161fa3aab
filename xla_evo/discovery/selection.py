"""From populations to records: the best few of each length are finished and verified."""

import math
from collections.abc import Sequence

import numpy as np

from xla_evo.discovery.canonical import Draft, new_draft
from xla_evo.discovery.constants import shorten, steps_of
from xla_evo.discovery.evolve import WEAKEST_TOO, new_bench, slide
from xla_evo.discovery.exchange import exchange
from xla_evo.discovery.minimax import NOISE, Finisher, Fit
from xla_evo.discovery.mutate import load
from xla_evo.discovery.population import Island
from xla_evo.discovery.record import Policy, Record
from xla_evo.discovery.reference import fitting_nodes
from xla_evo.discovery.signs import fewer_minus_signs
from xla_evo.discovery.verify import Verifier

FINALISTS = 6
"""Members of each number of operations that are finished together."""
ROUNDS = 4
"""How often so many more are finished where none of them holds."""
NEAR = 1.02
"""Programs within this factor of the least error are chosen by their float64 behaviour."""


def select(
    islands: Sequence[Island], n: int, policy: Policy, finisher: Finisher, verifier: Verifier,
) -> Record | None:  # fmt: skip
    """Returns the record of ``n`` operations, None where no member holds what it promises."""
    members = _best(islands, n, FINALISTS * ROUNDS)
    for start in range(0, len(members), FINALISTS):
        found = _choose(members[start : start + FINALISTS], n, policy, finisher, verifier)
        if found is not None:
            return found
    return None


def _choose(
    members: Sequence[tuple[Draft, float]], n: int, policy: Policy, finisher: Finisher,
    verifier: Verifier,
) -> Record | None:  # fmt: skip
    ranked = sorted(
        (finished(draft, n, error, finisher) for draft, error in members),
        key=lambda item: item[1].error,
    )
    chosen: Record | None = None
    for draft, state in ranked:
        if not math.isfinite(state.error):
            continue
        if chosen is not None and state.error > NEAR * chosen.error:
            break
        full = fewer_minus_signs(steps_of(draft, n))
        steps = fewer_minus_signs(shorten(draft, n, state, finisher))
        error = finisher.error(draft, n)
        verified = verifier.verify(steps)
        if verified.error > max(1.05 * error, NOISE) or (
            policy == "finite" and not verified.finite
        ):
            continue
        record = Record(
            steps=steps, error=error, verified=verified, policy=policy, full=full,
            full_error=state.error,
        )  # fmt: skip
        if chosen is None or (
            chosen.verified.float64.not_finite > 0 == verified.float64.not_finite
        ):
            chosen = record
        if chosen.verified.float64.not_finite == 0:
            break
    return chosen


def _best(islands: Sequence[Island], n: int, count: int) -> list[tuple[Draft, float]]:
    members = sorted(
        (float(island.error[n, place]), number, place)
        for number, island in enumerate(islands)
        for place in np.flatnonzero(np.isfinite(island.error[n]))
    )
    found: list[tuple[Draft, float]] = []
    keys: set[int] = set()
    for error, number, place in members:
        island = islands[number]
        key = int(island.key[n, place])
        if key in keys:
            continue
        keys.add(key)
        draft = new_draft()
        load(
            draft, island.op[n, place], island.a[n, place], island.b[n, place],
            island.c[n, place], island.cl[n, place], n, 0,
        )  # fmt: skip
        found.append((draft, error))
        if len(found) == count:
            break
    return found


def finished(draft: Draft, n: int, error: float, finisher: Finisher) -> tuple[Draft, Fit]:
    """Follows the valley to its end and minimises the greatest error, in place."""
    reference = finisher.reference
    problem = reference.problem(fitting_nodes(reference.low, reference.high))
    slide(draft, n, error, problem, new_bench(problem), 200, 0, WEAKEST_TOO)
    return draft, exchange(draft, n, finisher, finisher.finish(draft, n))
