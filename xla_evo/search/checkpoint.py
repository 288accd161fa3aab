"""Checkpoints: the whole state of a search as JSON, replaced atomically every few seconds.

Random choices of a generation are derived from the seed and its number, so populations, counters
and the structures already seen are all the state there is.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from xla_evo._fields import check_fields
from xla_evo.errors import RunError
from xla_evo.runs import resume_command
from xla_evo.search.genome import BY_CODE, CONST, Node, Nodes
from xla_evo.search.population import Measured, Population, Sketch, place_of

FORMAT = 2
_Record = TypeVar("_Record")


@dataclass(slots=True)
class Counters:
    """What has been done so far, over all sittings of a run.

    Attributes:
        generation: generations finished.
        proposed: candidates made by mutation.
        screened: candidates that were new, and fitted.
        steps: last step reached in screening, to candidates.
        compiled: programs compiled anew.
        compile_hits: programs whose compilation the store had.
        timed: machine codes timed anew.
        time_hits: machine codes whose timing the store had.
        failures: reason to candidates that could not be compiled or run.
        proofs: exhaustive sweeps done.
        seconds: wall-clock seconds by stage.
    """

    generation: int = 0
    proposed: int = 0
    screened: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    compiled: int = 0
    compile_hits: int = 0
    timed: int = 0
    time_hits: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    proofs: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def spend(self, stage: str, seconds: float) -> None:
        """Adds wall-clock time to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def fail(self, reason: str) -> None:
        """Counts a candidate that failed."""
        self.failures[reason] = self.failures.get(reason, 0) + 1

    @property
    def elapsed(self) -> float:
        """Seconds over all stages."""
        return sum(self.seconds.values())


@dataclass(slots=True)
class State:
    """Everything a search needs to go on.

    Attributes:
        population: the archives.
        counters: what has been done.
        seen: hash of a structure to how often it was fitted, of the youngest structures.
        tried: content hashes of programs that were compiled.
        hard_points: worst inputs of sweeps.
        offspring: candidates of the next generation, with the hashes of their structures.
        reserve: the best sketches of earlier beginnings, as many as buckets hold.
        beginnings: how often the search began anew.
        least_ulp: least error of a sketch of this beginning when progress was last made.
        progress_at: candidates that had been screened then.
    """

    population: Population
    counters: Counters = field(default_factory=Counters)
    seen: dict[int, int] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    hard_points: list[float] = field(default_factory=list)
    offspring: list[tuple[Nodes, int]] = field(default_factory=list)
    reserve: list[Sketch] = field(default_factory=list)
    beginnings: int = 0
    least_ulp: float = float("inf")
    progress_at: int = 0


def _nodes_to_json(nodes: Nodes) -> list[list[Any]]:
    return [[item.code, item.type, item.a, item.b, item.c, item.value.hex()] for item in nodes]


def _nodes_from_json(data: Sequence[Sequence[Any]]) -> Nodes:
    if not all(type(number) is int for row in data for number in row[:5]):
        raise TypeError("a genome has other things than numbers")
    nodes = tuple(Node(*row[:5], value=float.fromhex(row[5])) for row in data)
    for number, item in enumerate(nodes):
        if item.code != CONST and item.code not in BY_CODE:
            raise ValueError(f"a genome has operation {item.code}")
        if not all(0 <= operand <= number for operand in item.operands):
            raise ValueError(f"value {number + 1} of a genome is of values that are not before it")
    return nodes


def _row(item: Sketch | Measured) -> dict[str, Any]:
    data = {name: getattr(item, name) for name in type(item).__slots__}
    return {
        **data,
        "nodes": _nodes_to_json(item.nodes),
        "rounded": _nodes_to_json(item.rounded),
    }


def _unrow(data: dict[str, Any]) -> dict[str, Any]:
    return {
        **data,
        "nodes": _nodes_from_json(data["nodes"]),
        "rounded": _nodes_from_json(data["rounded"]),
    }


def _measured(row: dict[str, Any]) -> Measured:
    item = _checked(Measured(**_unrow(row)))
    if not item.time > 0:
        raise ValueError(f"time is {item.time!r}")
    return item


def _checked(record: _Record) -> _Record:
    check_fields(record)
    return record


def state_to_json(state: State) -> dict[str, Any]:
    """Returns the state as plain JSON data."""
    population = state.population
    return {
        "format": FORMAT,
        "bucket": population.bucket,
        "sketches": [_row(item) for items in population.sketches.values() for item in items],
        "quiet": [_row(item) for items in population.quiet.values() for item in items],
        "fits": [[*place, fit.hex()] for place, fit in population.fits.items()],
        "front": [_row(item) for item in population.front],
        "counters": {name: getattr(state.counters, name) for name in Counters.__slots__},
        "seen": [[key, count] for key, count in state.seen.items()],
        "tried": sorted(state.tried),
        "hard_points": [point.hex() for point in state.hard_points],
        "offspring": [[_nodes_to_json(nodes), key] for nodes, key in state.offspring],
        "reserve": [_row(item) for item in state.reserve],
        "beginnings": state.beginnings,
        "least_ulp": state.least_ulp.hex(),
        "progress_at": state.progress_at,
    }


def state_from_json(data: Any) -> State:
    """Returns the state that `state_to_json` described.

    Raises:
        RunError: it is of another version, or damaged.
    """
    if not isinstance(data, dict):
        raise RunError("the checkpoint is damaged: it is no JSON object")
    if data.get("format") != FORMAT:
        raise RunError(
            f"the checkpoint has format {data.get('format')}, this xla-evo reads {FORMAT};"
            " start the run anew with another --out"
        )
    try:
        population = Population(data["bucket"])
        for name, archive in (("sketches", population.sketches), ("quiet", population.quiet)):
            for row in data[name]:
                sketch = _checked(Sketch(**_unrow(row)))
                archive.setdefault(place_of(sketch), []).append(sketch)
        population.fits = {(kind, cost): float.fromhex(text) for kind, cost, text in data["fits"]}
        population.front = [_measured(row) for row in data["front"]]
        return _checked(State(
            population,
            _checked(Counters(**data["counters"])),
            dict(data["seen"]),
            set(data["tried"]),
            [float.fromhex(text) for text in data["hard_points"]],
            [(_nodes_from_json(nodes), key) for nodes, key in data["offspring"]],
            [_checked(Sketch(**_unrow(row))) for row in data["reserve"]],
            data["beginnings"],
            float.fromhex(data["least_ulp"]),
            data["progress_at"],
        ))  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunError(f"the checkpoint is damaged: {error}") from None


def write_atomically(path: Path, text: str) -> None:
    """Replaces a file by a new text so that a kill at any moment leaves the old or the new one.

    Raises:
        RunError: the disk is full or cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(
            f"cannot write {path}: {error.strerror}; free space or choose --out"
        ) from None


def write_state(path: Path, state: State) -> None:
    """Writes a checkpoint."""
    write_atomically(path, json.dumps(state_to_json(state)))


def read_state(path: Path) -> State:
    """Reads a checkpoint.

    Raises:
        RunError: it is missing, damaged or of another version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            f"{path.parent} has no checkpoint yet, it was stopped in its first seconds; begin it"
            f" again with `{resume_command(path.parent)}`"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from None
    try:
        return state_from_json(data)
    except RunError as error:
        raise RunError(f"{path}: {error}") from None
