"""Programs of a run, with the provenance that the run itself tells."""

import itertools
from dataclasses import replace

import pytest

from xla_evo.budget import parse_budget
from xla_evo.errors import RunError
from xla_evo.library.evolved import program_of_run, provenance_of
from xla_evo.scaffolds import scaffold
from xla_evo.search.checkpoint import State, write_state
from xla_evo.search.config import SearchConfig
from xla_evo.search.genome import ADD, MUL, float_constant, node, to_program
from xla_evo.search.population import Measured, Population
from xla_evo.search.run import CHECKPOINT, RunFolder
from xla_evo.targets.target import make_target
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.dtypes import F64

CONSTANTS = [0.5 + number / 32 for number in range(17)]


def genome(constant):
    return (float_constant(constant), node(MUL, 0, 1), float_constant(1.0), node(ADD, 2, 3))


@pytest.fixture
def run(tmp_path):
    """A folder with the files of a run of the scaffold exp2, and its settings."""
    return run_of("exp2", tmp_path)


def run_of(name, tmp_path):
    config = SearchConfig(
        target=make_target("exp2", "float32"), max_ulp=1.0, budget=parse_budget("10s"),
        scaffold=name, seed=7,
    )  # fmt: skip
    state = State(Population(4))
    state.counters.screened, state.beginnings = 12_345, 2
    for constant in CONSTANTS:
        nodes = genome(constant)
        name = content_hash(config.program(nodes))
        state.population.front.append(Measured(name, 1, 1.0, nodes, nodes, 9.0, 0.5, "code"))
    RunFolder(tmp_path).create(config)
    write_state(tmp_path / CHECKPOINT, state)
    return tmp_path, config


def test_a_program_of_the_front_comes_with_the_run_of_it(run):
    path, config = run
    wanted = config.program(genome(CONSTANTS[-1]))
    program, source = program_of_run(path, content_hash(wanted)[:8])
    assert content_hash(program) == content_hash(wanted)
    assert source.kind == "from scaffold exp2"
    assert source.seed == 7
    assert source.run == config.digest()[:16]
    assert "12,345 candidates screened" in source.note
    assert "3 beginnings" in source.note


def test_an_evolved_hole_moves_into_another_scaffold(tmp_path):
    path, config = run_of("exp2-wide", tmp_path)
    nodes = genome(CONSTANTS[0])
    digest = content_hash(config.program(nodes))
    program, source = program_of_run(path, digest, within="pow")
    wanted = scaffold("pow").fill(to_program(nodes, "pow", F64))
    assert content_hash(program) == content_hash(wanted)
    assert len(program.parameters) == 2
    assert source.kind == "from scaffold pow"
    assert source.note.startswith("the hole evolved in scaffold exp2-wide; grown from the empty")
    assert source.seed == 7


def test_a_hole_of_another_function_or_format_is_refused(run):
    digest = content_hash(run[1].program(genome(CONSTANTS[0])))
    for other in ("pow", "erfc"):
        with pytest.raises(RunError, match=f"of scaffold exp2, whose hole is not that of {other}"):
            program_of_run(run[0], digest, within=other)


def test_what_a_search_began_with_is_told(run):
    _, config = run
    text = "program exp2(x: f32) -> f32 { %0: f32 = mul x, x return %0 }"
    begun = replace(config, begin=text)
    state = State(Population(4))
    assert provenance_of(config, state).note.startswith("grown from the empty program;")
    assert provenance_of(begun, state).note.startswith(f"begun with {begun.begin_hash()};")
    assert provenance_of(begun, state).kind == "from scaffold exp2"
    domain = make_target("exp2", "float32", 0.0, 1.0)
    assert provenance_of(replace(begun, scaffold="", target=domain), state).kind == "from a program"


@pytest.mark.parametrize(
    ("digest", "message"), [("", "no winner"), ("zz", "0 programs"), ("absent", "0 programs")]
)
def test_what_a_run_does_not_have_is_refused(run, digest, message):
    with pytest.raises(RunError, match=message):
        program_of_run(run[0], digest)


def test_digits_must_tell_one_program(run):
    """Of seventeen hashes two begin with the same of sixteen digits."""
    path, config = run
    names = sorted(content_hash(config.program(genome(value))) for value in CONSTANTS)
    shared = next(one[0] for one, other in itertools.pairwise(names) if one[0] == other[0])
    with pytest.raises(RunError, match="programs"):
        program_of_run(path, shared)
    assert [content_hash(program_of_run(path, name)[0]) for name in names] == names


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="not a run"):
        program_of_run(tmp_path)
