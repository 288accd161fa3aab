"""What commands print: tables for a person, aligned text for a pipe, JSON for a program."""

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from xla_evo.store import Json  # at run time it would load SQLite before a --help

Align = Literal["left", "right"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its heading, and the side its cells stand at."""

    name: str
    align: Align = "right"


def print_line(text: str = "") -> None:
    """Prints a line on standard output."""
    sys.stdout.write(f"{text}\n")


def print_table(
    columns: Sequence[Column | str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> None:
    """Prints a table: with rich on a terminal, else as aligned text that other tools can cut.

    A terminal too narrow for a table gets the text too, whose lines run on: no cell is cut.

    Args:
        columns: headings; a plain text is a column aligned right, the first one left.
        rows: cells, printed with `str`; None is an empty cell.
        title: a line above the table.
    """
    specs = [
        column
        if isinstance(column, Column)
        else Column(name=column, align="left" if place == 0 else "right")
        for place, column in enumerate(columns)
    ]
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not (sys.stdout.isatty() and _print_rich(specs, cells, title)):
        sys.stdout.write(plain_table(specs, cells, title=title))


def plain_table(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], *, title: str | None = None
) -> str:
    """Returns a table as text: columns padded to their widest cell, two spaces between."""
    lines = [[column.name for column in columns], *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    text = [title] if title else []
    for line in lines:
        padded = [
            cell.ljust(width) if column.align == "left" else cell.rjust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        text.append("  ".join(padded).rstrip())
    return "\n".join(text) + "\n"


def _print_rich(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], title: str | None
) -> bool:
    """Prints a table where the terminal is wide enough for it; returns whether it is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table()
    for column in columns:
        table.add_column(Text(column.name), justify=column.align, no_wrap=True)
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    anything = console.options.update(max_width=sys.maxsize)
    if console.measure(table, options=anything).maximum > console.width:
        return False
    if title:
        print_line(title)
    console.print(table)
    return True


def print_json(value: object) -> None:
    """Prints a value as indented JSON, see `to_json`."""
    print_line(json.dumps(to_json(value), indent=2, allow_nan=False))


def to_json(value: object) -> "Json":
    """Returns a value of JSON's types: dataclasses become objects, paths and enums text.

    Infinities and nan, which JSON lacks, become the texts ``inf``, ``-inf`` and ``nan``.

    Raises:
        TypeError: a value has no such form.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (bytes, bytearray)):
        return [to_json(item) for item in value]
    item = getattr(value, "item", None)
    if callable(item):
        return to_json(item())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def format_bytes(count: int) -> str:
    """Returns a size for a person, in powers of 1024: ``512 B``, ``3.4 MiB``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
