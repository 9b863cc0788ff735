"""Processes die and others go on; several record at once: each event is in the log once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.assistants_script import TOOL_ROUND, Done, Partial, Pause, Script, Step
from tests.live.yandex import (
    assert_copy,
    notes,
    outline,
    record,
    recorded_play,
    rows,
    sdk,
    stream,
)
from tests.logs import verify

if TYPE_CHECKING:
    from runreel.reel import Reel
    from tests.live.assistants_service import AssistantsService

# How often a process is killed; a night's work: RUNREEL_KILL_ROUNDS=60.
ROUNDS = int(os.environ.get("RUNREEL_KILL_ROUNDS", "3"))
ROOT = Path(__file__).parents[2]
ANSWER = {"name": "weather", "content": "21"}


class Program:
    """A process that records a run; ``seen`` are the events it has told that it saw."""

    def __init__(self, service: AssistantsService, url: str, run_id: str, *more: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.program", service.address, url, run_id, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.seen: list[list[Any]] = []
        self.begun = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        self._process.kill()
        self._finish()

    def wait(self) -> None:
        assert self._process.wait(60) == 0, self._process.stderr and self._process.stderr.read()
        self._finish()

    def _finish(self) -> None:
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.seen.append(json.loads(line))
                self.begun.set()
        self.begun.set()


def slow(events: int, pause: float = 0.004) -> Script:
    texts = ["word " * (n + 1) for n in range(events - 1)]
    steps: list[Step] = []
    for text in texts:
        steps += [Partial(text), Pause(pause)]
    return Script([*steps, Done(texts[-1] + "end")])


def told(reel: Reel, run_id: str) -> list[list[Any]]:
    return [[row.type, row.text] for row in stream(reel, run_id)]


def test_killed_at_any_moment_a_recording_is_finished_by_another_process(
    reel: Reel, db_url: str, assistants: AssistantsService
) -> None:
    for seed in range(ROUNDS):
        moments = random.Random(seed)  # noqa: S311 - the same moments each time
        run_id = assistants.play(slow(150))
        seen = []
        for _ in range(2):
            program = Program(assistants, db_url, run_id)
            assert program.begun.wait(60)
            time.sleep(moments.uniform(0, 0.4))
            program.kill()
            seen += program.seen
        last = Program(assistants, db_url, run_id)
        last.wait()
        seen += last.seen
        assert_copy(reel, assistants, run_id)
        verify(reel)
        stored = told(reel, run_id)
        assert [event for event in seen if event not in stored] == []
        # No event is shown again; one that was stored and not yet shown is in the log.
        assert len({json.dumps(event) for event in seen}) == len(seen)
        assert reel.run(run_id).recording == "closed"
        assert reel.run(run_id).usage is not None


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

    monkeypatch.setattr(run._answers._sender, "submit", dies)
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
