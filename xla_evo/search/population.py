"""Who survives: the sketches by estimated cost, and the measured front.

*Sketches* are screened candidates, a bucket for each estimated cost, so that short programs are
never crowded out by long accurate ones. The *front* holds compiled and timed candidates, ordered
by NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6(2), 2002) on error and measured time: there are
two objectives of unlike units, and what is wanted is their whole trade-off. NSGA-II needs no
weights, and its crowding keeps both ends. Half of the parents come from either.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from xla_evo.search.genome import Nodes


@dataclass(frozen=True, slots=True)
class Sketch:
    """A screened candidate: see `screen.Screened`; `key` is the hash of its structure."""

    key: int
    cost: float
    nodes: Nodes
    rounded: Nodes
    fit_ulp: float
    ulp: float


@dataclass(slots=True)
class Measured:
    """A candidate that was compiled, run and timed.

    Attributes:
        program: content hash of the program.
        key: hash of its structure.
        cost: estimated vector operations.
        nodes: genome with the constants of the fit.
        rounded: genome with the constants that were compiled.
        ulp: largest error of the compiled program: at the sample, or over all inputs where proven.
        time: time relative to the built-in, measured in one run with it (0.5: twice as fast).
        code_hash: identity of its machine code.
        proven: True when `ulp` comes from every input of the domain.
    """

    program: str
    key: int
    cost: float
    nodes: Nodes
    rounded: Nodes
    ulp: float
    time: float
    code_hash: str
    proven: bool = False


def _merit(sketch: Sketch) -> tuple[float, float, int]:
    return sketch.ulp, sketch.fit_ulp, sketch.key


@dataclass(slots=True)
class Population:
    """Both archives; all decisions are deterministic."""

    bucket: int
    sketches: dict[float, list[Sketch]] = field(default_factory=dict)
    front: list[Measured] = field(default_factory=list)

    def threshold(self, cost: float) -> float:
        """An error at or above this has no place: a full bucket of that cost or less is better."""
        full = (
            bucket[-1].ulp
            for at, bucket in self.sketches.items()
            if at <= cost and len(bucket) >= self.bucket
        )
        return min(full, default=float("inf"))

    def add_sketch(self, sketch: Sketch) -> bool:
        """Adds a candidate where it is among the best of its cost; one for each structure."""
        bucket = self.sketches.setdefault(sketch.cost, [])
        for index, other in enumerate(bucket):
            if other.key == sketch.key:
                if other.ulp <= sketch.ulp:
                    return False
                del bucket[index]
                break
        bucket.append(sketch)
        bucket.sort(key=_merit)
        del bucket[self.bucket :]
        return any(item is sketch for item in bucket)

    def update_sketches(self, sketches: Sequence[Sketch]) -> None:
        """Puts sketches with new errors in place of all there are."""
        self.sketches = {}
        for sketch in sketches:
            self.sketches.setdefault(sketch.cost, []).append(sketch)
        for bucket in self.sketches.values():
            bucket.sort(key=_merit)

    def useful_cost(self, max_ulp: float, slack: float) -> float:
        """The cost above which longer programs are of no use: the least that holds, and some."""
        holding = [cost for cost, items in self.sketches.items() if items[0].ulp <= max_ulp]
        return min(holding) + slack if holding else float("inf")

    def add_measured(self, item: Measured, size: int) -> None:
        """Adds a measured candidate, of equal machine code the first, and keeps the best `size`."""
        if any(other.program == item.program for other in self.front):
            return
        self.front.append(item)
        self.front = nsga_select(self.front, size)

    def pick(self, random: Random, limit: float) -> Nodes:
        """A parent's genome: from the front or the sketches of at most cost `limit`."""
        if self.front and random.random() < 0.5:
            return self.front[min(random.randrange(len(self.front)) for _ in range(2))].nodes
        costs = sorted(cost for cost in self.sketches if cost <= limit)
        if not costs:
            return ()
        bucket = self.sketches[random.choice(costs)]
        return bucket[min(random.randrange(len(bucket)) for _ in range(2))].nodes


def _objectives(item: Measured) -> tuple[float, float]:
    """Error on a logarithmic scale, since it spans many orders of magnitude, and time."""
    return math.log2(max(item.ulp, 1e-9)), item.time


def _dominates(left: Measured, right: Measured) -> bool:
    (a, b), (c, d) = _objectives(left), _objectives(right)
    return a <= c and b <= d and (a < c or b < d)


def pareto_fronts(items: Sequence[Measured]) -> list[list[Measured]]:
    """Sorts into fronts: the first is dominated by nothing, the second only by the first, ..."""
    rest = sorted(items, key=lambda item: (*_objectives(item), item.program))
    fronts: list[list[Measured]] = []
    while rest:
        front = [item for item in rest if not any(_dominates(other, item) for other in rest)]
        chosen = {id(item) for item in front}
        fronts.append(front)
        rest = [item for item in rest if id(item) not in chosen]
    return fronts


def _crowding(front: Sequence[Measured]) -> dict[int, float]:
    """Crowding distance of each member, by id; the ends are infinitely far from others."""
    distance = {id(item): 0.0 for item in front}
    for axis in (0, 1):
        order = sorted(front, key=lambda item: _objectives(item)[axis])
        distance[id(order[0])] = distance[id(order[-1])] = float("inf")
        span = _objectives(order[-1])[axis] - _objectives(order[0])[axis]
        if not 0 < span < float("inf"):
            continue
        for before, item, after in zip(order, order[1:], order[2:], strict=False):
            gap = _objectives(after)[axis] - _objectives(before)[axis]
            distance[id(item)] += gap / span
    return distance


def nsga_select(items: Sequence[Measured], size: int) -> list[Measured]:
    """The best `size` by front, within a front by crowding distance; in that order."""
    kept: list[Measured] = []
    for front in pareto_fronts(items):
        distance = _crowding(front)
        kept += sorted(front, key=lambda item: (-distance[id(item)], item.program))
        if len(kept) >= size:
            break
    return kept[:size]


def fastest(items: Sequence[Measured], max_ulp: float) -> list[Measured]:
    """Members within an error bound, the fastest first."""
    within = [item for item in items if item.ulp <= max_ulp]
    return sorted(within, key=lambda item: (item.time, item.ulp, item.program))
