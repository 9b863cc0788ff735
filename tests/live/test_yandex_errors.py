"""What goes wrong is said clearly, and leaves the log untouched or honestly ended."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest

import runreel
from runreel.capture.yandex import record as yandex
from runreel.model.errors import (
    LogError,
    RecordingError,
    RunNotFound,
    SourceError,
    SourceMismatch,
    UsageError,
)
from runreel.recording.recorder import Recorder
from tests.live.assistants_script import (
    TOOL_ROUND,
    Done,
    Partial,
    Pause,
    Raw,
    Script,
    answer,
)
from tests.live.yandex import (
    QUICK,
    async_sdk,
    notes,
    outline,
    record,
    recorded_play,
    rows,
    sdk,
    stream,
)

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService

RESULTS = {"name": "weather", "content": "21"}


def foreign(service: AssistantsService, run_id: str, **settings: Any) -> Any:
    """A run object whose id or whose way to the service is wrong."""
    run = sdk(service).runs.get(service.play(Script(answer(2))))
    object.__setattr__(run, "id", run_id or run.id)
    if settings:
        object.__setattr__(run, "_sdk", sdk(service, **settings))
    return run


def test_a_wrong_key(reel: Reel, assistants: AssistantsService) -> None:
    assistants._key = "right"
    run = record(reel, foreign_key(assistants))
    with pytest.raises(grpc.RpcError, match="the key is wrong"):
        list(run)
    assert untouched(reel, run.id)


def foreign_key(service: AssistantsService) -> Any:
    run = sdk(service, auth="right").runs.get(service.play(Script(answer(2))))
    object.__setattr__(run, "_sdk", sdk(service, auth="wrong"))
    return run


def untouched(reel: Reel, run_id: str) -> bool:
    try:
        reel.run(run_id)
    except RunNotFound:
        return True
    return False


def test_a_wrong_run_id(reel: Reel, assistants: AssistantsService) -> None:
    run = record(reel, foreign(assistants, "no-such-run"))
    with pytest.raises(grpc.RpcError) as caught:
        list(run)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND  # type: ignore[attr-defined]
    with pytest.raises(grpc.RpcError):
        run.wait()
    assert untouched(reel, "no-such-run")


def test_an_endpoint_that_is_not_there(reel: Reel, assistants: AssistantsService) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        way = {"endpoint": None, "service_map": {"ai-assistants": address}}
        patience = replace(QUICK, ask=0.5, unreachable=1)
        run = record(reel, foreign(assistants, "", **way), patience=patience)
        began = time.monotonic()
        with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
            list(run)
    assert time.monotonic() - began < 30
    assert untouched(reel, run.id)


def test_an_endpoint_that_never_answers(reel: Reel, assistants: AssistantsService) -> None:
    patience = replace(QUICK, ask=0.3, unreachable=0.5)
    run = record(reel, foreign(assistants, ""), patience=patience)
    assistants.silent = True
    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        list(run.listen(timeout=0.5))
    assert untouched(reel, run.id)


def test_a_server_that_sends_garbage(reel: Reel, assistants: AssistantsService) -> None:
    script = Script([Partial("fine"), Raw(b"\xff\xff no proto"), Done("x")])
    run_id = assistants.play(script)
    run = record(reel, sdk(assistants).runs.get(run_id), patience=QUICK)
    seen = []
    with pytest.raises(SourceError, match="not a message of the Assistants API"):
        seen.extend(event.text for event in run)
    assert [row.text for row in stream(reel, run.id)] == ["fine"]
    assert notes(reel, run.id) == ["opened", "interrupted"]
    assert reel.rebuild(check=True) == []


def test_a_run_that_is_recorded_from_another_source(
    reel: Reel, assistants: AssistantsService
) -> None:
    bare = sdk(assistants).runs.get(assistants.play(Script(answer(2))))
    other = Recorder(reel.db, bare.id, source="plain", via="program")
    other.offer("stream_event", {"type": "DONE", "text": "mine"})
    with pytest.raises(SourceMismatch) as caught:
        record(reel, bare)
    assert caught.value.exit_code == 4
    assert outline(reel, bare.id) == ["note opened", "stream_event DONE"]


def test_results_for_a_run_that_waits_for_none(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, Script(answer(2)))
    list(run)
    with pytest.raises(
        SourceError, match="does not wait for tool results: its status is COMPLETED"
    ) as caught:
        run.submit_tool_results(RESULTS)
    assert caught.value.exit_code == 4
    assert assistants.requests("RunService.Attach") == []
    assert "tool_results" not in outline(reel, run.id)


def test_results_that_are_none(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, Script(TOOL_ROUND))
    with pytest.raises(TypeError):
        run.submit_tool_results([{"name": "weather"}])
    assert "tool_results" not in outline(reel, run.id) if not untouched(reel, run.id) else True


def test_results_that_are_sent_twice(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, Script([*TOOL_ROUND[:1], Pause(1), *TOOL_ROUND[1:]]))
    events = iter(run)
    next(events)
    run.submit_tool_results(RESULTS)
    with pytest.raises(SourceError, match="does not wait for tool results"):
        run.submit_tool_results(RESULTS)
    assert [event.status.name for event in events] == ["PARTIAL_MESSAGE", "DONE"]
    assert len(assistants.runs[run.id].results) == 1
    assert outline(reel, run.id).count("tool_results") == 1
    assert outline(reel, run.id).count("note sent") == 1


def test_results_that_arrive_although_the_call_runs_out_of_time(
    reel: Reel, assistants: AssistantsService
) -> None:
    # Without a stream the SDK waits for the run's next event, which may take long.
    run = recorded_play(reel, assistants, Script([TOOL_ROUND[0], Pause(3), Done("late")]))
    assert run.wait().tool_calls
    run.submit_tool_results(RESULTS, timeout=0.5)
    assert outline(reel, run.id).count("note sent") == 1
    assert run.wait().text == "late"
    assert reel.run(run.id).recording == "closed"


def test_something_that_is_no_run(reel: Reel) -> None:
    with pytest.raises(UsageError, match="str"):
        yandex.recorded("run-1", reel.db)


def break_log(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise LogError("the disk is full")

    monkeypatch.setattr(Recorder, "offer", broken)
    monkeypatch.setattr(Recorder, "aoffer", broken)


def test_an_event_that_cannot_be_stored_is_not_hidden(
    reel: Reel, assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded_play(reel, assistants, Script([Partial("a"), Pause(1), Done("ab")]))
    events = iter(run)
    assert next(events).text == "a"
    break_log(reel, monkeypatch)
    with pytest.raises(RecordingError, match="the disk is full") as caught:
        next(events)
    assert caught.value.event.text == "ab"
    assert caught.value.exit_code == 3
    assert notes(reel, run.id) == ["opened", "interrupted"]
    # The log works again: the next loop has it.
    monkeypatch.undo()
    assert [event.text for event in run] == ["a", "ab"]


def test_a_program_can_go_on_without_its_log(
    reel: Reel,
    assistants: AssistantsService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id = assistants.play(Script([Partial("a"), Partial("ab"), Done("abc")]))
    run = record(reel, sdk(assistants).runs.get(run_id), on_error="warn")
    seen = []
    with caplog.at_level(logging.WARNING, "runreel"):
        for event in run:
            seen.append(event.text)
            if len(seen) == 1:
                break_log(reel, monkeypatch)
            if len(seen) == 2:
                monkeypatch.undo()
    assert seen == ["a", "ab", "abc"]
    assert "the disk is full" in caplog.text
    lost = [row.raw for row in rows(reel, run_id) if row.type == "lost"]
    assert lost == [{"events": 1}]
    assert reel.run(run_id).recording == "closed"


def test_a_program_can_go_on_with_no_log_at_all(
    assistants: AssistantsService, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = assistants.play(Script(TOOL_ROUND))
    with runreel.open(tmp_path) as nowhere:
        with pytest.raises(LogError):
            record(nowhere, sdk(assistants).runs.get(run_id))
        run = record(nowhere, sdk(assistants).runs.get(run_id), on_error="warn")
        seen = []
        for event in run:
            seen.append(event.status.name)
            if event.tool_calls:
                run.submit_tool_results(RESULTS)
        assert seen == ["TOOL_CALLS", "PARTIAL_MESSAGE", "DONE"]
        assert run.wait().text == "It is 21 degrees."

        async def listen() -> list[str]:
            run_id = assistants.play(Script(answer(2)))
            run = record(nowhere, await async_sdk(assistants).runs.get(run_id), on_error="warn")
            return [event.status.name async for event in run]

        assert len(asyncio.run(listen())) == 3
    assert "is a directory" in caplog.text
