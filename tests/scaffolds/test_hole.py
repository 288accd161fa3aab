"""What fills a scaffold's hole comes out of a whole program again."""

import pytest

from xla_evo.library import entries
from xla_evo.scaffolds import Scaffold, hole_of, scaffold
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.text import parse_program

IN_SCAFFOLDS = {
    entry.name: (entry, entry.certificate.provenance.kind.removeprefix("from scaffold "))
    for entry in entries(None, "float32")
    if entry.certificate.provenance.kind.startswith("from scaffold ")
}

FRAME = """\
program exp(x: f32, hole: f32) -> f32 {
  %one: f32 = const 0x1p+0
  %r: f32 = sub x, %one
  %a: f32 = add %one, hole
  %b: f32 = mul %a, %r
  return %b
}
"""
HOLE = """\
program h(x: f32) -> f32 {
  %0: f32 = const 0x1p+0
  %1: f32 = add x, %0
  %2: f32 = mul %1, x
  return %2
}
"""


def make(text):
    return Scaffold("made", "exp", text, "exp(x)", -1.0, 1.0, ((-1.0, 1.0),), "")


@pytest.mark.parametrize("name", IN_SCAFFOLDS)
def test_what_was_evolved_comes_out_of_a_program_of_the_library(name):
    entry, frame = IN_SCAFFOLDS[name]
    hole = hole_of(scaffold(frame), entry.program)
    assert content_hash(scaffold(frame).fill(hole)) == content_hash(entry.program)
    assert 0 < len(hole.body) < len(entry.program.body)


def test_the_hole_of_a_program_is_what_filled_it():
    hole = parse_program(HOLE)
    found = hole_of(make(FRAME), canonical(make(FRAME).fill(hole)))
    assert content_hash(found) == content_hash(hole)


def test_a_hole_may_hand_on_its_input():
    hole = parse_program("program h(x: f32) -> f32 { return x }")
    found = hole_of(make(FRAME), make(FRAME).fill(hole))
    assert content_hash(found) == content_hash(hole)


@pytest.mark.parametrize(
    "text",
    [
        "program p(x: f32) -> f32 { return x }",
        "program p(x: f64) -> f64 { return x }",
        "program p(x: f32, y: f32) -> f32 { %0: f32 = add x, y return %0 }",
        # As the scaffold says, but that the hole has the input of the whole program too.
        "program p(x: f32) -> f32 { %0: f32 = const 0x1p+0 %1: f32 = sub x, %0 %2: f32 = mul x, %1"
        " %3: f32 = add %0, %2 %4: f32 = mul %3, %1 return %4 }",
        # The difference is the wrong way round.
        "program p(x: f32) -> f32 { %0: f32 = const 0x1p+0 %1: f32 = sub %0, x"
        " %2: f32 = mul %1, %1 %3: f32 = add %0, %2 %4: f32 = mul %3, %1 return %4 }",
    ],
)
def test_a_program_of_another_form_has_none(text):
    assert hole_of(make(FRAME), parse_program(text)) is None


def test_a_program_made_in_another_scaffold_has_none():
    entry, _ = next(item for item in IN_SCAFFOLDS.values() if item[1] == "exp")
    assert hole_of(scaffold("exp2"), entry.program) is None
