"""Tiers of accuracy: for each function, format and backend, the fastest program of each.

``fast``: at most the error of the built-in, and faster than it; ``one``: at most 1 ULP over the
whole domain; ``near``: at most 0.51 ULP. A program may serve several. On a backend that is not here
the error of the built-in is the one that JAX publishes, and static cost stands for time.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from xla_evo.library.certificate import Lowering, Proof, TimeRatio, same_processor
from xla_evo.library.choice import best_proof, builtin_ulp
from xla_evo.library.loader import Entry

Tier = Literal["fast", "one", "near"]

BOUNDS: Mapping[Tier, float] = {"near": 0.51, "one": 1.0}
"""Largest error of a tier in ULP; that of ``fast`` is the built-in's own."""

TIERS: tuple[Tier, ...] = ("fast", "one", "near")


def tier(max_ulp: float) -> Tier:
    """Returns the narrowest tier of an error in ULP."""
    for name, bound in BOUNDS.items():
        if max_ulp <= bound:
            return name
    return "fast"


@dataclass(frozen=True, slots=True)
class Place:
    """A program in a tier, and the proof that puts it there.

    Attributes:
        entry: the program.
        proof: of the program.
        exact: whether the proof is of the compiler at hand.
        time: against the built-in, on the processor at hand or the one nearest to it.
        here: whether the time is of the processor at hand; ratios of two do not compare.
    """

    entry: Entry
    proof: Proof
    exact: bool
    time: TimeRatio | None
    here: bool

    @property
    def ratio(self) -> float:
        """Speed-up over the built-in, by times or else by static cost; 0 where neither is known."""
        return self.time.ratio if self.time else self.proof.static_ratio


def places(
    found: Iterable[Entry], live: Mapping[str, str], lowering: Lowering = "inline"
) -> dict[Tier, Place | None]:
    """Returns the fastest program of each tier among entries of one function and format.

    Args:
        found: the entries.
        live: fingerprint of the compiler whose proofs count, on its backend; another's where a tier
            has none.
        lowering: how the programs are put into the compiled code.
    """
    processor, backend = live.get("device", ""), live["backend"]
    proven: list[Place] = []
    for entry in found:
        proof, exact = best_proof(entry, lowering, backend, live)
        if proof is not None:
            time = proof.time_on(processor)
            here = time is not None and same_processor(time.processor, processor)
            proven.append(Place(entry, proof, exact, time, here))
    return {name: _fastest([p for p in proven if _belongs(p, name, backend)]) for name in TIERS}


def _belongs(place: Place, name: Tier, backend: str) -> bool:
    if name in BOUNDS:
        return place.proof.max_ulp <= BOUNDS[name]
    return place.ratio > 1.0 and place.proof.max_ulp <= builtin_ulp(place.entry, backend)


def _fastest(among: list[Place]) -> Place | None:
    return max(among, key=lambda p: (p.exact, p.here, p.ratio, -p.proof.max_ulp), default=None)


def geometric_mean(ratios: Iterable[float]) -> float | None:
    """Returns the geometric mean of positive ratios; None without any."""
    logs = [math.log(ratio) for ratio in ratios if ratio > 0]
    return math.exp(math.fsum(logs) / len(logs)) if logs else None
