import ast

import mpmath as mp
import numpy as np
import pytest

from xla_evo.discovery.canonical import canonical, new_walk
from xla_evo.discovery.constants import explain, steps_of
from xla_evo.discovery.encoding import ADDC, DIV, MUL, MULC, RDIVC, RSUBC, SUB
from xla_evo.discovery.formula import (
    Step,
    compile_steps,
    formula,
    graph,
    python_source,
    structure,
    to_program,
)
from xla_evo_lowering.interpret import evaluate_real
from xla_evo_lowering.text import parse_program, print_program

from .drafts import draft_of, exact, random_draft


def drafts(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 12))
        draft = random_draft(rng, n)
        n = canonical(draft, n, new_walk())
        if n > 0:
            yield draft, n


def function_of(source):
    space = {}
    exec(source, space)  # noqa: S102
    return space["f"]


def test_source_has_one_sign_an_operation_and_means_the_same():
    for draft, n in drafts(60):
        steps = steps_of(draft, n)
        source = python_source(steps)
        tree = ast.parse(source)
        assert sum(isinstance(node, ast.BinOp) for node in ast.walk(tree)) == n
        signs = {type(node.op) for node in ast.walk(tree) if isinstance(node, ast.BinOp)}
        assert signs <= {ast.Add, ast.Sub, ast.Mult, ast.Div}
        f = function_of(source)
        x = np.array([0.37, 1.21])
        with mp.workdps(40), np.errstate(all="ignore"):
            wanted = exact(draft, n, 0.37)
            if not mp.isfinite(wanted) or abs(wanted) > 1e6:
                continue
            assert f(x)[0] == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)
            assert f(0.37) == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)
            assert float(f(mp.mpf(0.37))) == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)


def test_exact_source_has_106_bits_with_mpmath_and_rounds_once_elsewhere():
    """One constant of 33 digits an operation; float arrays keep their type."""
    for code, text in ((ADDC, "-0.1234567890123456789012345678901"), (MULC, "1.1e-7"),
                       (RDIVC, "6.25"), (RSUBC, "3.000000000000000000000000000001")):  # fmt: skip
        steps = (Step(code, 0, 0, text),)
        f = function_of(python_source(steps, exact=True))
        plain = function_of(python_source(steps))
        for x in (0.37, np.array([0.37, 1.21]), np.array([0.37], np.float32), np.float32(0.1)):
            assert np.array_equal(f(x), plain(x))
            assert np.asarray(f(x)).dtype == np.asarray(plain(x)).dtype
        with mp.workdps(50):
            x = mp.mpf(37) / 100
            wanted = compile_steps(steps, mp.mpf)(x)[-1]
            assert abs(f(x) - wanted) <= mp.mpf(2) ** -105 * abs(wanted)
        names = {node.id for node in ast.walk(ast.parse(python_source(steps, exact=True)))
                 if isinstance(node, ast.Name)}  # fmt: skip
        assert names <= {"x", "zero", "c1"}


def test_programs_mean_the_same_and_survive_their_text():
    for draft, n in drafts(20):
        steps = steps_of(draft, n)
        program = to_program(steps, name="f")
        assert program.operation_count() == n
        assert parse_program(print_program(program)) == program
        with mp.workdps(40):
            wanted = exact(draft, n, 0.37)
            if mp.isfinite(wanted) and abs(wanted) < 1e6:
                got = evaluate_real(program, mp.mpf(0.37))
                assert abs(got - wanted) < 1e-20


def test_steps_and_drafts_are_inverse():
    for draft, n in drafts(10):
        steps = steps_of(draft, n)
        assert steps_of(draft_of(steps), n) == steps


STEPS = (Step(RDIVC, 0, 0, "2.5"), Step(ADDC, 1, 0, "-0.125"), Step(MUL, 2, 2))


def test_reading():
    assert python_source(STEPS) == "def f(x):\n    t1 = 2.5 / x - 0.125\n    return t1 * t1\n"
    assert formula(STEPS) == "t1 = 2.5 / x - 0.125; t1 * t1"
    assert structure(STEPS) == "t1 = c1 / x - c2; t1 * t1"
    assert graph(STEPS).count("->") == 6


def test_parentheses_keep_the_order_of_operations():
    """x - (x - 2), (x - x x) / (x / (x + 1)) with the first operand never in doubt."""
    one = (Step(ADDC, 0, 0, "-2.0"), Step(SUB, 0, 1))
    assert formula(one) == "x - (x - 2)"
    two = (Step(MUL, 0, 0), Step(SUB, 0, 1), Step(ADDC, 0, 0, "1.0"), Step(DIV, 0, 3),
           Step(DIV, 2, 4))  # fmt: skip
    assert formula(two) == "(x - x * x) / (x / (x + 1))"
    assert formula((Step(RSUBC, 0, 0, "-2.0"), Step(MULC, 1, 0, "-3.0"))) == "(-2 - x) * (-3)"


def test_redundant_constants_are_named():
    """(x c1 + c2) c3 has two parameters."""
    steps = (Step(MULC, 0, 0, "2"), Step(ADDC, 1, 0, "3"), Step(MULC, 2, 0, "5"))
    found = explain(steps, 0.0, 1.0)
    assert (found.constants, found.independent) == (3, 2)
    assert found.redundant == (("c1", "c2", "c3"),)
    assert "redundant" in found.text()
    assert explain(STEPS, 0.1, 1.0).redundant == ()
