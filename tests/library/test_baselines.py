"""The hand-made forms: what `tools/baselines` builds is what it says."""

import subprocess
import sys
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from xla_evo.accuracy.generated import generated
from xla_evo.accuracy.specials import check_specials
from xla_evo.accuracy.sweep import measure_exhaustive, measure_inputs, measure_sampled
from xla_evo.targets.target import make_target
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.contraction import contract
from xla_evo_lowering.device_model import DeviceModel
from xla_evo_lowering.dtypes import F32, F64, I64, U64
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.ordinary import ordinary
from xla_evo_lowering.text import parse_program

TOOL = Path(__file__).parents[2] / "tools" / "baselines"


def printed(*arguments: str, tool: Path = TOOL) -> str:
    run = subprocess.run(
        [sys.executable, str(tool), *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout


def test_sixteen_bit_form_is_within_its_tier() -> None:
    program = parse_program(printed("tanh", "--dtype", "bfloat16"))
    run = Executable.of_program(program)
    target = make_target("tanh", "bfloat16")
    found = measure_exhaustive(run, target, flush_to_zero=True, every_pattern=True)
    assert found.count == 1 << 16
    assert found.bound_ulp <= 0.51


@pytest.mark.parametrize(("name", "meaning"), [("atan2", np.arctan2), ("pow", np.power)])
@pytest.mark.parametrize("device", [False, True])
def test_single_form_of_two_arguments(name: str, meaning: np.ufunc, device: bool) -> None:
    if device:
        program = parse_program(printed(f"{name}-pairs", tool=TOOL / "devices.py"))
        run = generated(DeviceModel(program, flush=True))
    else:
        run = Executable.of_program(parse_program(printed(name, "--form", "single")))
    target = make_target(name, "float32")
    found = measure_sampled(run, target, flush_to_zero=True, samples=1 << 14)
    assert found.bound_ulp < 0.95
    sizes = np.asarray(
        [0, 0.5, 0.99999994, 1, 2, 2.5, 3, 16777215, 2.0**-126, 3.4028235e38, np.inf], np.float32
    )
    values = np.concatenate([sizes, -sizes, [np.nan]]).astype(np.float32)
    first, second = (grid.ravel() for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        exact = meaning(first.astype(np.float64), second.astype(np.float64)).astype(np.float32)
    least = np.float32(2.0**-126)
    result, exact = (
        np.where(abs(y) < least, np.copysign(np.float32(0), y), y)
        for y in (run(first, second), exact)
    )
    np.testing.assert_array_max_ulp(result, exact, 1)
    np.testing.assert_array_equal(np.signbit(result[exact == 0]), np.signbit(exact[exact == 0]))


def test_sine_holds_next_to_multiples_of_pi_and_between_the_ranges_of_exponents() -> None:
    run = Executable.of_program(parse_program(printed("sin")))
    nearest_to_a_multiple = np.float32(16367173.0) * np.float32(2.0**72)
    ends = np.float32(2.0) ** np.arange(0, 128, 32, dtype=np.float32)
    places = np.concatenate([[nearest_to_a_multiple], ends, np.nextafter(ends, np.float32(0))])
    target = make_target("sin", "float32")
    inputs = np.concatenate([places, -places]).astype(np.float32)
    assert measure_inputs(run, target, inputs, flush_to_zero=True, exact=True).bound_ulp <= 0.51


def test_float32_form_is_within_its_tier_on_a_sample() -> None:
    program = parse_program(printed("expm1", "--form", "single"))
    assert F64 not in program.types
    run = Executable.of_program(program)
    target = make_target("expm1", "float32")
    found = measure_sampled(run, target, flush_to_zero=True, samples=1 << 15)
    assert found.max_ulp <= 1.0


@pytest.mark.parametrize(
    ("name", "form", "bound"),
    [
        ("erf", "fast", 5.2),
        ("erfc", "fast", 10),
        ("gelu", "fast", 10),
        ("logistic", "fast", 2.35),
        ("erfc", "one", 1),
        ("gelu", "one", 1),
        ("mish", "near", 0.51),
        ("gelu_tanh", "near", 0.51),
        ("silu", "near", 0.51),
        ("logistic", "near", 0.51),
        ("tanh", "near", 0.51),
        ("bessel_i0e", "one", 1),
        ("bessel_i1e", "one", 1),
        ("cbrt", "single", 1),
        ("cosh", "single", 1),
        ("sinh", "single", 1),
        ("softplus", "single", 1),
        ("log_sigmoid", "single", 1),
        ("erf_inv", "one", 1),
        ("atan", "single", 1),
        ("asinh", "single", 1),
        ("acosh", "single", 1),
        ("lgamma", "one", 1),
        ("digamma", "one", 1),
        ("digamma", "near", 0.51),
        ("sin", "one", 0.7),
        ("cos", "one", 0.7),
        ("exp", "fast", 5),
        ("sin", "call", 1),
        ("cos", "call", 1),
        ("tan", "call", 1),
    ],
)
def test_form_is_within_its_bound_on_a_sample(name: str, form: str, bound: float) -> None:
    run = Executable.of_program(parse_program(printed(name, "--form", form)))
    target = make_target(name, "float32")
    found = measure_sampled(run, target, flush_to_zero=True, samples=1 << 15)
    assert found.max_ulp <= bound
    low, high = target.low, target.high
    assert not check_specials(run, target.function, F32, low, high, flush_to_zero=True)


@pytest.mark.parametrize(
    ("form", "bounds"),
    [
        ("wide", {"exp": 1.0, "log": 1.0, "asin": 0.8, "cbrt": 0.51}),
        ("fast", {"tanh": 3.0, "log1p": 2.0, "acosh": 2.95}),
    ],
)
def test_double_forms_are_within_their_bounds_on_a_sample(
    form: str, bounds: dict[str, float], tmp_path: Path
) -> None:
    printed(*bounds, "--dtype", "float64", "--form", form, "--out", str(tmp_path))
    for name, bound in bounds.items():
        run = Executable.of_program(parse_program((tmp_path / f"{name}.prog").read_text()))
        target = make_target(name, "float64")
        found = measure_sampled(run, target, flush_to_zero=True, samples=1 << 13, exact=False)
        assert found.max_ulp <= bound, name
        ends = target.low, target.high
        assert not check_specials(run, target.function, F64, *ends, flush_to_zero=True), name


@pytest.mark.parametrize(("form", "bound"), [("one", 1.0), ("near", 0.51)])
def test_digamma_holds_at_the_inputs_next_to_its_zeros(form: str, bound: float) -> None:
    run = Executable.of_program(parse_program(printed("digamma", "--form", form)))
    nearest = [1.4616321, -0.50408304, -0.504083, -1.5734982, -2.6107206, -5.667162, -66.795906]
    nearest += [1.46163213, -3.6352932, -3.635291]
    found = measure_inputs(
        run, make_target("digamma", "float32"), np.float32(nearest), flush_to_zero=True, exact=True
    )
    assert found.bound_ulp <= bound


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_forms_at_one_ulp_hold_next_to_zeros_and_where_ranges_of_exponents_end(name: str) -> None:
    """The zeros of each binade that float32 numbers come nearest to are by continued fractions."""
    run = Executable.of_program(parse_program(printed(name, "--form", "one")))
    near = [m * 2.0**e for e in range(-20, 104) for m in nearest_to_zeros(e)]
    ends = np.float32(2.0) ** np.asarray([50, 77, 102, 127], np.float32)
    beside = ends.view(np.int32)[:, None] + np.arange(-4000, 4000, dtype=np.int32)
    places = np.concatenate([np.asarray(near, np.float32), beside.ravel().view(np.float32)])
    target = make_target(name, "float32")
    inputs = np.concatenate([places, -places])
    assert measure_inputs(run, target, inputs, flush_to_zero=True, exact=True).bound_ulp <= 0.7


def nearest_to_zeros(exponent: int) -> list[int]:
    """Significands m of 24 bits with m 2^exponent next to a multiple of pi / 2.

    Denominators of the convergents of 2^(exponent + 1) / pi, and multiples of these.
    """
    with mp.workprec(400):
        rest = mp.ldexp(2 / mp.pi, exponent)
        last, now = 0, 1
        found = []
        while now < 1 << 24:
            found += [now * k for k in range(1, 9) if 1 << 23 <= now * k < 1 << 24]
            rest = 1 / (rest - mp.floor(rest))
            last, now = now, last + int(mp.floor(rest)) * now
        return found


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_forms_for_calls_hold_next_to_multiples_of_half_pi(name: str) -> None:
    program = parse_program(printed(name, "--form", "call"))
    part = ordinary(contract(program))
    assert part is not None
    assert {F64, I64, U64}.isdisjoint(part.program.types)
    largest = 2.0**13
    assert part.base + part.span == int(np.float32(largest).view(np.uint32)) - 1
    multiples = (np.arange(largest * 2 / np.pi) * (np.pi / 2)).astype(np.float32)
    beside = multiples.view(np.int32)[1:, None] + np.arange(-2, 3, dtype=np.int32)
    ends = np.float32(largest).view(np.int32) + np.arange(-9, 9, dtype=np.int32)
    inputs = np.concatenate([beside.ravel(), ends]).view(np.float32)
    target = make_target(name, "float32")
    for run in (Executable.of_program(program), lambda x: evaluate(contract(program), x)):
        found = measure_inputs(run, target, inputs, flush_to_zero=True)
        assert found.bound_ulp <= 1.0


def test_unknown_function_is_one_line() -> None:
    run = subprocess.run([sys.executable, str(TOOL), "nope"], capture_output=True, text=True)
    assert run.returncode == 2
    assert "no form for nope" in run.stderr
