from __future__ import annotations

from typing import TYPE_CHECKING

import runreel
from runreel.cli.render import list_views, priced_runs, usage_table
from runreel.codec import flat_columns
from tests.cli.shapes import COUNT_KEYS, EVENT_KEYS, RUN_KEYS, TOKEN_KEYS
from tests.cli.stories import ANSWER

if TYPE_CHECKING:
    from tests.cli.calls import Caller

CONTENT = ("text", "parts", "message", "citations", "reasoning", "request", "story")


def test_runs_have_exactly_the_keys_of_the_contract(told: Caller) -> None:
    answer = told.good("runs", "--json").json
    assert list(answer) == ["items", "next", "as_of"]
    assert [item["run_id"] for item in answer["items"]] == [
        "run-done",
        "open-run",
        "run-plain",
        "run-failed",
    ]
    for item in answer["items"]:
        assert list(item) == list(RUN_KEYS)
    done, opened, plain, failed = answer["items"]
    assert done["status"] == "COMPLETED"
    assert done["status_name"] == "success"
    assert done["recording"] == "closed"
    assert done["labels"] == {"team": "search"}
    assert done["usage"] == dict(zip(TOKEN_KEYS, (1200, 34, 1234), strict=True))
    assert done["error"] is None
    assert done["events"] == 4
    assert (opened["status"], opened["recording"], opened["usage"]) == ("IN_PROGRESS", "open", None)
    assert plain["model"] is None
    assert failed["error"] == {"message": "no more quota", "code": None}
    assert failed["status_name"] == "failed"


def test_show_adds_the_content_only_when_asked(told: Caller) -> None:
    bare = told.good("show", "run-done", "--json").json
    assert list(bare) == list(RUN_KEYS)
    full = told.good("show", "run-done", "--content", "--json").json
    assert list(full) == [*RUN_KEYS, *CONTENT]
    assert full["text"] == ANSWER
    assert full["parts"] == [ANSWER]
    assert full["message"]["id"] == "message-1"
    assert full["message"]["created_at"] == "2025-03-04T05:06:07.000089Z"
    assert full["message"]["author"] == {"id": "assistant-1", "role": "ASSISTANT"}
    assert full["citations"] == [
        {
            "sources": [
                {
                    "type": "filechunk",
                    "parts": ["a piece", {"odd": 1}],
                    "search_index_id": "index-1",
                    "file_id": "file-1",
                    "file_name": "moon.pdf",
                },
                {
                    "type": "unknown",
                    "parts": [],
                    "search_index_id": None,
                    "file_id": None,
                    "file_name": None,
                    "text": "something new",
                },
            ]
        }
    ]


def test_a_failed_run_has_what_was_written_before(told: Caller) -> None:
    shown = told.good("show", "run-failed", "--content", "--json").json
    assert (shown["text"], shown["parts"]) == ("I was about", ["I was about"])
    assert (shown["message"], shown["citations"]) == (None, None)


def test_a_run_without_a_message_has_an_empty_content(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel, reel.recording("r") as recording:
        recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED))
    shown = call_sqlite.good("show", "r", "--content", "--json").json
    assert [shown[key] for key in ("text", "parts", "message", "citations")] == [None, [], None, []]


def test_events_have_exactly_the_keys_of_the_contract(told: Caller) -> None:
    answer = told.good("events", "run-done", "--json").json
    assert list(answer) == ["items", "next", "as_of"]
    assert answer["next"] is None
    rows = answer["items"]
    for seq, row in enumerate(rows):
        assert list(row) == list(EVENT_KEYS)
        assert row["seq"] == seq
    calls = next(row for row in rows if row["type"] == "TOOL_CALLS")
    assert calls["tool_calls"] == [
        {"id": "call-1", "name": "weather", "arguments": {"place": "Moon", "days": 2}}
    ]
    assert [row["added"] for row in rows if row["type"] == "PARTIAL_MESSAGE"] == [
        "Привет",
        ANSWER[6:],
    ]
    assert [row["text"] for row in rows if row["type"] == "DONE"] == [ANSWER]
    assert {row["type"]: row["is_finished"] for row in rows if row["kind"] == "stream_event"} == {
        "TOOL_CALLS": True,
        "PARTIAL_MESSAGE": False,
        "DONE": True,
    }
    assert not any(row["is_finished"] for row in rows if row["kind"] != "stream_event")
    deltas = told.good("events", "run-done", "--delta", "--json").json["items"]
    assert deltas == [{key: row[key] for key in row if key != "text"} for row in rows]
    text = ""
    for row, delta in zip(rows, deltas, strict=True):
        assert (delta["kept"] is None) == (delta["added"] is None)
        if delta["kept"] is not None:
            text = text[: delta["kept"]] + delta["added"]
        if row["kind"] == "stream_event" and row["text"] is not None:
            assert text == row["text"]
    assert "text" not in told.good("events", "run-done", "--delta", "-o", "csv").out.split("\n")[0]
    raw = told.good("events", "run-done", "--raw", "--json").json["items"]
    assert all(list(row) == [*EVENT_KEYS, "raw"] for row in raw)
    assert raw[0]["raw"]["source"] == "plain"


def test_usage_has_exactly_the_keys_of_the_contract(told: Caller) -> None:
    report = told.good("usage", "--by", "label:team", "--by", "status", "--json").json
    assert list(report) == ["items", "totals", "tz"]
    assert [list(item) for item in report["items"]] == [["label:team", "status", *COUNT_KEYS]] * 4
    counted = {(item["label:team"], item["status"]): item for item in report["items"]}
    assert set(counted) == {
        ("search", "COMPLETED"),
        ("chat", "FAILED"),
        (None, "COMPLETED"),
        (None, "IN_PROGRESS"),
    }
    assert counted["search", "COMPLETED"]["total_tokens"] == 1234
    assert counted["chat", "FAILED"]["total_tokens"] is None
    assert counted["chat", "FAILED"]["unknown"] == 1
    assert list(report["totals"].values()) == [4, 1, 3, 1200, 34, 1234, None, None, None]
    assert (
        told.good("usage", "--by", "day", "--tz", "Asia/Tokyo", "--json").json["tz"] == "Asia/Tokyo"
    )


def test_what_is_named_twice_is_the_same() -> None:
    assert list(usage_table.list_view(("day",)).fields) == ["day", *COUNT_KEYS]
    spread = {field.partition(".")[0] for field in flat_columns.flat(priced_runs.SHAPE)}
    assert spread == set(RUN_KEYS)
    assert list(list_views.EVENTS.fields) == list(EVENT_KEYS)
