import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.generate import random_program
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.program import Builder, Parameter, Program
from xla_evo_lowering.text import parse_program, print_program

from .programs import MIX, REALS, TYPED, programs, same, values


@given(programs(TYPED))
@settings(max_examples=150, deadline=None)
def test_canonical_form_is_idempotent(program):
    form = canonical(program)
    assert canonical(form) == form
    assert content_hash(form) == content_hash(program)


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_canonical_form_of_real_programs_is_idempotent(seed):
    form = canonical(random_program(np.random.default_rng(seed), REALS))
    assert canonical(form) == form


@given(programs(MIX), st.integers(0, 2**16))
@settings(max_examples=150, deadline=None)
def test_canonical_form_keeps_every_bit(program, seed):
    inputs = [values(item.dtype, 64, seed + place) for place, item in enumerate(program.parameters)]
    before, after = evaluate(program, *inputs), evaluate(canonical(program), *inputs)
    assert same(before, after).all()


@given(programs(MIX), st.data())
@settings(max_examples=50, deadline=None)
def test_order_names_and_dead_code_do_not_count(program, data):
    builder_body = list(program.body)
    count = len(program.parameters)
    dead = Builder("d", **{item.name: item.dtype for item in program.parameters})
    dead.const(1.0, F32)
    shifted = tuple(
        type(one)(one.op, one.dtype, tuple(n + (n >= count) for n in one.operands), one.value)
        for one in builder_body
    )
    padded = Program(
        "other",
        tuple(Parameter(f"p{n}", item.dtype) for n, item in enumerate(program.parameters)),
        (*dead.build(0).body, *shifted),
        program.result + (program.result >= count),
    )
    assert content_hash(padded) == content_hash(program)


def _hash(text: str) -> str:
    return content_hash(parse_program(text))


def test_equal_spellings_have_one_hash():
    assert _hash(
        "program f(x: f32) -> f32 { %a: f32 = const 0x1p+0 %b: f32 = add x, %a return %b }"
    ) == _hash("program g(y: f32) -> f32 { %c: f32 = const 0x1p+0 %d: f32 = add %c, y return %d }")


def test_constant_subtrees_are_folded_in_the_format():
    form = canonical(
        parse_program(
            "program f(x: f32) -> f32 { %a: f32 = const 0x1p+0 %b: f32 = const 0x1.8p+1"
            " %c: f32 = div %a, %b %d: f32 = mul x, %c return %d }"
        )
    )
    assert [item.op for item in form.body] == ["const", "mul"]
    assert form.body[0].value == 0x3EAAAAAB


def test_a_guard_keeps_its_constant_from_folding():
    form = canonical(
        parse_program(
            "program f(x: f32) -> f32 { %a: f32 = const 0x1p+0 %b: f32 = guard %a"
            " %c: f32 = add %b, %a %d: f32 = mul x, %c return %d }"
        )
    )
    assert [item.op for item in form.body] == ["const", "guard", "add", "mul"]


def test_parameters_that_are_not_used_count():
    assert _hash("program f(x: f32) -> f32 { return x }") != _hash(
        "program f(x: f32, y: f32) -> f32 { return x }"
    )


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (
            "program exp2(x: f32) -> f32 { %0: f32 = const 0x1.62e43p-1 %1: f32 = mul x, %0"
            " %2: f32 = add %1, x return %2 }",
            "531f183d76b12c928fa3c48e0e2931cb5778c1904e14396e0bfc18fe330ba9a9",
        ),
        (
            "program f(x: f32, y: i32) -> i32 { %0: i32 = bitcast x %1: i32 = add y, %0"
            " %2: bool = lt x, x %3: i32 = select %2, %1, y return %3 }",
            "4a9be5079f5a1825cfa7e814da927d717740c149c2efbdb0656483def5f8680b",
        ),
        ("program r(x: real) -> real { %0: real = const 2.50 %1: real = div x, %0 return %1 }",
         "9c09a2712d0491c927675401ed122beba89c7143a00e27a203d6486a67070a54"),
    ],
)  # fmt: skip
def test_the_hash_is_the_same_on_every_machine(text, digest):
    assert _hash(text) == digest, print_program(canonical(parse_program(text)))
