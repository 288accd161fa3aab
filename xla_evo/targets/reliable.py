"""mpmath evaluation that is right to the working precision, cancellation or not.

mpmath's elementary functions are correct to the working precision, but compositions of them, and
some special functions near their zeros, lose digits. Here the precision is raised until two
evaluations at different precisions agree (Ziv's strategy, ACM TOMS 17(3), 1991).
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
        size = max(0, *(int(mpmath.mag(a)) if a and mpmath.isfinite(a) else 0 for a in arguments))
        with MPMATH:
            with mpmath.workprec(working_precision() + bits + 4 * size):
                value = form(*arguments)
            return +value

    return evaluate


def reliable(form: Callable[..., Any], what: str = "function") -> Callable[..., Any]:
    """Raises the precision until two evaluations of ``form`` agree to the working precision.

    Args:
        form: mpf arguments to an mpf; its error must vanish as the precision grows.
        what: name for the error message.

    Raises:
        TargetError: (when called) no agreement at 12,000 spare bits, unless the value vanishes,
            which is taken to be an exact zero.
    """

    def settle(*arguments: Mp) -> Mp:
        precision = working_precision()
        guard = _FIRST_GUARD_BITS
        with mpmath.workprec(precision + guard):
            value = form(*arguments)
        while guard < _MOST_GUARD_BITS:
            guard = 2 * guard + 20
            with mpmath.workprec(precision + guard):
                better = form(*arguments)
                if not mpmath.isfinite(better) or better == value == 0:
                    return +better
                difference = abs(better - value)
                if difference <= mpmath.ldexp(abs(better), -precision - 8):
                    break
                if guard > 600 and abs(better) < mpmath.ldexp(1, -precision - guard // 2):
                    return mpmath.mpf(0)
            value = better
        else:
            at = ", ".join(mpmath.nstr(a, 17) for a in arguments)
            raise TargetError(f"{what} does not settle at {at}; its reference value is unknown")
        return +better

    def evaluate(*arguments: Mp) -> Mp:
        with MPMATH:
            return settle(*arguments)

    return evaluate
