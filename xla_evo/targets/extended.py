"""Float64 values of an expression by extended arithmetic, each with a bound of its own error.

An expression is evaluated over arrays of x87 numbers (64 bits of significand), and beside every
intermediate value goes a bound of its error: what the operands' errors become, and the rounding of
the operation (running error analysis; Higham, Accuracy and Stability of Numerical Algorithms, 2002,
section 3.3). Where the bound is small the value serves; elsewhere mpmath has to be asked.
"""

import ast
import platform
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo.targets.function import Array64
from xla_evo.targets.reliable import MPMATH

_UNIT = np.longdouble(2.0) ** -64
_LEAST = np.ldexp(np.longdouble(1.0), -16445)
"""The least positive x87 number; results that are not normal are rounded to its multiples."""
_LEAST_64 = np.longdouble(2.0) ** -1064
"""More than float64 loses of a result that is not normal."""
_OF_LIBRARY = 16
"""Error allowed a function of glibc, in units of 2^-64: more than twice what its tests find.

They find at most 3 ULP, 6 units (sysdeps/x86_64/fpu/libm-test-ulps), which is no proof.
"""
_SIGNIFICAND = 64
_LONGEST_POWER = 64
_SMALLEST, _GREATEST = Fraction(2) ** -900, Fraction(2) ** 900
"""Of constants: float64 has both of their parts."""

Array80 = NDArray[Any]


class Bounded(NamedTuple):
    """Values and what is known of them.

    Attributes:
        value: extended numbers.
        error: bounds of their absolute errors.
        bits: how many significant bits they may have where they are exact, else more than fit.
    """

    value: Array80
    error: Array80
    bits: Any = _SIGNIFICAND + 1


Form = Callable[[Bounded], Bounded]


@cache
def is_extended() -> bool:
    """Whether the machine's long double is the x87 format, and its C library is glibc."""
    return np.finfo(np.longdouble).nmant == 63 and platform.libc_ver()[0] == "glibc"


def values(form: Form, x: Array64, tolerance: float) -> tuple[Array64, NDArray[np.bool_]]:
    """Returns (values rounded to float64, where their error before that is within a tolerance).

    Args:
        form: of `extended_form`.
        x: inputs.
        tolerance: in units in the last place of float64.
    """
    wide = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        bits = np.where(x == x.astype(np.float32), 24, 53)
        found = form(Bounded(wide, np.zeros_like(wide), bits))
        rounded = found.value.astype(np.float64)
        sure = np.isfinite(rounded) & (found.error <= tolerance * np.spacing(np.abs(rounded)))
    return rounded, sure


def extended_form(
    tree: ast.expr,
    variable: str,
    number: Callable[[ast.Constant], Fraction],
    constants: Mapping[str, Any],
) -> Form | None:
    """Returns the `Form` of an expression, or None where it has a part that is not known here.

    Args:
        tree: of numbers, names, ``+ - * / **`` and calls of functions.
        variable: the name that stands for the input.
        number: the exact value of a constant.
        constants: names of others and mpmath's numbers.
    """

    def known(node: ast.Constant | ast.Name) -> Fraction:
        if isinstance(node, ast.Constant):
            return number(node)
        with MPMATH, mp.workprec(200):
            return Fraction(int(mp.ldexp(constants[node.id], 190)), 1 << 190)

    try:
        return _form(tree, variable, known) if is_extended() else None
    except LookupError:
        return None


def _form(
    node: ast.expr, variable: str, number: Callable[[ast.Constant | ast.Name], Fraction]
) -> Form:
    def inner(part: ast.expr) -> Form:
        return _form(part, variable, number)

    match node:
        case ast.Name(id=name) if name == variable:
            return lambda x: x
        case ast.Constant() | ast.Name():
            return _constant(number(node))
        case ast.UnaryOp(op=op, operand=operand):
            one = inner(operand)
            return _negated(one) if isinstance(op, ast.USub) else one
        case ast.BinOp(left=ast.Constant(value=2), op=ast.Pow(), right=right):
            return _applied(_FUNCTIONS["exp2"], inner(right))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(inner(left), _exponent(right, number))
        case ast.BinOp(left=left, op=op, right=right):
            apply, one, two = _BINARY[type(op)], inner(left), inner(right)
            return lambda x: apply(one(x), two(x))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return _applied(_FUNCTIONS[name], inner(argument))
        case _:
            raise LookupError


