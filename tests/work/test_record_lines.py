"""One run's lines as they arrive: each is stored before the next is read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.importing.record_lines import record_lines
from runreel.model.errors import BadInput, SourceMismatch
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from tests import logs, traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.import_report import Report

LINES = [line for line in traffic.with_tools() if line["type"] != "assistant"]


def encoded(lines: Iterable[Any]) -> Iterator[bytes]:
    for line in lines:
        yield (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"


def record(reel: runreel.Reel, lines: Iterable[Any], **how: Any) -> Report:
    return record_lines(reel.db, encoded(lines), run_id="run-1", **how)


def test_each_line_is_stored_before_the_next_is_read(reel, db_url):
    def arriving() -> Iterator[dict[str, Any]]:
        with runreel.open(db_url) as other:
            for n, line in enumerate(LINES):
                if n:
                    stored = [e.raw for e in other.events("run-1") if e.kind != "note"]
                    assert stored == [line["data"] for line in LINES[:n]]
                yield line

    report = record(reel, arriving())
    assert (report.lines, report.events_new, report.problems) == (len(LINES), len(LINES), [])
    assert report.source == "yandex-assistants"
    assert reel.run("run-1").recording == "closed"
    assert reel.run("run-1").usage == Usage(250, 270, 20)
    assert reel.rebuild(check=True) == []


def test_the_source_is_told_by_the_first_line_or_by_name(reel):
    plain = {"type": "DONE", "text": "Hi"}
    assert record(reel, [plain]).source == "plain"
    with pytest.raises(SourceMismatch):
        record(reel, LINES[:1])
    assert record_lines(reel.db, encoded(LINES), run_id="run-2", source="plain").source == "plain"


def test_recording_the_same_lines_again_stores_nothing_and_leaves_no_trace(reel):
    record(reel, LINES)
    before = logs.rows(reel)
    report = record(reel, LINES)

    assert (report.events_new, report.events_known) == (0, len(LINES))
    assert logs.rows(reel) == before


def test_going_on_where_it_stopped_stores_the_rest(reel):
    record(reel, LINES[:4])
    report = record(reel, LINES)

    assert (report.events_new, report.events_known) == (len(LINES) - 4, 4)
    assert logs.said(reel, "run-1") == [line["data"] for line in LINES]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ('{"type": "DONE", "x": NaN}', "NaN is not JSON"),
        ("[]", "a JSON object"),
        (traffic.streamed("run-2")[1], "belongs to run run-2, not to run-1"),
        ({"type": "DONE", "text": "Hi"}, "an event of plain, not of yandex-assistants"),
        ('{"type": "run", "data": {"x": ' + "[" * 200 + "]" * 200 + "}}", "nested"),
    ],
)
def test_a_line_that_cannot_be_stored_is_named_and_left_out(reel, line, reason):
    report = record(reel, [*LINES[:3], line, *LINES[3:]])

    (problem,) = report.problems
    assert (problem.line, problem.run_id) == (4, "run-1")
    assert reason in problem.message
    assert logs.said(reel, "run-1") == [line["data"] for line in LINES]
    assert reel.run("run-1").recording == "closed"


def test_a_source_that_breaks_off_is_an_interrupted_recording(reel):
    def arriving() -> Iterator[dict[str, Any]]:
        yield from LINES[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(reel, arriving())
    assert logs.notes(reel, "run-1")[-1] == ("interrupted", {"reason": "KeyboardInterrupt"})
    record(reel, LINES)
    assert reel.run("run-1").status is RunStatus.COMPLETED
    assert reel.run("run-1").recording == "closed"


def test_what_is_said_of_the_run_beforehand_is_known_of_it(reel):
    identity = {"model": "m", "labels": {"team": "ads"}, "thread_id": "thread-9"}
    record(reel, [{"type": "DONE", "text": "Hi"}], identity=identity)

    run = reel.run("run-1")
    assert (run.model, run.labels, run.thread_id) == ("m", {"team": "ads"}, "thread-9")


def test_no_lines_are_no_run(reel):
    report = record(reel, ["", "  ", ": comment", "data: [DONE]"])
    assert (report.lines, report.problems, logs.rows(reel)) == (0, [], [])


def test_a_run_that_cannot_be_called_so_is_refused_before_a_line_is_read(reel):
    def never() -> Iterator[bytes]:
        raise AssertionError
        yield b""

    with pytest.raises(BadInput):
        record_lines(reel.db, never(), run_id="a\nb")


def test_each_event_is_reported_as_it_is_stored(reel):
    told: list[int] = []
    record(reel, LINES, on_event=lambda report: told.append(report.events_new))
    assert told == list(range(1, len(LINES) + 1))
