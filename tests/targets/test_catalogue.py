"""Every row of the catalogue against mpmath and JAX."""

import math
import pickle

import jax
import mpmath as mp
import numpy as np
import pytest

from xla_evo.errors import TargetError
from xla_evo.targets.catalogue import CATALOGUE, function

ROWS = [pytest.param(row, id=name) for name, row in CATALOGUE.items()]
UNARY = [pytest.param(row, id=name) for name, row in CATALOGUE.items() if row.arity == 1]
EXPECTED = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "erfc",
    "erf_inv",
    "logistic",
    "cbrt",
    "rsqrt",
    "sqrt",
    "lgamma",
    "digamma",
    "bessel_i0e",
    "bessel_i1e",
    "pow",
    "atan2",
    "gelu",
    "gelu_tanh",
    "silu",
    "softplus",
    "mish",
    "log_sigmoid",
    "sinc",
]


def neighbours(centres, steps=(0, 1, -1, 2, -2, 77, -77, 10**6, -(10**6))):
    """float64 and float32 numbers a few steps from each centre."""
    out = []
    for kind, integer in ((np.float64, np.int64), (np.float32, np.int32)):
        for centre in centres:
            bits = np.asarray([centre], kind).view(integer)
            out += [float((bits + integer(step)).view(kind)[0]) for step in steps]
    return out


def points(row, count=60):
    random = np.random.default_rng(7)
    ranges = [2.0 ** random.uniform(-126, 127, count), random.uniform(0, 1, count)]
    ranges += [random.uniform(0, 20, count), random.uniform(0, 110, count)]
    positive = np.concatenate(ranges)
    special = neighbours([z for z in (*row.zeros, *row.poles) if z])
    x = np.concatenate([positive, -positive, special])
    return x[(x >= row.domain[0]) & (x <= row.domain[1])]


def error_in_float64_ulp(row, arguments, value):
    with mp.workprec(110):
        exact = row.mp(*(mp.mpf(a) for a in arguments))
        if not mp.isfinite(exact) or abs(exact) >= mp.mpf(2) ** 1024:
            return 0.0 if not math.isfinite(value) else math.inf
        if exact == 0 or abs(exact) < mp.mpf(2) ** -1022:
            return 0.0 if abs(value) <= 2.0**-1022 else math.inf
        if not math.isfinite(value):
            return math.inf
        return float(abs(mp.mpf(value) - exact) / mp.ldexp(1, int(mp.mag(exact)) - 53))


def test_the_catalogue_is_complete():
    assert set(EXPECTED) <= set(CATALOGUE)


@pytest.mark.parametrize("row", UNARY)
@pytest.mark.parametrize("short", [False, True], ids=["float64", "float32"])
def test_float64_form_is_within_its_stated_error(row, short):
    x = points(row)
    if short:
        x = x.astype(np.float32).astype(np.float64)
        x = x[(x >= row.domain[0]) & (x <= row.domain[1])]
    values = row.f64(x)
    assert values.dtype == np.float64
    worst = max(
        (error_in_float64_ulp(row, (a,), v), a)
        for a, v in zip(x.tolist(), values.tolist(), strict=True)
    )
    assert worst[0] <= row.f64_error_ulp, worst


ENDS = [
    2.0 ** np.linspace(-126, -28.01, 12), -(2.0 ** np.linspace(-126, -28.01, 12)),
    2.0 ** np.linspace(5.4, 14, 12), -(2.0 ** np.linspace(3.1, 14, 12)),
    2.0 ** np.linspace(30, 127, 12), -(2.0 ** np.linspace(30, 127, 12)),
    *(sign * np.ldexp([1.0, 1.37, 2.0 - 2.0**-52], k) for k in range(-30, 60) for sign in (1, -1)),
]  # fmt: skip


@pytest.mark.parametrize("row", UNARY)
def test_float64_form_is_within_its_stated_error_on_arrays_at_one_end(row):
    """Forms may answer such arrays by the first terms of a series."""
    for x in ENDS:
        inside = x[(x >= row.domain[0]) & (x <= row.domain[1])]
        pairs = zip(inside.tolist(), row.f64(inside).tolist(), strict=True)
        worst = max(((error_in_float64_ulp(row, (a,), v), a) for a, v in pairs), default=(0.0, 0))
        assert worst[0] <= row.f64_error_ulp, worst


@pytest.mark.parametrize("row", UNARY)
def test_float64_form_is_within_its_stated_error_where_no_float32_is(row):
    far = 2.0 ** np.concatenate([np.linspace(-1074, -127, 40), np.linspace(128, 1023, 20)])
    x = np.concatenate([[0.5], far, -far])  # 0.5 so that no form for one end serves all
    x = x[(x >= row.domain[0]) & (x <= row.domain[1])]
    errors = [
        (error_in_float64_ulp(row, (a,), v), a)
        for a, v in zip(x.tolist(), row.f64(x).tolist(), strict=True)
    ]
    assert max(errors)[0] <= row.f64_error_ulp, max(errors)