def _constant(exact: Fraction) -> Form:
    if exact and not _SMALLEST <= abs(exact) <= _GREATEST:
        raise LookupError
    high = float(exact)
    value = np.longdouble(high) + np.longdouble(float(exact - Fraction(high)))
    whole = exact.denominator == 1 and abs(exact.numerator) < 1 << _SIGNIFICAND
    error = np.longdouble(0.0) if whole else np.abs(value) * _UNIT
    bits = exact.numerator.bit_length() if whole else _SIGNIFICAND + 1

    def form(x: Bounded) -> Bounded:
        return Bounded(np.full_like(x.value, value), np.full_like(x.error, error), bits)

    return form


def _negated(inner: Form) -> Form:
    def form(x: Bounded) -> Bounded:
        one = inner(x)
        return one._replace(value=-one.value)

    return form


def _sum(a: Bounded, b: Bounded) -> Bounded:
    value = a.value + b.value
    return Bounded(value, a.error + b.error + np.abs(value) * _UNIT)


def _difference(a: Bounded, b: Bounded) -> Bounded:
    value = a.value - b.value
    return Bounded(value, a.error + b.error + np.abs(value) * _UNIT)


def _rounding(value: Array80) -> Array80:
    """The error of rounding to the nearest; a sum has none where it is not normal."""
    return np.abs(value) * _UNIT + _LEAST


def _product(a: Bounded, b: Bounded) -> Bounded:
    value = a.value * b.value
    carried = np.abs(a.value) * b.error + (np.abs(b.value) + b.error) * a.error
    bits = a.bits + b.bits
    rounding = np.where(bits > _SIGNIFICAND, _rounding(value), 0.0)
    return Bounded(value, carried + rounding, bits)


def _quotient(a: Bounded, b: Bounded) -> Bounded:
    value = a.value / b.value
    least = np.maximum(np.abs(b.value) - b.error, 0.0)
    return Bounded(value, (a.error + np.abs(value) * b.error) / least + _rounding(value))


_BINARY: dict[type[ast.operator], Callable[[Bounded, Bounded], Bounded]] = {
    ast.Add: _sum, ast.Sub: _difference, ast.Mult: _product, ast.Div: _quotient,
}  # fmt: skip


def _exponent(node: ast.expr, number: Callable[[ast.Constant | ast.Name], Fraction]) -> Fraction:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as one):
            return -number(one)
        case ast.Constant():
            return number(node)
        case _:
            raise LookupError


def _power(inner: Form, power: Fraction) -> Form:
    """By products where the power is a small integer, else of positive numbers by the C library."""
    if power.denominator == 1 and 1 <= abs(power) <= _LONGEST_POWER:
        whole = _by_products(inner, abs(int(power)))
        one = _constant(Fraction(1))
        return whole if power > 0 else lambda x: _quotient(one(x), whole(x))
    exponent = float(power)
    if Fraction(exponent) != power or abs(power) > _LONGEST_POWER:
        raise LookupError
    size = abs(exponent)
    known = _Known(
        apply=lambda a: np.power(a, np.longdouble(exponent)),
        slope=lambda a, y: 2 * size * y / a,
        reach=lambda a: a / (4 + 4 * size),
    )
    return _applied(known, inner)


def _by_products(inner: Form, power: int) -> Form:
    def form(x: Bounded) -> Bounded:
        base = total = inner(x)
        for digit in f"{power:b}"[1:]:
            total = _product(total, total)
            if digit == "1":
                total = _product(total, base)
        return total

    return form


class _Known(NamedTuple):
    """A function of the C library, or of the catalogue in float64.

    Attributes:
        apply: on extended numbers.
        slope: of (argument, result), a bound of the derivative as far from the argument as `reach`.
        reach: of the argument, how far.
        units: its error, in units of 2^-64 of the result.
        least: of the error, where results are subnormal.
        given: what it is given of an argument.
    """

    apply: Callable[[Array80], Array80]
    slope: Callable[[Array80, Array80], Array80]
    reach: Callable[[Array80], Array80]
    units: float = _OF_LIBRARY
    least: np.longdouble = _OF_LIBRARY * _LEAST
    given: Callable[[Array80], Array80] = np.asarray


