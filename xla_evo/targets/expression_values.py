"""The float64 form of a user's expression: extended arithmetic, and mpmath where it is needed."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import mpmath as mp
import numpy as np

from xla_evo.targets import extended
from xla_evo.targets.function import Array64
from xla_evo.targets.reliable import MPMATH

Specials = tuple[tuple[float, float], ...]
"""Inputs with the values that they are to have."""

WIDE_ULP, NARROW_ULP = 2.0**-3, 2.0**10
"""What the float64 form may be off before its rounding, in ULP of float64; the second is 2^-19 ULP
of float32, for formats of at most 32 bits."""
_REMEMBERED = 32
"""Arrays whose values are kept."""


class ExpressionValues:
    """The float64 form of an expression; the last arrays are remembered.

    By extended arithmetic where that knows to be near enough, elsewhere mpmath point by point.
    """

    def __init__(
        self,
        form: Callable[[Any], Any],
        specials: Specials,
        wide: extended.Form | None,
        tolerance_ulp: float,
    ) -> None:
        self._form = form
        self._tolerance_ulp = tolerance_ulp
        self._wide = wide
        self._specials = {x.hex(): y for x, y in specials}
        self._results: OrderedDict[bytes, Array64] = OrderedDict()

    def __call__(self, x: Array64) -> Array64:
        """Returns values at inputs of any shape, within the tolerance; nan where there is none."""
        x = np.ascontiguousarray(x, dtype=np.float64)
        key = blake2b(x.tobytes(), digest_size=16).digest()
        found = self._results.get(key)
        if found is None:
            found = self._of(x.ravel()).reshape(x.shape)
            with MPMATH:
                self._results[key] = found
                while len(self._results) > _REMEMBERED:
                    self._results.popitem(last=False)
        return found.copy()

    def _of(self, x: Array64) -> Array64:
        found = np.full(x.shape, np.nan)
        open_ = ~np.isnan(x)
        if self._wide is not None:
            found, sure = extended.values(self._wide, x, self._tolerance_ulp)
            open_ &= ~sure
        for place in map(float.fromhex, self._specials):
            open_ |= x == place
        for i in np.flatnonzero(open_).tolist():
            found[i] = self._one(float(x[i]))
        return found

    def _one(self, value: float) -> float:
        named = self._specials.get(value.hex())
        if named is not None:
            return named
        with MPMATH, mp.workprec(90):
            return float(self._form(mp.mpf(value)))
