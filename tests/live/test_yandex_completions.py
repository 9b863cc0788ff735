"""Completions of the Yandex SDK are recorded by the interceptors of its object."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from yandex_ai_studio_sdk.retry import NoRetryPolicy, RetryPolicy

from runreel.model.errors import RecordingError, UsageError
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import MessageStatus, RunStatus
from runreel.recording.recorder import Recorder
from tests.live.completions_service import (
    ANSWER,
    FILTERED,
    FINAL,
    TOOL_CALLS,
    TRUNCATED,
    CompletionsService,
    Failure,
    told,
)
from tests.live.yandex import async_sdk, notes, outline, rows, sdk, stream
from tests.logs import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "broken on purpose")


@pytest.fixture
def service(reel: Reel) -> Iterator[CompletionsService]:
    with CompletionsService() as service:
        yield service
    assert reel.rebuild(check=True) == []
    verify(reel)


def model(reel: Reel, service: CompletionsService, **settings: Any) -> Any:
    settings = {"retry_policy": NoRetryPolicy(), **settings}
    client = sdk(service, interceptors=reel.interceptors(), **settings)
    return client.models.completions("yandexgpt")


def async_model(reel: Reel, service: CompletionsService) -> Any:
    settings: dict[str, Any] = {"retry_policy": NoRetryPolicy()}
    client = async_sdk(service, interceptors=reel.interceptors(), **settings)
    return client.models.completions("yandexgpt")


def the_run(reel: Reel) -> Any:
    (run,) = reel.runs()
    return run


def assert_answer(reel: Reel, messages: list[Any]) -> None:
    run = the_run(reel)
    assert (run.source, run.recording) == ("yandex-completions", "closed")
    assert run.status is RunStatus.COMPLETED
    assert run.model == "gpt://yandexgpt/latest"
    assert run.usage == Usage(9, 13, 4)
    assert run.usage_details == UsageDetails(reasoning_tokens=2)
    assert reel.result(run.run_id).text == "It is sunny."
    assert [row.raw for row in stream(reel, run.run_id)] == [*map(MessageToDict, messages)]


def test_each_message_of_a_stream_is_in_the_log_before_the_program_sees_it(reel, service):
    service.answers.append(ANSWER)
    seen = []
    for number, result in enumerate(model(reel, service).run_stream("How is it?"), 1):
        seen.append(result.text)
        assert len(stream(reel, the_run(reel).run_id)) >= number
    assert seen == ["It", "It is", "It is sunny.", "It is sunny."]
    assert_answer(reel, ANSWER)
    assert outline(reel, the_run(reel).run_id) == [
        "note opened",
        "context",
        *["stream_event PARTIAL_MESSAGE"] * 3,
        "stream_event DONE",
        "note closed",
    ]


def test_an_answer_at_once_is_recorded(reel, service):
    service.answers.append(ANSWER[-1:])
    assert model(reel, service).run("How is it?").text == "It is sunny."
    assert_answer(reel, ANSWER[-1:])


def test_asynchronous_programs_are_recorded(reel, service):
    async def main() -> list[str]:
        asked = async_model(reel, service)
        service.answers += [ANSWER, ANSWER[-1:]]
        seen = [result.text async for result in asked.run_stream("How is it?")]
        return [*seen, (await asked.run("How is it, in short?")).text]

    assert asyncio.run(main())[-2:] == ["It is sunny."] * 2
    runs = list(reel.runs())
    assert [(run.status, run.recording) for run in runs] == [(RunStatus.COMPLETED, "closed")] * 2


def test_the_request_is_in_the_log_before_it_is_sent_without_folder_and_key(reel, service):
    found: list[list[str]] = []

    class Answer(list[Any]):
        def __iter__(self) -> Any:
            found.append(outline(reel, the_run(reel).run_id))
            return super().__iter__()

    service.answers.append(Answer(ANSWER))
    configured = model(reel, service, folder_id="fold-1", auth="key-1").configure(temperature=0.5)
    configured.run([{"role": "system", "text": "Be brief."}, "How is it?"])
    run_id = the_run(reel).run_id
    assert found == [["note opened", "context"]]
    assert service.asked[0].model_uri == "gpt://fold-1/yandexgpt/latest"
    (context,) = [row.raw for row in rows(reel, run_id) if row.kind == "context"]
    assert context == {
        "modelUri": "gpt://yandexgpt/latest",
        "completionOptions": {"temperature": 0.5},
        "messages": [
            {"role": "system", "text": "Be brief."},
            {"role": "user", "text": "How is it?"},
        ],
    }
    everything = str([row.raw for row in rows(reel, run_id)])
    assert "fold-1" not in everything
    assert "key-1" not in everything
    assert reel.run(run_id).requested_at is not None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (FINAL, MessageStatus.COMPLETED),
        (TRUNCATED, MessageStatus.TRUNCATED),
        (FILTERED, MessageStatus.FILTERED_CONTENT),
    ],
    ids=["final", "truncated", "filtered"],
)
def test_how_an_answer_ends_is_known(reel, service, status, expected):
    service.answers.append([told("It"), told("It is", status)])
    list(model(reel, service).run_stream("How is it?"))
    run = the_run(reel)
    assert run.status is RunStatus.COMPLETED
    assert reel.result(run.run_id).message.status is expected


def test_a_failure_is_a_failed_run(reel, service):
    service.answers.append([UNAVAILABLE])
    with pytest.raises(grpc.RpcError, match="broken on purpose"):
        model(reel, service).run("How is it?")
    run = the_run(reel)
    assert run.status is RunStatus.FAILED
    assert run.error.message == "gRPC status UNAVAILABLE: broken on purpose"
    assert [row.kind for row in rows(reel, run.run_id)][:2] == ["note", "context"]


def test_a_failure_in_the_middle_keeps_what_was_told(reel, service):
    service.answers.append([*ANSWER[:2], UNAVAILABLE])
    with pytest.raises(grpc.RpcError, match="broken on purpose"):
        list(model(reel, service).run_stream("How is it?"))
    run = the_run(reel)
    assert run.status is RunStatus.FAILED
    assert run.error.message == "gRPC status UNAVAILABLE: broken on purpose"
    assert len(stream(reel, run.run_id)) == 2
    assert run.usage.total_tokens == 11


def test_what_a_retry_of_the_sdk_tells_again_is_one_answer(reel, service):
    policy = RetryPolicy(initial_backoff=0.01, jitter=0.01)
    service.answers += [[*ANSWER[:2], UNAVAILABLE], ANSWER]
    *_, last = model(reel, service, retry_policy=policy).run_stream("How is it?")
    assert last.text == "It is sunny."
    assert_answer(reel, [*ANSWER[:2], *ANSWER])


def test_a_program_that_stops_reading_leaves_an_interrupted_run(reel, service):
    service.answers.append([*ANSWER[:2], threading.Event()])
    answers = model(reel, service).run_stream("How is it?")
    assert next(answers).text == "It"
    answers.close()
    wait_until_ended(reel)
    run = the_run(reel)
    assert (run.status, run.recording) == (RunStatus.IN_PROGRESS, "interrupted")


def test_a_cancelled_task_leaves_an_interrupted_run(reel, service):
    service.answers.append([*ANSWER[:2], threading.Event()])

    async def main() -> None:
        first = asyncio.Event()

        async def read() -> None:
            async for _ in async_model(reel, service).run_stream("How is it?"):
                first.set()

        task = asyncio.create_task(read())
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    wait_until_ended(reel)
    run = the_run(reel)
    assert (run.recording, notes(reel, run.run_id)) == ("interrupted", ["opened", "interrupted"])


def wait_until_ended(reel: Reel) -> None:
    """The SDK's own loop, in another thread, closes what the program has left."""
    pause = threading.Event()
    for _ in range(500):
        if the_run(reel).recording != "open":
            return
        pause.wait(0.01)


