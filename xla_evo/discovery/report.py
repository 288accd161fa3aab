"""A front for people: tables against the baselines, what is known of each record, and a plot."""

from itertools import cycle
from pathlib import Path

from xla_evo.discovery.formula import formula, structure
from xla_evo.discovery.record import POLICIES, Front, Policy, Record
from xla_evo.errors import RunError
from xla_evo.reports.figure import can_draw, new_axes

GIVEN = {"right": "the limit", "wrong": "a wrong value", "inf": "infinity", "nan": "nan"}
SHORT = (
    ("minimax ", ""), ("polynomial", "poly"), ("continued fraction", "fraction"),
    ("even-part quotient with squarings", "even-part"), (" in x*x", " x*x"), (" (", " "), (")", ""),
)  # fmt: skip
"""What is left out of a baseline's name in the heading of a table."""
EVOLVED: dict[Policy, tuple[str, str, float]] = {
    "removable": ("#08519c", "o", 10.0), "finite": ("#cb181d", "s", 5.0),
}  # fmt: skip
"""Colour, marker and its size by policy: where both are one, the first frames the second."""
KNOWN = (
    ("#525252", "x"), ("#a6761d", "v"), ("#66a61e", "^"), ("#7570b3", "<"), ("#1b9e77", ">"),
    ("#e7298a", "D"), ("#969696", "p"), ("#d95f02", "*"), ("#80b1d3", "h"), ("#b3de69", "P"),
)  # fmt: skip
"""Colour and marker of each baseline: thin lines that stay behind what was evolved."""
Table = tuple[list[str], list[list[str]]]
"""Headings and rows."""


def front_table(front: Front) -> Table:
    """Verified errors of the searched policies by number of operations, with all baselines."""
    names = sorted(front.baselines)
    counts = sorted({n for table in front.records.values() for n in table})
    rows: list[list[str]] = []
    for n in counts:
        row = [str(n)]
        for policy in searched(front):
            record = front.records[policy].get(n)
            row.append("" if record is None else f"{record.verified.error:.3g}")
        row += [_number(front.baselines[name].get(n)) for name in names]
        rows.append(row)
    return ["operations", *searched(front), *map(_short, names)], rows


def searched(front: Front) -> tuple[Policy, ...]:
    """The policies of a run; what is finite is removable too, but that was not what it sought."""
    return ("finite",) if front.config.finite else POLICIES


def _short(name: str) -> str:
    for long, short in SHORT:
        name = name.replace(long, short)
    return name


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def describe(record: Record) -> str:
    """One line on singular points and float64: what a user must know before using the record."""
    behaviour = record.verified.float64
    parts = [
        f"float64: error {behaviour.error:.2g} on {behaviour.points} points, "
        + ("all finite" if not behaviour.not_finite else f"{behaviour.not_finite} not finite")
    ]
    if behaviour.where:
        parts.append("not finite at x = " + ", ".join(f"{x:.17g}" for x in behaviour.where))
    for item in record.verified.singularities:
        parts.append(
            f"division by zero at x = {item.x:.17g}: IEEE arithmetic gives {GIVEN[item.float64]},"
            " Python's own numbers raise ZeroDivisionError"
        )
    return "; ".join(parts)


def _counted(operations: int) -> str:
    return "1 operation" if operations == 1 else f"{operations} operations"


def record_head(front: Front, record: Record) -> list[str]:
    """What to know of one record: function, error, structure, singular points, float64."""
    return [
        f"{front.config.title} {record.verified.error:.4g} with {_counted(record.operations)}",
        structure(record.steps),
        describe(record),
    ]


def record_lines(front: Front) -> list[str]:
    """Formula and statement of each record of the searched policy, in ascending operations."""
    policy = "finite" if front.config.finite else "removable"
    lines: list[str] = []
    for n, record in sorted(front.records[policy].items()):
        lines.append(f"{n:3d}  {formula(record.steps)}")
        lines.append(f"     {describe(record)}")
    return lines


