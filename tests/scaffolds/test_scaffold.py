"""Scaffolds are well formed, and with the ideal hole they are the function."""

import importlib
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import mpmath as mp
import numpy as np
import pytest

from xla_evo.budget import parse_budget
from xla_evo.errors import ConfigError
from xla_evo.library import entries
from xla_evo.scaffolds import SCAFFOLDS, Scaffold, devices, scaffold, scaffolds_of
from xla_evo.scaffolds.devices import PLATFORMS
from xla_evo.search.config import SearchConfig
from xla_evo.search.frame import Frame
from xla_evo.search.genome import MUL, float_constant, node
from xla_evo.search.mutate import Mutator
from xla_evo.search.structure import simplify
from xla_evo.targets.target import make_target
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import parse_program, print_program

LIMITED = {*PLATFORMS, *(row[0] for row in devices.ROWS)}

TEXT = """\
program exp(x: f32, hole: f32) -> f32 {
  %r: f32 = guard x
  %y: f32 = add hole, %r
  return %y
}
"""


def make(text: str) -> Scaffold:
    return Scaffold("made", "exp", text, "exp(x)", -1.0, 1.0, ((-1.0, 1.0),), "")


BOUNDS = {
    "sin-words": 0.9,
    "cos-turns": 2.0,
    "asin-newton": 1.6,
    "acos-newton": 0.9,
    "atan-newton": 1.4,
    "tan-turns": 3.2,
    "tan-quarters": 0.8,
    "sinc-newton": 1.2,
    "tanh-rational": 0.6,
    "exp-tail": 0.5,
    "log1p": 0.67,
    "log1p-masked": 0.75,
    "rsqrt": 0.47,
    "rsqrt-short": 0.47,
    "rsqrt-gradual": 0.47,
    "acosh-sum": 1.2,
    "asinh-sum": 1.1,
    "bessel-i0e-root": 1.4,
    "bessel-i1e-root": 1.4,
    "erf-inv-quotient": 0.7,
    "erf-inv-octaves": 180.0,
    "silu-fast": 0.9,
    "erf-fast": 1.2,
    "tanh-fast": 3.2,
    "exp-fast": 3.9,
    "gelu-fast": 4.0,
    "erfc-fast": 4.5,
    "gelu-tanh-fast": 123.0,
    "cosh-short": 4.0,
    "sinh-short": 5.0,
    "erfc-short": 75.0,
    "gelu-short": 70.0,
}
"""Largest error where not below 0.4: roundings stay as they are; the angle is a sum of two parts,
or the square of the input is all that is used, and rounded, or its product with an estimate of the
root; of log1p it is that of -1/4 + 2^-26 alone, where 2 x + 1 takes 25 bits; the fast and the
short ones, those that end in newton or turns, and others for TPUs have fixed parts with errors of
their own, below the built-in's; of tan-quarters it is the inverse, of softplus a polynomial."""


TPU_BOUNDS = {
    "cosh-short": 50.0,
    "sinh-short": 49.0,
    "acos-newton": 1.0,
    "sinc-newton": 1.3,
    "rsqrt-exact": 0.45,
    "acosh-sum": 1.3,
    "bessel-i0e-root": 1.5,
    "bessel-i1e-root": 1.5,
}
"""Where a product that is rounded by itself shows: a TPU contracts nothing."""

BASELINES = Path(__file__).parents[2] / "tools" / "baselines"
ONE_INPUT = [name for name in SCAFFOLDS if scaffold(name).inputs == 1]


def fixed_error(name: str, *, contracts: bool, flush: bool) -> float:
    """Largest error in ULP with the ideal hole, over the reals: that of the fixed part alone."""
    row = scaffold(name)
    frame = Frame(row, contracts=contracts, flush=flush)
    pool = frame.pool(make_target(row.function, "float32"), 0, 512)
    assert pool.x.size > 200
    result = frame.run(pool.rows, frame.ideal(pool.rows))
    return float((np.abs(result - pool.reference) * pool.weight).max())


