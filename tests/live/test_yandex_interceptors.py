"""Whole programs are recorded by what their SDK object is made with."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from yandex_ai_studio_sdk.retry import NoRetryPolicy, RetryPolicy

from runreel.capture.yandex.record import interceptors
from runreel.model.errors import LogError, RecordingError, SourceError
from runreel.recording.recorder import Recorder
from tests.live.assistants_script import (
    TOOL_ROUND,
    Done,
    Fault,
    Partial,
    Pause,
    Raw,
    Script,
    answer,
    hang,
)
from tests.live.yandex import (
    QUICK,
    assert_copy,
    async_sdk,
    notes,
    outline,
    record,
    rows,
    sdk,
    stream,
)
from tests.live.yandex_programs import ASYNC, SYNC, ask, ask_async, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService
    from tests.live.yandex_programs import AsyncProgram, Program


def bare(run: Any) -> Any:
    return run


@pytest.mark.parametrize(("program", "script"), SYNC, **named(SYNC))
def test_a_program_sees_what_it_sees_without_interceptors(
    reel: Reel, assistants: AssistantsService, program: Program, script: Script
) -> None:
    assistants.scripts.append(script)
    seen = program(sdk(assistants), bare)
    assistants.scripts.append(script)
    assert program(sdk(assistants, interceptors=interceptors(reel.db)), bare) == seen
    assert_kept(reel, assistants)


@pytest.mark.parametrize(("program", "script"), ASYNC, **named(ASYNC))
def test_an_asynchronous_program_does_too(
    reel: Reel, assistants: AssistantsService, program: AsyncProgram, script: Script
) -> None:
    async def seen(**settings: Any) -> list[Any]:
        assistants.scripts.append(script)
        return await program(async_sdk(assistants, **settings), bare)

    expected = asyncio.run(seen())
    assert asyncio.run(seen(interceptors=interceptors(reel.db))) == expected
    assert_kept(reel, assistants)


def assert_kept(reel: Reel, service: AssistantsService) -> None:
    run_id = [*service.runs][-1]
    played = service.runs[run_id]
    summary = reel.run(run_id)
    assert summary.status == played.get().state.status
    assert summary.model == "gpt://folder/yandexgpt/latest"
    if played.get().HasField("usage"):
        assert summary.usage is not None
        assert summary.usage.total_tokens == 287
    assert summary.recording == "closed"
    assert outline(reel, run_id).count("tool_results") == len(played.results)
    assert outline(reel, run_id).count("note sent") == len(played.results)
    assert reel.rebuild(check=True) == []


def test_usage_is_stored_though_the_program_never_asks_for_it(
    reel: Reel, assistants: AssistantsService
) -> None:
    assistants.scripts.append(Script([Pause(0.2), *answer(3)], end_lag=2))
    client = sdk(assistants, interceptors=interceptors(reel.db))
    run = ask(client, stream=True)
    for event in run:
        if event.status.name == "DONE":
            break
    usage = reel.run(run.id).usage
    assert usage is not None
    assert usage.total_tokens == 287
    assert_copy(reel, assistants, run.id)
    assert notes(reel, run.id) == ["opened", "closed"]


def test_what_the_sdks_retries_tell_again_is_neither_stored_nor_seen(
    reel: Reel, assistants: AssistantsService
) -> None:
    policy = RetryPolicy(initial_backoff=0.01, jitter=0.01)
    settings = {"interceptors": interceptors(reel.db), "retry_policy": policy}
    assistants.scripts.append(Script(answer(5), faults=[Fault(2), Fault(4)]))
    run = ask(sdk(assistants, **settings), stream=True)
    assert len([event.text for event in run]) == 6
    assert_copy(reel, assistants, run.id)
    assert len(assistants.requests("RunService.Listen")) == 3


def test_without_a_retry_policy(reel: Reel, assistants: AssistantsService) -> None:
    settings = {"interceptors": interceptors(reel.db), "retry_policy": NoRetryPolicy()}
    assistants.scripts.append(Script([Pause(0.2), *answer(5)], faults=[Fault(2)]))
    run = ask(sdk(assistants, **settings), stream=True)
    with pytest.raises(grpc.RpcError, match="broken on purpose"):
        list(run)
    assert notes(reel, run.id) == ["opened", "interrupted"]
    assert len(list(run)) == 6
    assert_copy(reel, assistants, run.id)
    assert reel.run(run.id).usage is not None


def test_a_deadline_during_a_slow_loop_is_not_the_end(
    reel: Reel, assistants: AssistantsService
) -> None:
    steps = [step for n in range(4) for step in (Partial("word " * (n + 1)), Pause(0.2))]
    assistants.scripts.append(Script([*steps, Done("done")]))
    run = ask(sdk(assistants, interceptors=interceptors(reel.db)), stream=True)
    seen = []
    for event in run.listen(timeout=0.5):
        seen.append(event.text)
        time.sleep(0.3)
    assert seen == ["word " * (n + 1) for n in range(4)] + ["done"]
    assert_copy(reel, assistants, run.id)
    assert notes(reel, run.id) == ["opened", "closed"]
    starts = [call.events_start_idx.value for call in assistants.requests("RunService.Listen")]
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert len(starts) > 1


def test_a_silent_stream_is_gone_on_with_when_its_deadline_has_passed(
    reel: Reel, assistants: AssistantsService
) -> None:
    async def listen() -> Any:
        client = async_sdk(assistants, interceptors=interceptors(reel.db))
        run = await ask_async(client, stream=True)
        assert len([event async for event in run.listen(timeout=1)]) == 6
        return run

    assistants.scripts.append(Script([Pause(0.2), *answer(5)], faults=[hang(2), hang(0), Fault(1)]))
    run = asyncio.run(listen())
    assert_copy(reel, assistants, run.id)
    assert notes(reel, run.id) == ["opened", "closed"]


@pytest.mark.parametrize("asked_before", [True, False])
def test_the_deadline_is_the_programs_where_nothing_comes_for_long(
    reel: Reel, assistants: AssistantsService, *, asked_before: bool
) -> None:
    patience = replace(QUICK, silence=1.0, unreachable=0.2)
    client = sdk(assistants, interceptors=interceptors(reel.db, patience=patience))
    script = Script([Pause(600), Done("late")])
    if asked_before:
        run = client.runs.get(assistants.play(script))
    else:
        run = of(client, sdk(assistants).runs.get(assistants.play(script)))
    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        list(run.listen(timeout=0.4))
    tries = len(assistants.requests("RunService.Listen"))
    assert tries > 1 if asked_before else tries == 1


def test_what_is_no_event_is_named(reel: Reel, assistants: AssistantsService) -> None:
    steps = [Pause(0.2), Partial("fine"), Raw(b"\xff\xff no proto"), Done("x")]
    assistants.scripts.append(Script(steps))
    run = ask(sdk(assistants, interceptors=interceptors(reel.db)), stream=True)
    with pytest.raises(SourceError, match="not a message of the Assistants API"):
        list(run)
    assert [row.text for row in stream(reel, run.id)] == ["fine"]
    assert notes(reel, run.id) == ["opened", "interrupted"]


def test_results_for_a_run_that_waits_for_none_are_never_marked_as_sent(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = ask(sdk(assistants, interceptors=interceptors(reel.db)), stream=True)
    list(run)
    with pytest.raises(grpc.RpcError, match="no results are waited for"):
        run.submit_tool_results({"name": "weather", "content": "21"})
    assert outline(reel, run.id).count("tool_results") == 1
    assert "note sent" not in outline(reel, run.id)
    assert reel.run(run.id).status.name == "COMPLETED"
    assert reel.run(run.id).recording == "closed"
    assert reel.rebuild(check=True) == []


def test_a_program_that_stops_early(reel: Reel, assistants: AssistantsService) -> None:
    assistants.scripts.append(Script([Partial("a"), Pause(600), Done("ab")]))
    run = ask(sdk(assistants, interceptors=interceptors(reel.db)), stream=True)
    for _ in run:
        break
    assert eventually(lambda: rows(reel, run.id)[-1].type == "interrupted")


def of(client: Any, run: Any) -> Any:
    """The run, got by another SDK object, as this one's."""
    object.__setattr__(run, "_sdk", client)
    return run


