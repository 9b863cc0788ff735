"""An event loop other than asyncio's is refused in words, before anything is asked or stored."""

from __future__ import annotations

import inspect

import openai
import pytest
import trio

from runreel.model.errors import UsageError
from tests.live import openai_script as script

ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])


@pytest.fixture
def helper(server):
    """A stream of the asynchronous client whose request is not sent yet."""
    client = openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0)
    made = client.responses.stream(**ASKED)
    yield made
    for value in vars(made).values():
        if inspect.iscoroutine(value):
            value.close()


def test_a_stream_under_trio_is_refused_where_it_is_to_be_recorded(server, reel):
    server.stream(TOLD)

    async def main():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            stream = await client.responses.create(**ASKED, stream=True)
            with pytest.raises(UsageError, match=r"need asyncio.*run by trio"):
                reel.record(stream)
            assert [event.type async for event in stream][-1] == "response.completed"

    trio.run(main)
    assert list(reel.runs()) == []


def test_a_helper_under_trio_is_refused_before_its_request_is_sent(server, reel, helper):
    async def main():
        with pytest.raises(UsageError, match="run by trio"):
            reel.record(helper)

    trio.run(main)
    assert server.asked == []


def test_a_helper_that_was_made_outside_is_refused_under_trio(server, reel, helper):
    recorded = reel.record(helper)

    async def main():
        with pytest.raises(UsageError, match="run by trio"):
            async with recorded:
                pass

    trio.run(main)
    assert server.asked == []
    assert list(reel.runs()) == []


def test_a_loop_without_a_name_is_refused_too(server, reel, helper):
    recorded = reel.record(helper)
    with pytest.raises(UsageError, match="need asyncio"):
        recorded.__aenter__().send(None)
    assert server.asked == []


def test_a_blocking_stream_may_be_recorded_in_a_thread_of_trio(server, client, record, reel):
    server.stream(TOLD)

    async def main():
        stream = client.responses.create(**ASKED, stream=True)
        await trio.to_thread.run_sync(lambda: list(record(stream)))

    trio.run(main)
    assert reel.run("resp_1").recording == "closed"


def test_a_replay_under_trio_is_refused(server, client, record, reel):
    server.stream(TOLD)
    list(record(client.responses.create(**ASKED, stream=True)))

    async def main():
        with pytest.raises(UsageError, match="run by trio"):
            async for _ in reel.areplay("resp_1"):
                pass

    trio.run(main)
