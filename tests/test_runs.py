import shlex
from pathlib import Path

import pytest

from xla_evo.runs import default_folder, resume_command


@pytest.mark.parametrize(
    ("function", "name"),
    [("exp2", "exp2-0"), ("sin(x)/x", "sin_x_x-0"), ("+".join(["x"] * 90), "x_" * 19 + "x-0")],
)
def test_a_folder_is_one_short_name_that_is_not_taken(tmp_path, monkeypatch, function, name):
    monkeypatch.chdir(tmp_path)
    first = default_folder(function, "0")
    assert first == Path("runs") / name
    first.mkdir(parents=True)
    assert default_folder(function, "0") == Path("runs") / f"{name}-2"


def test_the_command_is_one_that_a_shell_reads():
    assert shlex.split(resume_command(Path("runs/a b(x)"))) == ["xla-evo", "resume", "runs/a b(x)"]
