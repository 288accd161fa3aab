"""Tuning: what is measured and recorded is what choices follow; backends compare."""

import json
import math
import sys
from dataclasses import replace

import pytest

from xla_evo.cli.comparison import saves
from xla_evo.cli.main import main
from xla_evo.errors import BackendError, ConfigError, StoreError, TargetError
from xla_evo.library import choose, entries
from xla_evo.library.modelled import prove_modelled
from xla_evo.library.tuned import TIMES, record_ratios, tuned_ratios, user_library
from xla_evo.store import Store, default_path
from xla_evo.targets.target import make_target
from xla_evo.tuning import tune
from xla_evo.tuning.assess import Contender, builtins_of
from xla_evo.tuning.compare import arithmetic, compare_one, contenders_of, losers, winners
from xla_evo.tuning.record import Found, found_programs, keep_program
from xla_evo_lowering.ahead import AheadOfTime
from xla_evo_lowering.backends import backend, fingerprint, processor
from xla_evo_lowering.dtypes import F32, F64
from xla_evo_lowering.program import Builder
from xla_evo_lowering.text import parse_program

CRUDE = parse_program("""\
program exp(x: f32) -> f32 {
  %0: f32 = const 0x1p+0
  %1: f32 = add x, %0
  return %1
}
""")


def _cubic():
    """The cubic of exp around the middle of [0.5, 0.515625]; short, so that its model is too."""
    middle = 0.5078125
    value = math.exp(middle)
    builder = Builder("exp", x=F32)
    r = builder.apply("sub", 0, builder.const(middle, F32))
    result = builder.const(value / 6, F32)
    for coefficient in (value / 2, value, value):
        product = builder.apply("mul", result, r)
        result = builder.apply("add", product, builder.const(coefficient, F32))
    return builder.build(result)


DIVIDES = parse_program("program exp(x: f32) -> f32 { %0: f32 = rsqrt x return %0 }")


pytestmark = pytest.mark.usefixtures("fresh_store")


def test_a_choice_is_measured_recorded_and_followed():
    (first,) = tune("exp", budget=None, max_ulp=1.0)
    shipped = [entry.certificate.program_hash for entry in entries("exp", "float32")]
    live = fingerprint(backend("cpu"))
    assert first.chosen in shipped
    assert first.known == "certified"
    assert not first.from_store
    ratios = tuned_ratios("exp", "float32", live)
    assert ratios[first.chosen] == pytest.approx(first.speedup)
    (again,) = tune("exp", budget=None, max_ulp=1.0)
    assert again.from_store
    assert (again.chosen, again.cost, again.builtin_cost) == (
        first.chosen, first.cost, first.builtin_cost,
    )  # fmt: skip
    record_ratios("exp", "float32", live, dict.fromkeys(shipped, 0.5))
    slow = choose("exp")
    assert slow.entry is None
    assert "0.5 times as tuned, not faster than the built-in" in str(slow)
    for fastest in shipped:
        record_ratios("exp", "float32", live, dict.fromkeys(shipped, 1.5) | {fastest: 7.0})
        chosen = choose("exp", max_ulp=6.0).entry
        assert chosen is not None
        assert chosen.certificate.program_hash == fastest


def test_another_machine_has_its_own_times():
    live = fingerprint(backend("cpu"))
    record_ratios("exp", "float32", live, {"a": 2.0})
    assert tuned_ratios("exp", "float32", live) == {"a": 2.0}
    assert tuned_ratios("exp", "float32", {**live, "device": "another"}) == {}
    assert tuned_ratios("log", "float32", live) == {}


def test_a_damaged_record_is_told():
    (default_path() / TIMES).write_text("[1]")
    with pytest.raises(StoreError, match=r"tuned\.json.*remove it and tune again"):
        tuned_ratios("exp", "float32", {})


def test_evolved_programs_are_candidates_from_then_on(tmp_path):
    target = make_target("exp", "float32")
    with Store.open(tmp_path) as store:
        shipped = len(contenders_of(target, store))
        found = Found(program=CRUDE, backend="tpu:v5e", origin="scaffold exp, seed 0")
        for _ in range(2):
            keep_program(store, "exp", "float32", found)
        assert found_programs(store, "exp", "float32") == [found]
        assert len(contenders_of(target, store)) == shipped + 1
    assert user_library() == tmp_path / "library"


