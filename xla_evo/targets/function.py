"""A function to approximate: its references, shape and special values.

A `Function` is data. The exact meaning is ``mp`` (mpmath, any precision); ``f64`` is a fast float64
form of it whose distance from the exact value is stated, so that a sweep over four thousand
million inputs can use the fast form and say what that costs in certainty.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xla_evo.errors import TargetError

Array64 = NDArray[np.float64]
MpFunction = Callable[..., Any]
"""mpmath numbers to an mpmath number (mpmath is untyped)."""
F64Function = Callable[..., Array64]
PairFunction = Callable[[Array64], tuple[Array64, Array64]]
"""float64 arguments to (float64 number, what the exact value has beyond it in ULP of it)."""
Symmetry = Literal["odd", "even", "none"]
Special = tuple[float | tuple[float, float], float]
"""(input, output); the input is a pair for a function of two arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One real function of one or two arguments.

    Attributes:
        name: name in the catalogue, or the text of a user's expression.
        mp: exact reference, mpf arguments to an mpf correct to the working precision; defined for
            finite arguments inside the domain. May give an infinity at a pole.
        f64: float64 reference, vectorised over equal-shaped arrays; total (nan outside the domain,
            the values of ``specials`` at special inputs) and free of warnings.
        f64_error_ulp: bound on the error of ``f64`` in float64 ULP of the exact value, where that
            is a normal float64 number (below 2^-1022 it may be that of a few quanta more).
        pair: reference for float64 results, within `xla_evo.targets.pair_forms.ERROR_ULP`; None
            where there is none and mpmath has to serve.
        domain: largest interval on which the function is real, ends included.
        results: interval, of ends that every format has, which no result of a program may leave.
        symmetry: whether f(-x) is -f(x) or f(x).
        specials: inputs whose output is fixed bit by bit (sign of zero, infinities, nan).
        zeros: float64 numbers nearest to zeros worth testing around.
        poles: float64 numbers nearest to poles and branch points worth testing around.
        arity: number of arguments, 1 or 2.
        builtin: dotted name of the JAX function that a user calls; empty when JAX has none.
        builtin_arguments: keyword arguments of that call which select this function.
        primitive: JAX primitive that the built-in binds, None when it is composed of several.
        expression: the user's text when the function was made from one.
        narrow: whether ``f64`` of an expression serves formats of at most 32 bits alone.
        pointwise: whether mpmath gives ``f64`` of an expression number by number, in 0.04 to 1 ms.
    """

    name: str
    mp: MpFunction
    f64: F64Function
    f64_error_ulp: float
    pair: PairFunction | None = None
    domain: tuple[float, float] = (-np.inf, np.inf)
    results: tuple[float, float] = (-np.inf, np.inf)
    symmetry: Symmetry = "none"
    specials: tuple[Special, ...] = ()
    zeros: tuple[float, ...] = ()
    poles: tuple[float, ...] = ()
    arity: int = 1
    builtin: str = ""
    builtin_arguments: tuple[tuple[str, Any], ...] = ()
    primitive: str | None = None
    expression: str | None = None
    narrow: bool = False
    pointwise: bool = False

    def builtin_function(self) -> Callable[..., Any]:
        """Returns the JAX function of the same meaning, importing jax when first asked.

        Raises:
            TargetError: JAX has no such function.
        """
        if not self.builtin:
            raise TargetError(f"JAX has no built-in for {self.name!r} to compare with")
        module, _, attribute = self.builtin.rpartition(".")
        found = getattr(importlib.import_module(module), attribute, None)
        if found is None:
            raise TargetError(f"this version of JAX has no {self.builtin} for {self.name!r}")
        return partial(found, **dict(self.builtin_arguments)) if self.builtin_arguments else found

    def declared_specials(self) -> tuple[Special, ...]:
        """Returns the special values that a user gave with an expression."""
        return () if self.expression is None else self.specials[1:]

    def __reduce__(self) -> tuple[Callable[..., "Function"], tuple[Any, ...]]:
        """Pickles by name, so that a worker process gets the same row and not a copy of code."""
        return resolve, (self.name, self.expression, self.declared_specials(), self.narrow)


def resolve(
    name: str,
    expression: str | None = None,
    specials: tuple[Special, ...] = (),
    narrow: bool = False,
) -> Function:
    """Returns the catalogue's function ``name``, or the one that ``expression`` describes.

    Args:
        name: in the catalogue.
        expression: a user's text in its place.
        specials: values of the expression at inputs where the user wants them so.
        narrow: as for `function_from_expression`.

    Raises:
        TargetError: neither exists.
    """
    # Imported here: the catalogue is made of rows of this class.
    if expression is not None:
        from xla_evo.targets.expression import function_from_expression

        return function_from_expression(expression, specials, narrow=narrow)
    from xla_evo.targets.catalogue import function

    return function(name)
