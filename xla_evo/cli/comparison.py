"""How ``tune --compare`` prints: a table of the best program of each backend, and why they differ.

Costs have the unit of their backend; the lines under the table say which, and what of a backend's
arithmetic decides which programs it can use.
"""

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xla_evo.cli.output import Column, print_line, print_table

if TYPE_CHECKING:
    from xla_evo.tuning import Comparison
    from xla_evo.tuning.assess import Assessment

_KNOWN = {"modelled, sampled": "sampled", "certified, sampled": "sampled"}
_LEGEND = (
    "saves: share of the built-in's cost that the best program saves; x2: it costs twice as much."
    " HIGHEST is the built-in with jax.lax.AccuracyMode.HIGHEST. Errors are over every input, on a"
    " device (certified) or in a model of its arithmetic (modelled); those of samples are no bound."
)


def comparison_to_json(item: "Comparison") -> dict[str, Any]:
    """Returns plain data with the best program, the built-ins and the others of one backend."""

    def plain(one: "Assessment | None") -> dict[str, Any] | None:
        return None if one is None else {name: getattr(one, name) for name in type(one).__slots__}

    return {
        "function": item.function, "backend": item.backend, "max_ulp": item.max_ulp,
        "origin": item.origin,
        "best": plain(item.best), "builtins": [plain(one) for one in item.builtins],
        "others": [plain(one) for one in item.others], "saving": item.saving(),
        "saving_against_highest": item.saving(1),
    }  # fmt: skip


def number(value: float | None) -> str:
    """Four digits, or a dash."""
    return "-" if value is None else f"{value:.4g}"


def saves(share: float | None) -> str:
    """A share of the built-in's cost that is saved, or how many times it a program costs."""
    if share is None:
        return "-"
    return f"{share:.0%}" if share >= 0 else f"x{1.0 - share:.1f}"


def _made(item: "Comparison") -> str:
    if item.best is None:
        return "-"
    return "by hand" if "by hand" in item.origin else "evolved"


def print_comparison(found: "Sequence[Comparison]") -> None:
    """Prints the table and, for each backend, its unit and its arithmetic."""
    columns = [
        Column(name="function", align="left"), Column(name="backend", align="left"),
        Column(name="best", align="left"), Column(name="made", align="left"),
        Column(name="max ULP"), Column(name="known by", align="left"), Column(name="cost"),
        Column(name="built-in"), Column(name="saves"), Column(name="HIGHEST"), Column(name="saves"),
    ]  # fmt: skip
    cells: list[tuple[object, ...]] = []
    units: dict[str, str] = {}
    for item in found:
        best, costs = item.best, [one.cost for one in item.builtins]
        unit = next((one.unit for one in (best, *item.builtins) if one and one.unit), "")
        units.setdefault(item.backend, unit)
        against = [
            text
            for place in (0, 1)
            for text in (
                number(costs[place] if place < len(costs) else None), saves(item.saving(place)),
            )
        ]  # fmt: skip
        cells.append((
            item.function, item.backend, best.name if best else "none", _made(item),
            number(best.max_ulp if best else None),
            _KNOWN.get(best.known, best.known) if best else "-",
            number(best.cost if best else None), *against,
        ))  # fmt: skip
    print_table(columns, cells)
    _print_wrapped(_LEGEND)
    from xla_evo.tuning.compare import arithmetic

    for name, unit in units.items():
        _print_wrapped(f"{name}: costs in {unit}, {_source(name)}; {arithmetic(name)}.")


def _source(name: str) -> str:
    """Where the costs for a backend come from."""
    from xla_evo_lowering.backends import backend, processor

    if backend(name).live:
        return f"measured on this machine ({processor()})"
    return "counted in what its compiler made"


def print_reasons(name: str, found: "Sequence[Comparison]") -> None:
    """Why the backends differ on one function, by the programs that are best somewhere."""
    from xla_evo.tuning.compare import losers, winners

    print_line()
    chosen = {item.best.program if item.best else "" for item in found}
    same = len(found) > 1 and len(chosen) == 1
    print_line(f"{name}: the same everywhere" if same else name)
    for line in (*winners(found), *losers(found)):
        _print_wrapped(line, indent="  ")


def _print_wrapped(text: str, *, indent: str = "") -> None:
    width = min(100, shutil.get_terminal_size().columns)
    lines = textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
    for line in lines:
        print_line(line)
