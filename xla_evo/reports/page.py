"""The report of a run over machine numbers: a page in Markdown and two figures.

The page says what was sought, what was found and how it is known. One figure shows the trade-off
between error and time that the search saw, the other where on the domain the errors of winner and
built-in lie.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xla_evo.accuracy.kernels import compute_errors, format_constants
from xla_evo.errors import ConfigError, RunError
from xla_evo.reports import summary
from xla_evo.reports.figure import can_draw, new_axes
from xla_evo.search.population import pareto_fronts
from xla_evo.search.run import Outcome
from xla_evo.targets.target import Target
from xla_evo_lowering.backends import backend

FRONT, ERRORS, PAGE = "front.png", "errors.png", "report.md"
_BINS, _PER_BIN = 240, 4096
_EVOLVED, _BUILTIN, _QUIET = "#0b6e6e", "#c2571a", "#7a7f87"


def markdown(outcome: Outcome, figures: list[str]) -> str:
    """Returns the page; `figures` are names of files to show."""
    config, winner = outcome.config, outcome.winner
    done = outcome.state.counters
    lines = [f"# {config.target.describe()}", ""]
    lines += [
        f"Bound {config.max_ulp:g} ULP, backend {config.backend}, seed {config.seed}"
        + (f", scaffold {config.scaffold}" if config.scaffold else "")
        + f"; {done.screened:,} candidates screened, {done.compiled + done.compile_hits:,}"
        f" compiled, {done.elapsed:.0f} s.",
        "",
    ]
    if winner is None:
        lines += ["No program holds the bound on every input yet.", ""]
    else:
        lines += [
            "Modelled for a backend that is not here, not measured; costs are static. "
            if config.modelled
            else "",
            f"The winner was swept over all {winner.error.count:,} inputs; its worst is"
            f" {winner.error.worst_input_hex}. {winner.error.not_correctly_rounded:,} results are"
            " not the correctly rounded ones. Special inputs: "
            + ("; ".join(winner.examination.specials) or "all right")
            + f". Array lengths: {winner.examination.lengths or 'the same bits at every length'}.",
            "",
        ]
        rows = summary.comparison(winner, config.target.function.builtin)
        lines += _table(("", "max ULP", winner.timed.unit, "speed"), rows)
    for name in figures:
        lines += [f"![{name.removesuffix('.png')}]({name})", ""]
    front = summary.hall_of_fame(outcome)
    if front:
        lines += ["## Hall of fame", ""]
        lines += _table(("max ULP", "speed", "vector operations", "known by"), front)
    lines += ["## Work", ""]
    lines += _table(("stage", "candidates", "seconds", "per second"), summary.counts(outcome))
    if done.failures:
        rows = sorted(done.failures.items())
        lines += ["## Candidates that failed", "", *_table(("reason", "candidates"), rows)]
    if winner is not None:
        lines += [
            "## Program",
            "",
            f"Provenance: {winner.provenance or 'unknown'}.",
            "",
            "```",
            winner.text.rstrip(),
            "```",
            "",
        ]
    return "\n".join(lines)


def _table(headings: tuple[str, ...], rows: Any) -> list[str]:
    body = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(headings) + " |", "|" + " ---: |" * len(headings), *body, ""]


def plot_front(outcome: Outcome, path: Path) -> None:
    """Draws error against speed of the compiled candidates, and the front among them.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    axes = new_axes(8, 4.5, "error against speed")
    items = [item for item in outcome.state.population.front if 0 < item.ulp < np.inf]
    fronts = pareto_fronts(items)
    axes.plot([1 / i.time for i in items], [i.ulp for i in items], "o", color=_QUIET, alpha=0.4,
              markersize=4, label="compiled candidates")  # fmt: skip
    if fronts:
        best = sorted(fronts[0], key=lambda item: item.time)
        axes.step([1 / i.time for i in best], [i.ulp for i in best], "-o", color=_EVOLVED,
                  where="post", markersize=5, label="front")  # fmt: skip
    winner = outcome.winner
    if winner is not None:
        axes.plot([winner.speedup], [winner.error.bound_ulp], "*", color=_EVOLVED, markersize=15,
                  label="winner")  # fmt: skip
        if winner.builtin is not None:
            axes.plot([1.0], [winner.builtin.bound_ulp], "D", color=_BUILTIN, label="built-in")
    axes.axhline(outcome.config.max_ulp, color=_QUIET, linestyle=":", linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel("speed against the built-in")
    axes.set_ylabel("max error (ULP)")
    _save(axes, path)


def plot_errors(outcome: Outcome, path: Path) -> None:
    """Draws the largest error of winner and built-in over parts of the domain (sampled).

    Raises:
        ConfigError: matplotlib is not installed, or the run has no winner.
    """
    from xla_evo.proof import executable
    from xla_evo_lowering.text import parse_program

    winner, target = outcome.winner, outcome.config.target
    if winner is None:
        raise ConfigError(f"{outcome.path} has no winner to draw")
    title = f"largest error in each of {_BINS} parts, {_PER_BIN:,} inputs each (sampled)"
    axes = new_axes(8, 4.0, title)
    edges, x = _inputs(target)
    middle = (edges[:-1] + edges[1:]) / 2
    curves: list[tuple[Any, str, str]] = [(parse_program(winner.text), "evolved", _EVOLVED)]
    if target.function.builtin:
        curves.insert(0, (target.function.builtin_function(), target.function.builtin, _BUILTIN))
    flush = backend("cpu").flushes(target.dtype)
    form = format_constants(target.dtype, flush_to_zero=flush)
    for function, label, color in curves:
        run = executable(function, target)
        reference = np.asarray(target.function.f64(x.astype(np.float64)), np.float64)
        errors = compute_errors(run(x), reference, form).reshape(_BINS, _PER_BIN).max(axis=1)
        axes.plot(middle, errors, color=color, linewidth=1.2, label=label)
    axes.axhline(0.5, color=_QUIET, linestyle=":", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("x")
    axes.set_ylabel("max error (ULP)")
    _save(axes, path)


def _inputs(target: Target) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Edges of the parts, and inputs uniform in each; where timings are taken if unbounded."""
    from xla_evo.library.times import timed_range

    low, high = target.low, target.high
    if not np.isfinite([low, high]).all():
        low, high = timed_range(target.function.name)
    edges = np.linspace(low, high, _BINS + 1)
    share = np.random.default_rng(0).uniform(size=(_BINS, _PER_BIN))
    x = edges[:-1, None] + share * np.diff(edges)[:, None]
    return edges, x.reshape(-1).astype(target.dtype.numpy)


def _save(axes: Any, path: Path) -> None:
    axes.legend(fontsize="small", frameon=False)
    axes.figure.savefig(path, dpi=130)


def write_page(outcome: Outcome) -> list[Path]:
    """Writes ``report.md`` and, where matplotlib is installed, the figures; returns the files.

    Raises:
        RunError: the folder of the run cannot be written.
    """
    folder = outcome.path
    drawings = [(FRONT, plot_front)] if outcome.state.population.front else []
    if outcome.winner is not None and not outcome.config.modelled:  # this CPU's errors are others
        drawings.append((ERRORS, plot_errors))
    written: list[Path] = []
    try:
        for name, draw in drawings if can_draw() else []:
            draw(outcome, folder / name)
            written.append(folder / name)
        page = folder / PAGE
        page.write_text(markdown(outcome, [path.name for path in written]), encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write a report to {folder}: {error.strerror}") from None
    return [page, *written]
