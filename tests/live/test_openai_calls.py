"""Calls passed as functions: timed, stored if they fail, and recorded as their results are."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import openai
import pytest

from runreel.model.errors import UsageError
from runreel.model.events import CONTEXT
from runreel.model.runs import RunError
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import Answer, Pause

ANSWER = script.events([script.output_of(["Hello, ", "world"])])
CHUNKS = script.chunks("Hello, world", used=script.chat_usage(9, 12))
REFUSED = {"error": {"message": "Incorrect API key", "type": "invalid", "code": "invalid_api_key"}}


def test_a_streamed_call_is_timed_and_its_request_is_stored(server, client, record, reel):
    server.stream(ANSWER)
    began = datetime.now(UTC)
    with record(lambda: client.responses.create(model="m", input="Hi", stream=True)) as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
    (run,) = reel.runs()
    assert "".join(texts) == reel.result(run.run_id).text == "Hello, world"
    assert began <= run.requested_at <= run.started_at
    assert run.first_text_ms is not None
    assert run.recording == "closed"
    assert reel.resolve("resp_1") == run.run_id
    (asked,) = [row.raw for row in reel.events(run.run_id) if row.kind == CONTEXT]
    assert asked == {"input": "Hi", "model": "m", "stream": True}


def test_a_chat_and_a_finished_answer(server, client, record, reel):
    server.stream(CHUNKS, done=True)
    server.say(Answer(body=script.completion("Hi", id="chatcmpl-2")))
    messages = [{"role": "user", "content": "Hi"}]
    list(record(lambda: client.chat.completions.create(model="m", messages=messages, stream=True)))
    done = record(lambda: client.chat.completions.create(model="m", messages=messages))
    assert done.choices[0].message.content == "Hi"
    two, one = reel.runs()
    assert (reel.result(one.run_id).text, reel.result(two.run_id).text) == ("Hello, world", "Hi")
    assert one.requested_at < two.requested_at
    assert two.duration_ms >= 0


def test_a_helper_and_its_manager(server, client, record, reel):
    server.stream(ANSWER)
    with record(lambda: client.responses.stream(model="m", input="Hi")) as stream:
        stream.until_done()
    (run,) = reel.runs()
    assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
    assert run.requested_at is not None


def test_an_asynchronous_call(server, reel):
    server.stream(ANSWER)
    server.say(Answer(status=401, body=REFUSED))

    async def program():
        async with openai.AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:

            async def call():
                return await client.responses.create(model="m", input="Hi", stream=True)

            stream = await reel.record(call)
            async for _ in stream:
                pass
            with pytest.raises(openai.AuthenticationError):
                await reel.record(lambda: client.responses.create(model="m", input="Hi"))

    asyncio.run(program())
    failed, done = reel.runs()
    assert (done.status, reel.result(done.run_id).text) == (RunStatus.COMPLETED, "Hello, world")
    assert failed.error == RunError("Incorrect API key", 401)
    assert reel.rebuild(check=True) == []


def test_a_refused_call_is_a_failed_run(server, client, record, reel):
    server.say(Answer(status=401, body=REFUSED))
    with pytest.raises(openai.AuthenticationError):
        record(lambda: client.responses.create(model="m", input="Hi", stream=True))
    (run,) = reel.runs()
    assert (run.status, run.recording, run.model) == (RunStatus.FAILED, "closed", "m")
    assert run.error == RunError("Incorrect API key", 401)
    assert run.duration_ms is not None
    assert "sk-secret" not in str(list(reel.events(run.run_id)))


def test_a_server_that_is_not_there(client, record, reel):
    absent = client.with_options(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(openai.APIConnectionError) as raised:
        record(lambda: absent.chat.completions.create(model="m", messages=[]))
    (run,) = reel.runs()
    assert run.status is RunStatus.FAILED
    assert run.error == RunError(str(raised.value), None)


def test_a_time_out(server, client, record, reel):
    server.say(lambda _: time.sleep(1) or Answer(body={}))
    hasty = client.with_options(timeout=0.1)
    with pytest.raises(openai.APITimeoutError):
        record(lambda: hasty.responses.create(model="m", input="Hi"))
    (run,) = reel.runs()
    assert (run.status, run.error.code) == (RunStatus.FAILED, None)
    assert run.error.message == "Request timed out."


def test_an_error_of_the_program_is_no_run(client, record, reel):
    with pytest.raises(ZeroDivisionError):
        record(lambda: 1 // 0)
    with pytest.raises(TypeError):
        record(lambda: client.responses.create(model="m", input="Hi", nonsense=1))
    with pytest.raises(UsageError, match="cannot record"):
        record(lambda: "text")
    assert list(reel.runs()) == []


def test_the_waiting_of_the_user_is_measured(server, client, record, reel):
    """From before the server was asked until after it sent the first text."""
    received = []

    def slow(_):
        received.append(datetime.now(UTC))
        time.sleep(0.2)
        return Answer(events=[Pause(0.2), *ANSWER])

    server.say(slow)
    called = datetime.now(UTC)
    stream = record(lambda: client.responses.create(model="m", input="Hi", stream=True))
    seen = next(datetime.now(UTC) for event in stream if event.type == "response.output_text.delta")
    list(stream)
    (run,) = reel.runs()
    # The clocks are one; a busy machine delays a step but does not change their order.
    assert called <= run.requested_at <= received[0]
    assert received[0] + timedelta(seconds=0.4) <= run.first_text_at <= seen
    assert run.first_text_ms == (run.first_text_at - run.requested_at) / timedelta(milliseconds=1)
    assert run.duration_ms >= run.first_text_ms


def test_steps_of_an_agent_are_one_run(server, client, record, reel):
    call = script.call("weather", {})
    server.stream(script.events([call]))
    server.stream(script.events([script.output_of(["Sunny"])], id_="resp_2"))
    asked = [{"role": "user", "content": "Weather?"}]
    list(record(lambda: client.responses.create(model="m", input=asked, stream=True)))
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    asked += [call, output]
    list(record(lambda: client.responses.create(model="m", input=asked, stream=True)))
    (run,) = reel.runs()
    assert (run.status, reel.result(run.run_id).text) == (RunStatus.COMPLETED, "Sunny")
    assert reel.request(run.run_id)["input"] == asked