@pytest.mark.parametrize("name", ["pow", "atan2"])
def test_float64_form_of_two_arguments_is_within_its_stated_error(name):
    row = CATALOGUE[name]
    random = np.random.default_rng(3)
    a = np.concatenate([random.uniform(0, 20, 100), 2.0 ** random.uniform(-20, 20, 100)])
    b = random.uniform(-20, 20, 200)
    worst = max(
        error_in_float64_ulp(row, (p, q), v)
        for p, q, v in zip(a.tolist(), b.tolist(), row.f64(a, b).tolist(), strict=True)
    )
    assert worst <= row.f64_error_ulp


@pytest.mark.parametrize("row", ROWS)
def test_special_values_of_the_float64_form(row):
    for key, expected in row.specials:
        arguments = [np.asarray([part]) for part in np.atleast_1d(key)]
        got = float(row.f64(*arguments)[0])
        same = math.isnan(got) if math.isnan(expected) else got == expected
        assert same, (key, got, expected)
        if not math.isnan(expected):
            assert math.copysign(1, got) == math.copysign(1, expected), (key, got, expected)


@pytest.mark.parametrize("row", ROWS)
def test_special_values_agree_with_mpmath_where_it_has_them(row):
    """mpmath has no signed zero; magnitudes and infinities at finite inputs are compared."""
    for key, expected in row.specials:
        arguments = np.atleast_1d(key).tolist()
        inside = all(math.isfinite(a) and row.domain[0] <= a <= row.domain[1] for a in arguments)
        if inside and abs(expected) != math.pi:
            exact = abs(row.mp(*(mp.mpf(a) for a in arguments)))
            assert (mp.isnan(exact) and math.isnan(expected)) or exact == abs(expected), key


# Where the built-in itself departs from the exact value of a special input.
BUILTIN_INEXACT = {
    "lgamma": (1.0, 2.0),
    "bessel_i0e": (0.0,),
    "cbrt": (8.0,),
    "pow": ((-2.0, 3.0),),
}
if jax.__version_info__ < (0, 11):
    BUILTIN_INEXACT |= {"digamma": (0.0, -0.0), "sinc": (math.inf, -math.inf)}


@pytest.mark.parametrize("row", ROWS)
def test_special_values_agree_with_jax(row):
    builtin = jax.jit(row.builtin_function())
    for key, expected in row.specials:
        if key in BUILTIN_INEXACT.get(row.name, ()):
            continue
        arguments = [np.float32([part]) for part in np.atleast_1d(key)]
        got = float(np.asarray(builtin(*arguments))[0])
        np.testing.assert_array_equal(got, np.float32(expected), err_msg=str(key))
        if expected == 0:
            assert math.copysign(1, got) == math.copysign(1, expected), key


@pytest.mark.parametrize("row", UNARY)
def test_symmetry_holds_in_mpmath(row):
    checked = [x for x in (0.1, 0.5, 0.9, 1.25, 7.5) if abs(x) <= row.domain[1]]
    for x in checked:
        if row.symmetry != "none":
            sign = -1 if row.symmetry == "odd" else 1
            difference = row.mp(mp.mpf(-x)) - sign * row.mp(mp.mpf(x))
            assert abs(difference) < 1e-14, x
        elif row.domain[0] < 0 and row.domain[1] > 1:
            assert abs(abs(row.mp(mp.mpf(-x))) - abs(row.mp(mp.mpf(x)))) > 1e-12


@pytest.mark.parametrize("row", UNARY)
def test_zeros_and_poles_are_where_stated(row):
    for zero in row.zeros:
        if zero != 0.0:
            near = zero * (1 - 1e-9 if zero * (1 - 1e-9) >= row.domain[0] else 1 + 1e-9)
            at_zero, beside = (abs(float(row.f64(np.asarray([v]))[0])) for v in (zero, near))
            assert at_zero < 1e-3 * beside, zero
    for pole in row.poles:
        assert row.domain[0] <= pole <= row.domain[1]


@pytest.mark.parametrize("row", ROWS)
def test_the_primitive_is_what_jax_binds(row):
    jaxpr = str(jax.make_jaxpr(row.builtin_function())(*[np.float32(0.75)] * row.arity))
    if row.primitive is not None:
        assert f" {row.primitive}" in jaxpr


@pytest.mark.parametrize("row", ROWS)
def test_rows_pickle_by_name(row):
    assert pickle.loads(pickle.dumps(row)) is row


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(TargetError, match=r"unknown function 'expp'.*did you mean exp"):
        function("expp")


def test_a_function_without_a_builtin_says_so():
    from xla_evo.targets.expression import function_from_expression

    with pytest.raises(TargetError, match="no built-in"):
        function_from_expression("erf(x)/x").builtin_function()
