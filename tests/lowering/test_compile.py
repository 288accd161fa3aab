"""Executables, identity of machine code, and timing in turn."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xla_evo_lowering.compile import SINGLE_THREAD, Executable, compile_stages, input_buffer
from xla_evo_lowering.dtypes import BF16, F16, F32, F64, I64
from xla_evo_lowering.errors import CompileError
from xla_evo_lowering.machine_code import machine_code_hash, objects
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import parse_program
from xla_evo_lowering.timing import (
    ROWS,
    Timing,
    compile_loop,
    floor_function,
    ratio,
    time_loops,
)

SPEC = [jax.ShapeDtypeStruct((4096,), "float32")]


@pytest.mark.parametrize("dtype", [F16, BF16, F32, F64], ids=repr)
def test_executables_take_and_give_numpy_arrays_of_their_type(dtype):
    builder = Builder("double", x=dtype)
    executable = Executable.of_program(builder.build(builder.apply("add", 0, 0)))
    for shape in [(7,), (2, 3), ()]:
        x = np.full(shape, 1.5, dtype.numpy)
        got = executable(x)
        assert got.dtype == dtype.numpy
        assert got.shape == shape
        np.testing.assert_array_equal(got, x + x)


@pytest.mark.parametrize("dtype", [F32, F64], ids=repr)
def test_groups_of_any_shapes_are_run_by_one_module(dtype):
    builder = Builder("less", x=dtype, y=dtype)
    executable = Executable.of_program(builder.build(builder.apply("sub", 0, 1)))
    groups = [
        (np.arange(n, dtype=dtype.numpy), np.full(n, 3, dtype.numpy)) for n in (1, 17, 4097, 17)
    ]
    found = executable.each(groups)
    for (x, y), got in zip(groups, found, strict=True):
        assert got.dtype == dtype.numpy
        np.testing.assert_array_equal(got, x - y)
        np.testing.assert_array_equal(executable(x, y), got)


def test_wide_results_of_narrow_inputs():
    program = parse_program(
        "program wide(x: f32) -> i64 { %0: i64 = convert x %1: i64 = const 4294967296"
        " %2: i64 = mul %0, %1 return %2 }"
    )
    got = Executable.of_program(program)(np.float32([3, -1]))
    assert got.dtype == I64.numpy
    assert got.tolist() == [3 << 32, -1 << 32]


def test_a_shape_is_compiled_once():
    executable = Executable(jnp.exp, (F32,))
    assert executable.compiled((8,)) is executable.compiled((8,))


@pytest.mark.parametrize("length", [1, 1000, 1 << 18])
def test_input_buffers_are_taken_as_they_lie(length):
    x = input_buffer(length, np.float32)
    x.fill(1.5)
    taken = jax.device_put(x, jax.devices("cpu")[0])
    assert taken.unsafe_buffer_pointer() == x.ctypes.data
    assert (x.shape, x.dtype, float(taken.sum())) == ((length,), np.float32, 1.5 * length)


_FAULTS = """
import ctypes, platform, resource
from xla_evo_lowering.compile import keep_freed_memory

kept = keep_freed_memory()
assert kept == (platform.libc_ver()[0] == "glibc"), kept
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def blocks():
    places = [library.malloc(1 << 20) for _ in range(4)]
    for place in places:
        ctypes.memset(place, 1, 1 << 20)
    for place in places:
        library.free(place)

blocks()
before = faults()
for _ in range(100):
    blocks()
print(faults() - before if kept else 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for page faults")
def test_freed_memory_is_used_again():
    done = subprocess.run(
        [sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(done.stdout) < 100  # four blocks have 1,024 pages


def test_what_xla_refuses_is_a_compile_error():
    with pytest.raises(CompileError, match="No such compile option"):
        Executable(jnp.exp, (F32,), {"xla_no_such_option": True})(np.ones(3, np.float32))
    with pytest.raises(CompileError, match="lowering failed"):
        compile_stages(lambda x: x @ jnp.ones((3, 3)), SPEC)


def test_equal_code_has_one_hash_whatever_its_names():
    def first(x):
        return x * 3 + 1

    def second(value):
        return 1 + value * 3

    hashes = {compile_stages(f, SPEC, SINGLE_THREAD).code_hash for f in (first, second)}
    assert len(hashes) == 1
    assert compile_stages(lambda x: x * 3 + 2, SPEC, SINGLE_THREAD).code_hash not in hashes


def test_the_order_of_objects_does_not_count():
    elfs = [b"\x7fELF\x01one", b"\x7fELF\x01two"]
    assert objects(b"head" + elfs[0] + elfs[1]) == elfs
    assert machine_code_hash(elfs) == machine_code_hash(elfs[::-1])
    assert machine_code_hash(elfs) != machine_code_hash(elfs[:1])


@pytest.mark.parametrize("dtype", [F32, F64], ids=repr)
def test_loops_compute_what_they_time(dtype):
    xs = np.linspace(1, 2, ROWS * 4096).reshape(ROWS, 4096).astype(dtype.numpy)
    run = compile_loop(lambda x: x * 2, dtype, elements=4096)
    with jax.enable_x64(dtype is F64):
        np.testing.assert_array_equal(run(xs, np.int32(1)), xs[1] * 2)
        np.testing.assert_array_equal(run(xs, np.int32(2)), xs[1] * 2)


@pytest.mark.parametrize("dtype", [F32, F64], ids=repr)
def test_functions_take_turns_and_keep_their_samples(dtype):
    xs = np.ones((ROWS, 4096), dtype.numpy)
    loops = [compile_loop(function, dtype, elements=4096) for function in (floor_function, jnp.sin)]
    floor, sine = time_loops(loops, xs, rounds=3, sample_ns=1e5)
    assert len(floor.samples_ns) == len(sine.samples_ns) == 3
    assert all(sample > 0 for sample in floor.samples_ns + sine.samples_ns)


def test_a_ratio_is_that_of_the_least_samples():
    slow = Timing(samples_ns=(4.0, 20.0, 2.0), elements=1)
    fast = Timing(samples_ns=(1.0, 10.0, 3.0), elements=1)
    assert ratio(slow, fast) == 2
