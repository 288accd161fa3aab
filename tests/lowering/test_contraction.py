"""Where compiled code fuses a*b + c, and that `contract` says so.

More of them: ``XLA_EVO_CONTRACTION_PROGRAMS=3000 pytest tests/lowering/test_contraction.py``.
"""

import os

import numpy as np
import pytest

from xla_evo_lowering.backends import instruction_set
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.contraction import contract
from xla_evo_lowering.dtypes import BF16, BOOL, F16, F32, F64, I32
from xla_evo_lowering.generate import Generator, random_program
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import parse_program, print_program

from .programs import ordinary, same, values

COUNT = int(os.environ.get("XLA_EVO_CONTRACTION_PROGRAMS", "50"))
# Two products in one sum: the loop over the elements beyond the last full vector may contract the
# other one, so lengths here are whole vectors.
LENGTH = 512
HALF = instruction_set().endswith("+fp16")
AS_WRITTEN = {"xla_disable_hlo_passes": "algsimp"}


def _f32(body: str) -> str:
    return f"program f(a: f32, b: f32, c: f32, d: f32) -> f32 {{ {body} }}"


def _run(program, options=None):
    inputs = [ordinary(item.dtype, LENGTH, place) for place, item in enumerate(program.parameters)]
    got = Executable.of_program(program, options)(*inputs)
    plain = evaluate(program, *inputs, flush=True)
    contracted = evaluate(contract(program, half=HALF), *inputs, flush=True)
    return same(plain, got).all(), same(contracted, got).all()


AB, CD = "%0: f32 = mul a, b", "%1: f32 = mul c, d"
CONTRACTED = {
    "a*b + c": f"{AB} %2: f32 = add %0, c return %2",
    "c + a*b": f"{AB} %2: f32 = add c, %0 return %2",
    "a*b - c": f"{AB} %2: f32 = sub %0, c return %2",
    "c - a*b": f"{AB} %2: f32 = sub c, %0 return %2",
    "-(a*b) + c": f"{AB} %2: f32 = neg %0 %3: f32 = add %2, c return %3",
    "guarded product": f"{AB} %2: f32 = guard %0 %3: f32 = add %2, c return %3",
    "a*b + c*d": f"{AB} {CD} %2: f32 = add %0, %1 return %2",
    "a*b - c*d": f"{AB} {CD} %2: f32 = sub %0, %1 return %2",
    "-(a*b) + c*d": f"{AB} {CD} %2: f32 = neg %0 %3: f32 = add %2, %1 return %3",
    "-(a*b) + -(c*d)": (
        f"{AB} {CD} %2: f32 = neg %0 %3: f32 = neg %1 %4: f32 = add %2, %3 return %4"
    ),
    "-(a*b) - c*d": f"{AB} {CD} %2: f32 = neg %0 %3: f32 = sub %2, %1 return %3",
    "-(a*b) - -(c*d)": (
        f"{AB} {CD} %2: f32 = neg %0 %3: f32 = neg %1 %4: f32 = sub %2, %3 return %4"
    ),
    "(-a)*b + c*d": "%0: f32 = neg a %1: f32 = mul %0, b %2: f32 = mul c, d"
    " %3: f32 = add %1, %2 return %3",
    "chain": f"{AB} %2: f32 = add %0, c %3: f32 = mul %2, a %4: f32 = add %3, d return %4",
}  # fmt: skip
KEPT = {
    "used twice": f"{AB} %2: f32 = add %0, c %3: f32 = div %2, %0 return %3",
    "twice in one sum": f"{AB} %2: f32 = add %0, %0 return %2",
    "used twice, once negated": f"{AB} %2: f32 = neg %0 %3: f32 = add %2, c"
    " %4: f32 = max %3, %0 return %4",
    "max between": f"{AB} %2: f32 = const -0x1p+127 %3: f32 = max %0, %2"
    " %4: f32 = add %3, c return %4",
    "abs(a) * abs(b)": "%0: f32 = abs a %1: f32 = abs b %2: f32 = mul %0, %1"
    " %3: f32 = add %2, c return %3",
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRACTED)
def test_a_product_in_a_sum_loses_its_rounding(case):
    program = parse_program(_f32(CONTRACTED[case]))
    plain, contracted = _run(program)
    assert contracted
    assert not plain, "NumPy's meaning is not the compiled one here"


@pytest.mark.parametrize("case", KEPT)
def test_a_product_that_is_used_twice_or_hidden_keeps_it(case):
    program = parse_program(_f32(KEPT[case]))
    plain, contracted = _run(program)
    assert plain
    assert contracted
    assert not any(item.op == "fma" for item in contract(program).body)


