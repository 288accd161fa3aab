"""Backends as parameters of tests."""

from typing import Any

import pytest

from xla_evo_lowering.backends import backend, require
from xla_evo_lowering.errors import BackendError


def installed(*names: str) -> list[Any]:
    """Backends by name; those whose plugin is not installed are skipped with the reason."""
    return [pytest.param(name, marks=_needs(name)) for name in names]


def _needs(name: str) -> Any:
    try:
        require(backend(name))
    except BackendError as error:
        return pytest.mark.skip(reason=str(error))
    return ()
