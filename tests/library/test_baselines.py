"""The hand-made forms: what `tools/baselines` builds is what it says."""

import subprocess
import sys
from pathlib import Path

from xla_evo.accuracy.sweep import measure_exhaustive
from xla_evo.targets.target import make_target
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.text import parse_program

TOOL = Path(__file__).parents[2] / "tools" / "baselines"


def printed(*arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=True
    )
    return run.stdout


def test_sixteen_bit_form_is_within_its_tier() -> None:
    program = parse_program(printed("tanh", "--dtype", "bfloat16"))
    run = Executable.of_program(program)
    target = make_target("tanh", "bfloat16")
    found = measure_exhaustive(run, target, flush_to_zero=True, every_pattern=True)
    assert found.count == 1 << 16
    assert found.bound_ulp <= 0.51


def test_unknown_function_is_one_line() -> None:
    run = subprocess.run([sys.executable, str(TOOL), "nope"], capture_output=True, text=True)
    assert run.returncode == 2
    assert "no form for nope" in run.stderr