def test_a_backend_chooses_among_what_it_can_model(tmp_path):
    target = make_target("exp", "float32", 0.5, 0.515625)
    contenders = [
        Contender(name="cubic", program=_cubic()),
        Contender(name="crude", program=CRUDE),
    ]
    row = backend("cpu:sse4")
    with Store.open(tmp_path) as store:
        first = compare_one(target, row, 2.0, store, contenders=contenders)
        again = compare_one(target, row, 2.0, store, contenders=contenders)
        wide = compare_one(target, row, 1e9, store, contenders=contenders)
    assert first == again
    assert first.best is not None
    assert first.best.name == "cubic"
    assert first.best.known == "modelled"
    assert first.saving() == 1 - first.best.cost / first.builtin.cost
    (reason,) = first.reasons()
    assert reason.startswith("crude: ")
    assert reason.endswith("ULP there, above 2")
    assert wide.best is not None
    assert wide.best.name == "crude"
    assert losers([first, wide]) == []
    cubic, crude = winners([first, wide])
    assert cubic.startswith(f"{first.best.program[:8]}, found by tune, is best on cpu:sse4; on ")
    assert cubic.endswith("no less than the best")
    assert crude.startswith(f"{wide.best.program[:8]}, found by tune, is best on cpu:sse4; on ")
    assert crude.endswith("ULP there, above 2")
    assert len(winners([first, first])) == 1


def test_what_has_no_certificate_is_not_chosen(tmp_path):
    target = make_target("exp", "float32", 0.5, 0.515625)
    with Store.open(tmp_path) as store:
        contenders = [Contender(name="new", program=DIVIDES)]
        here = compare_one(target, backend("cpu"), 1e9, store, contenders=contenders)
    assert here.best is None
    assert here.saving() is None
    assert here.reasons() == ["new: not certified there"]
    assert losers([here]) == ["on cpu none is within 1e+09 ULP"]