def eventually(holds: Callable[[], bool]) -> bool:
    """The SDK closes its streams in a thread of its own."""
    until = time.monotonic() + 30
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_a_run_that_only_a_list_has_told_of(reel: Reel, assistants: AssistantsService) -> None:
    run_id = assistants.play(Script(answer(2)))
    client = sdk(assistants, interceptors=interceptors(reel.db))
    run = of(client, sdk(assistants).runs.get(run_id))
    assert len(list(run)) == 3
    # There was no question whose way another could have gone; the next one tells.
    assert reel.run(run_id).usage is None
    assert reel.run(run_id).recording == "closed"
    run.wait()
    assert reel.run(run_id).usage is not None


def test_together_with_a_recorded_run(reel: Reel, assistants: AssistantsService) -> None:
    client = sdk(assistants, interceptors=interceptors(reel.db))
    assistants.scripts.append(Script(TOOL_ROUND, faults=[Fault(1)]))
    run = record(reel, ask(client, stream=True))
    for event in run:
        if event.tool_calls:
            run.submit_tool_results({"name": "weather", "content": "21"})
    assert_copy(reel, assistants, run.id)
    assert reel.run(run.id).recording == "closed"


def test_many_runs_at_once(reel: Reel, assistants: AssistantsService) -> None:
    async def all_of_them() -> list[str]:
        client = async_sdk(assistants, interceptors=interceptors(reel.db))
        assistant = await client.assistants.create("yandexgpt")
        thread = await client.threads.create()

        async def one() -> str:
            assistants.scripts.append(Script([Pause(0.1), *answer(20)]))
            run = await assistant.run_stream(thread)
            assert len([event async for event in run]) == 21
            return str(run.id)

        return await asyncio.gather(*(one() for _ in range(16)))

    for run_id in asyncio.run(all_of_them()):
        assert_copy(reel, assistants, run_id)
        assert reel.run(run_id).recording == "closed"


def break_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise LogError("the disk is full")

    monkeypatch.setattr(Recorder, "aoffer", broken)


def test_what_cannot_be_stored_is_not_hidden(
    reel: Reel, assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(sdk(assistants, interceptors=interceptors(reel.db)), stream=True)
    break_log(monkeypatch)
    with pytest.raises(RecordingError, match="the disk is full"):
        list(run)


def test_a_program_can_go_on_without_its_log(
    reel: Reel, assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_log(monkeypatch)
    run = ask(sdk(assistants, interceptors=interceptors(reel.db, "warn")), stream=True)
    assert len(list(run)) == 4


def test_nothing_else_is_touched(reel: Reel, assistants: AssistantsService) -> None:
    client = sdk(assistants, interceptors=interceptors(reel.db))
    thread = client.threads.create()
    thread.write("hi")
    assert [message.text for message in thread] == ["hi"]
    assert list(reel.runs()) == []
