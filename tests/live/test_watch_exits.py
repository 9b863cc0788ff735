"""Whatever the way out of a stream, the recording ends as interrupted with what came."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import anyio
import httpx2
import openai
import pytest
import trio

from runreel.model.events import INTERRUPTED
from tests.live import openai_script as script
from tests.live.hooked import EVENTS, PACKAGES, Wire, wire
from tests.live.sse_server import Answer, sse
from tests.live.told import PAUSED_AFTER, kept, notes

ASKED = {"model": script.MODEL, "input": "Hello?"}
CHATTED = {"model": script.MODEL, "messages": [{"role": "user", "content": "Hello?"}]}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def watch(reel):
    with reel.watch() as watch:
        yield watch


def client_of(server):
    return openai.OpenAI(base_url=server.url, api_key="k", max_retries=0)


def async_client_of(server):
    return openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0)


def assert_ended(reel):
    deadline = time.monotonic() + 30
    while any(one.recording == "open" for one in reel.runs(limit=0)):
        assert time.monotonic() < deadline, "a recording is open"
        time.sleep(0.01)


def assert_interrupted(reel, count=1):
    gc.collect()
    assert_ended(reel)
    runs = list(reel.runs(limit=0))
    assert [one.recording for one in runs] == [INTERRUPTED] * count
    for one in runs:
        numbers = [raw["sequence_number"] for raw in kept(reel, one.run_id)]
        assert numbers == list(range(len(numbers)))
        assert numbers
    assert reel.rebuild(check=True) == []


async def read(stream, until=PAUSED_AFTER):
    async for event in stream:
        if event.sequence_number + 1 == until:
            return


async def cancelled_while_it_waits(stream):
    await read(stream)
    task = asyncio.create_task(anext(stream))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def cancelled_again_and_again(stream):
    await read(stream)
    with anyio.move_on_after(0.05) as scope:
        await anext(stream)
    assert scope.cancelled_caught


async def out_of_time(stream):
    await read(stream)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(stream)


async def left_by_an_exception(stream):
    with pytest.raises(ZeroDivisionError):
        async for event in stream:
            event.sequence_number / 0


async def left_by_a_break(stream):
    await read(stream, until=2)


async def left_with_a_generator(stream):
    async def events():
        async for event in stream:
            yield event

    generator = events()
    await anext(generator)
    await generator.aclose()


async def closed(stream):
    await anext(stream)
    await stream.close()


async def left_with_a_block(stream):
    with pytest.raises(ZeroDivisionError):
        async with stream:
            (await anext(stream)).sequence_number / 0


@pytest.mark.parametrize(
    "leave",
    [
        cancelled_while_it_waits,
        cancelled_again_and_again,
        out_of_time,
        left_by_an_exception,
        left_by_a_break,
        left_with_a_generator,
        closed,
        left_with_a_block,
    ],
)
def test_every_way_out_of_asynchronous_streams(paused, reel, leave):
    async def main():
        async with async_client_of(paused) as client:

            async def one(number):
                asked = {**ASKED, "input": f"resp_{number}"}
                await leave(await client.responses.create(**asked, stream=True))

            await asyncio.gather(*(one(number) for number in range(8)))
            gc.collect()
            await asyncio.sleep(0.1)

    asyncio.run(main())
    assert_interrupted(reel, 8)


def blocking_break(stream):
    for event in stream:
        if event.sequence_number == 1:
            break


def blocking_exception(stream):
    with pytest.raises(ZeroDivisionError):
        for event in stream:
            event.sequence_number / 0


def blocking_generator(stream):
    generator = (event for event in stream)
    next(generator)
    generator.close()


def blocking_close(stream):
    next(stream)
    stream.close()


def blocking_block(stream):
    with pytest.raises(ZeroDivisionError), stream:
        next(stream).sequence_number / 0


@pytest.mark.parametrize(
    "leave",
    [blocking_break, blocking_exception, blocking_generator, blocking_close, blocking_block],
)
def test_every_way_out_of_a_blocking_stream(paused, reel, leave):
    with client_of(paused) as client:
        leave(client.responses.create(**ASKED, stream=True))
        assert_interrupted(reel)


def test_a_break_leaves_the_recording_open_while_the_stream_can_go_on(reel):
    connection = Wire()
    connection.answer([sse(event).encode() for event in TOLD])
    stream = connection.client().responses.create(**ASKED, stream=True)
    for event in stream:
        if event.sequence_number == 1:
            break
    assert reel.run("resp_1").recording == "open"
    assert len(list(stream)) == len(TOLD) - 2
    assert kept(reel) == TOLD
    assert notes(reel) == [("closed", None)]


def test_a_stream_that_is_never_read_is_an_interrupted_run(paused, reel):
    with client_of(paused) as client:
        client.responses.create(**ASKED, stream=True)
    gc.collect()
    (run,) = reel.runs()
    assert (run.recording, run.events) == ("interrupted", 0)


def test_a_chat_stream_is_complete_without_its_end_marker(reel):
    """The client stops reading at the marker; a program may stop before it."""
    connection = Wire()
    connection.answer([sse(event).encode() for event in script.chunks("Hello")])
    for chunk in connection.client().chat.completions.create(**CHATTED, stream=True):
        if chunk.choices[0].finish_reason:
            break
    gc.collect()
    assert reel.run("chatcmpl-1").recording == "closed"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_connection_that_is_cut_keeps_what_came(reel, package):
    connection = Wire(package)
    connection.answer([wire(TOLD[:5])], error=package.ReadError("reset"))
    with pytest.raises((openai.APIConnectionError, package.ReadError)):
        list(connection.client().responses.create(**ASKED, stream=True))
    assert kept(reel) == TOLD[:5]
    assert notes(reel) == [("interrupted", "ReadError")]


def test_a_stream_that_ends_early_is_interrupted(reel):
    connection = Wire()
    connection.answer([wire(TOLD[:5])])
    list(connection.client().responses.create(**ASKED, stream=True))
    assert notes(reel) == [("interrupted", "the stream ended before its last event")]


def test_a_loop_that_is_closed_leaves_the_recording_interrupted(paused, reel):
    streams = []

    async def main():
        client = async_client_of(paused)
        stream = await client.responses.create(**ASKED, stream=True)
        await read(stream, until=2)
        streams.append((client, stream))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    with warnings.catch_warnings():
        # The client's own generators cannot be closed without their loop.
        warnings.simplefilter("ignore")
        streams.clear()
        gc.collect()
    assert_interrupted(reel)


@pytest.mark.parametrize("events", [0, PAUSED_AFTER])
def test_a_call_whose_loop_is_gone_is_interrupted(reel, events):
    """Where `asyncio.run` would cancel the task, its coroutine is thrown away."""
    connection = Wire()
    body = connection.answer([sse(event).encode() for event in TOLD])

    async def stalled():
        await asyncio.get_running_loop().create_future()

    class Chunks(httpx2.AsyncByteStream):
        async def __aiter__(self):
            for chunk in body.chunks[:events]:
                yield chunk
            await stalled()

    class Transport(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, _request):
            if not events:
                await stalled()
            return httpx2.Response(200, headers=EVENTS, stream=Chunks())

    async def main():
        client = httpx2.AsyncClient(transport=Transport())
        async with client.stream("POST", "http://m.test/responses", json=ASKED) as answer:
            async for _ in answer.aiter_raw():
                pass

    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    loop.run_until_complete(asyncio.wait((task,), timeout=0.5))
    loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task._log_destroy_pending = False
        del task
        gc.collect()
    assert_ended(reel)
    (run,) = reel.runs()
    assert (run.recording, run.events) == (INTERRUPTED, events)


def test_wherever_an_asynchronous_call_is_cancelled_its_recording_ends(reel):
    """Nothing else ends a recording that has begun when its task is cancelled."""
    connection = Wire()

    async def one(client):
        connection.answer([sse(event).encode() for event in TOLD])
        async for _ in await client.responses.create(**ASKED, stream=True):
            pass

    async def main():
        async with connection.async_client() as client:
            for steps in range(24):
                task = asyncio.create_task(one(client))
                for _ in range(steps):
                    await asyncio.sleep(0.0005 * (steps % 4))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    gc.collect()
    assert_ended(reel)
    assert reel.rebuild(check=True) == []


def test_a_program_on_trio_is_recorded(reel):
    connection = Wire()
    connection.answer([sse(event).encode() for event in TOLD])

    async def main():
        http = httpx2.AsyncClient(transport=connection.transport())
        async with http, http.stream("POST", "http://m.test/responses", json=ASKED) as answer:
            return [chunk async for chunk in answer.aiter_raw()]

    assert len(trio.run(main)) == len(TOLD)
    assert kept(reel) == TOLD
    assert reel.run("resp_1").recording == "closed"


PROGRAM = """
import sys, openai, runreel
watch = runreel.watch(sys.argv[1])
client = openai.OpenAI(base_url=sys.argv[2], api_key="k", max_retries=0)
stream = client.responses.create(model="m", input="resp_1", stream=True)
for event in stream:
    if event.sequence_number == 2:
        {end}
