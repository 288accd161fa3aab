import dataclasses
import re

import pytest

from xla_evo.discovery.emit import emit
from xla_evo.discovery.report import describe, front_table, markdown, write_report
from xla_evo.errors import ConfigError
from xla_evo_lowering.text import parse_program


def test_tables_have_a_row_a_count_and_a_column_a_baseline(front):
    headings, rows = front_table(front)
    assert headings[:3] == ["operations", "removable", "finite"]
    assert len(headings) == 3 + len(front.baselines)
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"]


def test_reports_hold_every_record(front, tmp_path):
    pytest.importorskip("matplotlib")
    text, picture = write_report(front, tmp_path / "report")
    assert picture.stat().st_size > 10_000
    content = text.read_text()
    assert content == markdown(front)
    for record in front.records["removable"].values():
        assert record.python.strip() in content
        assert describe(record) in content


def test_a_record_of_both_policies_stands_in_a_report_once(front):
    content = markdown(front)
    assert len(re.findall("^## 3 operations, removable and finite$", content, re.MULTILINE)) == 1
    assert not re.search("^## 3 operations, (removable|finite)$", content, re.MULTILINE)
    named = re.findall("^## .*operation", content, re.MULTILINE)
    different = sum(
        record.steps != front.records["finite"][n].steps
        for n, record in front.records["removable"].items()
    )
    assert len(named) == 5 + different


def test_what_is_below_every_baseline_is_bold(front):
    rows = [line for line in markdown(front).splitlines() if line.startswith("| 5 |")]
    assert re.match(r"\| 5 \| \*\*[0-9.e-]+\*\* \| \*\*[0-9.e-]+\*\* \| [0-9.e-]+ ", rows[0])
    worse = {"known": dict.fromkeys(range(1, 6), 1e-9)}
    assert "**" not in markdown(dataclasses.replace(front, baselines=worse))


def test_a_finite_search_shows_its_policy_alone(front):
    finite = dataclasses.replace(front, config=dataclasses.replace(front.config, finite=True))
    assert front_table(finite)[0][:2] == ["operations", "finite"]
    assert ", removable" not in markdown(finite)


@pytest.mark.parametrize(("name", "ulp"), [("float64", 3e12), ("float32", 5000), ("bfloat16", 8)])
def test_records_become_programs_of_a_format(front, config, name, ulp):
    record = front.record(4)
    found = emit(record, config, name)
    assert parse_program(found.text) == found.program
    assert found.program.operation_count() == 4
    assert found.not_finite == 0
    assert found.error >= 0.9 * record.verified.error
    assert 0 < found.ulp < ulp


def test_only_floats_can_be_emitted(front, config):
    with pytest.raises(ConfigError, match="float format"):
        emit(front.record(3), config, "int32")
