"""Constants of the float32 forms that take them as data: `single.json`, hexadecimal."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

from expression import Value

FILE = Path(__file__).with_name("single.json")

Constants = dict[str, list[float]]


@functools.cache
def stored() -> dict[str, Constants]:
    """The constants of all functions."""
    text = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        name: {part: [float.fromhex(v) for v in values] for part, values in parts.items()}
        for name, parts in text.items()
    }


def with_constants(name: str, form: Callable[..., Value]) -> Callable[[Value], Value]:
    """A form of one argument, its constants taken from the file."""
    return lambda x: form(x, stored()[name])


def store(name: str, constants: Constants) -> None:
    """Writes the constants of one function."""
    text = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    text[name] = {part: [float(v).hex() for v in values] for part, values in constants.items()}
    FILE.write_text(json.dumps(dict(sorted(text.items())), indent=1) + "\n", encoding="utf-8")
    stored.cache_clear()
