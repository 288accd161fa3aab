"""What the tools refuse: one message and exit code 2, before any work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bench_search.py --budget foo", "budget 'foo' is not a time"),
        ("bench_store.py --entries 0", "--entries must be at least 1, not 0"),
        ("bench_backends.py nosuch", "unknown backend 'nosuch'"),
        ("bench_backends.py cpu --programs -1", "--programs must be at least 0, not -1"),
        ("bench_cost.py --programs 0", "at least 2 --programs"),
    ],
)
def test_bad_usage(words, message):
    tool, *options = words.split()
    path = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run(
        [sys.executable, str(TOOLS / tool), *options], env=os.environ | {"PYTHONPATH": path},
        text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
