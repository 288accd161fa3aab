"""Custom calls that are tried together: one argument and two, float32 and float64."""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

import xla_evo
from tests.integration.conftest import RANGES, builtin
from xla_evo.library import choose


@dataclass(frozen=True)
class Called:
    """A function in a format, and what it is called with."""

    name: str
    dtype: str = "float32"
    second: tuple[float, float] | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.dtype}"

    @property
    def function(self) -> Callable[..., jnp.ndarray]:
        """The built-in; anew, so that nothing has been compiled of it."""
        return lambda *given: builtin(self.name)(*given)

    @property
    def is_proven(self) -> bool:
        """Whether the library has a program for it here."""
        return choose(self.name, self.dtype, 1.1, lowering="custom_call").entry is not None

    def use(self):
        """The scope that replaces it."""
        return xla_evo.use(self.name, max_ulp=1.1, lowering="custom_call")

    def arguments(self, count: int = 64) -> list[jnp.ndarray]:
        """Arrays of one axis well inside the domain."""
        ranges = [RANGES.get(self.name, (-2.0, 2.0)), *([self.second] if self.second else [])]
        return [jnp.asarray(np.linspace(*ends, count), self.dtype) for ends in ranges]


CALLED = (
    Called("exp"),
    Called("sin"),
    Called("cbrt"),
    Called("pow", second=(2.0, -2.0)),
    Called("sinh", "float64"),
    Called("erfc", "float64"),
)
