"""Forms whose constants are data or made anew are what ships."""

import subprocess
import sys
from pathlib import Path

import pytest

from xla_evo.library import entries
from xla_evo_lowering.canonical import canonical
from xla_evo_lowering.program import Program, constant_array
from xla_evo_lowering.text import parse_program

TOOL = Path(__file__).parents[2] / "tools" / "baselines"


@pytest.mark.parametrize(
    ("form", "names"),
    [
        (
            "single",
            ["atanh", "log", "log1p", "log2", "erf", "atan", "atan2", "asinh", "acosh", "cbrt"],
        ),
        ("single", ["cosh", "sinh", "softplus", "log_sigmoid", "pow"]),
        ("call", ["sin", "cos", "tan"]),
        ("fast", ["exp", "atan"]),
        ("one", ["sin", "cos"]),
        ("near", ["logistic", "silu", "mish", "gelu_tanh", "tanh"]),
    ],
)
def test_the_forms_build_what_ships(form: str, names: list[str], tmp_path: Path) -> None:
    """Up to the last digits of constants that are fitted anew, which depend on the BLAS library."""
    subprocess.run(
        [sys.executable, str(TOOL), *names, "--form", form, "--out", str(tmp_path)], check=True
    )
    for name in names:
        made = parse_program((tmp_path / f"{name}.prog").read_text(encoding="utf-8"))
        assert operations(made) in [operations(e.program) for e in entries(name, "float32")], name


def operations(program: Program) -> list[tuple[str, str]]:
    """Every operation with what it gives, constants to nine digits, in any order."""
    return sorted(
        (row.op, f"{float(constant_array(row)):.9g}" if row.op == "const" else row.dtype.short)
        for row in canonical(program).body
    )
