"""Runs: a folder with settings, checkpoint and result, and the loop that fills it.

`evolve` starts a run, `resume` goes on with one. Both may be killed at any moment; what is lost is
what happened since the last checkpoint: a few seconds, half a minute of a run of hours.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from xla_evo import runs
from xla_evo._fields import check_fields
from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.budget import Budget
from xla_evo.errors import RunError, XlaEvoError
from xla_evo.proof import Examination
from xla_evo.search.checkpoint import State, read_state, write_atomically, write_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.engine import Search
from xla_evo.search.finish import Winner, finish
from xla_evo.search.tasks import NANOSECONDS, Timed
from xla_evo.search.worker import Pool
from xla_evo.store import Store
from xla_evo_lowering.backends import backend, fingerprint, require
from xla_evo_lowering.text import parse_program

if TYPE_CHECKING:
    from xla_evo.api import Verification

CONFIG, CHECKPOINT, RESULT = "config.json", "checkpoint.json", "result.json"
PROGRAM, PROOF = "best.prog", "proof.json"
_CHECKPOINT_EVERY_S, _CHECKPOINT_SHARE = 3.0, 0.05
"""How often the state is written, and at most how much of the time that may take."""
_SWEPT_A_SECOND = 1.5e8
_POLISH_GOAL = 0.55
"""Polishing stops at this share of the bound: a correctly rounded result has half a unit."""


class Observer(Protocol):
    """Watches a search; its methods are called in the thread that runs it."""

    def update(self, search: Search) -> None:
        """A generation is over, or the phase has changed."""
        ...

    def sweep(self, search: Search, done: int, total: int) -> None:
        """A sweep has covered `done` of `total` inputs."""
        ...


class Silent:
    """An observer that does nothing."""

    def update(self, search: Search) -> None:
        """Does nothing."""

    def sweep(self, search: Search, done: int, total: int) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        path: its folder.
        config: its settings.
        state: populations and counters.
        winner: the proven program, None when none holds the bound.
    """

    path: Path
    config: SearchConfig
    state: State
    winner: Winner | None


class RunFolder:
    """The files of one run; `runs.locked` while it is worked on."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoint(self) -> Path:
        """The file with the state."""
        return self.path / CHECKPOINT

    def create(self, config: SearchConfig) -> None:
        """Writes the settings of a new run; the folder must be there.

        Raises:
            RunError: there is a run already, or it cannot be written.
        """
        if (self.path / CONFIG).exists():
            raise RunError(
                f"{self.path} holds a run; go on with `{runs.resume_command(self.path)}`"
                " or choose another --out"
            )
        self.write_config(config)

    def config(self) -> SearchConfig:
        """Reads the settings.

        Raises:
            RunError: there is no run here.
        """
        try:
            data = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{self.path} is not a run: it has no {CONFIG}") from None
        except (OSError, ValueError) as error:
            raise RunError(
                f"cannot read {self.path / CONFIG}: {error}; put a whole copy in its place, or"
                " start the run anew"
            ) from None
        try:
            return SearchConfig.from_json(data)
        except XlaEvoError as error:
            raise RunError(f"{self.path / CONFIG}: {error}") from None

    def write_config(self, config: SearchConfig) -> None:
        """Writes the settings, in the place of others."""
        write_atomically(self.path / CONFIG, json.dumps(config.to_json(), indent=2) + "\n")

    def result(self) -> Winner | None:
        """Reads the winner, None when the run has none (yet)."""
        try:
            data = json.loads((self.path / RESULT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RunError(f"cannot read {self.path / RESULT}: {error}") from None
        try:
            return winner_from_json(data)
        except RunError as error:
            raise RunError(f"{self.path / RESULT}: {error}") from None

    def write_result(self, config: SearchConfig, winner: Winner) -> None:
        """Writes the winner, its program in a file of its own."""
        data = {"machine": fingerprint(backend(config.backend)), **winner_to_json(winner)}
        write_atomically(self.path / RESULT, json.dumps(data, indent=2) + "\n")
        write_atomically(self.path / PROGRAM, f"# {winner.provenance}\n{winner.text}")

    def write_proof(self, found: "Verification") -> None:
        """Writes what a device of this machine gave for the winner: a certificate of the run."""
        data = {
            "program": self._digest(),
            "backend": found.backend,
            "device": found.device,
            "machine": fingerprint(backend(found.backend)),
            "max_ulp": found.max_ulp,
            "error": found.error.to_json(),
            "examination": asdict(found.examination),
        }
        write_atomically(self.path / PROOF, json.dumps(data, indent=2) + "\n")

    def proof(self) -> str:
        """What `write_proof` recorded of the present program, in one line; empty when nothing."""
        try:
            data = json.loads((self.path / PROOF).read_text(encoding="utf-8"))
            if data["program"] != self._digest():
                return ""
            error = ErrorMeasurement.from_json(data["error"])
            return f"measured on {data['device']} ({data['backend']}): {error.bound()}"
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"cannot read {self.path / PROOF}: {error}") from None

    def _digest(self) -> str:
        """SHA-256 (hex) of the winner's file."""
        return hashlib.sha256((self.path / PROGRAM).read_bytes()).hexdigest()


def winner_to_json(winner: Winner) -> dict[str, Any]:
    """Returns plain data that `winner_from_json` reads back."""
    return {
        "text": winner.text,
        "program": winner.program,
        "error": winner.error.to_json(),
        "examination": asdict(winner.examination),
        "timed": asdict(winner.timed),
        "speedup": winner.speedup,
        "builtin": None if winner.builtin is None else winner.builtin.to_json(),
        "provenance": winner.provenance,
    }


