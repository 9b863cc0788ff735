"""Calls of a real client that fail, are tried again or are cancelled: their runs and attempts."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import openai
import pytest

import runreel
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.callers import ASKED, QUESTION, REFUSED, TOLD, ask, client_of
from tests.live.hooked import PACKAGES, Wire, wire
from tests.live.sse_server import Answer

pytestmark = pytest.mark.usefixtures("watch")


def refused_port():
    with socket.create_server(("127.0.0.1", 0)) as closing:
        return closing.getsockname()[1]


def failing(status, body=None):
    answer = Answer(body=body or {"error": {"message": "slow down"}}, status=status)
    answer.headers["retry-after-ms"] = "1"
    return answer


def attempts(reel, run):
    return [row.raw.get("status") for row in reel.events(run.run_id, type="attempt")]


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
