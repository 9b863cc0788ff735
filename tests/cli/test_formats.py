from __future__ import annotations

import csv
import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.codec.json_text import MAX_DEPTH
from tests.cli.calls import program
from tests.cli.shapes import ITEMS, LISTS, OBJECTS, name_of, spoil, validate
from tests.cli.stories import ANSWER, tell_done

if TYPE_CHECKING:
    from tests.cli.calls import Caller


@pytest.mark.parametrize("arguments", [*LISTS.values(), *OBJECTS.values()], ids=[*LISTS, *OBJECTS])
def test_json_is_as_its_schema_says(arguments: tuple[str, ...], told: Caller) -> None:
    if arguments[0] == "rebuild":
        spoil(told)
    called = told(*arguments, "--json")
    assert called.err == ""
    assert called.out.endswith("}\n")
    validate(called.json, name_of(arguments))
    assert called.out == told(*arguments, "-o", "json").out or "as_of" in called.json
    if "items" in called.json:
        assert called.json["items"]


@pytest.mark.parametrize("arguments", LISTS.values(), ids=LISTS)
def test_json_lines_are_the_items(arguments: tuple[str, ...], told_sqlite: Caller) -> None:
    if arguments[0] == "rebuild":
        spoil(told_sqlite)
    lines = told_sqlite(*arguments, "-o", "jsonl").lines
    assert lines == told_sqlite(*arguments, "--json").json["items"]
    for line in lines:
        validate(line, ITEMS[arguments[0]])


@pytest.mark.parametrize("arguments", OBJECTS.values(), ids=OBJECTS)
def test_an_object_is_one_line_of_json_lines(
    arguments: tuple[str, ...], told_sqlite: Caller
) -> None:
    (line,) = told_sqlite.good(*arguments, "-o", "jsonl").lines
    if arguments != ("db", "status"):
        assert line == told_sqlite.good(*arguments, "--json").json


@pytest.mark.parametrize("arguments", [*LISTS.values(), *OBJECTS.values()], ids=[*LISTS, *OBJECTS])
def test_csv_has_a_header_and_a_row_for_each(
    arguments: tuple[str, ...], told_sqlite: Caller
) -> None:
    if arguments[0] == "rebuild":
        spoil(told_sqlite)
    rows = list(csv.reader(StringIO(told_sqlite(*arguments, "-o", "csv").out, newline="")))
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == 1 + len(told_sqlite(*arguments, "-o", "jsonl").lines)


@pytest.mark.parametrize("arguments", [*LISTS.values(), *OBJECTS.values()], ids=[*LISTS, *OBJECTS])
def test_tables_off_a_terminal_have_no_colour_box_or_cut(
    arguments: tuple[str, ...], told_sqlite: Caller
) -> None:
    if arguments[0] == "rebuild":
        spoil(told_sqlite)
    text = told_sqlite(*arguments).out
    assert "\x1b" not in text
    assert not set(text) & set("│─┃━╭…")
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_the_table_of_usage_ends_with_totals_and_what_they_cover(told_sqlite: Caller) -> None:
    *_, total, coverage = told_sqlite.good("usage", "--by", "model", "--tz", "UTC").out.splitlines()
    assert total.split() == ["TOTAL", "4", "1", "3", "1,200", "34", "1,234"]
    assert coverage == "Usage known for 1 of 4 runs."
    day = told_sqlite.good("usage", "--tz", "UTC").out.splitlines()
    assert day[-1] == "Usage known for 1 of 4 runs. Time zone: UTC."
    assert (
        told_sqlite.good("usage", "--by", "day", "--by", "day").out == told_sqlite.good("usage").out
    )


def test_unknown_is_a_dash_in_tables_and_never_zero(told_sqlite: Caller) -> None:
    lines = told_sqlite.good("runs", "-n", "0").out.splitlines()
    plain = next(line for line in lines if line.startswith("run-plain")).split()
    assert plain[5:7] == ["-", "-"]
    assert "Usage       -" in told_sqlite.good("show", "run-plain").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "--model", "x"),
        ("usage", "--model", "x"),
        ("events", "latest", "--from", "99"),
        ("recover", "--list"),
    ],
    ids=" ".join,
)
def test_nothing_is_a_failure_only_if_asked(arguments: tuple[str, ...], call: Caller) -> None:
    with runreel.open(call.url) as reel:
        tell_done(reel)
    told = call.good(*arguments)
    assert told.out == ""
    assert told.err.startswith("No ")
    assert call(*arguments, "--fail-empty").code == 1
    for format_ in ("json", "jsonl", "csv"):
        called = call(*arguments, "--fail-empty", "-o", format_)
        assert (called.code, called.err) == (1, "")
    assert call.good(*arguments, "--json").json["items"] == []


def test_what_is_found_is_no_failure(told_sqlite: Caller) -> None:
    told_sqlite.good("runs", "--fail-empty")
    told_sqlite.good("usage", "--fail-empty", "--json")
    told_sqlite.good("events", "latest", "--fail-empty", "-o", "csv")


def test_text_is_lossless_in_json_whatever_it_is(call: Caller) -> None:
    odd = "NUL \x00, a surrogate \ud83d alone, \u202e, 世界, \U0001f600"
    big = {"n": 12345678901234567890, "f": 1.0, "deep": [[[]]], "odd": odd}
    with runreel.open(call.url) as reel, reel.recording("r") as recording:
        recording.tool_results([big])
    for format_ in ("json", "jsonl"):
        told = call.good("events", "r", "--raw", "-o", format_)
        found = told.lines if format_ == "jsonl" else told.json["items"]
        assert found[1]["raw"] == {"tool_results": [big]}
        assert "12345678901234567890" in told.out
        assert "世界" in told.out
        assert "1.0" in told.out


def test_json_is_ascii_where_the_output_takes_no_more(told_sqlite: Caller) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    shown = program("--db", told_sqlite.url, "show", "run-done", "--content", "--json", env=env)
    assert shown.returncode == 0
    assert json.loads(shown.stdout.decode("ascii"))["text"] == ANSWER
    table = program("--db", told_sqlite.url, "show", "run-done", "--content", env=env)
    assert table.returncode == 0
    assert "\\u041f\\u0440" in table.stdout.decode("ascii")


def test_values_nested_deeply_are_printed(call_sqlite: Caller) -> None:
    deep: Any = []
    for _ in range(MAX_DEPTH - 3):
        deep = [deep]
    with runreel.open(call_sqlite.url) as reel, reel.recording("r") as recording:
        recording.tool_results([deep])
    raw = call_sqlite.good("events", "r", "--raw", "-o", "jsonl").lines[1]["raw"]
    assert raw == {"tool_results": [deep]}
    assert call_sqlite.good("events", "r", "--raw", "--json").json["items"][1]["raw"] == raw
    call_sqlite.good("events", "r", "--raw")
