"""A search of `tune` begins with what was evolved for its hole before."""

from dataclasses import replace

import pytest

from xla_evo.budget import parse_budget
from xla_evo.library import entries
from xla_evo.scaffolds import SCAFFOLDS, hole_of, scaffold, scaffolds_of
from xla_evo.search.config import SearchConfig
from xla_evo.targets.target import make_target
from xla_evo.tuning.beginning import beginning
from xla_evo_lowering.backends import backend
from xla_evo_lowering.canonical import content_hash
from xla_evo_lowering.text import parse_program, print_program


def evolved(name):
    """Programs evolved in a scaffold: their errors, and what they are."""
    return sorted(
        (entry.proofs("inline")[0].max_ulp, entry.name.rpartition("/")[2][:8], entry)
        for entry in entries(scaffold(name).function, "float32")
        if entry.certificate.provenance.kind == f"from scaffold {name}"
    )


@pytest.mark.parametrize("name", ["exp", "atan-short"])
@pytest.mark.parametrize("holds", [False, True])
def test_a_search_begins_with_the_least_error_where_no_other_will_do(name, holds):
    (least, _, entry), (second, _, _) = evolved(name)[:2]
    bound = (least + second) / 2 if holds else 0.1
    assert (least <= bound) == holds
    hole = hole_of(scaffold(name), entry.program)
    assert beginning(scaffold(name), bound) == print_program(hole)


def test_a_search_begins_with_the_fastest_that_holds_its_bound():
    _, (second, _, entry) = evolved("exp")[:2]
    assert beginning(scaffold("exp"), 1.0) == print_program(hole_of(scaffold("exp"), entry.program))
    assert second <= 1.0


def test_what_was_evolved_in_another_scaffold_for_the_same_hole_will_do():
    one, other = scaffold("exp-gradual"), scaffold("exp")
    assert (one.expression, one.dtype) == (other.expression, other.dtype)
    assert beginning(one, 1.0) == beginning(other, 1.0)


def test_where_nothing_was_evolved_a_search_begins_with_nothing():
    frame = scaffold("exp")
    assert beginning(replace(frame, expression="exp(x) - 1"), 1.0) == ""


def test_every_beginning_was_evolved_and_is_one_that_a_search_takes():
    functions = {scaffold(name).function for name in SCAFFOLDS}
    frames = [one for name in functions for one in scaffolds_of(name, backend("cpu"))]
    kinds = {
        entry.certificate.program_hash: entry.certificate.provenance.kind
        for entry in entries(dtype="float32")
    }
    begun = 0
    for frame in frames:
        text = beginning(frame, 1.0)
        if text:
            whole = content_hash(frame.fill(parse_program(text)))
            assert kinds.get(whole, "from scaffold ").startswith("from scaffold ")
            config = SearchConfig(
                target=make_target(frame.function, "float32"), max_ulp=1.0,
                budget=parse_budget("10s"), scaffold=frame.name, begin=text,
            )  # fmt: skip
            assert config.beginning()
            begun += 1
    assert begun > 30
