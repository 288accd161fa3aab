"""The kernels see a filled scaffold as the compiled program computes it."""

import numpy as np
import pytest

from xla_evo.errors import ConfigError
from xla_evo.scaffolds import Scaffold, scaffold
from xla_evo.search.frame import Frame
from xla_evo.search.genome import ADD, MUL, float_constant, node, to_program
from xla_evo.search.kernels import forward
from xla_evo.search.screen import errors_at, fit, improve, improve_afresh
from xla_evo.targets.target import make_target
from xla_evo_lowering.compile import Executable

from .genomes import horner

HORNER = (
    float_constant(-0.3), node(MUL, 1, 0), float_constant(0.2), node(ADD, 2, 3),
    node(MUL, 4, 0), float_constant(-0.5), node(ADD, 5, 6),
)  # fmt: skip
RISING = (5.1, 4.1, 3.1, 2.1, 1.1, 0.1, 0.1)


def filled(name, nodes):
    row = scaffold(name)
    return row.fill(to_program(nodes, row.function, row.dtype))


@pytest.mark.parametrize("name", ["exp", "exp2", "log", "log10", "asin", "acos", "atan", "sin"])
def test_the_tape_is_what_is_compiled(name):
    """Bit by bit; the model lacks only what a double rounding in a fused operation changes."""
    frame = Frame(scaffold(name))
    target = make_target(scaffold(name).function, "float32")
    pool = frame.pool(target, 0, 1024)
    tape = frame.tape(HORNER)
    values = np.empty((frame.given + tape.code.size, pool.x.size))
    values[: frame.given] = pool.rows
    forward(tape.code, tape.operands, tape.constants, values, True)
    compiled = Executable.of_program(filled(name, HORNER))(pool.x.astype(np.float32))
    normal = np.abs(values[-1]) >= 2.0**-126
    same = (values[-1].astype(np.float32) == compiled)[normal]
    assert same.mean() > 0.999


def test_constants_of_the_hole_alone_move():
    frame = Frame(scaffold("exp"))
    tape = frame.tape(HORNER)
    assert tape.free.tolist() == [0, 2, 5]
    assert Frame(scaffold("sin")).tape(HORNER).free.size == 0


def test_a_tape_is_made_anew_where_signs_differ():
    """A negative factor turns a sum into a difference and decides which product is contracted."""
    nodes = (
        float_constant(0.3), node(MUL, 0, 1), node(MUL, 0, 0), float_constant(0.7),
        node(MUL, 3, 4), node(ADD, 2, 5),
    )  # fmt: skip
    frame = Frame(scaffold("log2"))
    for first in (0.3, -0.3, 0.25, -0.25):
        changed = (float_constant(first), *nodes[1:])
        tape, fresh = frame.tape(changed), Frame(scaffold("log2")).tape(changed)
        for name in ("code", "operands", "constants", "free"):
            np.testing.assert_array_equal(getattr(tape, name), getattr(fresh, name))


def test_many_inputs_are_those_of_the_hole():
    """They come without what the hole should give, and from its interval alone."""
    frame, target = Frame(scaffold("erf")), make_target("erf", "float32")
    many = frame.many(target, 0, 1 << 12)
    assert many.x.size > 1 << 11
    assert np.abs(many.x).max() < 1.1301
    np.testing.assert_array_equal(many.rows, frame.rows(many.x))
    np.testing.assert_array_equal(many.reference, target.function.f64(many.x))


def test_polishing_afresh_holds_where_it_was_not_polished():
    frame, target = Frame(scaffold("erf")), make_target("erf", "float32")
    pool = frame.pool(target, 0, 1024)
    fitted, _ = fit(horner(*RISING), frame.fit_points(pool), 1e9)
    tests = frame.test_points(target, pool, 64)
    unseen = frame.many(target, 99, 1 << 17)
    alone, believed = improve(fitted, tests, 3000, 0.5, 1, frame)
    afresh, met = improve_afresh(
        fitted, tests, lambda number: frame.many(target, number, 1 << 15), 15000, 0.5, 1, frame
    )
    worst, less = (errors_at(nodes, unseen, frame).max() for nodes in (alone, afresh))
    assert believed + 0.1 < worst
    assert less < worst - 0.05
    assert less - 0.1 < met


def test_a_fitted_hole_has_the_error_of_the_whole_function():
    frame = Frame(scaffold("exp2"))
    target = make_target("exp2", "float32")
    pool = frame.pool(target, 0, 1024)
    fitted, error = fit(horner(*RISING), frame.fit_points(pool), 1e9)
    assert error < 0.2
    rounded, ulp = improve(fitted, pool, 300, 0.55, 1, frame)
    assert 0.5 < ulp < 1.5
    run = Executable.of_program(filled("exp2", rounded))(pool.x.astype(np.float32))
    worst = np.max(np.abs(run.astype(np.float64) - pool.reference) * pool.weight)
    assert worst == pytest.approx(ulp, abs=0.01)


def test_the_ends_of_the_hole_are_met():
    """Of log1p, -1/4 alone and what 1 + x rounds to 3/4 give the hole 1/2 and a little more."""
    frame = Frame(scaffold("log1p"))
    target = make_target("log1p", "float32")
    pool = frame.pool(target, 0, 1024)
    least, greatest = -0.25, -0.25 + 2.0**-25
    assert {least, greatest} <= set(pool.x)
    assert frame.rows(np.array([greatest]))[0, 0] > scaffold("log1p").high
    tests = frame.test_points(target, pool, 16)
    for end in (np.argmin, np.argmax):
        assert pool.x[end(pool.rows[0])] in tests.x


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.5, 4.0), (20.0, 30.0), (20.0, np.inf)])
def test_inputs_are_those_of_the_domain(many, low, high):
    """Also where that is beside the scaffold's ranges, which end at 16."""
    frame, target = Frame(scaffold("log-nested")), make_target("log", "float32", low, high)
    points = frame.many(target, 0, 4096) if many else frame.pool(target, 0)
    assert points.x.min() >= low
    assert points.x.max() <= high
    assert points.x.size > 2000


def test_a_domain_that_the_hole_does_not_reach_is_refused():
    target = make_target("exp", "float32", 120.0, 200.0)
    with pytest.raises(ConfigError, match="matters nowhere from 120 to 200; give a wider domain"):
        Frame(scaffold("exp")).pool(target, 0)


def test_what_the_kernels_lack_is_refused():
    text = """\
program exp(x: f32, hole: f32) -> f32 {
  %r: f32 = guard x
  %0: f64 = convert hole
  %1: i64 = bitcast %0
  %2: f64 = bitcast %1
  %y: f32 = convert %2
  return %y
}
"""
    row = Scaffold("made", "exp", text, "exp(x)", -1.0, 1.0, ((-1.0, 1.0),), "")
    with pytest.raises(ConfigError, match="i64 cannot stand behind the hole"):
        Frame(row)
