"""Whether the fields of a record that was read from a file have their types."""

import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args, get_origin


def check_fields(record: Any) -> None:
    """Checks numbers, texts and mappings to numbers in the fields of a dataclass; no others.

    Raises:
        TypeError: names the first field of a wrong type.
    """
    for one in fields(record):
        value = getattr(record, one.name)
        if not _fits(value, one.type):
            raise TypeError(f"{one.name} is {value!r}")


def _fits(value: object, kind: Any) -> bool:
    origin = get_origin(kind) or kind
    if origin is types.UnionType:
        return any(_fits(value, one) for one in get_args(kind))
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(item, get_args(kind)[1]) for item in value.values()
        )
    return type(value) is origin if origin in (int, str, bool, types.NoneType) else True