@pytest.mark.parametrize("name", ONE_INPUT)
def test_the_ideal_hole_gives_the_function(name):
    on_gpu = "cuda" in PLATFORMS.get(name, ())
    error = fixed_error(name, contracts=not on_gpu, flush=not on_gpu)
    assert error < BOUNDS.get(name, 0.4)
    assert scaffold(name) in scaffolds_of(scaffold(name).function)


@pytest.mark.parametrize("name", [n for n, where in PLATFORMS.items() if where == ("tpu",)])
def test_the_ideal_hole_gives_the_function_as_a_tpu_rounds(name):
    error = fixed_error(name, contracts=False, flush=True)
    assert error < TPU_BOUNDS.get(name, BOUNDS.get(name, 0.4))


def test_short_scaffolds_of_a_tpu_are_left_out_for_one_ulp():
    assert [one.name for one in scaffolds_of("sinh", backend("tpu:v5e"), 1.0)] == ["sinh-parts"]


def test_a_search_is_offered_no_scaffold_of_two_inputs():
    assert scaffold("pow").inputs == scaffold("atan2").inputs == 2
    assert not scaffolds_of("pow") + scaffolds_of("atan2")


@pytest.mark.parametrize(
    ("function", "max_ulp", "names"),
    [
        ("exp2", 1.0, ["exp2"]),
        ("exp2", 0.51, ["exp2", "exp2-wide"]),
        ("logistic", 1.0, ["logistic", "logistic-short", "logistic-quotient"]),
        ("logistic", 2.2, ["logistic", "logistic-short", "logistic-fast"]),
        ("exp", 0.9, ["exp", "exp-tail"]),
        ("exp", 5.0, ["exp", "exp-tail", "exp-fast"]),
    ],
)
def test_scaffolds_for_other_bounds_are_left_out(function, max_ulp, names):
    assert [one.name for one in scaffolds_of(function, backend("cpu"), max_ulp)] == names


@pytest.mark.parametrize(
    "name",
    [
        "sin-fused",
        "cos-fused",
        "tan-fused",
        "cos-near",
        "tan-near",
        "exp-gradual",
        "exp-tail",
        "asin-mixed",
        "log-exact",
        "log-halved",
        "log-nested",
        "log10-nested",
        "acos-short",
        "atan-short",
        "cbrt-fused",
        "sin-words",
        "cos-turns",
        "cos-quarters",
        "sin-quarters",
        "asin-newton",
        "asin-residual",
        "acos-newton",
        "acos-residual",
        "atan-newton",
        "atan-folded",
        "tan-turns",
        "tan-quarters",
        "sinc-newton",
        "sinc",
        "rsqrt",
        "rsqrt-short",
        "asinh",
        "acosh",
        "tanh-shared",
        "tanh-fast",
        "logistic-short",
        "logistic-quotient",
        "silu-quotient",
        "gelu-tanh",
        "mish",
        "exp-parts",
        "expm1-parts",
        "cosh-parts",
        "cosh-short",
        "sinh-parts",
        "sinh-short",
        "erfc-short",
        "logistic-parts",
        "logistic-exact",
        "gelu-short",
        "softplus-parts",
        "log-sigmoid-parts",
        "mish-parts",
        "tanh-parts",
        "log2-split",
        "log10-split",
        "log1p-masked",
        "cbrt-exact",
        "rsqrt-exact",
        "atanh-octaves",
        "asinh-sum",
        "acosh-sum",
        "bessel-i0e-root",
        "bessel-i1e-root",
        "erf-inv-quotient",
        "erf-inv-octaves",
        "silu-residual",
        "mish-residual",
        "gelu-tanh-residual",
        "erf-powers",
        "erfc-pairs",
        "bessel-i0e-inverse",
        "bessel-i1e-inverse",
        "sinc-residual",
        "gelu-residual",
        "tan-pairs",
        "log2-halves",
        "atanh-parts",
        "asinh-parts",
        "acosh-parts",
        "erf-inv-parts",
    ],
)
def test_scaffolds_are_what_their_forms_print(name, monkeypatch):
    monkeypatch.syspath_prepend(BASELINES)
    printed = importlib.import_module("devices").scaffold_text(name)
    assert parse_program(printed) == scaffold(name).program
    assert feed(printed) == feed(scaffold(name).text)


