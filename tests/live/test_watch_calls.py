"""Whole calls of a real client: their runs, failures, retries and times."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import openai
import pytest

import runreel
from runreel.model.status import RunStatus
from tests.frameworks import model_server
from tests.live import openai_script as script
from tests.live.hooked import PACKAGES, Wire, wire
from tests.live.sse_server import Answer, Pause
from tests.logs import verify

ROOT = Path(__file__).parents[2]
ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
QUESTION = {"role": "user", "content": "Weather?"}
FUNCTION = {"name": "weather", "parameters": {"type": "object"}}
REFUSED = {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}


@pytest.fixture(autouse=True)
def watch(reel):
    with reel.watch() as watch:
        yield watch
    assert reel.rebuild(check=True) == []
    verify(reel)


def client_of(url, retries=0):
    return openai.OpenAI(base_url=url, api_key="k", max_retries=retries)


def respond(client, items, *, stream):
    """Ask by Responses; return the items to repeat, with the result of a tool if it is called."""
    tools = [{"type": "function", **FUNCTION}]
    got = client.responses.create(model="m", input=items, tools=tools, stream=stream)
    if stream:
        got = next(event.response for event in got if event.type == "response.completed")
    for item in got.output:
        if item.type == "function_call":
            output = {"type": "function_call_output", "call_id": item.call_id, "output": "sun"}
            return [*items, item.model_dump(exclude_none=True), output]
    return items


def complete(client, messages, *, stream):
    """Like ``respond``, by chat completions."""
    tools = [{"type": "function", "function": FUNCTION}]
    got = client.chat.completions.create(model="m", messages=messages, tools=tools, stream=stream)
    if stream:
        choices = [choice for chunk in got for choice in chunk.choices]
        deltas = [call for choice in choices for call in choice.delta.tool_calls or ()]
        calls = [(call.id, call.function.name) for call in deltas if call.id]
        arguments = "".join(call.function.arguments or "" for call in deltas)
    else:
        made = got.choices[0].message.tool_calls or ()
        calls = [(call.id, call.function.name) for call in made]
        arguments = "".join(call.function.arguments for call in made)
    for id_, name in calls:
        call = {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        return [*messages, said, {"role": "tool", "tool_call_id": id_, "content": "sun"}]
    return messages


WAYS = [(respond, "openai-responses"), (complete, "openai-chat")]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize(("turn", "source"), WAYS, ids=["responses", "chat"])
def test_an_agent_run_with_a_tool_is_one_run(reel, server, turn, source, stream):
    server.say(*[model_server.answer] * 4)
    with client_of(server.url) as client:
        for _ in range(2):
            items = turn(client, [QUESTION], stream=stream)
            turn(client, items, stream=stream)
    runs = list(reel.runs())
    assert len(runs) == 2
    for run in runs:
        assert (run.source, run.status, run.recording) == (source, RunStatus.COMPLETED, "closed")
        assert reel.result(run.run_id).text == model_server.ANSWER
        (results,) = reel.events(run.run_id, type="tool_results")
        assert len(results.raw["tool_results"]) == 1
        assert reel.request(run.run_id) is not None


PROGRAM = """
    import json, sys, openai, runreel
    from tests.live.test_watch_calls import complete, respond

    log, url, way, items = sys.argv[1:]
    turn = {"respond": respond, "complete": complete}[way]
    with runreel.watch(log) as watch, openai.OpenAI(base_url=url, api_key="k") as client:
        print(json.dumps(turn(client, json.loads(items), stream=True)))
    watch.reel.close()
