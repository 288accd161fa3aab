"""A user's function from an mpmath expression of one variable, e.g. ``erf(x)/x``.

The text is parsed by `ast` and evaluated over a fixed table of names; it is never executed as
Python. Numbers are exact decimals. A removable singularity has the value of its limit.
"""

import ast
import math
from collections.abc import Callable
from difflib import get_close_matches
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
from mpmath.libmp import NoConvergence

from xla_evo.errors import TargetError
from xla_evo.targets import extended
from xla_evo.targets.expression_names import BINARY, CONSTANTS, FUNCTIONS
from xla_evo.targets.expression_values import NARROW_ULP, WIDE_ULP, ExpressionValues, Specials
from xla_evo.targets.function import Function, Special, Symmetry
from xla_evo.targets.parity import symmetry_of
from xla_evo.targets.reliable import MPMATH, Mp, reliable, working_precision

_LONGEST = 2_000
_Node = Callable[[Any], Any]


def function_from_expression(
    text: str, specials: tuple[Special, ...] = (), *, narrow: bool = False
) -> Function:
    """Returns the function that ``text`` describes, named by the text.

    Whether it is odd or even is proven from its form (`xla_evo.targets.parity`), not declared.

    Args:
        text: an expression of one variable, ``x`` (another single name serves too), of decimal
            numbers, ``+ - * / **``, parentheses, mpmath's functions and constants.
        specials: inputs with the value that they are to have, e.g. ``((inf, 0.0),)``; nan gives nan
            without being named.
        narrow: the float64 form is for formats of at most 32 bits: it may be off by `NARROW_ULP`,
            so that fewer values need mpmath.

    Raises:
        TargetError: a syntax error, an unknown name, two variables or none; a special value that is
            not the expression's where that has a finite one.
    """
    found: list[tuple[str, str]] = []
    for x, y in specials:
        if isinstance(x, tuple) or math.isnan(x):
            raise TargetError(f"{x!r} is no input of {text!r} that can have a special value")
        found.append((float(x).hex(), float(y).hex()))
    return _build(text.strip(), tuple(found), narrow)


@cache
def _build(text: str, declared: tuple[tuple[str, str], ...], narrow: bool) -> Function:
    """Of hexadecimal numbers, which tell -0 from 0."""
    form, wide, symmetry = _parse(text)
    tolerance = NARROW_ULP if narrow else WIDE_ULP
    specials = tuple((float.fromhex(x), float.fromhex(y)) for x, y in declared)
    mp_function = _with_limits(form, text)
    for x, y in specials:
        _check_special(mp_function, text, x, y)
    return Function(
        name=text,
        mp=mp_function,
        f64=ExpressionValues(mp_function, specials, wide, tolerance),
        f64_error_ulp=0.5 + tolerance,
        symmetry=symmetry if _is_symmetric(mp_function, specials, symmetry) else "none",
        specials=((np.nan, np.nan), *specials),
        expression=text,
        narrow=narrow,
        pointwise=wide is None,
    )


def _check_special(form: Callable[[Any], Any], text: str, x: float, y: float) -> None:
    with MPMATH, mp.workprec(90):
        value = form(mp.mpf(x)) if math.isfinite(x) else mp.nan
        if mp.isfinite(value) and float(value) != y:
            raise TargetError(
                f"{text!r} is {float(value)!r} at x = {x!r}, not {y!r}; leave the special value out"
                " or correct it"
            )


def _is_symmetric(form: Callable[[Any], Any], specials: Specials, symmetry: Symmetry) -> bool:
    """Whether the special values where the expression has none have a symmetry too."""
    sign = -1.0 if symmetry == "odd" else 1.0
    named = {x.hex(): y for x, y in specials}
    return all(
        (math.isfinite(x) and mp.isfinite(form(mp.mpf(x)))) or named.get((-x).hex()) == sign * y
        for x, y in specials
    )


class _Parsed(NamedTuple):
    """An expression over mpmath numbers, over arrays of extended ones, and its symmetry."""

    node: _Node
    extended: extended.Form | None
    symmetry: Symmetry


def _parse(text: str) -> _Parsed:
    if not text:
        raise TargetError("the expression is empty; write one of x, e.g. 'erf(x)/x'")
    if len(text) > _LONGEST:
        raise TargetError(f"the expression has {len(text)} characters; at most {_LONGEST} are read")
    if "^" in text:
        raise TargetError(f"'^' in expression {text!r} is not a power; write **")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = f" at column {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        reason = error.msg if isinstance(error, SyntaxError) else "nested too deeply or not text"
        raise TargetError(f"expression {text!r} does not parse{at}: {reason}") from None
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}
    variables = sorted(names - CONSTANTS.keys())
    if len(variables) > 1:
        stray = next((v for v in variables if v != "x"), variables[1])
        near = get_close_matches(stray, [*CONSTANTS, *FUNCTIONS], n=1)
        hint = f"; {stray!r} is unknown, did you mean {near[0]}?" if near and "x" in names else ""
        raise TargetError(
            f"expression {text!r} has {len(variables)} variables ({', '.join(variables)});"
            f" one is needed{hint}"
        )
    variable = variables[0] if variables else "x"
    try:
        node = _compile(tree.body, text, variable)
        symmetry = symmetry_of(tree.body, text, variable)
        form = extended.extended_form(
            tree.body, variable, lambda part: _exact(part, text), CONSTANTS
        )
    except RecursionError:
        raise TargetError(f"expression {text[:40]!r}... is nested too deeply") from None
    if not variables:
        raise TargetError(f"expression {text!r} has no variable; write it in x")
    return _Parsed(node, form, symmetry)


