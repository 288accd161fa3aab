"""A found program as something to read: decimal constants, source code, formula, graph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import mpmath as mp

from xla_evo.discovery.encoding import ADD, ADDC, DIV, MUL, MULC, RSUBC, SUB
from xla_evo.targets.reliable import Mp
from xla_evo_lowering.dtypes import REAL, DType
from xla_evo_lowering.program import Builder, Program

T = TypeVar("T")
_SIGNS = {ADD: "+", SUB: "-", MUL: "*", DIV: "/"}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Attributes:
        code: operation code of `xla_evo.discovery.encoding`.
        a: first operand: 0 is x, ``i + 1`` the result of step ``i``.
        b: second operand, 0 where there is a constant.
        constant: decimal literal, empty where there is none.
    """

    code: int
    a: int
    b: int
    constant: str = ""

    def parts(self) -> tuple[str, int | str, int | str]:
        """The sign of the operation, and its operands: a value's number or a constant's literal."""
        if self.code >= ADD:
            return _SIGNS[self.code], self.a, self.b
        if self.code == ADDC:
            return ("-", self.a, self.constant[1:]) if self.constant[0] == "-" else (
                "+", self.a, self.constant
            )  # fmt: skip
        if self.code == MULC:
            return "*", self.a, self.constant
        return ("-" if self.code == RSUBC else "/"), self.constant, self.a


Steps = tuple[Step, ...]


def decimal_literal(value: Mp, digits: int) -> str:
    """A value as a decimal literal of so many digits, always with a point: ``2.0``, ``1.0e-5``."""
    return mp.nstr(value, digits, strip_zeros=True)


def _apply(sign: str, left: Any, right: Any) -> Any:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    return left * right if sign == "*" else left / right


def compile_steps(steps: Steps, number: Callable[[str], T]) -> Callable[[Any], list[Any]]:
    """Returns a function from x to all values: x, then one value a step.

    Args:
        steps: the program.
        number: makes a constant of its literal, e.g. ``float`` or ``mpmath.mpf``.
    """
    rows: list[tuple[str, int, Any, bool]] = []
    for step in steps:
        sign, left, right = step.parts()
        if isinstance(left, str):
            rows.append((sign, int(right), number(left), True))
        elif isinstance(right, str):
            rows.append((sign, left, number(right), False))
        else:
            rows.append((sign, left, right, False))
    binary = [step.code >= ADD for step in steps]

    def evaluate(x: Any) -> list[Any]:
        values = [x]
        for (sign, left, right, turned), two in zip(rows, binary, strict=True):
            other = values[right] if two else right
            pair = (other, values[left]) if turned else (values[left], other)
            values.append(_apply(sign, *pair))
        return values

    return evaluate


def _uses(steps: Steps) -> list[int]:
    uses = [0] * (len(steps) + 1)
    for step in steps:
        for operand in step.parts()[1:]:
            if isinstance(operand, int):
                uses[operand] += 1
    return uses


_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}
_ATOM = 3


def _joined(left: tuple[str, int], sign: str, right: tuple[str, int]) -> tuple[str, int]:
    """An expression and how tightly it binds; parentheses only where they change the order."""
    binding = _BINDING[sign]
    one = f"({left[0]})" if left[1] < binding else left[0]
    two = f"({right[0]})" if right[1] <= binding or right[0].startswith("-") else right[0]
    return f"{one} {sign} {two}", binding


def _lines(steps: Steps, constant: Callable[[int, str], str]) -> list[tuple[str, str]]:
    """Names and expressions: a value used once is written where it is used."""
    uses = _uses(steps)
    texts = [("x", _ATOM)]
    lines: list[tuple[str, str]] = []
    for i, step in enumerate(steps):
        sign, left, right = step.parts()
        one, two = (
            texts[part] if isinstance(part, int) else (constant(i, part), _ATOM)
            for part in (left, right)
        )
        text = _joined(one, sign, two)
        if i == len(steps) - 1:
            lines.append(("", text[0]))
        elif uses[i + 1] == 1:
            texts.append(text)
        else:
            name = f"t{sum(1 for known, _ in lines if known) + 1}"
            lines.append((name, text[0]))
            texts.append((name, _ATOM))
    return lines


