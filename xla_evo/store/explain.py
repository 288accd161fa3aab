"""Why a lookup missed: the nearest recorded key, and the named parts that differ."""

import json
import sqlite3
from datetime import UTC, datetime

from xla_evo.store.key import Key


def explain(connection: sqlite3.Connection, key: Key) -> str:
    """Returns lines for a person: a hit with its time, or the nearest key of the same kind.

    The nearest key is the one with the fewest differing parts; of equals, the newest.
    """
    recorded = connection.execute(
        "SELECT created FROM entries WHERE digest = ?", (key.digest,)
    ).fetchone()
    if recorded is not None:
        return f"hit: {key}, recorded {_when(recorded[0])}"
    wanted = dict(key.parts)
    nearest: tuple[int, float, dict[str, str]] | None = None
    seen = 0
    for text, created in connection.execute(
        "SELECT parts, created FROM entries WHERE kind = ? ORDER BY created DESC", (key.kind,)
    ):
        seen += 1
        parts: dict[str, str] = dict(json.loads(text))
        count = len(_differing(wanted, parts))
        if nearest is None or count < nearest[0]:
            nearest = (count, created, parts)
    if nearest is None:
        return f"miss: {key}; no {key.kind} entry is recorded"
    _, created, parts = nearest
    names = _differing(wanted, parts)
    if not names:
        return f"miss: {key}; a key of the same parts in another order is recorded"
    lines = [
        f"miss: {key}",
        f"nearest of {seen} {key.kind} entries, recorded {_when(created)}, "
        f"differs in {len(names)} of {len(wanted.keys() | parts.keys())} parts:",
    ]
    for name in names:
        asked, had = wanted.get(name, "(no such part)"), parts.get(name, "(no such part)")
        lines.append(f"  {name}: asked {asked}, recorded {had}")
    return "\n".join(lines)


def _differing(wanted: dict[str, str], parts: dict[str, str]) -> list[str]:
    names = [*wanted, *(name for name in parts if name not in wanted)]
    return [name for name in names if wanted.get(name) != parts.get(name)]


def _when(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
