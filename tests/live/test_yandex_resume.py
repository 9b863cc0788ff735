"""Processes die and others go on; several record at once: each event is in the log once."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

from runreel.model.errors import RunNotFound
from tests.live.assistants_script import TOOL_ROUND, Done, Partial, Script
from tests.live.processes import Program, killing_round, slow, told
from tests.live.yandex import (
    assert_copy,
    notes,
    outline,
    record,
    recorded_play,
    rows,
    sdk,
)
from tests.logs import verify

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService

ANSWER = {"name": "weather", "content": "21"}


def test_killed_at_any_moment_a_recording_is_finished_by_another_process(
    reel: Reel, db_url: str, assistants: AssistantsService
) -> None:
    for seed in range(3):
        killing_round(reel, db_url, assistants, seed)


def test_three_processes_that_record_one_run_make_one_copy(
    reel: Reel, db_url: str, assistants: AssistantsService
) -> None:
    run_id = assistants.play(slow(200, pause=0.01))
    programs = [Program(assistants, db_url, run_id) for _ in range(3)]
    for program in programs:
        program.wait()
    assert_copy(reel, assistants, run_id)
    verify(reel)
    stored = told(reel, run_id)
    # Each began where the log ended then, and saw all from there on.
    for program in programs:
        assert program.seen == stored[len(stored) - len(program.seen) :]
    assert max(len(program.seen) for program in programs) == 200
    assert "conflict" not in notes(reel, run_id)


def test_a_process_that_is_told_something_else_than_two_others_does_not_have_its_way(
    reel: Reel, db_url: str, assistants: AssistantsService
) -> None:
    odd_one, everybody, known = "another telling", threading.Barrier(3), threading.Event()

    def retell(listener: int, event: Any) -> Any:
        if event.stream_cursor.current_event_idx != 0:
            return event
        everybody.wait(60)
        if listener != 2:
            return event
        assert known.wait(60)
        other = StreamEvent()
        other.CopyFrom(event)
        other.partial_message.content[0].text.content = odd_one
        return other

    steps = [Partial("a"), Partial("ab"), Partial("abc"), Done("abcd")]
    run_id = assistants.play(Script(steps, retell=retell))
    programs = [Program(assistants, db_url, run_id) for _ in range(3)]
    while not told_if_any(reel, run_id):
        time.sleep(0.02)
    known.set()
    for program in programs:
        program.wait()
    assert_copy(reel, assistants, run_id)
    verify(reel)
    (conflict,) = (row for row in rows(reel, run_id) if row.type == "conflict")
    assert conflict.raw["source_index"] == 0
    assert odd_one in json.dumps(conflict.raw["offered"])
    texts = [[text for _, text in program.seen] for program in programs]
    as_two, as_one = ["a", "ab", "abc", "abcd"], [odd_one, "ab", "abc", "abcd"]
    assert sorted(texts) == sorted([as_two, as_two, as_one])
    assert reel.result(run_id).text == "abcd"
    assert reel.run(run_id).recording == "closed"


def told_if_any(reel: Reel, run_id: str) -> list[Any]:
    with suppress(RunNotFound):
        return told(reel, run_id)
    return []


def test_a_call_that_nobody_answered_is_shown_to_the_next_process(
    reel: Reel, db_url: str, assistants: AssistantsService
) -> None:
    run_id = assistants.play(Script(TOOL_ROUND))
    first = Program(assistants, db_url, run_id)
    assert first.begun.wait(60)
    first.kill()
    second = Program(assistants, db_url, run_id, "21 degrees")
    second.wait()
    assert [status for status, _ in first.seen] == ["TOOL_CALLS"]
    assert [status for status, _ in second.seen] == ["TOOL_CALLS", "PARTIAL_MESSAGE", "DONE"]
    assert_copy(reel, assistants, run_id)
    assert len(assistants.runs[run_id].results) == 1


def resumed(reel: Reel, service: AssistantsService, run_id: str) -> Any:
    """The run as another process would record it."""
    return record(reel, sdk(service).runs.get(run_id))


def test_a_first_loop_goes_on_where_the_log_ends_and_a_second_begins_anew(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, slow(6))
    events = iter(run)
    seen = [next(events).text for _ in range(3)]
    events.close()
    again = resumed(reel, assistants, run.id)
    assert len([event.text for event in again]) == 3
    assert [event.text for event in again][:3] == seen
    assert len(list(again.listen(events_start_idx=4))) == 2
    assert notes(reel, run.id) == ["opened", "interrupted", "resumed", "closed"]
    assert_copy(reel, assistants, run.id)


def test_what_the_log_has_whole_is_told_without_the_service(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, Script([Partial("a"), Done("ab")]))
    seen = [event.text for event in run]
    other = resumed(reel, assistants, run.id)
    asked = len(assistants.calls)
    assert list(other) == []
    assert [event.text for event in other] == seen
    assert len(assistants.calls) == asked
    assert notes(reel, run.id) == ["opened", "closed"]


def test_an_answered_call_is_not_shown_again(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, Script(TOOL_ROUND, answer_lag=2))
    first = iter(run)
    next(first)
    run.submit_tool_results(ANSWER)
    first.close()
    again = resumed(reel, assistants, run.id)
    assert [event.status.name for event in again] == ["PARTIAL_MESSAGE", "DONE"]
    assert len(assistants.runs[run.id].results) == 1


def test_results_that_were_stored_but_never_sent_are_asked_for_again(
    reel: Reel, assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded_play(reel, assistants, Script(TOOL_ROUND))
    next(iter(run))

    async def dies(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(run._submission._sender, "submit", dies)
    with pytest.raises(SystemExit):
        run.submit_tool_results(ANSWER)
    again = resumed(reel, assistants, run.id)
    seen = []
    for event in again:
        seen.append(event.status.name)
        if event.tool_calls:
            again.submit_tool_results(ANSWER)
    assert seen == ["TOOL_CALLS", "PARTIAL_MESSAGE", "DONE"]
    # Which of the two was sent can be told.
    results = [row.seq for row in rows(reel, run.id) if row.kind == "tool_results"]
    sent = [row.raw["seq"] for row in rows(reel, run.id) if row.type == "sent"]
    assert len(results) == 2
    assert sent == results[1:]
    assert outline(reel, run.id)[-1] == "note closed"


def test_a_result_does_not_make_a_stream_whole_that_was_left(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, slow(20))
    for _ in run:
        break
    run.wait()
    assert reel.run(run.id).status.name == "COMPLETED"
    assert reel.run(run.id).recording == "interrupted"
    assert len(list(run)) == 20
    assert reel.run(run.id).recording == "closed"
    assert_copy(reel, assistants, run.id)


def test_what_was_killed_between_its_last_event_and_its_end_is_closed(
    reel: Reel, assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded_play(reel, assistants, slow(3))

    async def dies(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(run._session.store, "close", dies)
    monkeypatch.setattr(run._session.store, "interrupt", dies)
    with pytest.raises(SystemExit):
        list(run)
    assert reel.run(run.id).recording == "open"
    assert list(resumed(reel, assistants, run.id)) == []
    assert reel.run(run.id).recording == "closed"