def test_a_scope_names_the_run_its_thread_and_labels(reel, service):
    service.answers += [ANSWER, ANSWER]
    asked = model(reel, service)
    with reel.scope(run_id="run-1", thread_id="thread-1", labels={"team": "a"}):
        asked.run("How is it?")
    with reel.scope(labels={"team": "b"}):
        list(asked.run_stream("And now?"))
    kept = reel.run("run-1")
    assert (kept.thread_id, kept.labels) == ("thread-1", {"team": "a"})
    (other,) = [run for run in reel.runs() if run.run_id != "run-1"]
    assert other.labels == {"team": "b"}
    assert other.run_id.startswith("run_")


def test_a_call_with_the_results_of_tools_continues_the_run(reel, service):
    service.answers += [[told(None, TOOL_CALLS, city="Berlin")], ANSWER, ANSWER]
    asked = model(reel, service)
    messages: list[Any] = ["How is it in Berlin?"]
    called = asked.run(messages)
    run = the_run(reel)
    assert run.status is RunStatus.TOOL_CALLS
    (call,) = reel.result(run.run_id).tool_calls
    assert (call.function.name, dict(call.function.arguments)) == ("weather", {"city": "Berlin"})
    results = [{"name": "weather", "content": "Sunny"}]
    messages += [called, {"tool_results": results}]
    list(asked.run_stream(messages))
    run = the_run(reel)
    assert (run.recording, run.usage.total_tokens) == ("closed", 23)
    assert run.status is RunStatus.COMPLETED
    assert outline(reel, run.run_id).count("tool_results") == 1
    assert reel.result(run.run_id).text == "It is sunny."
    # The same call again is another run.
    list(asked.run_stream(messages))
    assert len(reel.runs()) == 2


def test_the_next_turn_is_a_run_of_the_same_thread(reel, service):
    service.answers += [ANSWER, ANSWER]
    asked = model(reel, service)
    answer = asked.run("How is it?")
    asked.run(["How is it?", answer, "And tomorrow?"])
    runs = list(reel.runs())
    assert len(runs) == 2
    assert len({run.thread_id for run in runs}) == 1


def test_a_log_that_cannot_be_written_stops_the_call(reel, service, monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise RecordingError("the disk is full")

    monkeypatch.setattr(Recorder, "begin", refuse)
    service.answers.append(ANSWER)
    with pytest.raises(RecordingError, match="the disk is full"):
        model(reel, service).run("How is it?")
    assert service.asked == []


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_record_gives_the_way_that_works(reel, service, stream):
    service.answers.append(ANSWER)
    asked = sdk(service).models.completions("yandexgpt")
    value = asked.run_stream("Hi") if stream else asked.run("Hi")
    with pytest.raises(UsageError, match="not a run of the Yandex SDK") as caught:
        reel.record(value)
    assert "interceptors=reel.interceptors()" in str(caught.value.hint)
    assert len(reel.runs()) == 0


def test_a_function_that_makes_a_recorded_call_is_recorded_once(reel, service):
    service.answers.append(ANSWER)
    asked = model(reel, service)
    assert reel.record(lambda: asked.run("Hi"), labels={"team": "a"}).text == "It is sunny."
    assert the_run(reel).labels == {"team": "a"}