def test_builtins_have_their_accurate_form_where_jax_has_one():
    assert list(builtins_of(make_target("exp", "float32"))) == [
        "jax.numpy.exp", "jax.numpy.exp HIGHEST",
    ]  # fmt: skip
    assert len(builtins_of(make_target("erf", "float32"))) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"names": ("sinus",)}, TargetError, "sinus"),
        ({"names": ("exp",), "backend": "gpu"}, BackendError, "unknown backend 'gpu'"),
        ({"names": ("exp",), "max_ulp": 0.0}, ConfigError, "above 0"),
        ({"names": ("exp",), "budget": "soon"}, ConfigError, "is not a time"),
    ],
)
def test_bad_settings_are_told(call, error, message):
    settings = dict(call)
    with pytest.raises(error, match=message):
        tune(*settings.pop("names"), **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which functions to tune"),
        (["exp", "--max-ulp", "-1"], "--max-ulp: an error bound must be a number above 0"),
        (["exp", "--backend", "cpu", "--backend", "cuda:sm_90"], "takes one --backend"),
        (["exp", "--budget", "soon"], "is not a time"),
    ],
)
def test_bad_arguments_are_one_line(arguments, message, capsys):
    assert main(["tune", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_prints_the_choice(capsys):
    assert main(["tune", "exp", "--budget", "none", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["function"] == "exp"
    assert told["speedup"] > 0
    assert main(["tune", "--compare", "exp", "--backend", "cpu", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["best"]["known"] == "certified"
    assert main(["tune", "--compare", "exp", "--backend", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "function", "backend", "best", "made", "max", "ULP", "known", "by", "cost",
        "built-in", "saves", "HIGHEST", "saves",
    ]  # fmt: skip
    function, backend_name, best = lines[1].split()[:3]
    assert (function, backend_name) == ("exp", "cpu")
    text = " ".join(line.strip() for line in lines)
    assert (
        f"cpu: costs in ns an element, measured on this machine ({processor()}); contracts a*b + c;"
        " subnormal numbers are zero."
    ) in text
    assert f"exp {best}, " in text
    assert text.endswith("is best on cpu")
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.369, "37%"), (0.0, "0%"), (-0.5, "x1.5"), (-5.92, "x6.9")],
)  # fmt: skip
def test_what_is_saved_is_a_share_or_a_multiple(share, text):
    assert saves(share) == text


def test_the_nearest_program_stands_where_none_holds(tmp_path):
    target = make_target("exp", "float32", 0.5, 0.515625)
    contenders = [Contender(name="crude", program=CRUDE)]
    with Store.open(tmp_path) as store:
        found = compare_one(target, backend("cpu:sse4"), 2.0, store, contenders=contenders)
    (line,) = losers([found])
    assert line.startswith("on cpu:sse4 none is within 2 ULP; nearest is crude: ")
    assert winners([found]) == []


def test_the_arithmetic_that_decides_is_told():
    assert arithmetic("cpu:sse4") == "does not contract a*b + c; subnormal numbers are zero"
    assert arithmetic("cuda:sm_90") == (
        "does not contract a*b + c; subnormal numbers count; bits of div/rsqrt/sqrt not known"
    )
    assert "no float16/float64" in arithmetic("tpu:v5e")


def test_a_removed_record_is_made_again():
    live = fingerprint(backend("cpu"))
    tune("exp", budget=None, max_ulp=1.0)
    (default_path() / TIMES).unlink()
    assert tuned_ratios("exp", "float32", live) == {}
    (again,) = tune("exp", budget=None, max_ulp=1.0)
    assert not again.from_store
    assert tuned_ratios("exp", "float32", live)


def test_functions_of_two_arguments_are_refused(tmp_path):
    with (
        Store.open(tmp_path) as store,
        pytest.raises(ConfigError, match="of one argument, not pow"),
    ):
        compare_one(make_target("pow", "float32"), backend("cpu"), 1.0, store)


def test_a_backend_that_cannot_be_used_leaves_the_others(capsys):
    arguments = ["tune", "--compare", "exp", "--backend", "cuda:sm_77", "--backend", "cpu"]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert "left out: unknown backend 'cuda:sm_77'" in err
    assert "certified" in out
    assert main(arguments[:5]) == 2
    assert "none of the backends can be used" in capsys.readouterr().err


def test_a_format_that_a_backend_lacks_is_named(tmp_path):
    target = make_target("sin", "float32")
    wide = [e for e in entries("sin", "float32") if F64 in e.program.types][:1]
    row = replace(backend("cpu:sse4"), formats=(F32,))
    contenders = [Contender(name="wide", program=wide[0].program, entry=wide[0])]
    with Store.open(tmp_path) as store:
        found = compare_one(target, row, 1.0, store, contenders=contenders)
    assert found.best is None
    assert found.reasons() == ["wide: it computes in float64, which is not there"]


def test_a_sample_is_shown_but_not_chosen(tmp_path, monkeypatch):
    """What was modelled on a sample stands in the table as such, and tune leaves it."""
    target = make_target("exp", "float32")
    entry = next(
        e for e in entries("exp", "float32") if "scaffold" in e.certificate.provenance.kind
    )
    row = backend("cpu:sse4")
    with AheadOfTime(row) as process:
        proof = prove_modelled(entry.program, target, process, samples=4096)
    sampled = replace(entry, certificate=replace(entry.certificate, proofs=(proof,)))
    contenders = [Contender(name="sampled", program=entry.program, entry=sampled)]
    module = sys.modules["xla_evo.tuning.tune"]  # the name of the package is that of the function
    monkeypatch.setattr(module, "contenders_of", lambda *_: contenders)
    with Store.open(tmp_path) as store:
        found = compare_one(target, row, 2.0, store, contenders=contenders)
        (tuned,) = tune("exp", backend=row.name, max_ulp=2.0, budget=None, store=store)
    assert found.best is not None
    assert found.best.known == "modelled, sampled"
    assert not tuned.chosen
    assert "ULP, on a sample only" in tuned.notes[0]
