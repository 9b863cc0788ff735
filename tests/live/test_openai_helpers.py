"""The client's helpers, ``responses.stream`` and ``chat.completions.stream``, recorded."""

from __future__ import annotations

import asyncio

import openai
import pytest

from runreel.model.events import INTERRUPTED
from tests.live import openai_script as script
from tests.live.told import kept, notes
from tests.strategies import exact

ITEMS = [script.output_of(["Hello, ", "world"])]
TOLD = script.events(ITEMS)
CHUNKS = script.chunks("Hello, world")
ASKED = {"model": "m", "input": "Hello?"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}


def responses(client):
    return client.responses.stream(**ASKED)


def test_the_helpers_own_events_are_yielded_and_the_wires_stored(server, client, record, reel):
    server.stream(TOLD)
    server.stream(TOLD)
    with responses(client) as stream:
        bare = [event.to_dict(warnings=False) for event in stream]
    with record(responses(client)) as stream:
        seen = [event.to_dict(warnings=False) for event in stream]
        final = stream.get_final_response()
    assert seen == bare
    assert seen[6]["snapshot"] == "Hello, world"
    assert final.output_text == "Hello, world"
    assert exact(kept(reel)) == exact(TOLD)
    assert notes(reel)[-1] == ("closed", None)


@pytest.mark.parametrize("wait", ["until_done", "get_final_response"])
def test_waiting_for_the_end_records_all(server, client, record, reel, wait):
    server.stream(TOLD)
    with record(responses(client)) as stream:
        getattr(stream, wait)()
    assert exact(kept(reel)) == exact(TOLD)
    assert notes(reel)[-1] == ("closed", None)


def test_leaving_early_interrupts(server, client, record, reel):
    server.stream(TOLD)
    with record(responses(client)) as stream:
        next(stream)
    assert notes(reel)[-1] == (INTERRUPTED, "the program stopped reading")
    server.stream(script.events(ITEMS, id_="resp_2"))
    with pytest.raises(ZeroDivisionError), record(responses(client)) as stream:
        next(stream).sequence_number / 0
    assert notes(reel, "resp_2")[-1] == (INTERRUPTED, "ZeroDivisionError")


def test_a_helper_that_finds_fault_leaves_what_it_read_in_the_log(server, client, record, reel):
    told = [event for event in TOLD if event["type"] != "response.content_part.added"]
    server.stream(told)
    with pytest.raises(IndexError), record(responses(client)) as stream:
        stream.until_done()
    assert exact(kept(reel)) == exact(told[:4])
    assert notes(reel)[-1] == (INTERRUPTED, "IndexError")


def test_a_stream_out_of_its_manager_is_recorded(server, client, record, reel):
    server.stream(TOLD)
    with responses(client) as stream:
        assert len(list(record(stream))) == len(TOLD)
    assert exact(kept(reel)) == exact(TOLD)


def test_chat_streams_are_recorded(server, client, record, reel):
    server.stream(CHUNKS, done=True)
    server.stream(CHUNKS, done=True)
    with client.chat.completions.stream(**CHAT) as stream:
        bare = [event.type for event in stream]
    with record(client.chat.completions.stream(**CHAT)) as stream:
        assert [event.type for event in stream] == bare
        assert stream.get_final_completion().choices[0].message.content == "Hello, world"
    assert exact(kept(reel, "chatcmpl-1")) == exact(CHUNKS)
    assert notes(reel, "chatcmpl-1")[-1] == ("closed", None)


def test_the_asynchronous_helpers_are_recorded(server, record, reel):
    server.stream(TOLD)
    server.stream(CHUNKS, done=True)
    server.stream(script.events(ITEMS, id_="resp_2"))

    async def main():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k") as client:
            async with record(client.responses.stream(**ASKED)) as stream:
                types = [event.type async for event in stream]
                assert types == [event["type"] for event in TOLD]
                assert (await stream.get_final_response()).output_text == "Hello, world"
            async with record(client.chat.completions.stream(**CHAT)) as stream:
                final = await stream.get_final_completion()
                assert final.choices[0].message.content == "Hello, world"
            async with record(client.responses.stream(**ASKED)) as stream:
                await anext(stream)

    asyncio.run(main())
    assert exact(kept(reel)) == exact(TOLD)
    assert exact(kept(reel, "chatcmpl-1")) == exact(CHUNKS)
    assert notes(reel, "resp_2")[-1] == (INTERRUPTED, "the program stopped reading")
