"""The run directory: settings, the state of the search, and the front, each replaced atomically."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xla_evo.discovery.config import DiscoveryConfig
from xla_evo.discovery.population import Island, new_island
from xla_evo.errors import RunError, XlaEvoError
from xla_evo.runs import resume_command

CONFIG, STATE, FRONT = "config.json", "state.npz", "front.json"
_FORMAT = 2
YOUNG = 100_000
"""Streams of random numbers between one beginning and the next."""


@dataclass(slots=True)
class State:
    """A search between two epochs.

    Attributes:
        islands: by policy, in the order of the workers.
        young: the islands that begin anew, likewise.
        epoch: epochs done.
        candidates: candidates fitted.
        seconds: wall-clock time spent.
    """

    islands: dict[str, list[Island]]
    young: dict[str, list[Island]]
    epoch: int = 0
    candidates: int = 0
    seconds: float = 0.0

    @staticmethod
    def fresh(config: DiscoveryConfig) -> "State":
        """The start of a search: empty populations."""
        policies = ("finite",) if config.finite else ("removable", "finite")
        old, young = (
            {
                policy: [
                    new_island(config.seed, stream_of(place, worker, beginning))
                    for worker in range(config.workers)
                ]
                for place, policy in enumerate(policies)
            }
            for beginning in (-1, 0)
        )
        return State(old, young)

    def named(self) -> Iterator[tuple[str, Island]]:
        """All islands under the names that a checkpoint gives them."""
        for head, group in (("", self.islands), ("young.", self.young)):
            for policy, islands in group.items():
                for number, island in enumerate(islands):
                    yield f"{head}{policy}.{number}", island


def stream_of(place: int, worker: int, beginning: int) -> int:
    """Stream of random numbers of the old island (beginning -1) or a young one of a worker."""
    return 1000 * place + worker + YOUNG * (beginning + 1)


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file by a rename, so that it is whole at every moment."""
    temporary = path.with_name(path.name + f".{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def start_run(out: Path, config: DiscoveryConfig) -> None:
    """Writes the settings of a new run; the directory must be there.

    Raises:
        RunError: there is a run already, or it cannot be written.
    """
    if (out / CONFIG).exists():
        raise RunError(
            f"{out} holds a run already; go on with `{resume_command(out)}` or choose another"
            " directory"
        )
    write_config(out, config)


def write_config(out: Path, config: DiscoveryConfig) -> None:
    """Writes the settings, in the place of others.

    Raises:
        RunError: the disk is full or read-only.
    """
    text = json.dumps({"kind": "discovery", "config": config.to_json()}, indent=2)
    try:
        write_atomically(out / CONFIG, text.encode())
    except OSError as error:
        raise RunError(f"cannot write to {out}: {error.strerror}") from None


def is_discovery(out: Path) -> bool:
    """Whether a directory holds a discovery over the reals."""
    try:
        return json.loads((out / CONFIG).read_text(encoding="utf-8")).get("kind") == "discovery"
    except (OSError, ValueError, AttributeError):
        return False


def read_config(out: Path) -> DiscoveryConfig:
    """Reads the settings of a run.

    Raises:
        RunError: there is no run, or its settings are damaged.
    """
    try:
        data = json.loads((out / CONFIG).read_text(encoding="utf-8"))
        return DiscoveryConfig.from_json(data["config"])
    except FileNotFoundError:
        raise RunError(f"{out} holds no run") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, XlaEvoError) as error:
        raise RunError(
            f"the settings of the run {out / CONFIG} are damaged: {error}; put a whole copy in its"
            " place, or start the run anew"
        ) from None


def write_state(out: Path, state: State) -> None:
    """Writes a checkpoint.

    Raises:
        RunError: the disk is full or read-only; the previous checkpoint is kept.
    """
    arrays: dict[str, Any] = {
        "counters": np.array([_FORMAT, state.epoch, state.candidates], np.int64),
        "seconds": np.array(state.seconds),
    }
    for head, island in state.named():
        for name, array in _fields(island).items():
            arrays[f"{head}.{name}"] = array
    temporary = out / f"{STATE}.{os.getpid()}.tmp.npz"
    try:
        np.savez(temporary, **arrays)
        temporary.replace(out / STATE)
    except OSError as error:
        raise RunError(
            f"cannot write a checkpoint to {out}: {error.strerror}; the last one is kept"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def read_state(out: Path, config: DiscoveryConfig) -> State:
    """Reads the checkpoint; the fresh state where none was written yet.

    Raises:
        RunError: it is damaged or does not fit the settings.
    """
    state = State.fresh(config)
    if not (out / STATE).exists():
        return state
    try:
        with (out / STATE).open("rb") as file, np.load(file, allow_pickle=False) as data:
            version, epoch, candidates = (int(value) for value in data["counters"])
            if version != _FORMAT:
                raise RunError(f"the checkpoint of {out} is of version {version}, not {_FORMAT}")
            state.epoch, state.candidates = epoch, candidates
            state.seconds = float(data["seconds"])
            for head, island in state.named():
                for name, array in _fields(island).items():
                    array[...] = data[f"{head}.{name}"]
    except XlaEvoError:
        raise
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise RunError(
            f"the checkpoint {out / STATE} is damaged ({error}); remove it to start again"
        ) from None
    return state


def _fields(island: Island) -> Mapping[str, Any]:
    return island._asdict()
