"""The functions that xla-evo knows by name: one row each, by family.

To add a function is to add a row to ``elementary`` or ``special_functions``; the conformance tests
then hold it against mpmath.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from xla_evo.errors import TargetError
from xla_evo.targets import elementary, special_functions
from xla_evo.targets.function import Function

CATALOGUE: Mapping[str, Function] = MappingProxyType(
    {row.name: row for row in (*elementary.ROWS, *special_functions.ROWS)}
)
"""Every function by its name."""


def function(name: str) -> Function:
    """Returns the row called ``name``.

    Raises:
        TargetError: there is none; the message suggests near names and lists all.
    """
    if name not in CATALOGUE:
        near = get_close_matches(name, CATALOGUE, n=3)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        known = ", ".join(sorted(CATALOGUE))
        raise TargetError(f"unknown function {name!r}{hint}; choose one of {known}")
    return CATALOGUE[name]
