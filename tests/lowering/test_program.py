import pytest

from xla_evo_lowering.dtypes import BOOL, F32, I32, REAL, dtype
from xla_evo_lowering.errors import ConfigError, ProgramError
from xla_evo_lowering.program import (
    MAX_INSTRUCTIONS,
    Builder,
    Instruction,
    Parameter,
    Program,
    canonical_decimal,
    constant,
)

X = (Parameter("x", F32),)


def test_builder_types_what_it_builds():
    builder = Builder("f", x=F32, i=I32)
    below = builder.apply("lt", 0, builder.const(1.5, F32))
    bits = builder.apply("bitcast", 0, dtype=I32)
    program = builder.build(builder.apply("select", below, bits, 1))
    assert program.dtype is I32
    assert program.types == (F32, I32, F32, BOOL, I32, I32)
    assert program.operation_count() == 3


@pytest.mark.parametrize(
    ("body", "result", "message"),
    [
        ((Instruction("neg", F32, (1,)),), 1, "not defined yet"),
        ((Instruction("neg", F32, (-1,)),), 1, "not defined yet"),
        ((Instruction("neg", F32, (0,), 3),), 1, "carries a value"),
        ((Instruction("const", F32),), 1, "carries a value"),
        ((Instruction("const", F32, (), 1 << 32),), 1, "bit pattern"),
        ((Instruction("const", F32, (), "1.5"),), 1, "bit pattern"),
        ((Instruction("const", REAL, (), "1.50"),), 1, "canonical decimal"),
        ((Instruction("nope", F32, (0,)),), 1, "unknown operation"),
        ((Instruction("convert", REAL, (0,)),), 1, "works on"),
        ((), 1, "returns value 1"),
        ((), -1, "returns value -1"),
        ((Instruction("neg", F32, (0,)),) * (MAX_INSTRUCTIONS + 1), 1, "at most"),
    ],
)
def test_ill_formed_programs_cannot_be_made(body, result, message):
    with pytest.raises(ProgramError, match=message):
        Program("f", X, body, result)


def test_parameters_are_needed_and_have_distinct_names():
    with pytest.raises(ProgramError, match="at least one"):
        Program("f", (), (), 0)
    with pytest.raises(ProgramError, match="one name"):
        Program("f", X + X, (), 0)


@pytest.mark.parametrize("name", ["sin(x)/x", "", "2x", ".x", "a b", "x\n"])
def test_a_name_is_one_that_the_text_form_carries(name):
    with pytest.raises(ProgramError, match="is no name"):
        Program(name, X, (), 0)
    with pytest.raises(ProgramError, match="is no name"):
        Program("f", (Parameter(name, F32),), (), 0)


def test_a_conversion_needs_its_type():
    with pytest.raises(ProgramError, match="needs the type"):
        Builder("f", x=F32).apply("convert", 0)


def test_use_counts_count_the_return():
    builder = Builder("f", x=F32)
    square = builder.apply("mul", 0, 0)
    assert builder.build(square).use_counts() == [2, 1]


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("1.50", "1.5"), ("150", "1.5e2"), ("-0.00", "0"), ("1E-3", "1e-3"), ("007", "7")],
)
def test_decimals_have_one_spelling(text, spelled):
    assert canonical_decimal(text) == spelled


@pytest.mark.parametrize("text", ["inf", "nan", "x", "", "0x1"])
def test_what_is_not_a_finite_decimal(text):
    with pytest.raises(ProgramError):
        canonical_decimal(text)


def test_constants_are_rounded_to_their_type():
    assert constant(0.1, F32).value == 0x3DCCCCCD
    assert constant(-1, I32).value == 0xFFFFFFFF
    assert constant("0.10", REAL).value == "1e-1"


def test_types_are_found_by_any_of_their_names():
    assert dtype("f32") is dtype("float32") is dtype(F32) is F32
    with pytest.raises(ConfigError, match="unknown dtype 'float8'"):
        dtype("float8")