@pytest.mark.parametrize("short", ["f16", "bf16"])
def test_16_bit_formats_are_contracted_where_they_have_arithmetic_of_their_own(short):
    text = f"{AB} %2: f32 = add %0, c return %2"
    program = parse_program(_f32(text).replace("f32", short))
    assert _run(program) == ((False, True) if HALF and short == "f16" else (True, True))


def test_float16_is_contracted_where_the_machine_has_its_arithmetic():
    program = parse_program(_f32(CONTRACTED["chain"]).replace("f32", "f16"))
    assert contract(program) == canonical(program)
    assert [item.op for item in contract(program, half=True).body] == ["fma", "fma"]


def test_contraction_is_in_canonical_form_and_stays():
    program = parse_program(_f32(CONTRACTED["chain"]))
    once = contract(program)
    assert [item.op for item in once.body] == ["fma", "fma"]
    assert contract(once) == once


def test_a_chain_may_be_longer_than_python_calls_go_deep():
    b = Builder("chain", x=F32)
    value = 0
    for _ in range(4000):
        value = b.apply("mul", value, 0)
    assert contract(b.build(b.apply("add", value, 0))).body[-1].op == "fma"


SUMS = dict.fromkeys(("add", "sub", "mul", "neg", "abs", "guard", "min", "max", "sqrt"), 1.0)


@pytest.mark.parametrize("dtype", [F32, F64, *([F16] if HALF else [])], ids=repr)
def test_random_float_programs(dtype):
    """Sums of a value with itself are left out: they become products, which is not modelled."""
    rng = np.random.default_rng(11)
    # XLA makes sqrt(y * y) abs(y), and y * y is often infinite in float16.
    weights = {op: 1.0 for op in SUMS if dtype is not F16 or op != "sqrt"}
    settings = Generator(
        parameters=(dtype,) * 3, result=dtype, dtypes=(dtype,), weights=weights, size=10
    )
    tried = differed = 0
    while tried < COUNT:
        program = _without_doubling(random_program(rng, settings))
        if program is None:
            continue
        plain, contracted = _run(program)
        assert contracted, print_program(program)
        tried += 1
        differed += not plain
    assert differed > COUNT // 20


def _without_doubling(program):
    """None for a program with a sum of equal values."""
    form = canonical(program)
    twice = any(
        item.op in ("add", "sub") and item.operands[0] == item.operands[1] for item in form.body
    )
    return None if twice else form


ALL = dict.fromkeys(sorted(set(OPS) - {"div", "fma", "clamp", "rsqrt"}), 1.0)
"""Divisions are rewritten also without the simplifier; a clamp is tested with its row."""


@pytest.mark.parametrize("dtypes", [(F32, I32, BOOL), (F16, F32, I32), (BF16, F32)], ids=str)
def test_random_mixed_programs_without_the_simplifier(dtypes):
    """Whole programs of mixed types mean to NumPy what they compile to, once contracted."""
    rng = np.random.default_rng(5)
    settings = Generator(parameters=dtypes[:2], result=dtypes[0], dtypes=dtypes, weights=ALL)
    failed = []
    for _ in range(COUNT // 2):
        program = _without_doubling(random_program(rng, settings))
        if program is None:
            continue
        inputs = [
            ordinary(item.dtype, LENGTH, place)
            if item.dtype.is_float
            else values(item.dtype, LENGTH, place)
            for place, item in enumerate(program.parameters)
        ]
        got = Executable.of_program(program, AS_WRITTEN)(*inputs)
        want = evaluate(contract(program, half=HALF), *inputs, flush=True)
        if not same(want, got).all():
            failed.append(print_program(program))
    assert not failed, "\n".join(sorted(failed, key=len)[:3])


@pytest.mark.parametrize("op", ["add", "sub"])
@pytest.mark.parametrize("first", ["0x1.99999ap-1", "-0x1.99999ap-1"])
@pytest.mark.parametrize("second", ["0x1.333334p-1", "-0x1.333334p-1"])
@pytest.mark.parametrize("deep", ["y", "x", "both"])
def test_a_negative_constant_turns_a_sum_into_a_difference(op, first, second, deep):
    """Which of two products is contracted depends on the signs of their constants."""
    x = "%5" if deep in ("x", "both") else "x"
    y = "%6" if deep in ("y", "both") else "y"
    program = canonical(
        parse_program(
            "program f(x: f32, y: f32) -> f32 {\n"
            f"  %0: f32 = const {first}\n  %1: f32 = const {second}\n"
            "  %5: f32 = sqrt x\n  %6: f32 = sqrt y\n"
            f"  %2: f32 = mul {x}, %0\n  %3: f32 = mul {y}, %1\n  %4: f32 = {op} %2, %3\n"
            "  return %4\n}\n"
        )
    )
    assert _run(program)[1]
