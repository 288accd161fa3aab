"""What a run of the search hands to the library: a program, and where it came from.

The winner of a run is the fastest of that hour on that machine; others of its front may have a
smaller error at the same speed. Whichever is shipped, its provenance is read from the run and not
written by hand.
"""

from pathlib import Path

from xla_evo.errors import RunError
from xla_evo.library.certificate import Provenance
from xla_evo.search.checkpoint import State, read_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.run import CHECKPOINT, RunFolder
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program

_DIGITS = 16


def provenance_of(config: SearchConfig, state: State) -> Provenance:
    """Where the programs of a run came from.

    The search grows them from the empty program and a constant, and what a user begins with, so
    their ancestry is told by settings, seed and the number of candidates that it screened; `run` is
    the hash of the settings.
    """
    counters = state.counters
    begun = f"begun with {config.begin_hash()}" if config.begin else "grown from the empty program"
    alone = "from a program" if config.begin else "from scratch"
    return Provenance(
        kind=f"from scaffold {config.scaffold}" if config.scaffold else alone,
        run=config.digest()[:_DIGITS],
        seed=config.seed,
        note=(
            f"{begun}; {counters.screened:,} candidates screened,"
            f" {counters.compiled + counters.compile_hits:,} compiled,"
            f" {state.beginnings + 1} beginnings, bound {config.max_ulp:g} ULP"
        ),
    )


def program_of_run(path: Path, digest: str = "") -> tuple[Program, Provenance]:
    """Returns a program of a run and its provenance.

    Args:
        path: folder of the run.
        digest: first digits of the hash of a program of its front; empty for the winner.

    Raises:
        RunError: there is no run, it has no winner, or not just one such program.
    """
    folder = RunFolder(path)
    config = folder.config()
    state = read_state(path / CHECKPOINT)
    source = provenance_of(config, state)
    if not digest:
        winner = folder.result()
        if winner is None:
            raise RunError(f"{path} has no winner; name a program of its front")
        return parse_program(winner.text), source
    found = {
        content_hash(program): program
        for item in state.population.front
        if content_hash(program := config.program(item.rounded)).startswith(digest)
    }
    if len(found) != 1:
        raise RunError(f"{path} has {len(found)} programs {digest}... in its front, not one")
    return found.popitem()[1], source
