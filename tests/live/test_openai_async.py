"""Recorded streams in an event loop: alone, many at once, left and cancelled."""

from __future__ import annotations

import asyncio
import threading
import time

import openai
import pytest

from runreel.capture.streams import run_resolver
from runreel.model.errors import RecordingError, UsageError
from runreel.model.events import INTERRUPTED
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import Answer, Pause
from tests.live.told import break_the_log, kept, notes
from tests.strategies import exact

ASKED = {"model": script.MODEL, "input": "Hello?"}
ITEMS = [script.output_of(["Hello, ", "world"])]
TOLD = script.events(ITEMS)


def run(server, program):
    async def main():
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:
            await program(client)

    asyncio.run(main())


async def asked(client, **more):
    return await client.responses.create(**ASKED, **more, stream=True)


def test_events_are_the_clients_own_and_the_log_has_the_wires(server, record, reel):
    server.stream(TOLD)
    server.stream(TOLD)

    async def program(client):
        bare = [event async for event in await asked(client)]
        assert [event async for event in record(await asked(client), request=ASKED)] == bare

    run(server, program)
    assert exact(kept(reel)) == exact(TOLD)
    assert reel.run("resp_1").recording == "closed"
    assert reel.result("resp_1").text == "Hello, world"


def test_an_event_is_in_the_log_before_the_program_has_it(server, record, reel):
    server.stream(TOLD)

    async def program(client):
        number = 0
        async for _ in record(await asked(client)):
            number += 1
            assert len(kept(reel)) == number

    run(server, program)


def test_many_streams_at_once_are_all_exact(server, record, reel):
    names = [f"resp_{number}" for number in range(40)]
    told = {name: script.events(ITEMS, id_=name, chunk=2) for name in names}
    server.say(*(lambda ask: Answer(events=told[ask.body["input"]]) for _ in names))

    async def one(client, name):
        stream = await client.responses.create(model="m", input=name, stream=True)
        return [event async for event in record(stream)]

    async def program(client):
        await asyncio.gather(*(one(client, name) for name in names))

    run(server, program)
    assert {run.run_id for run in reel.runs(limit=0)} == set(names)
    for name in names:
        assert exact(kept(reel, name)) == exact(told[name])
        assert reel.run(name).recording == "closed"


def test_two_that_go_on_from_one_response_do_not_mix(server, record, reel):
    server.stream(TOLD)
    names = ("resp_2", "resp_3")
    for name in names:
        follow = script.events([script.output_of([name])], id_=name, previous_response_id="resp_1")
        server.stream(follow)

    async def program(client):
        async for _ in record(await asked(client)):
            pass
        streams = [await asked(client, previous_response_id="resp_1") for _ in names]

        async def read(stream):
            return [event async for event in record(stream)]

        await asyncio.gather(*map(read, streams))

    run(server, program)
    runs = {run.run_id: run for run in reel.runs()}
    assert len(runs) == 2
    assert {run.response_id for run in runs.values()} == set(names)
    for run_id, told in runs.items():
        assert reel.result(run_id).text == told.response_id


def test_a_loop_that_breaks_interrupts_the_recording(server, record, reel):
    server.stream(TOLD)

    async def program(client):
        stream = record(await asked(client))
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
        assert notes(reel) == [(INTERRUPTED, "the program stopped reading")]

    run(server, program)
    assert kept(reel) == TOLD[:5]


def test_a_loop_that_goes_on_where_another_broke_resumes_the_recording(server, record, reel):
    server.stream(TOLD)

    async def program(client):
        stream = record(await asked(client))
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        assert len([event async for event in stream]) == len(TOLD) - 5

    run(server, program)
    left = (INTERRUPTED, "the program stopped reading")
    assert notes(reel) == [left, ("resumed", None), ("closed", None)]
    assert exact(kept(reel)) == exact(TOLD)


@pytest.mark.parametrize("end", ["close", "aclose"])
def test_closing_interrupts(server, record, reel, end):
    server.stream(TOLD)

    async def program(client):
        stream = record(await asked(client))
        await anext(stream)
        await getattr(stream, end)()
        assert notes(reel) == [(INTERRUPTED, "the program stopped reading")]

    run(server, program)


def test_an_exception_in_a_with_block_is_named(server, record, reel):
    server.stream(TOLD)

    async def program(client):
        with pytest.raises(ZeroDivisionError):
            async with record(await asked(client)) as stream:
                (await anext(stream)).sequence_number / 0

    run(server, program)
    assert notes(reel) == [(INTERRUPTED, "ZeroDivisionError")]


