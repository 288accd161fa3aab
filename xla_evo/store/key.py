"""Keys whose parts have names, so that a miss can be explained, and the entries under them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from xla_evo.errors import StoreError

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


def dump_json(value: Json, *, what: str) -> str:
    """Returns compact JSON with sorted keys; ``Infinity`` and ``NaN`` pass, as Python reads them.

    Raises:
        StoreError: `value` holds something that JSON cannot; `what` names it in the message.
    """
    try:
        return json.dumps(value, separators=(",", ":"), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise StoreError(f"{what} cannot be stored as JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class Key:
    """What an entry depends on.

    Attributes:
        kind: what is kept: ``compile``, ``timing``, ``accuracy``, ``cost``, ...
        parts: (name, value) pairs in a fixed order; names are unique. The order belongs to the
            key, so build every key of a kind in one place.
        digest: sha256 in hex of kind and parts as JSON, the same on every machine.
    """

    kind: str
    parts: tuple[tuple[str, str], ...]
    digest: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [name for name, _ in self.parts]
        if not self.kind or len(set(names)) != len(names):
            raise StoreError(f"key {self.kind!r} needs a kind and parts of unique names: {names}")
        for name, value in self.parts:
            if not (isinstance(name, str) and isinstance(value, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise StoreError(f"part {name!r} of a {self.kind} key must be text, not {value!r}")
        text = json.dumps([self.kind, self.parts], separators=(",", ":"))
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).hexdigest())

    @classmethod
    def of(cls, kind: str, /, **parts: str) -> "Key":
        """Returns a key with the parts in the order they are written."""
        return cls(kind, tuple(parts.items()))

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={value}' for name, value in self.parts)})"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is recorded under a key.

    Attributes:
        key: the key.
        value: a JSON object.
        blobs: name to sha256 in hex; `Store.blob` reads the bytes.
        created: Unix time in seconds of the last put.
    """

    key: Key
    value: Mapping[str, Json]
    blobs: Mapping[str, str]
    created: float
