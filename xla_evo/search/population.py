"""Who survives: the sketches by estimated cost, and the measured front.

*Sketches* are screened candidates, a bucket for each estimated cost, so that short programs are
never crowded out by long accurate ones, and for each family, by the number of divisions and roots:
a short quotient fits better than a short polynomial and would shut it out, though a long polynomial
is what rounds well and runs fast in the end. Beside them a bucket keeps those that round best: two
forms of one polynomial fit alike, and which of them rounds to less than a unit in the last place
shows only when the fit is far below that; until then the better one must not be lost. The *front*
holds compiled and timed candidates, ordered by NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6(2),
2002) on error and measured time: there are two objectives of unlike units, and what is wanted is
their whole trade-off. NSGA-II needs no weights, and its crowding keeps both ends. Half of the
parents come from either once something holds the bound; before that nearly all are sketches.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from xla_evo.search.genome import DIV, SQRT, Nodes

_FAMILIES = 3
_FIT_SLACK = 3.0
"""A form that rounds well may fit this much worse than the best of its cost."""
_QUIET_SHARE = 0.35
"""How often a parent among the sketches is one that rounds well."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A screened candidate: see `screen.Screened`; `key` is the hash of its structure."""

    key: int
    cost: float
    nodes: Nodes
    rounded: Nodes
    fit_ulp: float
    ulp: float
    noise_ulp: float


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
        failed: what it gives wrongly whatever its error, one line on a special input or an array
            length; empty: nothing that is known.
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
    failed: str = ""


_PER_FIT, _SAME_FIT = 3, 0.01
"""Sketches of a bucket whose fits are equal within this share are at most so many."""
_FRONT_SHARE, _EARLY_FRONT_SHARE = 0.5, 0.05
"""How often a parent is of the front: when something holds the bound, and before."""
_LEADING_SHARE = 0.8
"""How often a parent among the sketches is of a place that no cheaper one of its family matches."""

_PLAIN_WEIGHT = 4.0
"""How much oftener a parent without divisions and roots is picked than one of each other family:
such forms win in the end, and take more steps to become good."""

Place = tuple[int, float]
"""Where a sketch belongs: its family and its estimated cost."""


def family(nodes: Nodes) -> int:
    """Divisions and square roots of a genome, the last family for all that have more."""
    return min(sum(item.code in (DIV, SQRT) for item in nodes), _FAMILIES - 1)


def place_of(sketch: Sketch) -> Place:
    """Returns where a sketch belongs."""
    return family(sketch.nodes), sketch.cost


def _merit(sketch: Sketch) -> tuple[float, float, int]:
    return sketch.ulp, sketch.fit_ulp, sketch.key


def best_of_places(sketches: Sequence[Sketch], size: int) -> list[Sketch]:
    """The best `size` sketches of each place, a structure once, in the order given."""
    best: dict[tuple[Place, int], Sketch] = {}
    for sketch in sketches:
        at = place_of(sketch), sketch.key
        if at not in best or _merit(sketch) < _merit(best[at]):
            best[at] = sketch
    places: dict[Place, list[Sketch]] = {}
    for sketch in sorted(best.values(), key=_merit):
        places.setdefault(place_of(sketch), []).append(sketch)
    kept = {id(sketch): sketch for items in places.values() for sketch in items[:size]}
    return [sketch for sketch in sketches if kept.pop(id(sketch), None) is not None]


def _quietness(sketch: Sketch) -> tuple[float, float, int]:
    return sketch.noise_ulp, sketch.fit_ulp, sketch.key


def _no_dearer(one: Place, other: Place) -> bool:
    return one[0] == other[0] and one[1] <= other[1]


def _insert(
    bucket: list[Sketch], sketch: Sketch, rank: Callable[[Sketch], tuple[float, float, int]],
    size: int,
) -> bool:  # fmt: skip
    """Puts a sketch into a bucket; False where it has no place.

    Of one structure the better stays, and of those that fit equally well, most of them one function
    over the reals, the best few: else the roundings of one function would fill the bucket.
    """
    alike = [other for other in bucket if other.key == sketch.key]
    if not alike:
        near = _SAME_FIT * sketch.fit_ulp
        alike = [other for other in bucket if abs(other.fit_ulp - sketch.fit_ulp) <= near]
        if len(alike) < _PER_FIT:
            alike = bucket if len(bucket) >= size else []
    if alike:
        worst = max(alike, key=rank)
        if rank(worst)[0] <= rank(sketch)[0]:
            return False
        bucket.remove(worst)
    bucket.append(sketch)
    bucket.sort(key=rank)
    return True