@pytest.fixture
def cutting(monkeypatch):
    monkeypatch.syspath_prepend(BASELINES)
    return importlib.import_module("cut")


def test_what_was_cut_out_fits_in_its_hole(cutting):
    """And what is left is the scaffold that ships."""
    programs = {entry.name: entry.program for entry in entries()}
    for name, (entry, source, result) in cutting.CUTS.items():
        row, program = scaffold(name), programs[entry]
        text = cutting.scaffold_text(program, source, result)
        assert parse_program(text) == row.program, name
        assert feed(text) == feed(row.text)
        filled = row.fill(cutting.hole(program, source, result))
        assert content_hash(filled) == content_hash(program), name


def test_parts_depend_on_one_value(cutting):
    b = Builder("two", x=F32)
    z = b.apply("mul", 0, 0)
    inner = b.apply("add", b.apply("mul", z, b.const(0.5, F32)), b.const(1.0, F32))
    square = b.apply("mul", inner, inner)
    program = b.build(b.apply("select", b.apply("gt", 0, b.const(2.0, F32)), z, square))
    found = {(part.source, part.result): part.operations for part in cutting.parts(program)}
    assert found == {(0, square): 4, (z, square): 3}


def feed(text: str) -> str:
    """The line that gives the hole its input."""
    return next(line for line in text.splitlines() if line.strip().startswith("%r:"))


@pytest.mark.parametrize("name", ["sin-fused", "cos-fused", "tan-fused", "cos-near", "tan-near"])
def test_what_is_left_of_half_turns_is_right(name):
    """To 25 bits of the function where ranges of exponents end, and next to zeros."""
    row = scaffold(name)
    ends = np.float32(2.0) ** np.asarray([-20, 0, 24, 50, 77, 102, 127], np.float32)
    zeros = np.float32([16367173 * 2.0**72, 11, 22, 355, 52.5 * np.pi])
    places = np.concatenate([ends, zeros]).view(np.int32)[:, None] + np.arange(-99, 99)
    x = places.astype(np.int32).ravel().view(np.float32).astype(np.float64)
    x = np.concatenate([x, -x])
    frame = Frame(row)
    rows = frame.rows(x)
    result = frame.run(rows, frame.ideal(rows))
    function = {"sin": mp.sin, "cos": mp.cos, "tan": mp.tan}[row.function]
    with mp.workprec(300):
        pairs = zip(result.tolist(), x.tolist(), strict=True)
        wrong = max(abs(y / function(mp.mpf(v)) - 1) for y, v in pairs)
    assert wrong < 2.0**-25
    # Where a hole has a limit alone, at 0 or 1/4, its row ends beside it.
    assert row.low - 1e-8 <= rows[0].min()
    assert rows[0].max() <= row.high + 1e-8


def test_a_hole_is_filled_in_its_place():
    hole = parse_program("program h(x: f32) -> f32 {\n  %0: f32 = mul x, x\n  return %0\n}\n")
    filled = make(TEXT).fill(hole)
    assert [item.op for item in filled.body] == ["guard", "mul", "add"]
    assert filled.body[1].operands == (1, 1)
    assert filled.body[2].operands == (2, 1)
    assert make(TEXT).evolved(hole) == range(1, 2)
    identity = parse_program("program h(x: f32) -> f32 {\n  return x\n}\n")
    assert make(TEXT).fill(identity).body[1].operands == (1, 1)