def winner_from_json(data: Mapping[str, Any]) -> Winner:
    """Returns the winner of `winner_to_json`.

    Raises:
        RunError: it is damaged.
    """
    try:
        builtin = data["builtin"]
        timed = data["timed"]
        found = data["examination"]
        winner = Winner(
            text=data["text"],
            program=data["program"],
            error=ErrorMeasurement.from_json(data["error"]),
            examination=Examination(specials=tuple(found["specials"]), lengths=found["lengths"]),
            timed=Timed(
                candidate=tuple(timed["candidate"]),
                builtin=tuple(timed["builtin"]),
                floor=tuple(timed["floor"]),
                elements=timed["elements"],
                unit=timed.get("unit", NANOSECONDS),
            ),
            builtin=None if builtin is None else ErrorMeasurement.from_json(builtin),
            provenance=data.get("provenance", ""),
        )
        for record in (winner, winner.error, winner.builtin):
            if record is not None:
                check_fields(record)
        parse_program(winner.text)
        if not all(min(times, default=0.0) > 0 for times in (timed["candidate"], timed["builtin"])):
            raise ValueError("a time is 0 or missing")
        return winner
    except (KeyError, TypeError, ValueError, AttributeError, XlaEvoError) as error:
        raise RunError(f"the result is damaged: {error}") from None


def evolve(
    config: SearchConfig,
    out: Path,
    *,
    store: Store | None = None,
    observer: Observer | None = None,
) -> Outcome:
    """Searches from nothing and proves the winner.

    Args:
        config: the settings.
        out: folder of the run; made, must not hold a run already.
        store: where compilations and timings are kept; the user's by default.
        observer: is told about progress.

    Returns:
        The outcome; ``winner`` is None when no program held the bound on every input.

    Raises:
        RunError: the folder holds a run, or cannot be written.
        BackendError: the backend's plugin is missing.
        StoreError: the store cannot be used.
        KeyboardInterrupt: after the state has been written; `resume` goes on.
    """
    require(backend(config.backend))
    folder = RunFolder(out)
    with runs.locked(out):
        folder.create(config)
        return _locked_run(folder, config, None, store, observer or Silent())


def resume(
    out: Path,
    *,
    budget: Budget | None = None,
    store: Store | None = None,
    observer: Observer | None = None,
) -> Outcome:
    """Goes on with a run until its budget is spent; a new one is kept in its settings.

    Raises:
        RunError: there is no run, or another process works on it.
    """
    folder = RunFolder(out)
    config = folder.config()
    require(backend(config.backend))
    with runs.locked(out):
        state = read_state(folder.checkpoint) if folder.checkpoint.exists() else None
        if budget is not None:
            config = config.with_budget(budget)
            folder.write_config(config)
        return _locked_run(folder, config, state, store, observer or Silent())


def _locked_run(
    folder: RunFolder,
    config: SearchConfig,
    state: State | None,
    store: Store | None,
    observer: Observer,
) -> Outcome:
    opened = store or Store.open()
    settings = (_POLISH_GOAL * config.max_ulp, config.test_points, config.seed, config.scaffold)
    try:
        with Pool(config.workers, config.target, settings, config.backend) as pool:
            search = Search(config, opened, pool, state)
            clock = _Clock(config.budget, search)
            try:
                _generations(search, folder, clock, observer)
                winner = finish(
                    search, opened, pool, clock.deadline,
                    report=lambda done, total: observer.sweep(search, done, total),
                )  # fmt: skip
            finally:
                write_state(folder.checkpoint, search.state)
    finally:
        if store is None:
            opened.close()
    if winner is not None:
        folder.write_result(config, winner)
    return Outcome(path=folder.path, config=config, state=search.state, winner=winner)


class _Clock:
    """When to stop: time spent in this sitting and before, or candidates screened."""

    def __init__(self, budget: Budget, search: Search) -> None:
        self._budget = budget
        self._search = search
        seconds = float("inf") if budget.seconds is None else budget.seconds
        self.deadline = time.monotonic() + max(0.0, seconds - search.state.counters.elapsed)

    def over(self) -> bool:
        """True when generations should end and the rest of the time goes to the proof."""
        counters = self._search.state.counters
        wanted = self._budget.candidates
        if wanted is not None and counters.screened >= wanted:
            return True
        if self._budget.seconds is None:
            return False
        seen = counters.seconds.get("prove", 0.0) / max(1, counters.proofs)
        guess = self._search.config.target.count() / _SWEPT_A_SECOND
        reserve = min(0.4 * self._budget.seconds, 10.0 + 3.0 * (seen or guess))
        return time.monotonic() > self.deadline - reserve


def _generations(search: Search, folder: RunFolder, clock: _Clock, observer: Observer) -> None:
    observer.update(search)
    search.start()
    saved, cost = time.monotonic(), 0.0
    while not clock.over():
        search.generation(lambda done, total: observer.sweep(search, done, total))
        observer.update(search)
        now = time.monotonic()
        if now - saved > max(_CHECKPOINT_EVERY_S, cost / _CHECKPOINT_SHARE):
            write_state(folder.checkpoint, search.state)
            saved = time.monotonic()
            cost = saved - now


def default_folder(config: SearchConfig) -> Path:
    """Returns a folder under ``runs`` that does not exist yet."""
    return runs.default_folder(config.target.function.name, str(config.seed))
