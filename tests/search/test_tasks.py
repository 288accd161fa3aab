"""What a worker measures of a compiled program."""

from dataclasses import replace

import numpy as np

from xla_evo.search.genome import to_program
from xla_evo.search.points import fit_points, format_points
from xla_evo.search.screen import fit, improve
from xla_evo.search.tasks import Tasks
from xla_evo.targets.target import make_target
from xla_evo_lowering.compile import Executable
from xla_evo_lowering.text import print_program

from .genomes import horner


def test_the_neighbours_of_the_worst_inputs_are_met_as_well(exp2_target):
    """A sample seldom has the worst input of all, and those near its own worst are worse."""
    fitted, _ = fit(horner(*[0.1] * 6, 1.0), fit_points(exp2_target), 1e9)
    nodes, _ = improve(fitted, format_points(exp2_target, 512, 0), 300, 0.5, 0)
    program = to_program(nodes, "exp2")
    tasks = Tasks(exp2_target, 0.5, 64, 0)
    compiled = tasks.compile("p", print_program(program))
    x, reference = tasks._inputs()
    run = Executable.of_program(program)

    def largest(x, reference):
        unit = 2.0 ** (np.floor(np.log2(reference)) - 23)
        return float(np.max(np.abs(run(x).astype(np.float64) - reference) / unit))

    worst = np.array([compiled.worst], np.float32)
    assert largest(worst, np.exp2(worst.astype(np.float64))) == compiled.ulp
    assert largest(x.reshape(-1), reference.reshape(-1)) < compiled.ulp


def test_where_mpmath_gives_each_reference_candidates_meet_fewer_inputs(exp2_target):
    """A million of them take longer than a compilation may, so that none would ever be timed."""
    slow = make_target(expr="gamma(x)", low=1.0, high=2.0).function
    asked = []

    def reference(x):
        asked.append(np.unique(x).size)
        return np.exp2(x)

    function = replace(exp2_target.function, f64=reference, pointwise=slow.pointwise)
    target = replace(exp2_target, function=function)
    tasks = Tasks(target, 0.5, 64, 0)
    made = sum(asked)
    compiled = tasks.compile("p", print_program(to_program(horner(0.25, 0.7, 1.0), "exp2")))
    assert compiled.ulp > 1e3
    assert sum(asked) - made < 60_000
    tasks.compile("q", print_program(to_program(horner(0.26, 0.7, 1.0), "exp2")))
    tasks._afresh(0)
    assert sum(asked) - made < 70_000