def test_a_hole_of_another_format_is_refused():
    wide = parse_program("program h(x: f64) -> f64 {\n  %0: f64 = mul x, x\n  return %0\n}\n")
    with pytest.raises(ProgramError, match="f64"):
        make(TEXT).fill(wide)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hole", "z", "must have an input and the parameter hole"),
        ("%r", "%s", "does not define %r"),
        ("guard x", "guard hole", "depends on the hole"),
    ],
)
def test_what_a_scaffold_must_have(old, new, message):
    broken = make(TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        broken.program, broken.feed  # noqa: B018


def test_an_unknown_scaffold_names_those_there_are():
    with pytest.raises(ConfigError, match="no scaffold 'half'; choose one of exp"):
        scaffold("half")


def test_a_result_says_what_was_evolved():
    target = make_target("exp2", "float32")
    config = SearchConfig(target=target, max_ulp=1.0, budget=parse_budget("10s"), scaffold="exp2")
    nodes = (float_constant(0.5), node(MUL, 1, 0))
    first, last = re.findall(r"%(\d+)", config.provenance(nodes))
    text = print_program(config.program(nodes))
    assert "const 0x1p-1" in text.splitlines()[1 + int(first)]
    assert f"%{last}: f32 = mul" in text
    scratch = SearchConfig(
        target=make_target("exp2", "float32", 0.0, 1.0), max_ulp=1.0, budget=parse_budget("10s")
    )
    assert scratch.provenance(nodes) == "from scratch"


def test_a_scaffold_of_another_function_is_refused():
    with pytest.raises(ConfigError, match="scaffold exp is one of exp, not of exp2"):
        SearchConfig(
            target=make_target("exp2", "float32"), max_ulp=1.0, budget=parse_budget("10s"),
            scaffold="exp",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "backend", "choice"),
    [
        ("sin", "tpu:v5e", "choose sin-words"),
        ("exp", "cuda:sm_90", "choose exp-gradual"),
        ("sin-fused", "cuda:sm_90", "choose sin"),
    ],
)
def test_a_scaffold_that_a_backend_has_no_use_for_is_refused(name, backend, choice):
    """The first computes in float64, the second takes subnormal numbers for zero, the third needs
    the contraction of a*b + c."""
    with pytest.raises(ConfigError, match=rf"scaffold {name} is not one that {backend}.*{choice}"):
        SearchConfig(
            target=make_target(scaffold(name).function, "float32"), max_ulp=1.0,
            budget=parse_budget("10s"), scaffold=name, backend=backend,
        )  # fmt: skip


def test_a_float64_hole_has_no_operations_on_bits():
    config = SearchConfig(
        target=make_target("sin", "float32"), max_ulp=1.0, budget=parse_budget("10s"),
        scaffold="sin",
    )  # fmt: skip
    random = Random(0)
    mutator = Mutator(random, config.mutation_ops())
    nodes = (float_constant(0.5), node(MUL, 1, 0))
    for _ in range(300):
        nodes, _ = simplify(*mutator.mutate(nodes, nodes))
        config.program(nodes)
        if len(nodes) > 20:
            nodes = (float_constant(0.5), node(MUL, 1, 0))


def test_a_search_begins_with_a_float64_hole():
    config = SearchConfig(
        target=make_target("sin", "float32"), max_ulp=1.0, budget=parse_budget("10s"),
        scaffold="sin", begin="program h(x: f64) -> f64 { %0: f64 = mul x, x return %0 }",
    )  # fmt: skip
    assert config.beginning() == (node(MUL, 0, 0),)
    with pytest.raises(ConfigError, match="must have one float64 input"):
        replace(config, begin="program h(x: f32) -> f32 { return x }")


@pytest.mark.parametrize(
    ("function", "there", "found"),
    [
        ("exp", "cpu", ["exp", "exp-tail", "exp-fast"]),
        ("exp", "cuda:sm_90", ["exp-gradual", "exp-parts-gradual"]),
        ("tanh", "tpu:v5e", ["tanh-exp2", "tanh-parts"]),
        ("exp", "tpu:v5e", ["exp", "exp-parts"]),
        ("cosh", "tpu:v5e", ["cosh-parts", "cosh-short"]),
        ("sin", "tpu:v5e", ["sin-words", "sin-quarters"]),
        ("sin", "cuda:sm_90", ["sin"]),
        ("sin", "cpu", ["sin", "sin-fused"]),
        ("cos", "cpu", ["cos", "cos-fused", "cos-near"]),
    ],
)
def test_a_backend_gets_what_it_can_compute(function, there, found):
    names = [row.name for row in scaffolds_of(function, backend(there))]
    assert [name for name in names if name in LIMITED or name == function] == found
