"""Live streams of the anthropic client: the log has the wire, and the client's own message."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import nullcontext

import anthropic
import pytest

import runreel
from runreel.model.events import RUN
from runreel.model.status import MessageStatus, RunStatus
from tests.live import messages_script as script
from tests.live.hooked import Wire, cut, wire
from tests.live.messages_client import async_client, of_client, of_log
from tests.live.sse_server import Answer
from tests.live.told import kept, notes
from tests.strategies import exact

ASKED = script.ASKED
# Streams for ways whose reading is that of the others.
SOME = ("thinking", "text and two calls", "pings everywhere", "cached input", "paused", "unicode")


def created(client, record):
    """The events of ``messages.create``."""
    return list(record(client.messages.create(**ASKED, stream=True)))


def helped(client, record):
    """The final message of ``messages.stream``."""
    with record(client.messages.stream(**ASKED)) as stream:
        return stream.get_final_message()


def called(client, record):
    """The events of a call that is given as a function."""
    return list(record(lambda: client.messages.create(**ASKED, stream=True)))


async def created_async(client, record):
    """As ``created``, asynchronously."""
    return [event async for event in record(await client.messages.create(**ASKED, stream=True))]


async def helped_async(client, record):
    """As ``helped``, asynchronously."""
    async with record(client.messages.stream(**ASKED)) as stream:
        return await stream.get_final_message()


def unchanged(source):
    """The stream as it is: a watch records it."""
    return source() if callable(source) else source


def check(reel, name, final):
    (run,) = reel.runs(limit=1)
    assert exact(kept(reel, run.run_id)) == exact(script.STREAMS[name]), name
    assert of_log(reel, run.run_id) == of_client(final), name
    assert run.recording == "closed", name


@pytest.fixture
def told(messages, server, finals):
    """Has a client tell each stream in a way, and compares the log with the client's messages."""

    def tell(reel, way, record, names=script.STREAMS):
        for name in names:
            server.stream(script.STREAMS[name])
            got = way(messages, record)
            check(reel, name, finals[name])
            assert way is not helped or got == finals[name]

    return tell


@pytest.mark.parametrize("way", [created, helped])
def test_each_recorded_stream_is_the_clients_message(reel, record, told, way):
    told(reel, way, record)


def test_a_stream_of_a_function_is_the_clients_message(reel, record, told):
    told(reel, called, record, SOME)


@pytest.mark.parametrize("way", [created, helped])
def test_each_watched_stream_is_the_clients_message(watch, told, way):
    told(watch.reel, way, unchanged)


@pytest.mark.parametrize("way", [created_async, helped_async])
@pytest.mark.parametrize("watched", [False, True], ids=["record", "watch"])
def test_asynchronous_streams_are_the_clients_messages(reel, server, finals, way, watched):
    async def main():
        async with async_client(server.url) as client:
            for name in SOME:
                server.stream(script.STREAMS[name])
                await way(client, unchanged if watched else reel.record)
                check(reel, name, finals[name])

    with reel.watch() if watched else nullcontext():
        asyncio.run(main())
    assert reel.rebuild(check=True) == []


def test_bytes_that_are_cut_anywhere_are_the_clients_message(reel, finals):
    connection = Wire()
    client = anthropic.Anthropic(api_key="k", http_client=connection.http(), max_retries=0)
    reel.attach(client)
    cuts = [(name, 5 + number) for number, name in enumerate(script.STREAMS)]
    for name, size in [*cuts, ("unicode", 1), ("unicode", 2), ("pings everywhere", 97)]:
        connection.answer(cut(wire(script.STREAMS[name]), size))
        created(client, unchanged)
        check(reel, name, finals[name])


def test_the_texts_of_the_helper_are_stored_before_they_are_seen(record, reel, messages, server):
    server.stream(script.STREAMS["several text blocks"])
    seen = []
    with record(messages.messages.stream(**ASKED)) as stream:
        for text in stream.text_stream:
            seen.append(text)
            assert reel.result("msg_1").text == "".join(seen)
        assert stream.get_final_text() == "OneTwo!"
    assert seen == ["One", "Two", "!"]
    assert reel.run("msg_1").recording == "closed"


def test_the_texts_of_the_asynchronous_helper_are_stored(reel, server):
    async def main():
        server.stream(script.STREAMS["text"])
        client = async_client(server.url)
        async with client, reel.record(client.messages.stream(**ASKED)) as stream:
            seen = [text async for text in stream.text_stream]
            assert await stream.get_final_text() == "".join(seen) == "Hello, world"

    asyncio.run(main())
    assert reel.result("msg_1").text == "Hello, world"
    assert exact(kept(reel, "msg_1")) == exact(script.STREAMS["text"])


def test_finished_messages_are_recorded(reel, messages, server, finals):
    def called():
        return messages.messages.create(**ASKED)

    def watched():
        with reel.watch():
            return called()

    ways = itertools.cycle([lambda: reel.record(called), watched, lambda: reel.record(called())])
    for name, way in zip(finals, ways, strict=False):
        final = finals[name].model_copy(update={"id": name})
        value = final.to_dict(mode="json", warnings=False)
        server.say(Answer(body=value))
        assert way().id == name
        (run,) = reel.runs(limit=1)
        assert (of_log(reel, run.run_id), run.recording) == (of_client(final), "closed"), name
        rows = [row.raw for row in reel.events(run.run_id) if row.kind == RUN]
        assert exact(rows) == exact([value])


