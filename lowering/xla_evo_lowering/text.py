"""The text form of programs: for people to read and diff, and strict enough to trust.

    program exp2(x: f32) -> f32 {
      %0: f32 = const 0x1.62e43p-1  # 0.693147182
      %1: f32 = mul x, %0
      return %1
    }

Floats are hexadecimal and exact, NaNs carry their bits, real constants are decimals. ``#`` starts a
comment. Values may have any name in a text that is read; printing numbers them again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xla_evo_lowering.dtypes import BOOL, DTYPES, DType, Kind
from xla_evo_lowering.errors import ParseError, ProgramError
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import (
    NAME,
    Instruction,
    Parameter,
    Program,
    bits_float,
    canonical_decimal,
    float_bits,
    nan_bits,
)

_TOKEN = re.compile(
    r"(?P<space>[ \t\r]+|\#[^\n]*)|(?P<newline>\n)|(?P<arrow>->)"
    r"|(?P<word>%?[A-Za-z0-9_+\-.]+)|(?P<mark>[(){}:,=])"
)
_VALUE = re.compile(r"%[A-Za-z0-9_.]+\Z")
_HEX_FLOAT = re.compile(r"(-?)0x([01])(?:\.([0-9a-f]+))?p([+-]?)0*(\d+)\Z")
_INTEGER = re.compile(r"(-?)0*(\d+)\Z")
_DIGITS = 20
"""Decimal digits of the greatest integer; Python reads no more than some thousands of them."""
_NAN = re.compile(r"nan(?:\.0x([0-9a-f]+))?\Z")
_TYPES = {row.short: row for row in DTYPES}


def print_program(program: Program, *, comments: bool = True) -> str:
    """Returns the text of a program; `comments` adds the decimal value of float constants."""
    names = [parameter.name for parameter in program.parameters]
    inputs = ", ".join(f"{item.name}: {item.dtype.short}" for item in program.parameters)
    lines = [f"program {program.name}({inputs}) -> {program.dtype.short} {{"]
    for number, instruction in enumerate(program.body):
        name = f"%{number}"
        if instruction.op == "const":
            line = f"{name}: {instruction.dtype.short} = const {print_constant(instruction)}"
            if comments and instruction.dtype.is_float and isinstance(instruction.value, int):
                line += f"  # {bits_float(instruction.value, instruction.dtype):.9g}"
        else:
            operands = ", ".join(names[operand] for operand in instruction.operands)
            line = f"{name}: {instruction.dtype.short} = {instruction.op} {operands}"
        names.append(name)
        lines.append("  " + line)
    lines += [f"  return {names[program.result]}", "}", ""]
    return "\n".join(lines)


def print_constant(instruction: Instruction) -> str:
    """Returns the literal of a ``const`` instruction."""
    value, dtype = instruction.value, instruction.dtype
    if not isinstance(value, int):
        return str(value)
    if dtype is BOOL:
        return "true" if value else "false"
    if dtype.is_float:
        return _print_float(value, dtype)
    sign = dtype.kind is Kind.SIGNED and value >> (dtype.bits - 1)
    return str(value - (1 << dtype.bits) if sign else value)


def _print_float(bits: int, dtype: DType) -> str:
    number = bits_float(bits, dtype)
    if number != number:
        return "nan" if bits == nan_bits(dtype) else f"nan.0x{bits:0{dtype.bits // 4}x}"
    if number in (float("inf"), float("-inf")):
        return "inf" if number > 0 else "-inf"
    mantissa, _, exponent = number.hex().partition("p")
    head, _, digits = mantissa.partition(".")
    digits = digits.rstrip("0")
    return f"{head}.{digits}p{exponent}" if digits else f"{head}p{exponent}"


def parse_constant(text: str, dtype: DType) -> Instruction:
    """Reads the literal of a constant of type `dtype`; the inverse of `print_constant`.

    Raises:
        ProgramError: it is not a literal of that type, or not exact in it.
    """
    if dtype.kind is Kind.REAL:
        return Instruction("const", dtype, (), canonical_decimal(text))
    if dtype is BOOL:
        if text not in ("true", "false"):
            raise ProgramError(f"a bool constant is true or false, not {text!r}")
        return Instruction("const", dtype, (), int(text == "true"))
    if dtype.is_float:
        return Instruction("const", dtype, (), _parse_float(text, dtype))
    match = _INTEGER.match(text)
    if match is None:
        raise ProgramError(f"an {dtype.short} constant is a decimal integer, not {text!r}")
    number = _integer(match[1], match[2])
    low = -(1 << (dtype.bits - 1)) if dtype.kind is Kind.SIGNED else 0
    if not low <= number < low + (1 << dtype.bits):
        raise ProgramError(f"{text} is out of the range of {dtype.short}")
    return Instruction("const", dtype, (), number & ((1 << dtype.bits) - 1))


def _integer(sign: str, digits: str) -> int:
    """An integer, or one that is out of the range of every type where it has more digits."""
    return int(f"{sign}{digits}" if len(digits) <= _DIGITS else f"{sign}1{'0' * _DIGITS}")


def _parse_float(text: str, dtype: DType) -> int:
    if text in ("inf", "-inf"):
        return float_bits(float(text), dtype)
    if match := _NAN.match(text):
        bits = int(match[1], 16) if match[1] else nan_bits(dtype)
        if bits >> dtype.bits or not (number := bits_float(bits, dtype)) != number:
            raise ProgramError(f"{text} is not a NaN of {dtype.short}")
        return bits
    if not _HEX_FLOAT.match(text):
        raise ProgramError(
            f"a float constant is hexadecimal, inf or nan, e.g. 0x1.8p+1 for 3, not {text!r}"
        )
    try:
        number = float.fromhex(text)
    except OverflowError:
        raise ProgramError(f"{text} is out of the range of {dtype.short}") from None
    bits = float_bits(number, dtype)
    if not _is_exact(text, bits_float(bits, dtype)):
        raise ProgramError(f"{text} is not exact in {dtype.short}")
    return bits


def _is_exact(text: str, number: float) -> bool:
    """True when a finite hexadecimal literal denotes exactly `number`."""
    match = _HEX_FLOAT.match(text)
    if match is None or number in (float("inf"), float("-inf")):
        return False
    digits = match[3] or ""
    exponent = _integer(match[4], match[5]) - 4 * len(digits)
    significand = int(match[2] + digits, 16)
    if significand == 0:
        return number == 0
    if abs(exponent) > 8192:
        return False
    top, bottom = abs(number).as_integer_ratio()
    left, right = significand * bottom, top
    return left << exponent == right if exponent >= 0 else left == right << -exponent


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    column: int


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._tokens = list(self._scan(text))
        self._position = 0

    def _scan(self, text: str) -> Iterator[_Token]:
        line, start, position = 1, 0, 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                token = _Token(text[position], line, position - start + 1)
                raise self._error(f"unexpected character {token.text!r}", token)
            if match.lastgroup == "newline":
                line, start = line + 1, match.end()
            elif match.lastgroup != "space":
                yield _Token(match[0], line, position - start + 1)
            position = match.end()
        yield _Token("", line, position - start + 1)

    def _error(self, message: str, token: _Token) -> ParseError:
        return ParseError(message, line=token.line, column=token.column, source=self._source)

    def next(self) -> _Token:
        token = self._tokens[self._position]
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token

    def peek(self) -> _Token:
        return self._tokens[self._position]

    def expect(self, text: str) -> _Token:
        token = self.next()
        if token.text != text:
            found = repr(token.text) if token.text else "the end of the text"
            raise self._error(f"expected {text!r}, found {found}", token)
        return token

    def name(self, what: str) -> _Token:
        token = self.next()
        if not NAME.match(token.text):
            raise self._error(f"expected the name of {what}, found {token.text!r}", token)
        return token

    def type(self) -> DType:
        token = self.next()
        if token.text not in _TYPES:
            raise self._error(f"unknown type {token.text!r}; types are {', '.join(_TYPES)}", token)
        return _TYPES[token.text]

    def operand(self, names: dict[str, int]) -> int:
        token = self.next()
        if token.text not in names:
            raise self._error(
                f"{token.text or 'the end of the text'} is not defined before this use", token
            )
        return names[token.text]

    def parameters(self) -> tuple[Parameter, ...]:
        found: list[Parameter] = []
        while True:
            token = self.name("a parameter")
            if any(token.text == parameter.name for parameter in found):
                raise self._error(f"parameter {token.text} is defined twice", token)
            self.expect(":")
            found.append(Parameter(token.text, self.type()))
            if self.peek().text != ",":
                return tuple(found)
            self.next()

    def instruction(self, names: dict[str, int], types: list[DType]) -> Instruction:
        dtype = self.type()
        self.expect("=")
        token = self.next()
        if token.text not in OPS:
            raise self._error(
                f"unknown operation {token.text!r}; the op table has {', '.join(OPS)}", token
            )
        try:
            if token.text == "const":
                literal = self.next()
                token = literal
                return parse_constant(literal.text, dtype)
            operands = [self.operand(names)]
            while self.peek().text == ",":
                self.next()
                operands.append(self.operand(names))
            OPS[token.text].check(dtype, [types[operand] for operand in operands])
        except ParseError:
            raise
        except ProgramError as error:
            raise self._error(str(error), token) from None
        return Instruction(token.text, dtype, tuple(operands))

    def program(self) -> Program:
        self.expect("program")
        title = self.name("the program")
        self.expect("(")
        parameters = self.parameters()
        self.expect(")")
        self.expect("->")
        returned = self.type()
        self.expect("{")
        names = {parameter.name: number for number, parameter in enumerate(parameters)}
        types = [parameter.dtype for parameter in parameters]
        body: list[Instruction] = []
        while self.peek().text != "return":
            token = self.next()
            if not _VALUE.match(token.text):
                raise self._error(
                    f"expected a value such as %0, or return, found {token.text!r}", token
                )
            if token.text in names:
                raise self._error(f"{token.text} is defined twice", token)
            self.expect(":")
            body.append(self.instruction(names, types))
            names[token.text] = len(types)
            types.append(body[-1].dtype)
        self.next()
        token = self.peek()
        result = self.operand(names)
        if types[result] is not returned:
            raise self._error(
                f"{token.text} is {types[result].short}, the program returns {returned.short}",
                token,
            )
        self.expect("}")
        if (trailing := self.peek()).text:
            raise self._error(f"text after the end of the program: {trailing.text!r}", trailing)
        try:
            return Program(title.text, parameters, tuple(body), result)
        except ProgramError as error:
            raise self._error(str(error), title) from None


def parse_program(text: str, *, source: str = "program") -> Program:
    """Reads one program.

    Args:
        text: the text form.
        source: where it comes from, for messages.

    Raises:
        ParseError: with line and column of the first thing that is wrong.
    """
    return _Parser(text, source).program()
