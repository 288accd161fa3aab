"""Programs that tuning evolved, as texts in the store: candidates on every backend from then on.

What was certified on this machine joins the user's library too, see `xla_evo.library.tuned`.
"""

from dataclasses import dataclass
from typing import Any

from xla_evo.store import Key, Store
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program, print_program


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A program that tuning evolved for some backend.

    Attributes:
        program: for the whole range of the function.
        backend: that it was evolved for.
        origin: scaffold and seed.
    """

    program: Program
    backend: str
    origin: str


def _found_key(function: str, dtype: str) -> Key:
    return Key.of("found", function=function, dtype=dtype)


def found_programs(store: Store, function: str, dtype: str) -> list[Found]:
    """Returns the programs that tuning evolved for a function, for whichever backend."""
    entry = store.get(_found_key(function, dtype))
    rows: list[Any] = list(entry.value["programs"]) if entry else []  # pyright: ignore[reportArgumentType]
    return [
        Found(program=parse_program(row["text"]), backend=row["backend"], origin=row["origin"])
        for row in rows
    ]


def keep_program(store: Store, function: str, dtype: str, found: Found) -> None:
    """Adds a program to those of `found_programs`, once."""
    known = found_programs(store, function, dtype)
    if any(other.program == found.program for other in known):
        return
    rows = [
        {"text": print_program(item.program), "backend": item.backend, "origin": item.origin}
        for item in (*known, found)
    ]
    store.put(_found_key(function, dtype), {"programs": rows})