def test_messages_of_the_beta_interface_are_recorded(watch, messages, server):
    server.stream(script.STREAMS["a call"])
    list(messages.beta.messages.create(**ASKED, stream=True, betas=["b-1"]))
    server.stream(script.STREAMS["thinking"])
    with watch.reel.record(messages.beta.messages.stream(**ASKED)) as stream:
        stream.get_final_message()
    server.stream(script.STREAMS["text"])
    with messages.beta.messages.stream(**ASKED) as stream:
        assert stream.get_final_text() == "Hello, world"
    text, thinking, call = watch.reel.runs()
    assert (text.status, call.status) == (RunStatus.COMPLETED, RunStatus.TOOL_CALLS)
    assert watch.reel.reasoning(thinking.run_id) == "I add the two."


def test_a_helper_of_the_beta_interface_is_recorded(record, reel, messages, server):
    server.stream(script.STREAMS["thinking"])
    with record(messages.beta.messages.stream(**ASKED)) as stream:
        assert stream.get_final_text() == "4"
    assert exact(kept(reel, "msg_1")) == exact(script.STREAMS["thinking"])


@pytest.mark.parametrize("way", [created, helped])
def test_what_a_program_leaves_is_interrupted(record, reel, messages, server, way):
    server.stream(script.STREAMS["text"])
    if way is created:
        for seen in record(messages.messages.create(**ASKED, stream=True)):
            if seen.type == "content_block_delta":
                break
    else:
        with record(messages.messages.stream(**ASKED)) as stream:
            next(stream.text_stream)
    run = reel.run("msg_1")
    assert (run.status, run.recording) == (RunStatus.IN_PROGRESS, "interrupted")
    assert reel.result("msg_1").text == "Hello"
    assert run.usage == runreel.Usage(12, 13, 1)


@pytest.mark.parametrize("way", [created, helped, called])
@pytest.mark.parametrize("watched", [False, True], ids=["record", "watch"])
def test_an_error_in_the_stream_fails_the_run(reel, messages, server, way, watched):
    server.stream([*script.STREAMS["text"][:5], script.OVERLOADED])
    with pytest.raises(anthropic.APIStatusError):
        if watched:
            with reel.watch():
                way(messages, unchanged)
        else:
            way(messages, reel.record)
    (run,) = reel.runs()
    assert (run.status, run.recording) == (RunStatus.FAILED, "closed")
    assert run.error == runreel.RunError("Overloaded", "overloaded_error")
    assert reel.state(run.run_id)[1].text_so_far == "Hello, "
    assert kept(reel, run.run_id)[-1] == script.OVERLOADED


def test_a_connection_that_is_cut_interrupts_the_run(watch, messages, server):
    server.stream(script.STREAMS["text"][:5], cut="chunk")
    with pytest.raises(Exception, match=r"peer closed|incomplete"):
        list(messages.messages.create(**ASKED, stream=True))
    (run,) = watch.reel.runs()
    assert (run.recording, run.status) == ("interrupted", RunStatus.IN_PROGRESS)


def test_the_status_of_the_message_tells_why_it_is_short(watch, messages, server):
    told = {"cut short": MessageStatus.TRUNCATED, "refused midway": MessageStatus.FILTERED_CONTENT}
    for name, status in told.items():
        server.stream(script.STREAMS[name])
        created(messages, unchanged)
        (run,) = watch.reel.runs(limit=1)
        assert watch.reel.result(run.run_id).message.status is status


def test_a_client_is_attached_and_leaves_others_alone(reel, messages, server):
    server.stream(script.STREAMS["text"])
    server.stream(script.STREAMS["text"])
    with anthropic.Anthropic(base_url=messages.base_url, api_key="k", max_retries=0) as client:
        assert reel.attach(client) is client
        created(client, unchanged)
        created(messages, unchanged)
    (run,) = reel.runs()
    assert reel.result(run.run_id).text == "Hello, world"
    assert reel.request(run.run_id) == {**ASKED, "stream": True}


def test_an_asynchronous_client_is_attached(reel, server):
    async def main():
        async with async_client(server.url) as client:
            reel.attach(client)
            server.stream(script.STREAMS["text"])
            await created_async(client, unchanged)

    asyncio.run(main())
    (run,) = reel.runs()
    assert (run.recording, run.source) == ("closed", "anthropic-messages")


@pytest.mark.parametrize("kind", ["AnthropicBedrock", "AnthropicVertex"])
def test_clients_of_other_services_are_refused(reel, kind):
    client = object.__new__(getattr(anthropic, kind))
    with pytest.raises(runreel.UsageError, match=f"cannot attach to a {kind}"):
        reel.attach(client)


def test_other_calls_pass_untouched(watch, messages, server):
    server.say(Answer(body={"input_tokens": 14}), Answer(body={"id": "b", "type": "message_batch"}))
    asked = {"model": script.MODEL, "messages": ASKED["messages"]}
    assert messages.messages.count_tokens(**asked).input_tokens == 14
    messages.messages.batches.create(requests=[{"custom_id": "a", "params": ASKED}])
    assert list(watch.reel.runs()) == []


def test_notes_of_a_stream_name_its_end(watch, messages, server):
    server.stream(script.STREAMS["paused"])
    created(messages, unchanged)
    (run,) = watch.reel.runs()
    assert notes(watch.reel, run.run_id) == [("closed", None)]
