"""The forms in float32 alone that take their constants as data are what ships."""

import subprocess
import sys
from pathlib import Path

from xla_evo.library import entries
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.text import parse_program

TOOL = Path(__file__).parents[2] / "tools" / "baselines"


def test_the_forms_build_what_ships(tmp_path: Path) -> None:
    names = ("atanh", "log1p", "log2", "erf")
    subprocess.run(
        [sys.executable, str(TOOL), *names, "--form", "single", "--out", str(tmp_path)], check=True
    )
    for name in names:
        made = content_hash(parse_program((tmp_path / f"{name}.prog").read_text(encoding="utf-8")))
        assert made in {entry.certificate.program_hash for entry in entries(name, "float32")}, name
