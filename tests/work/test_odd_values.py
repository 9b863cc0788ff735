"""Values that are not understood: said once, counted as unknown, never made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from runreel.importing.import_files import import_files
from runreel.importing.record_lines import record_lines
from runreel.model.errors import BadValue, ProjectionOutdated, UsageError
from runreel.model.events import NOT_UNDERSTOOD, RUN, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.sources import reader_of
from tests import logs, traffic

if TYPE_CHECKING:
    from pathlib import Path

    from runreel import Reel
    from runreel.model.import_report import Report

NAMES = {
    "plain": ("input_text_tokens", "completion_tokens", "total_tokens"),
    "yandex-assistants": ("promptTokens", "completionTokens", "totalTokens"),
    "openai-chat": ("prompt_tokens", "completion_tokens", "total_tokens"),
    "openai-responses": ("input_tokens", "output_tokens", "total_tokens"),
}
# Each with the usage that it is, None where it is not understood.
SHAPES: list[tuple[tuple[Any, Any, Any], Usage | None]] = [
    ((14, 7, 21), Usage(14, 21, 7)),
    ((14.0, 7.0, 21.0), Usage(14, 21, 7)),
    ((0, 0, 0), Usage(0, 0, 0)),
    ((2**62, 1, 2**62 + 1), Usage(2**62, 2**62 + 1, 1)),
    ((2**63 - 1, 0, 2**63 - 1), Usage(2**63 - 1, 2**63 - 1, 0)),
    ((2**63, 1, 2), None),
    ((10**30, 1, 2), None),
    ((1e30, 1, 2), None),
    ((-5, 1, 2), None),
    ((12.5, 1, 2), None),
    ((True, 1, 2), None),
    ((None, 5, 5), None),
    ((10, None, 10), None),
    ((10, 5, None), None),
    (("１４", 7, 21), None),  # noqa: RUF001 - digits of another script
    (("NaN", 7, 21), None),
    (([], {}, 21), None),
]


def lines_of(source: str, run_id: str, usage: Any) -> list[dict[str, Any]]:
    """A run that ends with a usage, as its source tells it."""
    if source == "plain":
        return [
            {"type": "PARTIAL_MESSAGE", "run_id": run_id, "text": "Hi"},
            {"type": "COMPLETED", "run_id": run_id, "usage": usage},
        ]
    if source == "yandex-assistants":
        state = {"status": "COMPLETED"}
        return [{"type": "run", "data": {"id": run_id, "state": state, "usage": usage}}]
    if source == "openai-chat":
        choice = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
        whole = {"id": run_id, "object": "chat.completion.chunk"}
        return [whole | {"choices": [choice]}, whole | {"choices": [], "usage": usage}]
    response = {"id": run_id, "object": "response", "status": "completed", "output": []}
    return [{"type": "response.completed", "response": response | {"usage": usage}}]


def record(reel: Reel, run_id: str, lines: list[Any], **how: Any) -> Report:
    encoded = [json.dumps(line).encode() + b"\n" for line in lines]
    return record_lines(reel.db, encoded, run_id=run_id, **how)


def take_in(reel: Reel, folder: Path, lines: list[Any]) -> Report:
    return import_files(reel.db, [traffic.write(folder / "lines.jsonl", lines)])


def noted(reel: Reel, run_id: str) -> list[Any]:
    return [value for type_, value in logs.notes(reel, run_id) if type_ == NOT_UNDERSTOOD]


def counted(reel: Reel) -> dict[str, Usage | None]:
    """The usage of each run, having seen that reports and projections agree with it."""
    runs = reel.runs(limit=0).items
    known = [run.usage for run in runs if run.usage is not None]
    totals = reel.usage(()).totals
    assert (totals.runs, totals.known) == (len(runs), len(known))
    expected = [sum(getattr(usage, name) for usage in known) for name in NAMES["plain"]]
    assert [getattr(totals, name) for name in NAMES["plain"]] == (expected if known else [None] * 3)
    assert reel.rebuild(check=True) == []
    for run in runs:
        assert reel.result(run.run_id).usage == run.usage
    return {run.run_id: run.usage for run in runs}


@pytest.mark.parametrize("source", NAMES)
def test_recorded_counts_are_understood_as_a_whole_or_unknown(reel, source):
    expected = {}
    for n, (counts, usage) in enumerate(SHAPES):
        run_id = f"run-{n}"
        lines = lines_of(source, run_id, dict(zip(NAMES[source], counts, strict=True)))
        report = record(reel, run_id, lines, source=source)
        assert report.problems == []
        assert (report.notices != []) == (usage is None)
        assert [note["what"] for note in noted(reel, run_id)] == [["usage"]] * (usage is None)
        expected[run_id] = usage
    assert counted(reel) == expected


@pytest.mark.parametrize("source", ["plain", "yandex-assistants"])
def test_imported_counts_are_understood_as_a_whole_or_unknown(reel, tmp_path, source):
    lines, expected = [], {}
    for n, (counts, usage) in enumerate(SHAPES):
        lines += lines_of(source, f"run-{n}", dict(zip(NAMES[source], counts, strict=True)))
        expected[f"run-{n}"] = usage
    report = take_in(reel, tmp_path, lines)
    assert report.problems == []
    unknown = sum(usage is None for usage in expected.values())
    (notice,) = report.notices
    assert f"in {unknown} runs; first in" in notice
    assert counted(reel) == expected
    logs.verify(reel)

    before = logs.rows(reel)
    again = take_in(reel, tmp_path, lines)
    assert (again.events_new, again.notices) == (0, [])
    assert logs.rows(reel) == before


def test_what_is_not_understood_is_noted_once_a_run_right_before_it(reel):
    odd = {"type": "IN_PROGRESS", "usage": {"total_tokens": "many"}, "labels": "none"}
    report = record(reel, "run-1", [odd, odd, odd | {"at": "yesterday"}])
    *misread, cut = report.notices
    assert [notice.partition(" not understood")[0] for notice in misread] == [
        "usage",
        "value of labels",
        "value of at",
    ]
    assert cut.endswith("the recording is interrupted")
    assert noted(reel, "run-1") == [
        {"seq": 2, "what": ["labels", "usage"]},
        {"seq": 5, "what": ["at"]},
    ]
    assert [event.seq for event in reel.events("run-1") if event.kind == RUN] == [2, 3, 5]
    record(reel, "run-1", [odd, odd, odd | {"at": "yesterday"}, odd])
    assert len(noted(reel, "run-1")) == 2
    logs.verify(reel)


def test_usage_that_is_understood_later_is_known_again(reel):
    states = [{"total_tokens": 9}, {"prompt_tokens": 3, "completion_tokens": 2}]
    record(reel, "run-1", [{"type": "IN_PROGRESS", "usage": usage} for usage in states])
    assert counted(reel) == {"run-1": Usage(3, 5, 2)}
    record(reel, "run-2", [{"type": "IN_PROGRESS", "usage": usage} for usage in states[::-1]])
    assert counted(reel)["run-2"] is None


def test_rebuilding_applies_the_reading_to_an_older_log(reel):
    odd = {"input_text_tokens": None, "completion_tokens": 5}
    record(reel, "run-1", [{"type": "COMPLETED", "usage": odd}])
    older = "input_text_tokens = 0, completion_tokens = 5, total_tokens = 5"
    logs.execute(reel, f"UPDATE runs SET {older}")
    logs.execute(reel, "UPDATE runreel_meta SET value = '1' WHERE key = 'projection_version'")
    with pytest.raises(ProjectionOutdated, match="of version 1"):
        reel.usage(())
    reel.rebuild()
    assert counted(reel) == {"run-1": None}


def test_a_program_is_warned_once_of_what_is_not_understood(reel, caplog):
    value = {"type": "COMPLETED", "usage": {"total_tokens": True}}
    with reel.recording("run-1") as recording:
        for text in ("One", "Two"):
            offer = recording.offer(RUN, value | {"text": text})
            assert (offer.new, offer.unread) == (True, ("usage",))
    (warning,) = caplog.messages
    assert warning == "usage of an event of run run-1 is not understood"
    assert noted(reel, "run-1") == [{"seq": 2, "what": ["usage"]}]


def test_a_line_that_ends_the_stream_may_carry_the_usage(reel):
    usage = {"input_tokens": 3, "output_tokens": 2}
    record(reel, "run-1", [{"type": "DONE", "text": "Hi", "usage": usage}])
    assert counted(reel) == {"run-1": Usage(3, 5, 2)}


def test_a_state_without_a_message_takes_nothing_back(reel):
    usage = {"input_tokens": 3, "output_tokens": 2}
    partial = {"type": "PARTIAL_MESSAGE", "text": "Hello"}
    for n, end in enumerate(("DONE", "COMPLETED", "TOOL_CALLS", "IN_PROGRESS")):
        record(reel, f"run-{n}", [partial, {"type": end, "usage": usage}])
        assert reel.result(f"run-{n}").text == "Hello", end
    failed = {"type": "ERROR", "error": {"message": "cut", "code": "E1"}}
    record(reel, "failed", [partial, failed, {"type": "FAILED", "usage": usage}])
    assert (reel.run("failed").error.message, reel.run("failed").error.code) == ("cut", "E1")
    assert set(counted(reel).values()) == {Usage(3, 5, 2)}


# -- Proto JSON ------------------------------------------------------------------------------------


def original(value: Any) -> Any:
    """The same with the names that fields have in their protos."""
    from runreel.sources.yandex.proto_json import original as name

    if isinstance(value, list):
        return [original(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name(key): original(item) for key, item in value.items()}


@pytest.mark.parametrize("shape", traffic.SHAPES)
def test_traffic_with_the_original_names_is_the_same_run(reel, tmp_path, shape):
    lines = traffic.SHAPES[shape]("usual")
    other = [
        line | {"data": original(line["data"])} | {"request": original(line.get("request") or {})}
        for line in traffic.SHAPES[shape]("original")
    ]
    for told in (lines, other):
        report = take_in(reel, tmp_path, told)
        assert (report.problems, report.notices) == ([], [])
    usual, named = reel.run("usual"), reel.run("original")
    assert named._replace(run_id="usual") == usual
    assert (reel.state("usual")[1].status, reel.state("usual")[1]._message is None) == (
        reel.state("original")[1].status,
        reel.state("original")[1]._message is None,
    )
    rows = [
        [(e.kind, e.type, e.source_index, e.text, e.added) for e in reel.events(run_id)]
        for run_id in ("usual", "original")
    ]
    assert rows[0] == rows[1]
    assert counted(reel)["original"] == usual.usage


def test_events_that_were_stored_without_a_number_are_recognised_by_it(reel, tmp_path, monkeypatch):
    lines = [line | {"data": original(line["data"])} for line in traffic.streamed("run-1")]
    reader = type(reader_of("yandex-assistants"))
    interpret = reader.interpret
    with monkeypatch.context() as patch:
        patch.setattr(
            *(reader, "interpret"),
            lambda *told: msgspec.structs.replace(interpret(*told), index=None, text_only=None),
        )
        take_in(reel, tmp_path, lines)
    report = take_in(reel, tmp_path, lines)
    assert (report.events_new, report.problems) == (0, [])


def test_a_line_without_a_known_key_says_so(reel, tmp_path):
    odd = [{"type": "stream_event", "run_id": "run-1", "data": {"EventType": "DONE"}}]
    (notice,) = take_in(reel, tmp_path, odd).notices
    assert notice.startswith("unrecognised event: its source knows none of its keys")
    assert noted(reel, "run-1") == [{"seq": 2, "what": ["keys"]}]


# -- Times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["at", "created_at"])
@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2025-06-01t10:00:00z", "2025-06-01"),
        ("2025-06-01T10:00:00.5+03:00", "2025-06-01"),
        ("2016-12-31T23:59:60Z", "2016-12-31"),
        (1_749_000_000, "2025-06-04"),
        (1_749_000_000_123, "2025-06-04"),
        (1_749_000_000.5, "2025-06-04"),
    ],
)
def test_an_imported_run_counts_on_the_day_that_its_lines_say(reel, tmp_path, key, time, day):
    report = take_in(reel, tmp_path, [{"type": "COMPLETED", "run_id": "run-1", key: time}])
    assert (report.problems, report.notices) == ([], [])
    assert [item.key for item in reel.usage(("day",), tz="UTC").items] == [(day,)]


@pytest.mark.parametrize("time", ["yesterday", "1749000000", "", -1, 0, True, 1e15, [], {"s": 1}])
def test_an_imported_line_whose_time_cannot_be_read_is_bad(reel, tmp_path, time):
    good = {"type": "COMPLETED", "run_id": "good", "created_at": "2025-06-01T10:00:00Z"}
    bad = {"type": "COMPLETED", "created_at": time}
    state = {"status": "COMPLETED", "completedMessage": {"createdAt": time}}
    wrapped = {"type": "run", "data": {"id": "wrapped", "state": state}}
    lines = [bad | {"run_id": "bad"}, good, {"at": time, **bad, "run_id": "at"}, wrapped]
    report = take_in(reel, tmp_path, lines)
    assert [problem.run_id for problem in report.problems] == ["bad", "at", "wrapped"]
    assert all("invalid time" in problem.message for problem in report.problems)
    assert [run.run_id for run in reel.runs()] == ["good"]


def test_a_recorded_run_goes_by_the_times_of_its_lines_from_the_first_on(reel):
    ends = {"type": "DONE", "text": "Hi", "at": "2025-06-01T10:00:02Z"}
    record(reel, "timed", [{"type": "PENDING", "at": "2025-06-01T10:00:00Z"}, ends])
    run = reel.run("timed")
    assert run.started_at == datetime(2025, 6, 1, 10, tzinfo=UTC)
    assert run.duration_ms == 2000
    record(reel, "late", [{"type": "PENDING"}, ends])
    assert reel.run("late").started_at.year > 2025
    assert reel.run("late").finished_at.year > 2025
    assert reel.rebuild(check=True) == []


# -- Labels ----------------------------------------------------------------------------------------

LABELS = {"a": None, "b": True, "c": {"x": 1}, "d": 1.5, "e": "text", "f": ["ü"], "g": 12}
SPELLED = {"b": "true", "c": '{"x":1}', "d": "1.5", "e": "text", "f": '["ü"]', "g": "12"}


def test_labels_are_spelled_as_json_and_null_is_left_out(reel, tmp_path):
    record(reel, "plain", [{"type": "COMPLETED", "labels": LABELS}])
    run = {"id": "proto", "state": {"status": "COMPLETED"}, "labels": LABELS}
    take_in(reel, tmp_path, [{"type": "run", "data": run}])
    with reel.recording("python", labels=LABELS) as recording:
        recording.append(RunStreamEvent(StreamEvent.DONE))
    for run_id in ("plain", "proto", "python"):
        assert reel.run(run_id).labels == SPELLED
    with pytest.raises(BadValue):
        reel.recording("other", labels={"a": object()})


# -- From Python -----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [name for name in NAMES if name != "plain"])
def test_a_recording_of_another_source_takes_that_source_s_json_alone(reel, source):
    message = PartialMessage(("Hi",))
    with reel.recording("run-1", source=source) as recording:
        with pytest.raises(UsageError, match=f"the source of this recording is {source}"):
            recording.append(RunStreamEvent(StreamEvent.DONE, _message=message))
        with pytest.raises(UsageError, match=f"the source of this recording is {source}"):
            recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(1, 2, 1)))
        assert logs.rows(reel) == []
        usage = dict(zip(NAMES[source], (3, 2, 5), strict=True))
        for line in lines_of(source, "run-1", usage):
            value = line.get("data", line)
            kind = RUN if "data" in line else STREAM_EVENT
            assert recording.offer(kind, value).new
        recording.tool_results([{"id": "call-1"}])
    assert counted(reel) == {"run-1": Usage(3, 5, 2)}
