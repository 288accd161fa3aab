"""Programs of 16-bit formats that compute by a float32 program."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from xla_evo.errors import ProgramError
from xla_evo.library import entries
from xla_evo.library.narrow import Rounding, between_conversions, narrowed, widened
from xla_evo.scaffolds import hole_of, scaffold
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import BF16, F16, F64
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import parse_program

EXP = next(iter(entries("exp", "float32")))
HALFWAY = "program p(x: f32) -> f32 { %c: f32 = const 0x1p-8 %y: f32 = add x, %c return %y }"
DOUBLE = parse_program("program p(x: f64) -> f64 { return x }")
EVOLVED = {
    entry.name: entry
    for narrow in ("bfloat16", "float16")
    for entry in entries(None, narrow)
    if entry.certificate.provenance.kind.startswith("from scaffold ")
}


@pytest.mark.parametrize("narrow", [BF16, F16])
def test_results_are_those_of_float32_rounded(narrow):
    x = np.arange(1 << 16, dtype=np.uint16).view(narrow.numpy)
    made = Executable.of_program(between_conversions(EXP.program, narrow))(x)
    with np.errstate(over="ignore"):
        wide = Executable.of_program(EXP.program)(x.astype(np.float32)).astype(narrow.numpy)
    is_nan = np.isnan(wide)
    assert 0 < is_nan.sum() < 3000
    np.testing.assert_array_equal(np.isnan(made), is_nan)
    np.testing.assert_array_equal(made[~is_nan].view(np.uint16), wide[~is_nan].view(np.uint16))


@pytest.mark.parametrize(
    ("rounding", "rounded"),
    [("even", [1.0, 1.015625, -1.0]), ("guarded", [1.0, 1.015625, -1.0]),
     ("open", [1.0, 1.015625, -1.0]), ("up", [1.0078125, 1.015625, -1.0078125]),
     ("down", [1.0, 1.0078125, -1.0])],
)  # fmt: skip
def test_a_tie_goes_where_it_is_told(rounding, rounded):
    x = np.asarray([1.0, 1.0078125, -1.0078125], BF16.numpy)
    made = Executable.of_program(between_conversions(parse_program(HALFWAY), BF16, rounding))
    np.testing.assert_array_equal(made(x).astype(np.float32), rounded)


@pytest.mark.parametrize(
    ("program", "narrow", "rounding", "why"),
    [
        (DOUBLE, BF16, "even", "gives float64; it has to be float32"),
        (EXP.program, F64, "even", "no conversion to float64, even"),
        (EXP.program, F16, "up", "no conversion to float16, up"),
    ],
)
def test_what_is_no_float32_program_or_no_narrow_format_is_refused(program, narrow, rounding, why):
    with pytest.raises(ProgramError, match=why):
        between_conversions(program, narrow, rounding)


@pytest.mark.parametrize("entry", entries(None, "bfloat16"), ids=lambda entry: entry.name)
def test_the_float32_program_comes_out_again(entry):
    made = [between_conversions(widened(entry.program), BF16, way) for way in get_args(Rounding)]
    assert entry.certificate.program_hash in map(content_hash, made)


@pytest.mark.parametrize("narrow", [BF16, F16])
def test_what_is_not_between_conversions_is_refused(narrow):
    build = Builder("p", x=narrow)
    with pytest.raises(ProgramError, match="no float32 program between conversions"):
        widened(build.build(build.apply("add", 0, 0)))


def test_provenance_is_that_of_the_float32_program():
    digest, wide = EXP.certificate.program_hash, EXP.certificate.provenance
    made, source = narrowed(EXP.program, wide, F16)
    assert content_hash(made) == content_hash(between_conversions(EXP.program, F16))
    assert source == replace(wide, note=source.note)
    assert source.note.startswith(f"float32 program {digest[:16]} between conversions")
    assert source.note.endswith(wide.note)


@pytest.mark.parametrize("name", EVOLVED)
def test_what_was_evolved_comes_out_of_it_again(name):
    entry = EVOLVED[name]
    frame = scaffold(entry.certificate.provenance.kind.removeprefix("from scaffold "))
    hole = hole_of(frame, widened(entry.program))
    assert len(hole.body) > 0
    assert content_hash(frame.fill(hole)) == content_hash(widened(entry.program))