def python_source(steps: Steps, *, name: str = "f", exact: bool = False) -> str:
    """Source of a Python function of x: one ``+ - * /`` an operation, decimal literals, names.

    It takes floats, NumPy arrays and mpmath numbers. Python rounds a literal to a float, so that
    mpmath numbers see constants of 53 bits, unless ``exact``: then a constant that is no float64 is
    the sum of two literals and of ``zero``, which has the type of x: with floats and arrays the
    sum is the constant rounded once, with mpmath it has 106 bits.
    """
    head: list[str] = []
    names = _constant_names(steps)

    def literal(place: int, text: str) -> str:
        high, low = _two_parts(text) if exact else (text, "")
        if not low:
            return text
        head.append(f"    {names[place]} = zero{_signed(high)}{_signed(low)}")
        return names[place]

    body = [
        f"    {target} = {text}" if target else f"    return {text}"
        for target, text in _lines(steps, literal)
    ]
    if head:
        head.insert(0, "    zero = x - x")
    return "\n".join([f"def {name}(x):", *head, *body]) + "\n"


def _two_parts(text: str) -> tuple[str, str]:
    """The float64 nearest to a literal and the rest as literals; no rest where it is exact."""
    with mp.workdps(60):
        high = float(text)
        low = float(mp.mpf(text) - mp.mpf(high))
    return (repr(high), repr(low)) if low else (text, "")


def _signed(text: str) -> str:
    return f" - {text[1:]}" if text.startswith("-") else f" + {text}"


def _constant_names(steps: Steps) -> dict[int, str]:
    """``c1``, ``c2``, ... by the place of their step."""
    places = [i for i, step in enumerate(steps) if step.code < ADD]
    return {place: f"c{number}" for number, place in enumerate(places, 1)}


def formula(steps: Steps) -> str:
    """The structure for a person, constants to six digits."""
    short = lambda _, text: f"{float(text):.6g}"  # noqa: E731
    lines = _lines(steps, short)
    return "; ".join(f"{name} = {text}" if name else text for name, text in lines)


def structure(steps: Steps) -> str:
    """The structure with constants as c1, c2, ..."""
    names = _constant_names(steps)
    lines = _lines(steps, lambda i, _: names[i])
    return "; ".join(f"{name} = {text}" if name else text for name, text in lines)


def graph(steps: Steps) -> str:
    """The data flow in Graphviz's DOT language."""
    lines = ["digraph program {", '  v0 [label="x", shape=plain];']
    for i, step in enumerate(steps):
        sign, left, right = step.parts()
        lines.append(f'  v{i + 1} [label="{sign}"];')
        for place, part in enumerate((left, right)):
            label = "" if place == 0 else " [style=dashed]" if sign in "-/" else ""
            if isinstance(part, int):
                lines.append(f"  v{part} -> v{i + 1}{label};")
            else:
                lines.append(f'  c{i + 1} [label="{float(part):.6g}", shape=plain];')
                lines.append(f"  c{i + 1} -> v{i + 1}{label};")
    lines.append("}")
    return "\n".join(lines) + "\n"


def to_program(steps: Steps, *, name: str, dtype: DType = REAL) -> Program:
    """Returns the program of the steps in a format; constants are rounded to it."""
    with mp.workdps(60):
        build = Builder(name, x=dtype)
        values = [0]
        ops = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
        for step in steps:
            sign, left, right = step.parts()
            numbers = [
                values[part] if isinstance(part, int)
                else build.const(part if dtype is REAL else float(part), dtype)
                for part in (left, right)
            ]  # fmt: skip
            values.append(build.apply(ops[sign], *numbers))
        return build.build(values[-1])
