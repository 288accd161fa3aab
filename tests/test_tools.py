"""What the tools refuse, by one message and exit code 2 before any work, and what they name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from xla_evo.scaffolds import scaffold

TOOLS = Path(__file__).parents[1] / "tools"


def run(words):
    tool, *options = words.split()
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.run(
        [sys.executable, str(TOOLS / tool), *options], env=os.environ | {"PYTHONPATH": path},
        text=True, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bench_search.py --budget foo", "budget 'foo' is not a time"),
        ("bench_store.py --entries 0", "--entries must be at least 1, not 0"),
        ("bench_backends.py nosuch", "unknown backend 'nosuch'"),
        ("bench_backends.py cpu --programs -1", "--programs must be at least 0, not -1"),
        ("bench_cost.py --programs 0", "at least 2 --programs"),
        ("bench_real.py", "name a case, or give --table"),
        ("bench_real.py exp3", "no case exp3; choose of exp2, "),
        ("model_library.py exp --backend tpu:v9", "unknown backend 'tpu:v9'"),
        ("model_library.py expp --backend tpu:v5e", "unknown function 'expp'"),
        ("baselines/cut.py exp/float32", "programs are, not one"),
    ],
)
def test_bad_usage(words, message):
    done = run(words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_scaffold_is_printed():
    done = run("baselines/devices.py exp-gradual")
    assert done.returncode == 0
    assert done.stdout == scaffold("exp-gradual").text


@pytest.mark.parametrize("program", ["3c660df2", "exp/float32/3c660df2", "3c660df240bd0be8"])
def test_a_program_is_named_by_the_first_digits_of_its_hash(program):
    done = run(f"baselines/cut.py {program}")
    assert done.returncode == 0
    assert done.stdout.startswith("source  result  operations")
