import os
import signal
import subprocess
import sys

import pytest

from xla_evo.search import tasks, worker
from xla_evo.search.worker import Failure, Job, Pool
from xla_evo_lowering.text import parse_program

PROGRAM = """\
program p(x: f32) -> f32 {
  %0: f32 = const 0x1p+0
  %1: f32 = add x, %0
  return %1
}
"""


@pytest.fixture
def pool(exp2_target):
    with Pool(1, exp2_target, (0.5, 64, 0, "")) as pool:
        yield pool


def test_a_program_compiles_and_is_timed(pool):
    parse_program(PROGRAM)
    (compiled, worker), (bad, _) = pool.run([
        Job("compile", ("good", PROGRAM), 60),
        Job("compile", ("bad", PROGRAM.replace("add", "nothing")), 60),
    ])  # fmt: skip
    assert isinstance(compiled, tasks.Compiled)
    assert compiled.ulp > 1e5
    assert set(compiled.blobs) == {"stablehlo", "optimized", "object"}
    assert b"stablehlo.add" in compiled.blobs["stablehlo"]
    assert isinstance(bad, Failure)
    assert bad.reason == "refused"
    assert "unknown operation" in bad.message
    ((race, _),) = pool.run([Job("race", ({"good": PROGRAM}, 3), 60)], workers=[worker])
    timed = race["good"]
    assert len(timed.candidate) == len(timed.builtin) == len(timed.floor) == 3


def test_a_worker_that_dies_or_hangs_is_replaced(pool):
    sleeper = Job("prove_builtin", (), 0.0, reports=True)  # over its limit at once
    ((late, _),) = pool.run([sleeper])
    assert late == Failure("timeout", "the job took too long and was ended")
    worker = pool.workers[0]
    worker.start(Job("compile", ("x", PROGRAM), 60))
    worker._process.kill()
    assert worker.receive() == ("result", Failure("crashed", "the worker process died"))
    # Loading JAX is not what the limit is for.
    ((compiled, _),) = pool.run([Job("compile", ("x", PROGRAM), 0.0)])
    assert isinstance(compiled, tasks.Compiled)
    worker.stop()
    ((race, _),) = pool.run([Job("race", ({"x": PROGRAM}, 1), 0.0)])
    assert set(race) == {"x"}


def test_an_interrupt_while_a_worker_starts_is_not_for_it(pool):
    first = pool.workers[0]
    first.start(Job("retest", ([], ()), 60))
    os.kill(first._process.pid, signal.SIGINT)
    assert first.receive() == ("result", [])


def test_a_worker_ends_quietly_with_the_search(exp2_target, monkeypatch):
    class Gone:
        def recv(self):
            raise ConnectionResetError

    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert worker._serve(Gone(), exp2_target, (0.5, 64, 0, ""), "cpu") is None


def test_a_script_needs_no_guard(tmp_path):
    """Workers do not run the script that began the search, which would begin it anew in each."""
    script = tmp_path / "script.py"
    script.write_text("""\
print("begun", flush=True)
from xla_evo.search.worker import Job, Pool
from xla_evo.targets.target import make_target

target = make_target("exp2", "float32", 0.5, 0.5078125)
with Pool(1, target, (0.5, 64, 0, "")) as pool:
    ((answer, _),) = pool.run([Job("retest", ([], ()), 60)])
print(answer)
""")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "begun\n[]\n"
