"""Forms whose constants are data or made anew are what ships."""

import subprocess
import sys
from pathlib import Path

import pytest

from xla_evo.library import entries
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.text import parse_program

TOOL = Path(__file__).parents[2] / "tools" / "baselines"


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("single", ["atanh", "log1p", "log2", "erf"]),
        ("call", ["sin", "cos", "tan"]),
        ("fast", ["exp"]),
    ],
)
def test_the_forms_build_what_ships(form: str, names: list[str], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(TOOL), *names, "--form", form, "--out", str(tmp_path)], check=True
    )
    for name in names:
        made = content_hash(parse_program((tmp_path / f"{name}.prog").read_text(encoding="utf-8")))
        assert made in {entry.certificate.program_hash for entry in entries(name, "float32")}, name
