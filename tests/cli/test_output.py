import dataclasses
import enum
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from xla_evo.cli.output import Column, format_bytes, print_table, to_json


class Terminal(io.StringIO):
    def isatty(self):
        return True


@dataclasses.dataclass
class Row:
    name: str
    path: Path


class Kind(enum.Enum):
    ONE = "one"


def test_a_table_without_a_terminal_is_aligned_text(capsys):
    columns = ["name", "ns", Column(name="note", align="left")]
    print_table(columns, [("exp", 0.5, "a"), ("tanh", None, None)], title="Times")
    assert capsys.readouterr().out == "Times\nname   ns  note\nexp   0.5  a\ntanh\n"


def test_a_table_on_a_terminal_has_the_same_cells(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    print_table(["name", "ns"], [("exp", "[0.5]")], title="Times")
    text = terminal.getvalue()
    assert all(word in text for word in ("Times", "name", "exp", "[0.5]"))
    assert len(text.splitlines()) > 3


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("columns", [2, 5, 12])
def test_no_cell_is_cut_whatever_the_terminal(monkeypatch, width, columns):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(width))
    names = [f"heading {place}" for place in range(columns)]
    cells = [f"0x1.{place:08x}p-12" for place in range(columns)]
    print_table(names, [cells], title="Times [in ns]")
    text = terminal.getvalue()
    assert all(word in text for word in (*names, *cells, "Times [in ns]"))
    lines = re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()
    framed = "━" in text
    assert framed == (columns * 18 < width)
    assert not framed or max(map(len, lines)) <= width


def test_an_empty_table_has_its_headings(capsys):
    print_table(["name", "ns"], [])
    assert capsys.readouterr().out == "name  ns\n"


def test_to_json():
    value = {
        "row": Row("exp", Path("a/b")),
        "kind": Kind.ONE,
        "numbers": (1, 2.5, True, None, math.inf, -math.inf, math.nan),
        "numpy": [np.float32(0.5), np.int64(3), np.bool_(True)],
    }
    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == {
        "row": {"name": "exp", "path": "a/b"},
        "kind": "one",
        "numbers": [1, 2.5, True, None, "inf", "-inf", "nan"],
        "numpy": [0.5, 3, True],
    }
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json(object())


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 30, "3.0 GiB"), (5 << 40, "5.0 TiB")],
)
def test_format_bytes(count, text):
    assert format_bytes(count) == text
