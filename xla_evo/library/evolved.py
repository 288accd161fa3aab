"""What a run of the search hands to the library: a program, and where it came from.

The winner of a run is the fastest of that hour on that machine; others of its front may have a
smaller error at the same speed. Whichever is shipped, its provenance is read from the run and not
written by hand.
"""

from dataclasses import replace
from pathlib import Path

from xla_evo.errors import RunError
from xla_evo.library.certificate import Provenance
from xla_evo.scaffolds import scaffold
from xla_evo.search.checkpoint import State, read_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.genome import Nodes, to_program
from xla_evo.search.run import CHECKPOINT, RunFolder
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program

_DIGITS = 16


def begun_with(config: SearchConfig) -> str:
    """What a run began with, as its settings say."""
    return f"begun with {config.begin_hash()}" if config.begin else "grown from the empty program"


def provenance_of(config: SearchConfig, state: State) -> Provenance:
    """Where the programs of a run came from.

    The search grows them from the empty program and a constant, and what a user begins with, so
    their ancestry is told by settings, seed and the number of candidates that it screened; `run` is
    the hash of the settings.
    """
    counters = state.counters
    alone = "from a program" if config.begin else "from scratch"
    return Provenance(
        kind=f"from scaffold {config.scaffold}" if config.scaffold else alone,
        run=config.digest()[:_DIGITS],
        seed=config.seed,
        note=(
            f"{begun_with(config)}; {counters.screened:,} candidates screened,"
            f" {counters.compiled + counters.compile_hits:,} compiled,"
            f" {state.beginnings + 1} beginnings, bound {config.max_ulp:g} ULP"
        ),
    )


def program_of_run(path: Path, digest: str = "", *, within: str = "") -> tuple[Program, Provenance]:
    """Returns a program of a run and its provenance.

    Args:
        path: folder of the run.
        digest: first digits of the hash of a program of its front; empty for the winner.
        within: name of another scaffold whose hole approximates the same, to put the evolved hole
            into, as for a function of two arguments, which the search does not take.

    Raises:
        RunError: there is no run, it has no winner, or not just one such program; or the holes are
            not of one function and format.
        ConfigError: there is no such scaffold.
    """
    folder = RunFolder(path)
    config = folder.config()
    state = read_state(path / CHECKPOINT)
    source = provenance_of(config, state)
    if not digest:
        winner = folder.result()
        if winner is None:
            raise RunError(f"{path} has no winner; name a program of its front")
        if not within:
            return parse_program(winner.text), source
        digest = content_hash(parse_program(winner.text))
    found = {
        content_hash(program): (program, item.rounded)
        for item in state.population.front
        if content_hash(program := config.program(item.rounded)).startswith(digest)
    }
    if len(found) != 1:
        raise RunError(f"{path} has {len(found)} programs {digest}... in its front, not one")
    _, (program, nodes) = found.popitem()
    return _moved(config, nodes, within, source) if within else (program, source)


def _moved(
    config: SearchConfig, nodes: Nodes, within: str, source: Provenance
) -> tuple[Program, Provenance]:
    """The hole of a run in another scaffold."""
    new, old = scaffold(within), scaffold(config.scaffold) if config.scaffold else None
    if old is None or (old.expression, old.dtype) != (new.expression, new.dtype):
        evolved = f"scaffold {old.name}" if old else "no scaffold"
        raise RunError(
            f"the run is of {evolved}, whose hole is not that of {within}:"
            f" {new.expression} in {new.dtype.short}"
        )
    hole = to_program(nodes, new.function, new.dtype)
    note = f"the hole evolved in scaffold {old.name}; {source.note}"
    return new.fill(hole), replace(source, kind=f"from scaffold {within}", note=note)
