import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xla_evo_lowering.dtypes import F16, F32, FLOATS, I32, REAL
from xla_evo_lowering.errors import ParseError, ProgramError
from xla_evo_lowering.generate import random_program, special_bits
from xla_evo_lowering.program import Builder, Instruction
from xla_evo_lowering.text import parse_constant, parse_program, print_constant, print_program

from .programs import MIX, REALS, TYPED, programs

EXP2 = """\
program exp2(x: f32) -> f32 {
  %0: f32 = const 0x1.62e43p-1  # 0.693147182
  %1: f32 = mul x, %0
  return %1
}
"""


@given(programs(TYPED))
@settings(max_examples=150, deadline=None)
def test_printed_programs_parse_to_themselves(program):
    assert parse_program(print_program(program)) == program
    assert parse_program(print_program(program, comments=False)) == program


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_real_programs_print_and_parse(seed):
    program = random_program(np.random.default_rng(seed), REALS)
    assert parse_program(print_program(program)) == program


def test_the_documented_form():
    program = parse_program(EXP2)
    assert print_program(program) == EXP2
    assert program.parameters[0].name == "x"
    assert program.body[0].value == 0x3F317218


def test_names_comments_and_line_ends_are_free_in_a_text_that_is_read():
    text = "# first\r\nprogram f ( a : f32 ) -> f32 {\r\n %sum : f32 = add a , a\r\n return %sum }"
    assert print_program(parse_program(text)).splitlines()[1] == "  %0: f32 = add a, a"


def _program(body: str, head: str = "program f(x: f32, i: i32) -> f32 {") -> str:
    return f"{head}\n{body}\n}}\n"


BAD = {
    "type error": (_program("  %0: f32 = add x, i\n  return %0"), 2, 13, "operand 2 of add is i32"),
    "wrong result type": (_program("  %0: i32 = add x, x\n  return x"), 2, 13, "expected i32"),
    "op of another kind": (_program("  %0: f32 = xor x, x\n  return x"), 2, 13, "works on"),
    "too few operands": (_program("  %0: f32 = add x\n  return x"), 2, 13, "takes 2 operands"),
    "unknown op": (_program("  %0: f32 = sinh x\n  return x"), 2, 13, "unknown operation 'sinh'"),
    "unknown type": (_program("  %0: f99 = neg x\n  return x"), 2, 7, "unknown type 'f99'"),
    "cycle": (_program("  %0: f32 = neg %1\n  %1: f32 = neg %0\n  return %1"), 2, 17, "before"),
    "itself": (_program("  %0: f32 = neg %0\n  return %0"), 2, 17, "not defined before this use"),
    "defined twice": (_program("  %0: f32 = neg x\n  %0: f32 = neg x\n  return x"), 3, 3, "twice"),
    "parameter twice": ("program f(x: f32, x: f32) -> f32 { return x }", 1, 19, "defined twice"),
    "no parameter": ("program f() -> f32 { return x }", 1, 11, "name of a parameter"),
    "returns another type": (_program("  return i"), 2, 10, "returns f32"),
    "no return": (_program("  %0: f32 = neg x"), 3, 1, "expected a value such as %0, or return"),
    "trailing text": (EXP2 + "return x\n", 6, 1, "text after the end of the program: 'return'"),
    "two programs": (EXP2 + EXP2, 6, 1, "text after the end"),
    "ends early": ("program f(x: f32", 1, 17, "the end of the text"),
    "empty": ("", 1, 1, "expected 'program', found the end of the text"),
    "strange character": (_program("  %0: f32 = neg x;\n  return x"), 2, 18, "character ';'"),
    "decimal float": (_program("  %0: f32 = const 0.1\n  return %0"), 2, 19, "hexadecimal"),
    "not exact": (_program("  %0: f32 = const 0x1.0000001p+0\n  return x"), 2, 19, "not exact"),
    "too large": (_program("  %0: f32 = const 0x1p+128\n  return x"), 2, 19, "not exact in f32"),
    "far too large": (_program("  %0: f32 = const 0x1p+9999\n  return x"), 2, 19, "range"),
    "too small": (_program("  %0: f32 = const 0x1p-150\n  return x"), 2, 19, "not exact in f32"),
    "not a nan": (_program("  %0: f32 = const nan.0x1\n  return x"), 2, 19, "not a NaN"),
    "integer range": (_program("  %0: i32 = const 2147483648\n  return x"), 2, 19, "range of i32"),
    "long integer": (
        _program(f"  %0: i32 = const {'9' * 5000}\n  return x"), 2, 19, "range of i32",
    ),
    "long exponent": (
        _program(f"  %0: f32 = const 0x1p-{'9' * 5000}\n  return x"), 2, 19, "not exact in f32",
    ),
    "integer text": (_program("  %0: i32 = const 0x10\n  return x"), 2, 19, "decimal integer"),
    "guard of an integer": (_program("  %0: i32 = guard i\n  return x"), 2, 13, "guard works on"),
    "bitcast width": (_program("  %0: i16 = bitcast x\n  return x"), 2, 13, "keeps the width"),
    "compare gives": (_program("  %0: f32 = lt x, x\n  return x"), 2, 13, "gives bool"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_errors_say_where_and_what(case):
    text, line, column, message = BAD[case]
    with pytest.raises(ParseError) as caught:
        parse_program(text, source="file.xe")
    assert (caught.value.line, caught.value.column) == (line, column)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"file.xe:{line}:{column}: ")
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_parses_or_gives_a_parse_error(text):
    with pytest.raises(ParseError):
        parse_program(text)


@given(programs(MIX), st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_text_is_refused_or_is_another_program(program, data):
    text = print_program(program, comments=False)
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.sampled_from("x0%,: ")) + text[place + 1 :]
    try:
        read = parse_program(damaged)
    except ParseError:
        return
    assert parse_program(print_program(read)) == read


@pytest.mark.parametrize("dtype", FLOATS, ids=repr)
def test_every_special_constant_round_trips(dtype):
    for bits in special_bits(dtype):
        constant = Instruction("const", dtype, (), bits)
        assert parse_constant(print_constant(constant), dtype) == constant


def test_leading_zeros_do_not_count():
    assert parse_constant(f"-{'0' * 5000}7", I32).value == 2**32 - 7
    assert parse_constant(f"0x1p+{'0' * 5000}1", F32) == parse_constant("0x1p+1", F32)


def test_nan_payloads_are_kept():
    signalling = Instruction("const", F16, (), 0xFC01)
    assert print_constant(signalling) == "nan.0xfc01"
    assert parse_constant("nan.0xfc01", F16) == signalling


def test_real_constants_have_one_spelling():
    assert print_constant(parse_constant("0012.500", REAL)) == "1.25e1"
    assert parse_constant("-0", REAL).value == "0"
    with pytest.raises(ProgramError, match="not a decimal number"):
        parse_constant("0x1p1", REAL)


def test_a_program_of_many_instructions_parses_in_reasonable_time():
    builder = Builder("long", x=F32)
    value = 0
    for _ in range(4000):
        value = builder.apply("mul", value, 0)
    program = builder.build(value)
    assert parse_program(print_program(program)) == program
