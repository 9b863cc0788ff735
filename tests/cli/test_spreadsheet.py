from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import csv_rows
from tests.cli.stories import partial

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.cli.calls import Caller


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        " =1",
        "\u00a0=1",
        "\u3000\t=1",
        "\ufeff=1",
        "\u200b@x",
        "\x00=1",
        "\t=1",
        "\r=1",
        "\n=1",
        "\tplain",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        "\u22121+1",
        "-",
        "=cmd|' /C calc'!A0",
        "-1e",
    ],
)
def test_a_formula_is_defused(text: str) -> None:
    assert csv_rows.escape_formula(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-1", "+3", "-1.5", "-1e-9", "plain", "a=b", "1-1", " ", "'=1"]
)
def test_what_is_no_formula_stays(text: str) -> None:
    assert csv_rows.escape_formula(text) == text


@given(st.text())
def test_a_cell_reads_back_as_it_was_or_with_an_apostrophe(text: str) -> None:
    line = csv_rows.row({"a": text, "b": "x"}, ("a", "b"))
    first, second = next(csv.reader(StringIO(line, newline="")))
    assert second == "x"
    assert first in (text, f"'{text}")
    assert not first.strip().startswith(("=", "@"))


def test_values_of_all_kinds_have_a_cell() -> None:
    value = {
        "a": None,
        "b": 1,
        "c": 1.5,
        "d": True,
        "e": {"x": {"y": "=1"}},
        "f": ["=1"],
        "g": None,
    }
    row = csv_rows.row(value, ("a", "b", "c", "d", "e.x", "f", "g.inner", "e"))
    assert next(csv.reader([row])) == [
        "",
        "1",
        "1.5",
        "true",
        '{"y": "=1"}',
        '["=1"]',
        "",
        '{"x": {"y": "=1"}}',
    ]


def test_a_key_with_a_dot_in_it_is_found() -> None:
    assert csv_rows.row({"label:a.b": "c"}, ("label:a.b",)) == "c\n"


def test_a_hostile_log_is_defused_on_its_way_out(small_reel: Reel, call_sqlite: Caller) -> None:
    formula = '=HYPERLINK("http://evil";"x")'
    with small_reel.recording(formula, model="@SUM(1)", labels={"a": formula}) as recording:
        recording.append(partial(formula))
    told = call_sqlite.good("runs", "-o", "csv").out
    (row,) = csv.DictReader(StringIO(told))
    assert row["run_id"] == f"'{formula}"
    assert row["model"] == "'@SUM(1)"
    assert json.loads(row["labels"]) == {"a": formula}
    rows = list(
        csv.DictReader(StringIO(call_sqlite.good("events", "latest", "--raw", "-o", "csv").out))
    )
    assert rows[1]["text"] == f"'{formula}"
    usage = csv.DictReader(StringIO(call_sqlite.good("usage", "--by", "model", "-o", "csv").out))
    assert next(usage)["model"] == "'@SUM(1)"