def _unknown(name: str, text: str) -> TargetError:
    near = get_close_matches(name, [*FUNCTIONS, *CONSTANTS], n=2)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; mpmath's names are understood"
    return TargetError(f"unknown function {name!r} in expression {text!r}{hint}")


def _number(node: ast.Constant, text: str) -> _Node:
    exact = _exact(node, text)
    return lambda _x: mp.mpf(exact.numerator) / exact.denominator


def _exact(node: ast.Constant, text: str) -> Fraction:
    literal = (ast.get_source_segment(text, node) or "").replace("_", "")
    try:
        _, _, exponent = literal.lower().partition("e")
        if exponent and abs(int(exponent)) > 5000:
            raise ValueError
        return Fraction(literal)
    except ValueError:
        raise TargetError(
            f"{literal or node.value!r} in {text!r} is not a decimal number"
        ) from None


def _compile(node: ast.expr, text: str, variable: str) -> _Node:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return _number(node, text)
        case ast.Name(id=name) if name == variable and name not in CONSTANTS:
            if name in FUNCTIONS:
                raise TargetError(f"{name!r} in {text!r} needs its argument, as {name}(x)")
            return lambda x: x
        case ast.Name(id=name):
            constant = CONSTANTS[name]
            return lambda _x: +constant
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _compile(operand, text, variable)
            return lambda x: -inner(x)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _compile(operand, text, variable)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            one, two = _compile(left, text, variable), _compile(right, text, variable)
            apply = BINARY[type(op)]
            return lambda x: apply(one(x), two(x))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if arguments:
            if name not in FUNCTIONS:
                raise _unknown(name, text)
            called = FUNCTIONS[name]
            inners = [_compile(argument, text, variable) for argument in arguments]
            return lambda x: _call(called, name, [inner(x) for inner in inners], text)
        case _:
            piece = ast.get_source_segment(text, node) or ast.unparse(node)
            raise TargetError(
                f"{piece!r} in expression {text!r} is not understood; use numbers, x,"
                " + - * / **, and mpmath functions"
            )


def _call(function: Callable[..., Mp], name: str, values: list[Mp], text: str) -> Mp:
    try:
        return function(*values)
    except TypeError:  # mpmath's own text names what it wraps
        count = "1 argument" if len(values) == 1 else f"{len(values)} arguments"
        raise TargetError(
            f"{name} in expression {text!r} cannot be evaluated with {count}"
        ) from None


def _real(value: Mp) -> Mp:
    """The value if it is real, else nan."""
    if isinstance(value, mp.mpf):
        return value
    if isinstance(value, mp.mpc):
        return value.real if value.imag == 0 else mp.nan
    return mp.mpf(value)


def _with_limits(form: _Node, text: str) -> Callable[[Any], Any]:
    def attempt(x: Mp) -> Mp:
        try:
            return _real(form(x))
        except TargetError:
            raise
        except (ZeroDivisionError, ValueError, OverflowError, NoConvergence):
            return mp.nan
        except TypeError as error:
            raise TargetError(f"expression {text!r} cannot be evaluated: {error}") from None

    settled = reliable(attempt, f"expression {text!r}", bits_per_exponent=4)

    def evaluate(x: Mp) -> Mp:
        with MPMATH:
            value = settled(x)
            return value if mp.isfinite(value) else _limit(attempt, x)

    return evaluate


def _limit(form: _Node, x: Mp) -> Mp:
    """Limit of ``form`` at a finite x from both sides (or from the one where it is real), or nan.

    The mean of f(x+h) and f(x-h) is within O(h^2) of a limit that is smooth. The second h is so
    small that what vanishes as sqrt(h) log(h) does is below the working precision, and the
    precision is high enough for what cancels in f up to the seventh order.
    """
    if not mp.isfinite(x):
        return mp.nan
    precision = working_precision()
    with mp.workprec(22 * precision + 100):
        size = mp.mag(x) if x else 0
        values = []
        for extra in (0, 2 * precision):
            h = mp.ldexp(1, size - precision - 10 - extra)
            sides = [v for v in (form(x + h), form(x - h)) if mp.isfinite(v)]
            if not sides:
                return mp.nan
            if len(sides) == 2 and abs(sides[0] - sides[1]) > mp.ldexp(
                1 + abs(sides[0]) + abs(sides[1]), -precision // 2
            ):
                return mp.nan
            values.append(sum(sides) / len(sides))
        first, second = values
        if abs(first) > mp.ldexp(1, precision // 2) and abs(second) > 2 * abs(first):
            return mp.nan
        if abs(second) < mp.ldexp(1, -precision) and abs(second) < abs(first) / 2:
            return mp.mpf(0)
        if abs(first - second) > mp.ldexp(1 + abs(first), -precision // 2):
            return mp.nan
    return +second