def markdown(front: Front) -> str:
    """The whole report as Markdown; refers to ``front.png`` where that can be drawn."""
    headings, rows = front_table(front)
    lines = [f"# {front.config.title}", ""]
    lines += [
        f"{front.candidates:,} candidates in {front.seconds:.0f} s"
        f" ({front.rate:,.0f} a second), seed {front.config.seed}.",
        "",
        "Errors are measured at 50 digits on 20,000 points and more, extrema refined."
        " *removable*: an intermediate value may be infinite at single points;"
        " *finite*: none is.",
        "",
        "| " + " | ".join(headings) + " |",
        "|" + " ---: |" * len(headings),
    ]
    lines += ["| " + " | ".join(_bold(row, len(searched(front)))) + " |" for row in rows]
    lines += ["", "Bold: below every baseline of so many operations.", ""]
    lines += ["![front](front.png)", ""] if can_draw() else [""]
    for n, policies, record in _records(front):
        lines += [
            f"## {_counted(n)}, {policies}", "",
            f"Error {record.verified.error:.4g} at x = {record.verified.worst:.17g}."
            f" {describe(record)}.",
            "", f"`{structure(record.steps)}`", "",
            "```python", record.python.rstrip(), "```", "",
        ]  # fmt: skip
    return "\n".join(lines)


def _bold(row: list[str], policies: int) -> list[str]:
    """A row of the table with what is below all its baselines in bold."""
    known = [float(text) for text in row[1 + policies :] if text]
    return [
        f"**{text}**" if 0 < i <= policies and text and known and float(text) < min(known) else text
        for i, text in enumerate(row)
    ]


def _records(front: Front) -> list[tuple[int, str, Record]]:
    """Number of operations, policies and record; a record of both policies stands there once."""
    found: list[tuple[int, str, Record]] = []
    for policy in searched(front):
        for n, record in sorted(front.records[policy].items()):
            same = [
                i for i, item in enumerate(found) if (item[0], item[2].steps) == (n, record.steps)
            ]
            if same:
                found[same[0]] = n, f"{found[same[0]][1]} and {policy}", record
            else:
                found.append((n, policy, record))
    return found


def plot(front: Front, path: Path) -> None:
    """Draws the fronts against the baselines.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    axes = new_axes(9, 6.5, front.config.title)
    for policy in searched(front):
        colour, marker, size = EVOLVED[policy]
        table = {n: r.verified.error for n, r in sorted(front.records[policy].items())}
        axes.plot(
            list(table), list(table.values()), marker, color=colour, linestyle="-", linewidth=2.5,
            markersize=size, label=f"evolved, {policy}", zorder=3,
        )  # fmt: skip
    known = [
        (name, {n: e for n, e in row.items() if 0 < e < min(10.0, row.get(n - 1, 10.0))})
        for name, row in front.baselines.items()
    ]
    known = sorted((item for item in known if item[1]), key=lambda item: -item[1][max(item[1])])
    for (name, row), (colour, marker) in zip(known, cycle(KNOWN)):
        axes.plot(
            list(row), list(row.values()), marker, color=colour, linestyle="-", linewidth=0.9,
            markersize=5, label=name,
        )  # fmt: skip
    counts = sorted({n for table in front.records.values() for n in table})
    axes.set_yscale("log")
    axes.set_xticks(counts)
    axes.set_xlabel("operations")
    axes.set_ylabel(f"greatest {front.config.measure} error")
    axes.legend(fontsize="small", frameon=False, loc="lower left")
    axes.figure.savefig(path, dpi=120)


def write_report(front: Front, folder: Path) -> list[Path]:
    """Writes ``report.md`` and, where matplotlib is installed, ``front.png``; returns the files.

    Raises:
        RunError: the folder cannot be written.
    """
    text, picture = folder / "report.md", folder / "front.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text.write_text(markdown(front), encoding="utf-8")
        if not can_draw():
            return [text]
        plot(front, picture)
    except OSError as error:
        raise RunError(f"cannot write a report to {folder}: {error.strerror}") from None
    return [text, picture]
