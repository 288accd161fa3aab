"""Summary of a run: the hall of fame, the winner against the built-in, and what was done."""

from collections.abc import Sequence
from typing import Any

from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.search.engine import FAILED_SPECIALS
from xla_evo.search.finish import OUT_OF_TIME, Winner
from xla_evo.search.population import best_known
from xla_evo.search.run import Outcome
from xla_evo.search.tasks import NANOSECONDS
from xla_evo.targets.target import Target
from xla_evo_lowering.text import parse_program

Row = Sequence[object]


def hall_of_fame(outcome: Outcome) -> list[Row]:
    """Rows (max ULP, speed-up, cost, how it is known) of the `best_known` candidates.

    Errors are of compiled programs: over every input where proven, else over the sample; for a
    backend that is not here they are modelled, and so is what they are known by.
    """
    modelled = "modelled, " if outcome.config.modelled else ""
    return [
        (
            f"{item.ulp:.4g}",
            f"{1 / item.time:.2f}x",
            f"{item.cost:g}",
            f"{modelled}fails special inputs or array lengths"
            if item.failed
            else modelled + ("every input" if item.proven else "sampled"),
        )
        for item in best_known(outcome.state.population.front)
    ]


def rival(target: Target) -> str:
    """What candidates are timed against: JAX has no function for an expression of a user's own."""
    return "built-in" if target.function.builtin else "empty loop"


def refusals(outcome: Outcome) -> list[str]:
    """Lines on programs that are no winner though they hold as far as is known, or that failed."""
    failures = outcome.state.counters.failures
    lines: list[str] = []
    if count := failures.get(FAILED_SPECIALS):
        found = [item.failed for item in outcome.state.population.front if item.failed]
        example = f", such as: {found[0]}" if found else ""
        lines.append(f"refused for special inputs, not swept: {count}{example}")
    if count := failures.get(OUT_OF_TIME):
        lines.append(f"hold on the sample, but the budget was spent before a sweep: {count}")
    others = sorted(failures.keys() - {FAILED_SPECIALS, OUT_OF_TIME})
    if others:
        lines.append(f"failed: {', '.join(f'{failures[reason]} {reason}' for reason in others)}")
    return lines


def _error(measured: ErrorMeasurement | None) -> str:
    return "-" if measured is None else f"{measured.bound_ulp:.4g}"


def comparison(winner: Winner, name: str) -> list[Row]:
    """Rows (what, max ULP, time or cost, speed-up) of winner, built-in and the loop's floor.

    Args:
        winner: of a run.
        name: of the built-in; empty where JAX has none.
    """
    timed = winner.timed
    rows: list[Row] = [
        ("evolved", _error(winner.error), f"{min(timed.candidate):.3f}",
         f"{winner.speedup:.2f}x" if name else ""),
    ]  # fmt: skip
    if name:
        rows.append((name, _error(winner.builtin), f"{min(timed.builtin):.3f}", "1.00x"))
    if timed.floor:
        rows.append(("loop floor", "", f"{min(timed.floor):.3f}", ""))
    return rows


def counts(outcome: Outcome) -> list[Row]:
    """Rows (stage, candidates, seconds, candidates a second)."""
    done = outcome.state.counters
    rows: list[Row] = []
    measured = done.compiled + done.compile_hits
    for stage, count in (
        ("screen", done.screened),
        ("compile", measured),
        ("time", done.timed + done.time_hits),
        ("prove", done.proofs),
    ):
        seconds = done.seconds.get(stage, 0.0)
        rate = f"{count / seconds:,.1f}" if seconds > 0 else "-"
        rows.append((stage, f"{count:,}", f"{seconds:.1f}", rate))
    return rows


def _times(winner: Winner) -> dict[str, Any]:
    timed = winner.timed
    if timed.unit != NANOSECONDS:
        return {
            "cost": timed.candidate[0], "builtin_cost": timed.builtin[0], "cost_unit": timed.unit,
        }  # fmt: skip
    return {
        "ns": min(timed.candidate),
        "builtin_ns": min(timed.builtin),
        "floor_ns": min(timed.floor),
        "samples_ns": {
            "candidate": list(timed.candidate),
            "builtin": list(timed.builtin),
            "floor": list(timed.floor),
        },
    }


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Returns the summary as plain data."""
    done = outcome.state.counters
    winner = outcome.winner
    return {
        "run": str(outcome.path),
        "target": outcome.config.target.to_json(),
        "max_ulp": outcome.config.max_ulp,
        "backend": outcome.config.backend,
        "seed": outcome.config.seed,
        "holds": winner is not None,
        "winner": None
        if winner is None
        else {
            "program": winner.program,
            "text": winner.text,
            "provenance": winner.provenance,
            "operations": parse_program(winner.text).operation_count(),
            "max_ulp": winner.error.bound_ulp,
            "inputs": winner.error.count,
            "exhaustive": winner.error.exhaustive,
            "not_correctly_rounded": winner.error.not_correctly_rounded,
            "worst_input": winner.error.worst_input_hex,
            "specials": list(winner.examination.specials),
            "lengths": winner.examination.lengths,
            "modelled": outcome.config.modelled,
            **_times(winner),
            "builtin_max_ulp": None if winner.builtin is None else winner.builtin.bound_ulp,
            "speedup": winner.speedup,
        },
        "front": [
            {
                "program": item.program,
                "max_ulp": item.ulp,
                "proven": item.proven,
                "failed": item.failed,
                "relative_time": item.time,
                "cost": item.cost,
            }
            for item in outcome.state.population.front
        ],
        "counters": {name: getattr(done, name) for name in type(done).__slots__},
    }
