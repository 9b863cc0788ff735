"""Whatever breaks on the way, each event is stored once and told once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

from runreel.capture.yandex.proto_json import stream_event
from runreel.system.sync_bridge import blocking
from tests.live.assistants_script import (
    TOOL_ROUND,
    Done,
    Fault,
    Partial,
    Pause,
    Raw,
    Script,
    answer,
    end,
    hang,
)
from tests.live.yandex import (
    QUICK,
    assert_copy,
    async_sdk,
    notes,
    record,
    recorded_play,
    rows,
    sdk,
    stream,
)

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService


def faulty(events: int) -> Script:
    """Cut off twice, silent (which a deadline ends), ended early, broken, delivered twice."""
    return Script(
        answer(events - 1),
        faults=[
            Fault(events // 5),
            Fault(events // 5),
            hang(events // 4),
            end(events // 8),
            Fault(0, grpc.StatusCode.INTERNAL),
        ],
        twice=frozenset(range(events // 2, events)),
    )


def told(service: AssistantsService, run_id: str) -> list[str]:
    """The text of each event of a run."""
    events = service.runs[run_id].events
    messages = [
        event.partial_message if event.event_type == 1 else event.completed_message.content
        for event in events
    ]
    return [message.content[0].text.content for message in messages]


def test_a_long_stream_through_every_fault_is_stored_once_and_told_once(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, faulty(2001))
    texts = [event.text for event in run.listen(timeout=4)]
    assert texts == told(assistants, run.id)
    assert len(texts) == 2001
    assert len(assistants.requests("RunService.Listen")) >= 6
    assert_copy(reel, assistants, run.id)
    assert notes(reel, run.id) == ["opened", "closed"]


def test_the_same_in_an_event_loop(reel: Reel, assistants: AssistantsService) -> None:
    async def listen() -> tuple[str, list[str]]:
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(faulty(401))))
        return run.id, [event.text async for event in run.listen(timeout=3)]

    run_id, texts = asyncio.run(listen())
    assert texts == told(assistants, run_id)
    assert_copy(reel, assistants, run_id)
    assert notes(reel, run_id) == ["opened", "closed"]


def test_a_deadline_during_a_slow_loop_loses_nothing(
    reel: Reel, assistants: AssistantsService
) -> None:
    steps = [step for n in range(4) for step in (Partial("ab"[: n + 1] * (n + 1)), Pause(0.2))]
    run = recorded_play(reel, assistants, Script([*steps, Done("done")]))
    seen = []
    for event in run.listen(timeout=0.3):
        seen.append(event.text)
        time.sleep(0.25)
    assert len(seen) == 5
    assert_copy(reel, assistants, run.id)


def test_a_server_that_cancels_the_stream_is_listened_to_again(
    reel: Reel, assistants: AssistantsService
) -> None:
    faults = [Fault(1, grpc.StatusCode.CANCELLED), Fault(1, grpc.StatusCode.CANCELLED)]
    run = recorded_play(reel, assistants, Script(answer(3), faults=list(faults)))
    assert len(list(run)) == 4

    async def listen() -> int:
        script = Script(answer(3), faults=list(faults))
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(script)))
        return len([event async for event in run])

    assert asyncio.run(listen()) == 4


def test_the_final_state_is_stored_before_the_last_event_is_seen_however_late_get_knows(
    reel: Reel, assistants: AssistantsService
) -> None:
    assistants.scripts.append(Script([Pause(0.2), *answer(2)], end_lag=3))
    client = sdk(assistants)
    bare = client.assistants.create("yandexgpt").run_stream(client.threads.create())
    run = record(reel, bare)
    for event in run:
        if event.status.name == "DONE":
            break
    assert reel.run(run.id).usage is not None
    assert reel.run(run.id).status.name == "COMPLETED"
    assert notes(reel, run.id) == ["opened", "closed"]


def test_a_state_that_never_comes_does_not_fail_the_stream(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, Script([Pause(0.2), *answer(2)], end_lag=10_000))
    assert [event.status.name for event in run][-1] == "DONE"
    assert reel.run(run.id).usage is None
    assert reel.run(run.id).recording == "closed"


def test_an_event_of_a_kind_that_nobody_knows_is_kept_and_harmless(
    reel: Reel, assistants: AssistantsService
) -> None:
    strange = StreamEvent.FromString(b"\x08\x63\xa2\x06\x05extra")
    run = recorded_play(reel, assistants, Script([Raw(strange), Done("fine")]))
    assert [event.status.name for event in run] == ["UNKNOWN", "DONE"]
    kept = stream(reel, run.id)[0]
    assert kept.raw["eventType"] == 99
    assert "@proto" in kept.raw
    assert stream_event(kept.raw) == assistants.runs[run.id].events[0]
    assert [event.status.name for event in run] == ["UNKNOWN", "DONE"]


def test_a_message_status_that_the_sdk_refuses_is_stored_all_the_same(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, Script([Partial("a"), Done("ab", message_status=99)]))
    with pytest.raises(ValueError, match="99"):
        list(run)
    assert_copy(reel, assistants, run.id)
    assert reel.result(run.id).text == "ab"
    assert notes(reel, run.id) == ["opened", "closed"]


def test_arguments_that_json_cannot_tell_are_kept(
    reel: Reel, assistants: AssistantsService
) -> None:
    event = StreamEvent(event_type=1)
    call = event.tool_call_list.tool_calls.add().function_call
    call.arguments.update({"ratio": float("nan")})
    run = recorded_play(reel, assistants, Script([Raw(event), Done("fine")]))
    # The SDK cannot make an event of it; what the service said is in the log.
    with pytest.raises(ValueError, match="NaN"):
        list(run)
    told = assistants.runs[run.id].events[0]
    kept = stream_event(stream(reel, run.id)[0].raw)
    assert kept.SerializeToString() == told.SerializeToString()
    assert [event.status.name for event in record(reel, sdk(assistants).runs.get(run.id))] == [
        "DONE"
    ]


def test_another_telling_of_an_event_is_noted_and_the_first_stays(
    reel: Reel, assistants: AssistantsService
) -> None:
    def retell(listener: int, event: Any) -> Any:
        if listener == 0 or event.stream_cursor.current_event_idx != 1:
            return event
        other = StreamEvent()
        other.CopyFrom(event)
        other.partial_message.content[0].text.content = "something else"
        return other

    run_id = assistants.play(Script(answer(3), retell=retell))
    first = record(reel, sdk(assistants).runs.get(run_id))
    texts = [event.text for event in first]
    other = record(reel, sdk(assistants).runs.get(run_id))
    # As if it had begun before the first had stored anything.
    list(blocking(other._listener._listen(0, 5.0)))
    assert notes(reel, run_id).count("conflict") == 1
    assert [row.text for row in stream(reel, run_id)] == texts
    conflict = next(row for row in rows(reel, run_id) if row.type == "conflict")
    offered = conflict.raw["offered"]["partialMessage"]["content"][0]["text"]["content"]
    assert offered == "something else"
    assert reel.rebuild(check=True) == []


def test_the_sdks_retries_tell_nothing_twice(reel: Reel, assistants: AssistantsService) -> None:
    script = Script(answer(5), faults=[Fault(2), Fault(2)])
    run = recorded_play(reel, assistants, script)
    assert len([event.text for event in run]) == 6
    starts = [call.events_start_idx.value for call in assistants.requests("RunService.Listen")]
    assert starts == [0, 2, 4]


@pytest.mark.parametrize("closes", [False, True])
def test_a_tool_round_through_faults(
    reel: Reel, assistants: AssistantsService, *, closes: bool
) -> None:
    script = Script(TOOL_ROUND, closes_at_calls=closes, faults=[Fault(0), Fault(1), Fault(1)])
    run = recorded_play(reel, assistants, script)
    seen = []
    for event in run:
        seen.append(event.status.name)
        if event.tool_calls:
            run.submit_tool_results({"name": "weather", "content": "21"})
    assert seen == ["TOOL_CALLS", "PARTIAL_MESSAGE", "DONE"]
    assert len(assistants.runs[run.id].results) == 1
    assert_copy(reel, assistants, run.id)


def test_patience_ends(reel: Reel, assistants: AssistantsService) -> None:
    run_id = assistants.play(Script(answer(2), broken=grpc.StatusCode.UNAVAILABLE))
    run = record(reel, sdk(assistants).runs.get(run_id), patience=replace(QUICK, silence=0.5))
    with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
        list(run)
    assert notes(reel, run.id) == ["opened", "interrupted"]