def _applied(known: _Known, inner: Form) -> Form:
    def form(x: Bounded) -> Bounded:
        argument = inner(x)
        a = known.given(argument.value)
        error = argument.error + np.abs(argument.value - a)
        value = known.apply(a)
        # Where an argument is exact its slope may be infinite.
        carried = np.where(error > 0, known.slope(a, value) * error, 0.0)
        carried = np.where(error <= known.reach(a), carried, np.inf)
        return Bounded(value, carried + np.abs(value) * (known.units * _UNIT) + known.least)

    return form


def _half(a: Array80) -> Array80:
    return np.full_like(a, 0.5)


def _anywhere(a: Array80) -> Array80:
    return np.full_like(a, np.inf)


def _half_to(end: float) -> Callable[[Array80], Array80]:
    """Half the way from a size to an end that it is below, or above."""
    return lambda a: np.abs(end - np.abs(a)) / 2


def _catalogued(name: str, slope: Callable[[Array80, Array80], Array80]) -> _Known:
    """A function of the catalogue, by its float64 form, whose error is stated there."""
    row = catalogue_function(name)
    return _Known(
        apply=lambda a: row.f64(a.astype(np.float64)).astype(np.longdouble),
        slope=slope,
        reach=lambda a: 0.125 / (1 + np.abs(a)),
        units=row.f64_error_ulp * 2.0**12,
        least=_LEAST_64,
        given=lambda a: a.astype(np.float64).astype(np.longdouble),
    )


_LN2, _LN10 = np.log(np.longdouble(2)), np.log(np.longdouble(10))
# Derivatives as far as `reach`: they grow there by less than the factor that stands before them.
_FUNCTIONS: dict[str, _Known] = {
    "exp": _Known(np.exp, lambda a, y: 2 * y, _half),
    "exp2": _Known(np.exp2, lambda a, y: 2 * y, _half),
    "expm1": _Known(np.expm1, lambda a, y: 2 * (y + 1), _half),
    "log": _Known(np.log, lambda a, y: 2 / a, _half_to(0.0)),
    "ln": _Known(np.log, lambda a, y: 2 / a, _half_to(0.0)),
    "log2": _Known(np.log2, lambda a, y: 2 / (a * _LN2), _half_to(0.0)),
    "log10": _Known(np.log10, lambda a, y: 2 / (a * _LN10), _half_to(0.0)),
    "log1p": _Known(np.log1p, lambda a, y: 2 / (1 + a), lambda a: (1 + a) / 2),
    "sqrt": _Known(np.sqrt, lambda a, y: 1 / y, _half_to(0.0)),
    "cbrt": _Known(np.cbrt, lambda a, y: 1 / (y * y), _half_to(0.0)),
    "sin": _Known(np.sin, lambda a, y: np.ones_like(a), _anywhere),
    "cos": _Known(np.cos, lambda a, y: np.ones_like(a), _anywhere),
    "tan": _Known(np.tan, lambda a, y: 4 * (1 + y * y), lambda a: 0.25 / (1 + np.abs(np.tan(a)))),
    "atan": _Known(np.arctan, lambda a, y: 2 / (1 + a * a), _half),
    "asin": _Known(np.arcsin, lambda a, y: np.sqrt(2 / (1 - np.abs(a))), _half_to(1.0)),
    "acos": _Known(np.arccos, lambda a, y: np.sqrt(2 / (1 - np.abs(a))), _half_to(1.0)),
    "sinh": _Known(np.sinh, lambda a, y: 2 * np.cosh(a), _half),
    "cosh": _Known(np.cosh, lambda a, y: 2 * np.cosh(a), _half),
    "tanh": _Known(np.tanh, lambda a, y: 3 * (1 - y * y) + 128 * _UNIT, _half),
    "asinh": _Known(np.arcsinh, lambda a, y: 2 / np.sqrt(1 + a * a), _half),
    "acosh": _Known(np.arccosh, lambda a, y: 2 / np.sqrt(a - 1), _half_to(1.0)),
    "atanh": _Known(np.arctanh, lambda a, y: 2 / (1 - np.abs(a)), _half_to(1.0)),
    "erf": _catalogued("erf", lambda a, y: np.full_like(a, 1.2)),
    # -erfc'(a) is at most erfc(a) times a and the root of a^2 + 2 (DLMF 7.8.2).
    "erfc": _catalogued("erfc", lambda a, y: y * (4 * np.maximum(a, 0.0) + 3)),
    "fabs": _Known(np.abs, lambda a, y: np.ones_like(a), _anywhere),
    "abs": _Known(np.abs, lambda a, y: np.ones_like(a), _anywhere),
}
