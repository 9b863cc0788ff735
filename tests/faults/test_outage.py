"""A database that is gone for a while costs a patient program nothing, not even an order."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

import runreel
from runreel.model.errors import DatabaseUnavailable, RecordingError
from tests.faults.gate import Gate
from tests.live import openai_script as script
from tests.live import sse_server
from tests.live.told import kept
from tests.strategies import exact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

STREAMS = 6


@pytest.fixture
def gate(empty_postgres: str) -> Iterator[Gate]:
    with runreel.open(empty_postgres) as reel:
        reel.db.upgrade()
    made = Gate(empty_postgres)
    yield made
    made.shut()


def events(name: str) -> list[dict[str, Any]]:
    return script.events([script.output_of(["word " * 5])], id_=name, chunk=2)


def paced(asked: sse_server.Asked) -> sse_server.Answer:
    told: list[Any] = []
    for event in events(asked.body["input"]):
        told += [event, sse_server.Pause(0.1)]
    return sse_server.Answer(events=told)


def ask(reel: Reel, url: str, name: str, wait: float) -> None:
    time.sleep(wait)
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        for _ in reel.record(client.responses.create(model="m", input=name, stream=True)):
            pass


async def ask_many(reel: Reel, url: str, names: list[str]) -> None:
    async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:

        async def one(name: str, wait: float) -> None:
            await asyncio.sleep(wait)
            stream = await client.responses.create(model="m", input=name, stream=True)
            async for _ in reel.record(stream):
                pass

        await asyncio.gather(*(one(name, number * 0.4) for number, name in enumerate(names)))


def test_streams_that_run_and_begin_while_the_database_is_gone_are_whole(
    gate: Gate, empty_postgres: str
) -> None:
    blocking = [f"thread-{number}" for number in range(STREAMS)]
    tasks = [f"task-{number}" for number in range(STREAMS)]
    with sse_server.serving() as server, runreel.open(gate.url, patience=30) as reel:
        server.say(*[paced] * (2 * STREAMS))
        threads = [
            threading.Thread(target=ask, args=(reel, server.url, name, number * 0.4))
            for number, name in enumerate(blocking)
        ]
        away = threading.Thread(target=lambda: (time.sleep(1.5), gate.shut()))
        back = threading.Thread(target=lambda: (time.sleep(3.5), gate.open()))
        for thread in (*threads, away, back):
            thread.start()
        asyncio.run(ask_many(reel, server.url, tasks))
        for thread in (*threads, away, back):
            thread.join()
    with runreel.open(empty_postgres) as reel:
        for name in (*blocking, *tasks):
            assert exact(kept(reel, name)) == exact(events(name))
            assert reel.run(name).recording == "closed"
        assert reel.rebuild(check=True) == []


def test_patience_has_an_end(gate: Gate) -> None:
    gate.shut()
    with sse_server.serving() as server, runreel.open(gate.url, patience=1) as reel:
        server.stream(events("late"))
        began = time.monotonic()
        with pytest.raises(RecordingError) as caught:
            ask(reel, server.url, "late", 0.0)
        assert isinstance(caught.value.__cause__, DatabaseUnavailable)
        assert time.monotonic() - began >= 1
