"""Whatever the way out of a recorded stream, its connection is closed and its recording ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import anyio
import openai
import pytest

from runreel.capture.streams import request
from runreel.model.errors import RecordingError
from runreel.model.events import INTERRUPTED
from runreel.recording.group_commit import Committer
from tests.live import openai_script as script
from tests.live.told import PAUSED_AFTER, break_the_log, kept

ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])


@pytest.fixture
def slow_store(monkeypatch):
    """Storing takes long from the moment that it is set."""
    slow = threading.Event()
    real = Committer.commit_all

    def commit_all(committer, units):
        time.sleep(0.3 if slow.is_set() else 0)
        return real(committer, units)

    monkeypatch.setattr(Committer, "commit_at_once", lambda *_: None)
    monkeypatch.setattr(Committer, "commit_all", commit_all)
    return slow


async def all_closed(server):
    for _ in range(3_000):
        gc.collect()
        if not server.connections():
            return
        await asyncio.sleep(0.01)
    assert server.connections() == 0


def assert_interrupted(reel, count=1):
    deadline = time.monotonic() + 30
    while any(one.recording == "open" for one in reel.runs(limit=0)):
        assert time.monotonic() < deadline, "a recording is open"
        time.sleep(0.01)
    runs = list(reel.runs(limit=0))
    assert [one.recording for one in runs] == [INTERRUPTED] * count
    for one in runs:
        numbers = [raw["sequence_number"] for raw in kept(reel, one.run_id)]
        assert numbers == list(range(len(numbers)))
    assert reel.rebuild(check=True) == []


async def read(stream, until=PAUSED_AFTER):
    """Read so many events."""
    async for event in stream:
        if event.sequence_number + 1 == until:
            return


async def cancelled_while_it_waits(reel, stream, slow):
    await read(stream)
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def cancelled_while_an_event_is_stored(reel, stream, slow):
    await anext(stream)
    slow.set()
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_again_and_again(reel, stream, slow):
    await anext(stream)
    slow.set()
    # Such a scope cancels in every turn of the loop until the task has left it.
    with anyio.move_on_after(0.1) as scope:
        await anext(stream)
    assert scope.cancelled_caught


async def out_of_time(reel, stream, slow):
    await read(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(stream)


async def left_by_an_exception(reel, stream, slow):
    with pytest.raises(ZeroDivisionError):
        async for event in stream:
            event.sequence_number / 0


async def left_by_a_break(reel, stream, slow):
    await read(stream, until=2)


async def left_with_a_generator(reel, stream, slow):
    async def events():
        async for event in stream:
            yield event

    generator = events()
    await anext(generator)
    await generator.aclose()


async def closed(reel, stream, slow):
    await anext(stream)
    await stream.close()


async def left_with_a_block(reel, stream, slow):
    with pytest.raises(ZeroDivisionError):
        async with stream:
            (await anext(stream)).sequence_number / 0


WAYS = [
    cancelled_while_it_waits,
    cancelled_while_an_event_is_stored,
    cancelled_again_and_again,
    out_of_time,
    left_by_an_exception,
    left_by_a_break,
    left_with_a_generator,
    closed,
    left_with_a_block,
]


@pytest.mark.parametrize("leave", WAYS)
def test_every_way_out_of_asynchronous_streams_closes_them(paused, reel, slow_store, leave):
    async def main():
        async with openai.AsyncOpenAI(base_url=paused.url, api_key="k", max_retries=0) as client:

            async def one(number):
                asked = {**ASKED, "input": f"resp_{number}"}
                await leave(
                    reel,
                    reel.record(await client.responses.create(**asked, stream=True)),
                    slow_store,
                )

            await asyncio.gather(*(one(number) for number in range(8)))
            await all_closed(paused)

    asyncio.run(main())
    assert_interrupted(reel, 8)


def test_a_stream_is_closed_after_an_event_that_could_not_be_stored(paused, reel, monkeypatch):
    async def main():
        async with openai.AsyncOpenAI(base_url=paused.url, api_key="k", max_retries=0) as client:
            stream = reel.record(await client.responses.create(**ASKED, stream=True))
            await anext(stream)
            break_the_log(reel, monkeypatch)
            with pytest.raises(RecordingError):
                await anext(stream)
            await all_closed(paused)

    asyncio.run(main())


def test_a_stream_that_is_never_read_is_closed(paused, reel):
    async def main():
        async with openai.AsyncOpenAI(base_url=paused.url, api_key="k", max_retries=0) as client:
            reel.record(await client.responses.create(**ASKED, stream=True))
            await all_closed(paused)

    asyncio.run(main())
    assert list(reel.runs()) == []


def blocking_break(reel, stream):
    for event in stream:
        if event.sequence_number == 1:
            break


def blocking_exception(reel, stream):
    with pytest.raises(ZeroDivisionError):
        for event in stream:
            event.sequence_number / 0


def blocking_generator(reel, stream):
    generator = (event for event in stream)
    next(generator)
    generator.close()


def blocking_close(reel, stream):
    next(stream)
    stream.close()


def blocking_block(reel, stream):
    with pytest.raises(ZeroDivisionError), stream:
        next(stream).sequence_number / 0


@pytest.mark.parametrize(
    "leave",
    [blocking_break, blocking_exception, blocking_generator, blocking_close, blocking_block],
)
def test_every_way_out_of_a_blocking_stream_closes_it(paused, reel, client, leave):
    leave(reel, reel.record(client.responses.create(**ASKED, stream=True)))
    asyncio.run(all_closed(paused))
    assert_interrupted(reel)


def test_a_blocking_stream_is_closed_after_an_event_that_could_not_be_stored(
    paused, reel, client, monkeypatch
):
    stream = reel.record(client.responses.create(**ASKED, stream=True))
    next(stream)
    break_the_log(reel, monkeypatch)
    with pytest.raises(RecordingError):
        next(stream)
    asyncio.run(all_closed(paused))


class _Refused(Exception):
    pass


def refuse(*_):
    raise _Refused


def test_a_helper_that_cannot_be_recorded_closes_its_connection(paused, reel, client, monkeypatch):
    monkeypatch.setattr(request, "sent_request", refuse)
    with pytest.raises(_Refused), reel.record(client.responses.stream(**ASKED)):
        pass
    asyncio.run(all_closed(paused))


def test_an_asynchronous_helper_that_cannot_be_recorded_closes_its_connection(
    paused, reel, monkeypatch
):
    monkeypatch.setattr(request, "sent_request", refuse)

    async def main():
        async with openai.AsyncOpenAI(base_url=paused.url, api_key="k", max_retries=0) as client:
            with pytest.raises(_Refused):
                async with reel.record(client.responses.stream(**ASKED)):
                    pass
            await all_closed(paused)

    asyncio.run(main())
