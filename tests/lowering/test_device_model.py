"""Models of devices: what they compute, and what they refuse to model."""

import numpy as np
import pytest

from tests.lowering.plugins import installed
from tests.lowering.programs import ordinary, same
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend
from xla_evo_lowering.costs import cost_and_model
from xla_evo_lowering.device_model import ARITHMETIC, device_model
from xla_evo_lowering.dtypes import F32
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.stages import STAGE_TABLE
from xla_evo_lowering.text import parse_program

PRODUCT = parse_program("""\
program product(x: f32) -> f32 {
  %0: f32 = const 0x1.5p-3
  %1: f32 = mul x, %0
  %2: f32 = add %1, x
  return %2
}
""")
QUOTIENT = parse_program(
    "program q(x: f32) -> f32 { %0: f32 = mul x, x %1: f32 = div x, %0 return %1 }"
)
MINIMUM = b"""\
\tsetp.nan.f64 \t%p4, %rd1, %rd1;
\tmin.f64 \t%rd3, %rd1, 0d430C6BF526340000;
\tselp.f64 \t%rd4, 0d7FF8000000000000, %rd3, %p4;
"""
HLO = b"""\
ENTRY %main (x: f32[8]) -> f32[8] {
  %x = f32[8]{0} parameter(0)
  ROOT %y = f32[8]{0} multiply(%x, %x)
}
"""


@pytest.mark.parametrize("name", installed("cpu:sse4", "cuda:sm_90", "tpu:v5e"))
def test_a_model_rounds_each_operation_and_costs_something(name):
    row = backend(name)
    with AheadOfTime(row) as process:
        cost, model = cost_and_model(row, as_function(PRODUCT), (F32,), process)
        if "div" in ARITHMETIC[row.platform].lacks:
            with pytest.raises(BackendError, match="is not known to the bit"):
                cost_and_model(row, as_function(QUOTIENT), (F32,), process)
    x = ordinary(F32, 20_000)
    assert same(model(x), evaluate(PRODUCT, x, flush=row.flushes_subnormals)).all()
    assert cost.value > 0


@pytest.mark.parametrize(
    ("name", "code", "unknown"),
    [
        ("cuda:sm_90", b"\tmul.rn.f32 %r1, %r2, %r2;\n", ""),
        ("cuda:sm_90", b"\tmul.rn.ftz.f32 %r1, %r2, %r2;\n", ".ftz"),
        ("cuda:sm_90", b"\tfma.rn.f32 %r1, %r2, %r2, %r3;\n", "fma.rn.f32"),
        ("cuda:sm_90", b"\tsqrt.approx.f32 %r1, %r2;\n", "sqrt.approx.f32"),
        ("cuda:sm_90", b"\tmax.f32 %r1, %r2, %r3;\n", "max.f32"),
        ("cuda:sm_90", b"\tmax.NaN.f32 %r1, %r2, %r3;\n\tmad.lo.s32 %r1, %r2, %r3, %r4;\n", ""),
        ("cuda:sm_90", b"\tmin.f64 \t%rd3, %rd1, %rd2;\n", "min.f64"),
        ("cuda:sm_90", MINIMUM, ""),
        (
            "cuda:sm_90",
            MINIMUM.replace(b"nan.f64 \t%p4, %rd1, %rd1", b"nan.f64 \t%p4, %rd1, %rd2"),
            "min.f64",
        ),
        ("cuda:sm_90", MINIMUM.replace(b"0d430C6BF526340000", b"%rd2"), "min.f64"),
        ("cuda:sm_90", MINIMUM + b"\tmul.rn.f64 \t%rd5, %rd3, %rd3;\n", "min.f64"),
        ("tpu:v5e", b" 0x1 : { %v1 = vmul.f32 %v0, %v0 }", ""),
        ("tpu:v5e", b" 0x1 : { %v1 = vrcp.f32 %v0 }", "vrcp"),
    ],
)
def test_operations_that_are_not_known_to_the_bit_are_refused(name, code, unknown):
    row = backend(name)
    texts = {"optimized": HLO, ARITHMETIC[row.platform].stage: code}
    if unknown:
        with pytest.raises(BackendError, match=f"the result of {unknown} is not known"):
            device_model(row, texts)
        return
    assert device_model(row, texts)(np.float32([3.0])) == 9.0


def test_subnormals_are_kept_on_gpu_and_flushed_on_tpu():
    x = np.float32([1e-30])
    found = [
        device_model(backend(name), {"optimized": HLO.replace(b"(%x, %x)", b"(%x, %c)").replace(
            b"  ROOT", b"  %c = f32[8]{0} constant(1e-10)\n  ROOT"),
            ARITHMETIC[backend(name).platform].stage: b""})(x)[0]
        for name in ("cuda:sm_90", "tpu:v5e")
    ]  # fmt: skip
    assert found[0] == np.float32(1e-30) * np.float32(1e-10) > 0
    assert found[1] == 0


def test_every_platform_has_a_row_and_a_stage():
    assert set(ARITHMETIC) == set(STAGE_TABLE)
    for platform, row in ARITHMETIC.items():
        assert row.stage in {stage.name for stage in STAGE_TABLE[platform]}


def test_a_compilation_without_device_code_has_no_model():
    with pytest.raises(BackendError, match="did not write ptx; no model"):
        device_model(backend("cuda:sm_90"), {"optimized": HLO})
