"""The time of the request: the first text and the duration are measured from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.importing.import_files import import_files
from runreel.importing.record_lines import record_lines
from runreel.model.errors import UsageError
from runreel.model.messages import PartialMessage
from runreel.model.results import RunStreamEvent
from runreel.model.status import StreamEvent
from runreel.model.timestamps import duration_ms, first_text_ms, to_micros
from tests import logs, traffic

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

ASKED = datetime(2025, 6, 1, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TEXT = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("He",)))
DONE = RunStreamEvent(StreamEvent.DONE, _message=PartialMessage(("Hello",)))
TIMED = [
    {"type": "PENDING", "at": "2025-06-01T10:00:01Z"},
    {"type": "PARTIAL_MESSAGE", "text": "He", "at": "2025-06-01T10:00:01.5Z"},
    {"type": "PARTIAL_MESSAGE", "text": "Hello", "at": "2025-06-01T10:00:02Z"},
    {"type": "DONE", "text": "Hello", "at": "2025-06-01T10:00:04Z"},
]
TIMES = st.integers(0, 2**50)


def write(path: Path, run_id: str, values: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps({**value, "run_id": run_id}) + "\n" for value in values))
    return str(path)


def asked(values: list[dict[str, Any]], place: int, at: object) -> list[dict[str, Any]]:
    """The lines, of which one says when the model was asked."""
    return [
        {**value, "requested_at": at} if n == place else value for n, value in enumerate(values)
    ]


def recorded(reel: Reel, run_id: str, **identity: Any) -> None:
    """A run whose text comes 1.5 s after ``ASKED`` and that is done 2 s later."""
    now = ASKED + 1.5 * SECOND
    recording = logs.recording_at(reel, run_id, ASKED, **identity)
    recording._recorder._clock = lambda: to_micros(now) * 1_000
    recording.append(TEXT)
    now += 2 * SECOND
    recording.append(DONE)
    recording.close()


def test_the_first_text_and_the_duration_count_from_the_request(reel):
    asked_at = datetime.now(UTC) - 1.5 * SECOND
    with reel.recording("run-1", requested_at=asked_at) as recording:
        recording.append(TEXT)
        recording.append(DONE)
    run = reel.run("run-1")
    assert run.requested_at == asked_at
    assert run.first_text_at >= run.started_at
    assert run.first_text_ms == (run.first_text_at - asked_at) / timedelta(milliseconds=1)
    assert 1500 <= run.first_text_ms <= run.duration_ms < 60_000
    assert list(reel.runs()) == [run]
    assert reel.rebuild(check=True) == []


def test_without_a_request_the_first_text_is_unknown_and_the_duration_is_of_the_events(reel):
    recorded(reel, "run-1")
    recorded(reel, "run-2", requested_at="2025-06-01T10:00:00Z")
    two, one = reel.runs(limit=0)
    assert (one.requested_at, one.first_text_ms, one.duration_ms) == (None, None, 2000)
    assert (two.requested_at, two.first_text_ms, two.duration_ms) == (ASKED, 1500, 3500)
    assert [run.run_id for run in reel.runs(slower_than=3)] == ["run-2"]
    assert [run.run_id for run in reel.runs(slower_than=1)] == ["run-2", "run-1"]
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize(
    "value", [ASKED, "2025-06-01T10:00:00Z", "2025-06-01 13:00+03:00", ASKED.timestamp()]
)
def test_the_request_may_be_any_time_that_filters_take(reel, value):
    with reel.recording("run-1", requested_at=value) as recording:
        recording.append(DONE)
    assert reel.run("run-1").requested_at == ASKED


@pytest.mark.parametrize("value", ["soon", [], True])
def test_what_is_no_time_is_refused_before_anything_is_stored(reel, value):
    with pytest.raises(UsageError, match="requested_at"):
        reel.recording("run-1", requested_at=value)
    assert logs.run_ids(reel) == []


def test_a_later_recording_of_the_run_does_not_change_when_it_was_requested(reel):
    recorded(reel, "run-1")
    with reel.recording("run-1", requested_at=ASKED) as recording:
        recording.append(DONE)
    assert reel.run("run-1").requested_at is None
    recorded(reel, "run-2", requested_at="2025-06-01T10:00:00Z")
    with reel.recording("run-2", requested_at=datetime.now(UTC)) as recording:
        recording.append(DONE)
    assert (reel.run("run-2").requested_at, reel.run("run-2").first_text_ms) == (ASKED, 1500)
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize("place", range(len(TIMED)))
def test_lines_say_when_the_model_was_asked(reel, tmp_path, place):
    values = asked(TIMED, place, "2025-06-01T10:00:00Z")
    record_lines(reel.db, [json.dumps(value).encode() for value in values], run_id="recorded")
    import_files(reel.db, [write(tmp_path / "lines.jsonl", "imported", values)])
    for run in (reel.run("recorded"), reel.run("imported")):
        assert (run.requested_at, run.started_at) == (ASKED, ASKED + SECOND)
        assert (run.first_text_ms, run.duration_ms) == (1500, 4000)
    assert reel.rebuild(check=True) == []


def test_the_first_line_that_says_it_counts(reel, tmp_path):
    values = asked(asked(TIMED, 1, ASKED.timestamp()), 3, "2024-01-01T00:00:00Z")
    import_files(reel.db, [write(tmp_path / "lines.jsonl", "run-1", values)])
    import_files(reel.db, [write(tmp_path / "lines.jsonl", "run-1", values)])
    assert reel.run("run-1").requested_at == ASKED
    assert reel.rebuild(check=True) == []


def test_lines_that_arrive_are_measured_by_their_arrival(reel):
    when = (datetime.now(UTC) - 1.5 * SECOND).isoformat()
    values = [{key: value for key, value in line.items() if key != "at"} for line in TIMED]
    lines = [json.dumps(value).encode() for value in asked(values, 0, when)]
    record_lines(reel.db, lines, run_id="run-1")
    run = reel.run("run-1")
    assert 1500 <= run.first_text_ms <= run.duration_ms < 60_000
    assert reel.rebuild(check=True) == []


def test_an_import_whose_first_text_has_no_time_does_not_take_a_later_one(reel, tmp_path):
    values = asked(TIMED, 0, "2025-06-01T10:00:00Z")
    values[1] = {"type": "PARTIAL_MESSAGE", "text": "He"}
    import_files(reel.db, [write(tmp_path / "lines.jsonl", "run-1", values)])
    run = reel.run("run-1")
    assert (run.first_text_at, run.first_text_ms, run.duration_ms) == (None, None, 4000)
    assert reel.rebuild(check=True) == []


def test_an_import_that_says_only_when_it_was_requested_starts_then(reel, tmp_path):
    values = asked([{"type": "PENDING"}, {"type": "DONE", "text": "Hello"}], 1, ASKED.timestamp())
    import_files(reel.db, [write(tmp_path / "lines.jsonl", "run-1", values)])
    run = reel.run("run-1")
    assert (run.started_at, run.requested_at, run.first_text_ms) == (ASKED, ASKED, None)


def test_a_request_that_cannot_be_read_makes_a_bad_line(reel, tmp_path):
    report = import_files(
        reel.db, [write(tmp_path / "lines.jsonl", "run-1", asked(TIMED, 2, "yesterday noon"))]
    )
    assert [(problem.line, "requested_at" in problem.message) for problem in report.problems] == [
        (3, True)
    ]
    assert logs.run_ids(reel) == []


@pytest.mark.parametrize("name", traffic.SHAPES)
def test_a_service_that_says_when_it_created_a_run_does_not_say_when_it_was_asked(
    reel, tmp_path, name
):
    lines = traffic.SHAPES[name]("run-1", created=5.0)
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    run = reel.run("run-1")
    assert (run.requested_at, run.first_text_at, run.first_text_ms) == (None, None, None)


def test_a_pruned_run_keeps_how_long_it_took(reel):
    recorded(reel, "run-1", requested_at="2025-06-01T10:00:00Z")
    pruned = reel.prune(datetime.now(UTC), keep_usage=True, reason="test")
    assert [one.action for one in pruned] == ["pruned"]
    (run,) = reel.runs(recording="pruned")
    assert (run.requested_at, run.duration_ms) == (ASKED, 3500)
    assert reel.rebuild(check=True) == []


@given(st.none() | TIMES, TIMES, st.none() | TIMES, st.none() | TIMES)
def test_times_are_never_negative_and_never_flatter(requested, started, text, finished):
    first = first_text_ms(requested, text)
    if requested is None or text is None or text < requested:
        assert first is None
    else:
        assert first == (text - requested) / 1000
    took = duration_ms(requested, started, finished)
    if finished is None:
        assert took is None
    elif requested is not None and requested <= finished:
        assert took == (finished - requested) / 1000
    else:
        assert took == (finished - started) / 1000
