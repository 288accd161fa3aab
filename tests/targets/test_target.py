import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xla_evo.errors import ConfigError, TargetError
from xla_evo.targets.ordering import from_ordinal, number, ordinal, round_down, round_up, to_ordinal
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.dtypes import BF16, F16, F32, F64, FLOATS


def test_counts_of_known_domains():
    assert make_target("exp2", "float32", 0, 1).count() == 1_065_353_217
    assert make_target("log2", "float32", 1, 2).count() == 2**23 + 1
    assert make_target("exp", "float32").count() == 2**32 - 2 * (2**23 - 1)
    assert make_target("tanh", "bfloat16").count() == 2**16 - 2 * 127
    assert make_target("exp2", "float32", -0.0, 1).count() == 1_065_353_218


def test_ends_are_rounded_inward():
    target = make_target("exp", "float32", -0.34657359, 0.34657359)
    assert target.low == -target.high
    assert target.high <= 0.34657359 < float(np.nextafter(np.float32(target.high), np.float32(1)))
    wide = make_target("exp", "float16", -1e9, 1e9)
    assert (wide.low, wide.high) == (-65504.0, 65504.0)


@pytest.mark.parametrize("make", [
    lambda: make_target("airy", "float32", 0, 1),
    lambda: make_target("exp", "float32", 1, 0),
    lambda: make_target("exp", "float32", 1, 1),
    lambda: make_target("exp", "bfloat16", 1.0001, 1.0002),
    lambda: make_target("exp", "float32", math.nan, 1),
    lambda: make_target("exp", "int32", 0, 1),
    lambda: make_target("exp", "real", 0, 1, measure="ulp"),
    lambda: make_target("exp", "float32", 0, 1, measure="bits"),
    lambda: make_target("exp", "float32", 0, 1, measure="absolute"),
    lambda: make_target("exp", "bfloat16", 0, 1, measure="relative"),
    lambda: make_target("log", "float32", -1, 1),
    lambda: make_target("exp", "float32", 1e39, math.inf),
    lambda: make_target(expr="erf(x)/x"),
    lambda: make_target("exp", expr="x"),
    lambda: make_target(),
])  # fmt: skip
def test_bad_targets_are_refused_in_one_line(make):
    with pytest.raises(TargetError) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="unknown dtype"):
        make_target("exp", "float31")


@pytest.mark.parametrize(
    ("expr", "low", "high", "what", "where"),
    [
        ("1/x", -1, 1, "pole", 0.0),
        ("1/(x-0.3)**2", 0, 1, "pole", 0.3),
        ("tan(x)", 0, 3, "pole", math.pi / 2),
        ("gamma(x)", -1.5, 1, "pole", -1.0),
        ("1/x", 0, 1, "pole", 0.0),
        ("log(x)", -1, 1, "not a real", -1.0),
        ("sqrt(x-0.5)", 0, 1, "not a real", 0.0),
    ],
)
def test_poles_and_complex_values_are_found_and_named(expr, low, high, what, where):
    with pytest.raises(TargetError, match=what) as caught:
        make_target(expr=expr, low=low, high=high)
    assert float(str(caught.value).split("x = ")[1].split(";")[0]) == pytest.approx(where, abs=1e-6)


@pytest.mark.parametrize("expr", ["erf(x)/x", "x**3-x", "sin(10*x)", "sqrt(x+1)", "exp(-50*x*x)"])
def test_good_expressions_pass(expr):
    assert make_target(expr=expr, low=-1, high=1).count() > 0


def test_a_declared_value_serves_where_the_expression_has_none():
    target = make_target(expr="exp(-1/x)", low=0, high=4, specials={0.0: 0.0})
    assert target.function.f64(np.array([0.0, 4.0])).tolist() == [0.0, math.exp(-0.25)]
    with pytest.raises(TargetError, match="pole"):
        make_target(expr="1/x", low=0, high=1, specials={0.0: math.inf})


@pytest.mark.parametrize(
    "target",
    [make_target("exp2", "f32", 0, 1), make_target("log", "bf16"),
     make_target(expr="erf(x)/x", dtype="real", low=-1, high=0.1)],
    ids=["exp2", "log", "expression"],
)  # fmt: skip
def test_targets_survive_json_and_pickle(target):
    assert Target.from_json(target.to_json()) == target
    assert pickle.loads(pickle.dumps(target)) == target
    assert target.function.name in target.describe()


def test_a_damaged_json_is_refused():
    with pytest.raises(TargetError, match="not a target"):
        Target.from_json({"function": "exp"})


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda row: row.name)
def test_ordinals_follow_the_values(dtype):
    edge = [-math.inf, -1.0, -(2.0**dtype.emin), -0.0, 0.0, 2.0**dtype.emin, 1.0, math.inf]
    assert [ordinal(v, dtype) for v in edge] == sorted({ordinal(v, dtype) for v in edge})
    assert (ordinal(-0.0, dtype), ordinal(0.0, dtype)) == (-1, 0)
    if dtype.bits == 16:
        ordinals = np.arange(-(2**15), 2**15)
        values = from_ordinal(ordinals, dtype)
        np.testing.assert_array_equal(to_ordinal(values, dtype), ordinals)
        with np.errstate(invalid="ignore"):
            wide = values.astype(np.float64)
        assert (np.diff(wide[np.isfinite(wide)]) >= 0).all()


@given(st.floats(allow_nan=False), st.sampled_from([F16, BF16, F32, F64]))
def test_rounding_inward_is_tight(value, dtype):
    up, down = round_up(value, dtype), round_down(value, dtype)
    assert down <= value <= up
    assert ordinal(up, dtype) - ordinal(down, dtype) <= 1
    assert number(ordinal(up, dtype), dtype) == up


@pytest.mark.parametrize(
    ("dtype", "narrow"),
    [("float32", True), ("bfloat16", True), ("float64", False), ("real", False)],
)
def test_references_of_expressions_are_as_exact_as_the_format_needs(dtype, narrow):
    target = make_target(expr="(1-cos(x))/x**2", dtype=dtype, low=0.01, high=1.0)
    for one in (target, Target.from_json(target.to_json()), pickle.loads(pickle.dumps(target))):
        assert one == target
        assert one.function.narrow is narrow
