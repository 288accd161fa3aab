"""Whether an expression is odd or even, proven from its form and not found at points.

The expression and the same of -x are each brought into a form of one sign and a remainder, in which
sums and products are sorted; where the remainders are the same, the signs tell. What needs more
than the rules of arithmetic and those of the functions below has no symmetry here.
"""

import ast
from typing import Any

from xla_evo.targets.function import Symmetry

ODD = frozenset(
    {
        "sin", "tan", "csc", "cot", "asin", "atan", "sinh", "tanh", "csch", "coth", "asinh",
        "atanh", "sinpi", "erf", "erfi", "erfinv", "j1", "si", "shi", "fresnels", "fresnelc",
        "sign",
    }
)  # fmt: skip
"""Functions of one argument with f(-x) = -f(x), complex results of mpmath included."""
EVEN = frozenset(
    {"cos", "sec", "cosh", "sech", "cospi", "sinc", "sincpi", "j0", "npdf", "fabs", "abs"}
)
"""Functions of one argument with f(-x) = f(x)."""
BY_ORDER = frozenset({"besselj", "besseli", "legendre", "chebyt", "chebyu", "hermite"})
"""Functions of an order and an argument that are odd or even as a whole order is."""

_Signed = tuple[int, tuple[Any, ...]]
"""A value as its sign and a form of the rest; equal forms are equal values."""


def symmetry_of(tree: ast.expr, text: str, variable: str) -> Symmetry:
    """Returns the symmetry that the form of an expression proves; ``none`` where it proves none.

    Args:
        tree: of numbers, names, ``+ - * / **`` and calls of functions.
        text: what it was parsed from.
        variable: the name that is not a constant's.
    """
    (sign, form), (other, mirrored) = (
        _Forms(text, variable, flip=flip).signed(tree) for flip in (False, True)
    )
    if form != mirrored:
        return "none"
    return "even" if sign == other else "odd"


class _Forms:
    """Forms of the parts of one expression, of x or of -x."""

    def __init__(self, text: str, variable: str, *, flip: bool) -> None:
        self._text = text
        self._variable = variable
        self._sign = -1 if flip else 1

    def signed(self, node: ast.expr) -> _Signed:
        match node:
            case ast.Name(id=name) if name == self._variable:
                return self._sign, ("x",)
            case ast.UnaryOp(op=op, operand=operand):
                sign, form = self.signed(operand)
                return (-sign if isinstance(op, ast.USub) else sign), form
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
                return self._sum(left, right, 1 if isinstance(op, ast.Add) else -1)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(left, right)
            case ast.BinOp(left=left, op=op, right=right):
                return self._product(left, right, is_quotient=isinstance(op, ast.Div))
            case ast.Call(func=ast.Name(id="power"), args=[base, exponent]):
                return self._power(base, exponent)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
            case _:
                return 1, ("number", ast.get_source_segment(self._text, node))

    def _sum(self, left: ast.expr, right: ast.expr, sign: int) -> _Signed:
        terms: list[_Signed] = []
        for outer, (inner, form) in ((1, self.signed(left)), (sign, self.signed(right))):
            parts = form[1] if form[0] == "sum" else ((1, form),)
            terms += [(outer * inner * each, part) for each, part in parts]
        terms.sort(key=lambda term: (repr(term[1]), term[0]))
        first = terms[0][0]
        return first, ("sum", tuple((first * each, part) for each, part in terms))

    def _product(self, left: ast.expr, right: ast.expr, *, is_quotient: bool) -> _Signed:
        (one, first), (two, second) = self.signed(left), self.signed(right)
        if is_quotient:
            return one * two, ("quotient", first, second)
        factors: list[Any] = []
        for form in (first, second):
            factors += form[1] if form[0] == "product" else (form,)
        return one * two, ("product", tuple(sorted(factors, key=repr)))

    def _power(self, base: ast.expr, exponent: ast.expr) -> _Signed:
        order = _whole(exponent)
        if order is None:
            return 1, ("power", self.signed(base), self.signed(exponent))
        sign, form = self.signed(base)
        return (sign if order % 2 else 1), ("power", form, order)

    def _call(self, name: str, arguments: list[ast.expr]) -> _Signed:
        signed = [self.signed(argument) for argument in arguments]
        sign, form = signed[-1]
        if len(arguments) == 1 and name in ODD:
            return sign, (name, form)
        if len(arguments) == 1 and name in EVEN:
            return 1, (name, form)
        order = _whole(arguments[0])
        if len(arguments) == 2 and name in BY_ORDER and order is not None and order >= 0:
            return (sign if order % 2 else 1), (name, order, form)
        return 1, (name, *signed)


def _whole(node: ast.expr) -> int | None:
    """The value of a whole number that is written as one, or None."""
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
        case _:
            return None