"""


@pytest.mark.parametrize(
    ("end", "recording"),
    [
        ("sys.exit(3)", "interrupted"),
        ("break", "interrupted"),
        ("raise SystemError", "interrupted"),
        ("import os; os._exit(3)", "open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "open"),
    ],
)
def test_a_program_that_exits_in_the_middle(paused, reel, db_url, end, recording):
    program = PROGRAM.format(end=end)
    done = subprocess.run(
        [sys.executable, "-c", program, db_url, paused.url], cwd=ROOT, timeout=60, check=False
    )
    codes = {"break": 0, "raise SystemError": 1}
    assert done.returncode == (-signal.SIGKILL if "SIGKILL" in end else codes.get(end, 3))
    run = reel.run("resp_1")
    assert run.recording == recording
    assert len(kept(reel)) >= 3
    if recording == "open":
        assert [one.action for one in reel.recover()] == ["interrupted"]


WAITING = """
import asyncio, sys, threading, openai, runreel
watch = runreel.watch(sys.argv[1])
options = {{"base_url": sys.argv[2], "api_key": "k", "max_retries": 0}}
asked = {{"model": "m", "input": "resp_1", "stream": True}}
def ask():
    openai.OpenAI(**options).responses.create(**asked)
async def aask():
    await openai.AsyncOpenAI(**options).responses.create(**asked)
{start}
sys.stdin.readline()
"""
IN_THREAD = "threading.Thread(target=ask, daemon=True).start()"
IN_LOOP = """
loop = asyncio.new_event_loop()
task = loop.create_task(aask())
loop.run_until_complete(asyncio.to_thread(sys.stdin.readline))
loop.close()
"""


@pytest.mark.parametrize("start", [IN_THREAD, IN_LOOP], ids=["thread", "loop"])
def test_a_program_that_exits_while_a_call_waits_for_its_answer(server, reel, db_url, start):
    asked, ready = threading.Event(), threading.Event()

    def answer(_asked):
        asked.set()
        ready.wait(60)
        return Answer(events=TOLD)

    server.say(answer)
    program = [sys.executable, "-c", WAITING.format(start=start), db_url, server.url]
    with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, text=True) as process:
        assert asked.wait(60)
        process.communicate("exit\n", timeout=60)
    ready.set()
    assert process.returncode == 0
    (run,) = reel.runs()
    assert (run.recording, run.events) == (INTERRUPTED, 0)
    assert notes(reel, run.run_id) == [("interrupted", "the interpreter has ended")]


def test_stop_lets_open_streams_be_recorded_to_their_end(reel, watch):
    connection = Wire()
    connection.answer([sse(event).encode() for event in TOLD])
    stream = connection.client().responses.create(**ASKED, stream=True)
    next(stream)
    watch.stop()
    list(stream)
    assert kept(reel) == TOLD


def test_a_fork_does_not_end_the_recording_of_its_parent(reel):
    connection = Wire()
    connection.answer([sse(event).encode() for event in TOLD])
    stream = connection.client().responses.create(**ASKED, stream=True)
    next(stream)
    child = os.fork()
    if child == 0:
        del stream
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert reel.run("resp_1").recording == "open"
    list(stream)
    assert kept(reel) == TOLD