def test_cancellation_interrupts(server, record, reel):
    ready = threading.Event()
    server.stream([*TOLD[:4], Pause(20, ready), *TOLD[4:]])

    async def read(client, four):
        async for event in record(await asked(client)):
            if event.sequence_number == 3:
                four.set()

    async def program(client):
        four = asyncio.Event()
        task = asyncio.create_task(read(client, four))
        await four.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert notes(reel) == [(INTERRUPTED, "CancelledError")]

    run(server, program)
    ready.set()
    assert kept(reel) == TOLD[:4]


def test_cancellation_at_any_moment_leaves_what_the_program_saw(server, record, reel):
    names = [f"resp_{number}" for number in range(30)]
    seen = {}

    async def read(client, name):
        stream = await client.responses.create(model="m", input=name, stream=True)
        async for event in record(stream):
            seen[name].append(event.sequence_number)

    def answer(ask):
        return Answer(events=script.events(ITEMS, id_=ask.body["input"]))

    async def program(client):
        for number, name in enumerate(names):
            seen[name] = []
            server.say(answer)
            task = asyncio.create_task(read(client, name))
            for _ in range(number * 4):
                await asyncio.sleep(0)
            await asyncio.sleep(number / 1000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(server, program)
    stored = {run.run_id for run in reel.runs(limit=0)}
    for name in names:
        if name not in stored:
            assert seen[name] == []
            continue
        numbers = [raw["sequence_number"] for raw in kept(reel, name)]
        assert numbers[: len(seen[name])] == seen[name]
        assert numbers == list(range(len(numbers)))
        assert reel.run(name).recording in ("closed", INTERRUPTED)


def test_who_is_cancelled_while_saying_that_a_run_goes_on_says_that_it_does_not(
    server, record, reel, monkeypatch
):
    real, claimed = run_resolver.recorder_for, threading.Event()

    def slow(*told):
        made = real(*told)
        claimed.set()
        time.sleep(0.3)
        return made

    async def program(client):
        server.stream(TOLD)
        async for _ in record(await asked(client)):
            pass
        follow = script.events(ITEMS, id_="resp_2", previous_response_id="resp_1")
        server.stream(follow)
        monkeypatch.setattr(run_resolver, "recorder_for", slow)
        stream = record(await asked(client, previous_response_id="resp_1"))
        task = asyncio.create_task(anext(stream))
        await asyncio.to_thread(claimed.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stream.close()

    run(server, program)
    assert notes(reel)[1:] == [("resumed", None), (INTERRUPTED, "CancelledError")]
    assert exact(kept(reel)) == exact(TOLD)


def test_a_cut_stream_is_interrupted_and_an_error_body_is_an_error(server, record, reel):
    server.stream(script.events(ITEMS, end=None), cut="silent")
    server.stream(script.events(ITEMS, end=None, id_="resp_2"), cut="chunk")
    body = {"error": {"message": "Quota"}}
    server.stream([*script.events(ITEMS, end=None, id_="resp_3"), body])

    async def program(client):
        async for _ in record(await asked(client)):
            pass
        with pytest.raises(openai.APIConnectionError):
            async for _ in record(await asked(client)):
                pass
        with pytest.raises(openai.APIError, match="Quota"):
            async for _ in record(await asked(client)):
                pass

    run(server, program)
    assert notes(reel) == [(INTERRUPTED, "the stream ended before its last event")]
    assert notes(reel, "resp_2") == [(INTERRUPTED, "APIConnectionError")]
    told = reel.run("resp_3")
    assert (told.status, told.recording) == (RunStatus.FAILED, "closed")


def test_a_log_that_fails_raises_with_the_event(server, reel, monkeypatch):
    server.stream(TOLD)

    async def program(client):
        stream = reel.record(await asked(client))
        await anext(stream)
        break_the_log(reel, monkeypatch)
        with pytest.raises(RecordingError, match="gone") as raised:
            await anext(stream)
        assert raised.value.event.type == "response.in_progress"
        await stream.close()

    run(server, program)


def test_a_call_that_nobody_awaited_is_refused(server, record, reel):
    async def program(client):
        with pytest.raises(UsageError, match="not been awaited"):
            record(client.responses.create(**ASKED, stream=True))

    run(server, program)
