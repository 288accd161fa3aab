"""Whether what was read from a file has the types that its dataclasses declare."""

import dataclasses
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def check_fields(record: Any) -> None:
    """Checks the fields of a dataclass.

    Raises:
        TypeError: names the first field of a wrong type.
    """
    for name, hint in get_type_hints(type(record)).items():
        problem = misfit(getattr(record, name), hint, name)
        if problem:
            raise TypeError(problem)


def misfit(value: object, kind: Any, place: str) -> str:
    """Returns the first part of a value that is not of its declared type, empty where none is.

    Args:
        value: a dataclass, a collection or a number or text.
        kind: its type as it is declared; whole numbers are floats too.
        place: name of the value, for the answer.
    """
    origin, given = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        found = [misfit(value, one, place) for one in given]
        return "" if "" in found else found[0]
    if not _is_of(value, kind, origin, given):
        return f"{place} is {str(value)[:40]!r}"
    parts = _parts(value, kind, origin, given, place)
    return next((text for part in parts if (text := misfit(*part))), "")


def _is_of(value: object, kind: Any, origin: Any, given: tuple[Any, ...]) -> bool:
    if origin is Literal:
        return value in given
    if kind in (int, float):
        return not isinstance(value, bool) and isinstance(
            value, int if kind is int else (int, float)
        )
    known = origin or kind
    return known is Any or not isinstance(known, type) or isinstance(value, known)


def _parts(
    value: Any, kind: Any, origin: Any, given: tuple[Any, ...], place: str
) -> Iterable[tuple[Any, Any, str]]:
    """Value, type and name of what a value holds."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        for name, hint in get_type_hints(kind).items():
            yield getattr(value, name), hint, f"{place}.{name}"
    elif origin is tuple and Ellipsis not in given:
        yield from ((item, hint, place) for item, hint in zip(value, given, strict=False))
    elif isinstance(value, Mapping) and given:
        for key, item in value.items():
            yield key, given[0], f"a name in {place}"
            yield item, given[1], f"{place}.{key}"
    elif isinstance(value, (tuple, list)) and given:
        yield from ((item, given[0], place) for item in value)
