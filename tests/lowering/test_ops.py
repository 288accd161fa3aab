"""Every row of the op table: NumPy's meaning is what XLA's compiled code computes, by bits."""

import pickle

import numpy as np
import pytest

from xla_evo_lowering.compile import Executable
from xla_evo_lowering.dtypes import BF16, BOOL, F16, F32, F64, REAL
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.interpret import evaluate, evaluate_real
from xla_evo_lowering.ops import OPS, op
from xla_evo_lowering.program import Builder, Instruction, Program

from .programs import TYPED, operand_types, same, values

COMPUTED = [name for name, row in OPS.items() if row.operands and row.exact]


def _single(name, dtype, types) -> Program:
    builder = Builder(name, **{f"x{place}": one for place, one in enumerate(types)})
    given = None if OPS[name].compares else dtype
    return builder.build(builder.apply(name, *range(len(types)), dtype=given))


def _least_normal(results: np.ndarray, program: Program) -> np.ndarray:
    """Where a result is the least normal number or rounds from it, which may be flushed or not."""
    dtype = program.dtype
    if not dtype.is_float:
        return np.zeros(results.shape, bool)
    return np.abs(results.astype(np.float64)) == 2.0**dtype.emin


@pytest.mark.parametrize("name", COMPUTED)
def test_numpy_meaning_is_compiled_meaning(name):
    tried = 0
    for dtype in TYPED:
        for types in operand_types(name, dtype):
            program = _single(name, dtype, types)
            inputs = [values(one, 640, place) for place, one in enumerate(types)]
            want = evaluate(program, *inputs, flush=True)
            got = Executable.of_program(program)(*inputs)
            assert got.dtype == want.dtype
            wrong = ~same(want, got)
            if name == "mul":
                wrong &= ~_least_normal(want, program)
            if name in ("min", "max", "clamp") and dtype is BF16:
                wrong &= ~(np.abs(want.astype(np.float32)) < 2.0**BF16.emin)
            assert not wrong.any(), (
                types, [[str(item[wrong][0]) for item in inputs], want[wrong][0], got[wrong][0]],
            )  # fmt: skip
            tried += 1
    assert tried


@pytest.mark.parametrize("dtype", [F16, BF16, F32, F64], ids=repr)
def test_rsqrt_is_within_a_few_units(dtype):
    program = _single("rsqrt", dtype, [dtype])
    x = np.abs(values(dtype, 640))
    x = x[np.isfinite(x) & (x >= 2.0**dtype.emin)]
    want = (1 / np.sqrt(x.astype(np.longdouble))).astype(np.float64)
    got = Executable.of_program(program)(x).astype(np.float64)
    assert np.max(np.abs(got - want) / want) < 3 * 2.0**-dtype.precision


@pytest.mark.parametrize("name", [name for name, row in OPS.items() if row.commutative])
def test_commutative_rows_are(name):
    for dtype in TYPED:
        for types in operand_types(name, dtype):
            first, second, *rest = (values(one, 640, place) for place, one in enumerate(types))
            with np.errstate(all="ignore"):
                one = np.asarray(OPS[name].numpy(first, second, *rest))
                other = np.asarray(OPS[name].numpy(second, first, *rest))
            assert same(one, other).all()


@pytest.mark.parametrize("name", [name for name, row in OPS.items() if row.real])
def test_real_meaning_agrees_with_float64(name):
    row = OPS[name]
    types = (operand_types(name, F64) or operand_types(name, BOOL))[0]
    inputs = [(one.numpy.type(1), one.numpy.type(1 + place / 2)) for place, one in enumerate(types)]
    for column in (0, 1):
        arguments = [np.asarray([pair[column]]) for pair in inputs]
        real = row.real(*(pair[column] for pair in inputs))
        assert float(real) == pytest.approx(float(row.numpy(*arguments)[0]), rel=1e-15)


def test_real_programs_are_evaluated_over_the_reals_only():
    program = Program(
        "f", Builder("p", x=REAL).build(0).parameters, (Instruction("add", REAL, (0, 0)),), 1
    )
    assert evaluate_real(program, 2) == 4
    with pytest.raises(ProgramError, match="over the reals"):
        evaluate(program, np.ones(3))


def test_inputs_are_checked():
    program = _single("neg", F32, [F32])
    with pytest.raises(ProgramError, match="x0 is float32, got float64"):
        evaluate(program, np.ones(3))
    with pytest.raises(ProgramError, match="takes 1 inputs, not 2"):
        evaluate(program, np.ones(3, np.float32), np.ones(3, np.float32))


def test_an_unknown_operation_is_told_with_those_there_are():
    with pytest.raises(
        ProgramError, match=r"unknown operation 'sinh'; the op table has const, add"
    ):
        op("sinh")


def test_a_program_from_another_process_has_the_rows_of_this_one():
    program = _single("gt", None, [F32, F32])
    copied = pickle.loads(pickle.dumps(program))
    assert copied == program
    assert copied.parameters[0].dtype is F32
    assert copied.dtype is program.dtype
    assert Executable.of_program(copied)(np.float32([2]), np.float32([1])).all()
