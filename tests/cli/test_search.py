"""``runreel search``: what it prints, and its exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli.render.json_schemas import schema_for
from tests.cli.stories import partial

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller


TEXTS = ("Погода: \x1b[31mснег", "a" * 3_000 + "!", "Снег и ветер")


@pytest.fixture
def log(call: Caller) -> Caller:
    with runreel.open(call.url) as reel:
        for number, text in enumerate(TEXTS):
            with reel.recording(f"run-{number}") as recording:
                recording.append(partial(text[:5]))
                recording.append(partial(text))
    return call


def test_it_prints_each_match_in_every_format(log: Caller) -> None:
    table = log("search", "СНЕГ")
    assert table.code == 0
    assert [line.split()[:3] for line in table.out.splitlines()[1:]] == [
        ["run-2", "answer", "1"],
        ["run-0", "answer", "2"],
    ]
    assert "\x1b" not in table.out
    first, second = log("search", "снег", "-o", "jsonl").lines
    assert list(first) == ["run_id", "in", "seq", "start", "end", "snippet", "at"]
    assert (first["run_id"], first["in"], first["seq"]) == ("run-2", "answer", 1)
    assert (second["start"], second["end"]) == (13, 17)
    page = log("search", "снег", "--json").json
    assert page["items"] == [first, second]
    assert log("search", "снег", "-o", "csv").out.count("\n") == 3
    assert log("search", "снег", "-n", "1", "-o", "jsonl").lines == [first]
    assert log("search", "снег", "run-0", "-o", "jsonl").lines == [second]
    assert log("search", "Снег", "--case", "-o", "jsonl").lines == [first]
    assert log("search", "снег", "--in", "error", "-o", "jsonl").lines == []


def test_nothing_found_is_no_error_unless_it_is_asked_for(log: Caller) -> None:
    assert log("search", "дождь").code == 0
    assert log("search", "дождь", "--fail-empty").code == 1
    assert "No matches" in log("search", "дождь").err


@pytest.mark.parametrize(
    "arguments",
    [("",), (), ("a", "none"), ("a", "--in", "title"), ("--regex", "("), ("a", "--build")],
)
def test_bad_questions_exit_with_2(log: Caller, arguments: tuple[str, ...]) -> None:
    called = log("search", *arguments)
    assert (called.code, called.out) == (2, "")
    assert called.err


@pytest.mark.parametrize("format_", ["table", "json", "jsonl"])
def test_a_pattern_over_its_limit_is_reported_and_the_rest_printed(
    log: Caller, format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runreel.codec.wanted_text.SECONDS", 0.05)
    called = log("search", "--regex", "(a|a)+$|снег", "-o", format_)
    assert called.code == 1
    assert "answer of run run-1" in called.err
    assert "run-2" in called.out
    if format_ == "json":
        assert len(called.json["items"]) == 2


def test_the_index_is_built_once_and_finds_the_same(log: Caller) -> None:
    before = log("search", "снег", "-o", "jsonl").lines
    called = log("search", "--build", "--json")
    if not log.url.endswith(".db"):
        assert called.code in (0, 3)
        return
    assert called.json | {"bytes": 0} == {
        "kind": "SQLite FTS5 trigrams",
        "indexed": 3,
        "added": 3,
        "bytes": 0,
    }
    assert log("search", "--build", "--json").json["added"] == 0
    assert log("search", "снег", "-o", "jsonl").lines == before
    assert "3 texts" in log("doctor").out
    assert schema_for("search")["anyOf"]


def test_a_recording_file_is_searched_like_the_log(log: Caller, tmp_path: Path) -> None:
    one, all_ = str(tmp_path / "one.reel.jsonl"), str(tmp_path / "all.reel.jsonl.gz")
    assert log("export", "run-0", "--out", one).code == 0
    assert log("export", "--out", all_).code == 0
    there = log("search", "снег", "run-0", "-o", "jsonl")
    assert there.lines
    assert log("search", "снег", one, "-o", "jsonl").out == there.out
    whole = log("search", "снег", "-o", "jsonl").out
    assert log.bare("--db", all_, "search", "снег", "-o", "jsonl").out == whole
