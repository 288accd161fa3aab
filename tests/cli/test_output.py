import dataclasses
import enum
import io
import json
import math
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
