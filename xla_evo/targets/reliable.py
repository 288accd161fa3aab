"""mpmath evaluation that is right to the working precision, cancellation or not.

mpmath's elementary functions are correct to the working precision, but compositions of them, and
some special functions near their zeros, lose digits. Here the precision is raised until two
evaluations at different precisions agree (Ziv's strategy, ACM TOMS 17(3), 1991). Two that have lost
the same term agree too: 1 - cos(x) is 0 at both where x*x is below their last bits. So forms that
may cancel begin with bits for the size of the arguments, and a zero is believed only far below all
of float64.
"""

import threading
from collections.abc import Callable
from typing import Any

import mpmath

from xla_evo.errors import TargetError

Mp = Any
"""An mpmath number; mpmath is untyped."""

MPMATH = threading.RLock()
"""Held by a thread that sets mpmath's precision: mpmath has one for all threads."""

_FIRST_GUARD_BITS = 40
_MOST_GUARD_BITS = 12_000
_VANISHING_GUARD_BITS = 2_400
"""From here on what is below half of the bits is taken for zero."""


def working_precision() -> int:
    """Returns mpmath's current working precision in bits."""
    return int(getattr(mpmath.mp, "prec"))  # noqa: B009 - mpmath's types call it a property


def guarded(form: Callable[..., Any], bits: int = 30) -> Callable[..., Any]:
    """Evaluates ``form`` with spare bits for rounding and for the size of its arguments.

    Args:
        form: a composition without cancellation beyond ``bits`` + 4 times the argument's exponent.
        bits: spare bits.
    """

    def evaluate(*arguments: Mp) -> Mp:
        size = max(0, *_magnitudes(arguments))
        with MPMATH:
            with mpmath.workprec(working_precision() + bits + 4 * size):
                value = form(*arguments)
            return +value

    return evaluate


def _magnitudes(arguments: tuple[Mp, ...]) -> list[int]:
    """Exponents of the arguments, 0 for those that have none."""
    return [int(mpmath.mag(a)) if a and mpmath.isfinite(a) else 0 for a in arguments]


def reliable(
    form: Callable[..., Any], what: str = "function", *, bits_per_exponent: int = 0
) -> Callable[..., Any]:
    """Raises the precision until two evaluations of ``form`` agree to the working precision.

    Args:
        form: mpf arguments to an mpf; its error must vanish as the precision grows.
        what: name for the error message.
        bits_per_exponent: spare bits at the beginning for each unit of the arguments' exponents;
            k for a form of which a term of order k is left where the others cancel.

    Raises:
        TargetError: (when called) no agreement at 12,000 spare bits, unless the value vanishes at
            2,400, which is taken to be an exact zero.
    """

    def settle(*arguments: Mp) -> Mp:
        precision = working_precision()
        guard = _FIRST_GUARD_BITS + bits_per_exponent * max(map(abs, _magnitudes(arguments)))
        with mpmath.workprec(precision + guard):
            value = form(*arguments)
        while guard < _MOST_GUARD_BITS:
            guard = max(2 * guard + 20, 0 if value else _VANISHING_GUARD_BITS)
            with mpmath.workprec(precision + guard):
                better = form(*arguments)
                if not mpmath.isfinite(better):
                    return +better
                least = mpmath.ldexp(1, -precision - guard // 2)
                if guard >= _VANISHING_GUARD_BITS and abs(better) < least:
                    return mpmath.mpf(0)
                if abs(better - value) <= mpmath.ldexp(abs(better), -precision - 8):
                    break
            value = better
        else:
            at = ", ".join(mpmath.nstr(a, 17) for a in arguments)
            raise TargetError(f"{what} does not settle at {at}; its reference value is unknown")
        return +better

    def evaluate(*arguments: Mp) -> Mp:
        with MPMATH:
            return settle(*arguments)

    return evaluate