"""


@pytest.mark.parametrize(("turn", "source"), WAYS, ids=["responses", "chat"])
def test_two_processes_continue_one_run(reel, server, db_url, turn, source):
    server.say(*[model_server.answer] * 2)
    items = json.dumps([QUESTION])
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    for _ in range(2):
        items = subprocess.run(
            [*program, db_url, server.url, turn.__name__, items],
            cwd=ROOT,
            check=True,
            timeout=60,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    (run,) = reel.runs()
    assert (run.source, run.status) == (source, RunStatus.COMPLETED)
    assert reel.result(run.run_id).text == model_server.ANSWER


def refused_port():
    with socket.create_server(("127.0.0.1", 0)) as closing:
        return closing.getsockname()[1]


def failing(status, body=None):
    answer = Answer(body=body or {"error": {"message": "slow down"}}, status=status)
    answer.headers["retry-after-ms"] = "1"
    return answer


def attempts(reel, run):
    return [row.raw.get("status") for row in reel.events(run.run_id, type="attempt")]


def ask(client, *, stream):
    got = client.responses.create(**ASKED, stream=stream)
    return list(got) if stream else got


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_four_failures_are_four_runs(reel, server, asynchronous, stream):
    def answered(url, retries=0):
        if not asynchronous:
            with client_of(url, retries) as client:
                return ask(client, stream=stream)

        async def main():
            options = {"base_url": url, "api_key": "k", "max_retries": retries}
            async with openai.AsyncOpenAI(**options) as client:
                got = await client.responses.create(**ASKED, stream=stream)
                return [event async for event in got] if stream else got

        return asyncio.run(main())

    with pytest.raises(openai.APIConnectionError):
        answered(f"http://127.0.0.1:{refused_port()}/v1")
    server.say(failing(401, REFUSED))
    with pytest.raises(openai.AuthenticationError):
        answered(server.url)
    server.say(failing(429), Answer(events=TOLD) if stream else Answer(body=TOLD[-1]["response"]))
    answered(server.url, 2)
    server.say(failing(500), failing(500, {"error": {"message": "broken"}}))
    with pytest.raises(openai.InternalServerError):
        answered(server.url, 1)

    port, unauthorized, limited, broken = reversed(list(reel.runs()))
    assert (port.status, port.error.code) == (RunStatus.FAILED, None)
    assert "connect" in port.error.message.lower()
    assert (unauthorized.status, unauthorized.error.code) == (RunStatus.FAILED, 401)
    assert unauthorized.error.message == "Incorrect API key"
    assert (limited.status, limited.error) == (RunStatus.COMPLETED, None)
    assert reel.result(limited.run_id).text == "Hello, world"
    assert (broken.status, broken.error.code) == (RunStatus.FAILED, 500)
    assert broken.error.message == "broken"
    assert [attempts(reel, run) for run in (port, unauthorized, limited, broken)] == [
        [None],
        [401],
        [429],
        [500, 500],
    ]
    assert {run.recording for run in reel.runs()} == {"closed"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_refusal_whose_body_is_not_read_is_stored(reel, package):
    connection = Wire(package)
    connection.json(REFUSED, status=429)
    with (
        connection.http() as client,
        client.stream("POST", "http://model.test/v1/responses", json=ASKED),
    ):
        pass
    (run,) = reel.runs()
    assert (run.status, run.error.code, run.recording) == (RunStatus.FAILED, 429, "closed")


@pytest.mark.parametrize(
    ("path", "asked"),
    [("responses", ASKED), ("chat/completions", {"model": "m", "messages": [QUESTION]})],
)
def test_an_error_with_the_status_of_a_success_is_a_failed_run(reel, path, asked):
    """As gateways answer when the provider behind them has failed."""
    connection = Wire()
    connection.json({"error": {"message": "no credits", "code": 402}})
    with connection.http() as client:
        client.post(f"http://model.test/v1/{path}", json=asked)
    (run,) = reel.runs()
    assert (run.status, run.error.message) == (RunStatus.FAILED, "no credits")
    assert run.recording == "closed"


@pytest.mark.parametrize("streamed", [True, False])
def test_what_a_framework_tries_again_is_a_run_of_its_own(reel, streamed):
    """It is another call to the client; the texts of the two are not one."""
    connection = Wire()
    if streamed:
        connection.answer([wire(TOLD[:5])], error=httpx2.ReadError("reset"))
    else:
        connection.json({"error": {"message": "busy"}}, status=503)
    connection.answer(wire(script.events([script.output_of(["Again"])], id_="resp_2")))
    with connection.client() as client:
        with pytest.raises((openai.APIConnectionError, openai.InternalServerError)):
            ask(client, stream=True)
        ask(client, stream=True)
    again, failed = reel.runs()
    assert (again.status, again.recording) == (RunStatus.COMPLETED, "closed")
    assert reel.result(again.run_id).text == "Again"
    assert failed.recording == ("interrupted" if streamed else "closed")
    if streamed:
        assert reel.result(failed.run_id).text == "Hell"
    else:
        assert failed.error == runreel.RunError("busy", 503)


def test_the_usage_of_a_streamed_chat_is_unknown_unless_the_program_asks_for_it(reel, watch):
    """The request is what the program has made of it."""
    asked = {"model": "m", "messages": [QUESTION], "stream": True}
    connection = Wire()
    bodies = []
    for stop in (False, True):
        connection.answer(wire(script.chunks("Hello"), done=True))
        with connection.client() as client:
            list(client.chat.completions.create(**asked))
        bodies.append(connection.asked[-1].content)
        if not stop:
            watch.stop()
    assert bodies[0] == bodies[1]
    (run,) = reel.runs()
    assert (run.status, run.usage) == (RunStatus.COMPLETED, None)
    assert reel.usage().totals.unknown == 1


def test_equal_calls_that_are_retried_at_once_stay_apart(reel, server):
    server.say(*[failing(429)] * 8, *[Answer(events=TOLD)] * 8)

    async def main():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=8) as client:

            async def one():
                return [_ async for _ in await client.responses.create(**ASKED, stream=True)]

            await asyncio.gather(*(one() for _ in range(8)))

    asyncio.run(main())
    runs = list(reel.runs())
    assert len(runs) == 8
    assert {(run.status, run.recording) for run in runs} == {(RunStatus.COMPLETED, "closed")}
    assert sum(len(attempts(reel, run)) for run in runs) == 8


async def cancelled(url):
    async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=2) as client:
        async with asyncio.timeout(0.3):
            await client.responses.create(**ASKED, stream=True)


def test_a_call_that_is_cancelled_before_its_answer_is_interrupted(reel):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(TimeoutError):
            asyncio.run(cancelled(url))
    (run,) = reel.runs()
    assert (run.recording, run.error) == ("interrupted", None)


def test_times_are_between_those_of_the_program_and_of_the_server(reel, server):
    received = []

    def late(_asked):
        received.append(datetime.now(UTC))
        time.sleep(0.2)
        return Answer(events=[Pause(0.2), *TOLD])

    server.say(late)
    with client_of(server.url) as client:
        called = datetime.now(UTC)
        stream = client.responses.create(**ASKED, stream=True)
        seen = next(
            datetime.now(UTC) for event in stream if event.type == "response.output_text.delta"
        )
        list(stream)
    run = reel.run("resp_1")
    # The clocks are one; a busy machine delays a step but does not change their order.
    assert called <= run.requested_at <= received[0]
    assert received[0] + timedelta(seconds=0.4) <= run.first_text_at <= seen
    assert run.first_text_ms == (run.first_text_at - run.requested_at) / timedelta(milliseconds=1)
    assert run.duration_ms >= run.first_text_ms


@pytest.mark.parametrize("requests", [True, False])
def test_without_requests_their_time_is_stored_all_the_same(reel, watch, server, requests):
    watch.stop()
    server.stream(TOLD)
    with reel.watch(requests=requests), client_of(server.url) as client:
        ask(client, stream=True)
    assert (reel.request("resp_1") is not None) is requests
    assert reel.run("resp_1").requested_at is not None


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
def test_watch_and_a_recorded_function_record_once(reel, server, stream):
    server.say(Answer(events=TOLD) if stream else Answer(body=TOLD[-1]["response"]), failing(401))
    with client_of(server.url) as client:
        got = reel.record(
            lambda: client.responses.create(**ASKED, stream=stream), labels={"by": "me"}
        )
        assert not stream or len(list(got)) == len(TOLD)
        with pytest.raises(openai.AuthenticationError):
            reel.record(lambda: client.responses.create(**ASKED), labels={"by": "me"})
    statuses = [run.status for run in reel.runs()]
    assert statuses == [RunStatus.FAILED, RunStatus.COMPLETED]
    assert [run.labels for run in reel.runs()] == [{"by": "me"}] * 2


def text(number):
    return f"{number:02d} " + "".join(chr(97 + (number * 7 + n * n) % 26) for n in range(1997))


def size(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (length,) = connection.execute("SELECT sum(length(payload)) FROM events").fetchone()
    connection.close()
    return length


def conversation(log, *, repeat):
    """Ask 20 times, with the whole conversation so far or with one message alone."""
    items = []
    connection = Wire()
    with runreel.watch(log) as watch, connection.client() as client:
        for number in range(20):
            told = script.events([script.output_of([text(100 + number)])], id_=f"resp_{number}")
            connection.answer(wire(told))
            message = {"role": "user", "content": text(number)}
            items = [*items, message] if repeat else [message]
            list(client.responses.create(model="m", input=items, stream=True))
            items = [*items, {"role": "assistant", "content": text(100 + number)}]
    return watch.reel, items[:-1]


def test_a_conversation_costs_at_most_twice_its_messages(tmp_path, watch):
    watch.stop()
    alone, _ = conversation(tmp_path / "alone.db", repeat=False)
    whole, items = conversation(tmp_path / "whole.db", repeat=True)
    assert whole.request("resp_19")["input"] == items
    assert len({run.thread_id for run in whole.runs()}) == 1
    assert len(list(whole.runs())) == 20
    for reel in (alone, whole):
        reel.close()
    assert size(tmp_path / "whole.db") <= 2 * size(tmp_path / "alone.db")