@dataclass(slots=True)
class Population:
    """The archives; all decisions are deterministic.

    Attributes:
        bucket: sketches kept for each place, and half as many that round well.
        sketches: by family and estimated cost, those of least error, the best first.
        quiet: likewise, those whose rounding errors are least.
        fits: least error of a fit over the reals that was seen, by family and estimated cost.
        front: what was compiled and timed.
    """

    bucket: int
    sketches: dict[Place, list[Sketch]] = field(default_factory=dict)
    quiet: dict[Place, list[Sketch]] = field(default_factory=dict)
    fits: dict[Place, float] = field(default_factory=dict)
    front: list[Measured] = field(default_factory=list)

    def limits(self, nodes: Nodes, cost: float) -> tuple[float, float]:
        """What a candidate must be below: an error, or an error of the fit alone.

        A full bucket of its family and at most its cost sets the first; the second is for forms
        that round well and is a few times that of the best fit there.
        """
        return self._limits((family(nodes), cost))

    def _limits(self, place: Place) -> tuple[float, float]:
        full = (
            bucket[-1].ulp
            for at, bucket in self.sketches.items()
            if _no_dearer(at, place) and len(bucket) >= self.bucket
        )
        fits = (fit for at, fit in self.fits.items() if _no_dearer(at, place))
        infinity = float("inf")
        return min(full, default=infinity), _FIT_SLACK * min(fits, default=infinity)

    def add_sketch(self, sketch: Sketch) -> bool:
        """Adds a candidate where it is among the best of its place; one for each structure."""
        place = place_of(sketch)
        self.fits[place] = min(sketch.fit_ulp, self.fits.get(place, float("inf")))
        threshold, fit_limit = self._limits(place)
        kept = False
        if sketch.ulp < threshold:
            kept = _insert(self.sketches.setdefault(place, []), sketch, _merit, self.bucket)
        if sketch.fit_ulp <= fit_limit:
            bucket = self.quiet.setdefault(place, [])
            bucket[:] = [item for item in bucket if item.fit_ulp <= fit_limit]
            kept |= _insert(bucket, sketch, _quietness, (self.bucket + 1) // 2)
        return kept

    def update_sketches(self, sketches: Sequence[Sketch]) -> None:
        """Puts sketches with new errors in place of all there are."""
        self.sketches = {}
        for sketch in sketches:
            self.sketches.setdefault(place_of(sketch), []).append(sketch)
        for bucket in self.sketches.values():
            bucket.sort(key=_merit)

    def _leading(self, limit: float) -> list[Place]:
        """Places of at most cost `limit` whose best is better than all that is cheaper."""
        leading: list[Place] = []
        best: dict[int, float] = {}
        for place in sorted(self.sketches):
            ulp = self.sketches[place][0].ulp
            if place[1] <= limit and ulp < best.get(place[0], float("inf")):
                best[place[0]] = ulp
                leading.append(place)
        return leading

    def by_family(self) -> list[list[list[Sketch]]]:
        """The buckets of each family, the cheapest first."""
        families = sorted({kind for kind, _ in self.sketches})
        return [
            [self.sketches[place] for place in sorted(self.sketches) if place[0] == kind]
            for kind in families
        ]

    def useful_cost(self, max_ulp: float, slack: float) -> float:
        """The cost above which longer programs are of no use: the least that holds, and some."""
        holding = [at[1] for at, items in self.sketches.items() if items[0].ulp <= max_ulp]
        return min(holding) + slack if holding else float("inf")

    def add_measured(self, item: Measured, size: int) -> None:
        """Adds a measured candidate, a program once, and keeps the best `size`.

        The fastest that is proven is among them: what dominates it by its error on a sample may
        be refuted yet.
        """
        if any(other.program == item.program for other in self.front):
            return
        self.front.append(item)
        proven = fastest([one for one in self.front if one.proven], math.inf)[:1]
        self.front = nsga_select(self.front, size)
        if proven and not any(one is proven[0] for one in self.front):
            self.front[-1] = proven[0]

    def least_ulp(self) -> float:
        """Least error of a sketch."""
        return min((items[0].ulp for items in self.sketches.values()), default=float("inf"))

    def best(self) -> list[Sketch]:
        """The best sketches of every place that no cheaper one of its family matches."""
        return [item for place in self._leading(float("inf")) for item in self.sketches[place][:3]]

    def forget(self) -> None:
        """Drops all sketches; the front stays."""
        self.sketches, self.quiet, self.fits = {}, {}, {}

    def pick(self, random: Random, limit: float, max_ulp: float = float("inf")) -> Nodes:
        """A parent's genome: from the front or the sketches of at most cost `limit`."""
        share = _FRONT_SHARE if self.least_ulp() <= max_ulp else _EARLY_FRONT_SHARE
        if self.front and random.random() < share:
            return self.front[min(random.randrange(len(self.front)) for _ in range(2))].nodes
        places = self._leading(limit) if random.random() < _LEADING_SHARE else list(self.sketches)
        places = sorted(place for place in places if place[1] <= limit)
        if not places:
            return ()
        kinds = sorted({kind for kind, _ in places})
        weights = [_PLAIN_WEIGHT if kind == 0 else 1.0 for kind in kinds]
        kind = random.choices(kinds, weights)[0]
        place = random.choice([place for place in places if place[0] == kind])
        bucket = self.sketches[place]
        if random.random() < _QUIET_SHARE and self.quiet.get(place):
            bucket = self.quiet[place]
        return bucket[min(random.randrange(len(bucket)) for _ in range(2))].nodes


def _objectives(item: Measured) -> tuple[float, float]:
    """Error on a logarithmic scale, since it spans many orders of magnitude, and time.

    What is refused keeps nothing else out by its error.
    """
    return math.inf if item.failed else math.log2(max(item.ulp, 1e-9)), item.time


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


def best_known(items: Sequence[Measured]) -> list[Measured]:
    """What nothing dominates, and of the proven what nothing proven does, the least error first.

    A sampled error may be too small, so it hides nothing that is proven.
    """
    best = pareto_fronts(items)[:1] + pareto_fronts([item for item in items if item.proven])[:1]
    found = {id(item): item for front in best for item in front}
    return sorted(found.values(), key=lambda item: (item.ulp, item.time, item.program))


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
    """Members within an error bound that fail nothing, the fastest first."""
    within = [item for item in items if item.ulp <= max_ulp and not item.failed]
    return sorted(within, key=lambda item: (item.time, item.ulp, item.program))
