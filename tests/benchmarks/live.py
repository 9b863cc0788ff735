"""Streams that the vendor's client reads from a server on this machine, recorded and bare."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import openai

from tests.benchmarks import measure
from tests.benchmarks.bench import DATABASES, DURABILITIES, POSTGRES, SQLITE
from tests.benchmarks.measure import Sample
from tests.benchmarks.page import Goal, Row, Section, duration, faster, quicker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench

    Read = Callable[[], Sample]

_GOALS = {SQLITE: Goal(at_least=0.8), POSTGRES: Goal(at_least=0.7)}
# Seconds that a paced event may come later.
_LATER = 0.001
_KEY = {"api_key": "none", "max_retries": 0}
_ASKED: dict[str, Any] = {"model": "m", "stream": True}
_SAID = [{"role": "user", "content": "Hello?"}]


def run(bench: Bench) -> Section:
    """A stream as fast as it comes, and one at pace."""
    section = Section("Live streams")
    with _server(bench.sizes.live) as server:
        for database in DATABASES:
            for durability in DURABILITIES:
                with bench.log(database, durability) as reel:
                    section.rows += _rows(
                        bench, server, reel, f"{database} `{durability}`", database
                    )
    section.note(
        f"**As it comes**: the client of openai {openai.__version__} reads a stream of"
        f" {bench.sizes.live:,} events, each in a chunk of its own, from a server in another"
        " process that sends them as fast as they are taken; recorded with `reel.watch()`, and"
        " bare. **CPU** is that of the program alone, in the same rounds: on a machine with"
        " other work it says more than the time."
    )
    section.note(
        "**At pace**: an event every 5 ms. The latency is from when the server sends an event to"
        " when the program has it, in the median; the ratio is the share of 1 ms that recording"
        " adds to it."
    )
    section.note(
        "What has arrived while the program was at work is stored in one commit, before any of it"
        " is passed on: five for a stream, each of which waits for the disk at `full`. An event"
        " costs about 20 µs of a core, of which SQLite takes 6, the hash chain 3, and the JSON of"
        " the event and its delta 6; the client itself takes 90 or more."
    )
    return section


def _rows(bench: Bench, server: str, reel: Reel, place: str, database: str) -> Iterator[Row]:
    goal = _GOALS[database] if place.endswith("`full`") else None
    for name, read in _streams(server).items():
        spent, found = _measured(bench, reel, read)
        yield faster(f"{name}, {place}", found["recorded"], "bare", found["bare"], goal)
        yield quicker(f"CPU of {name}, {place}", spent["recorded"], "bare", spent["bare"])
    if place.endswith("`normal`"):
        for name, read in _paced(server).items():
            _, found = _measured(bench, reel, read, rounds=2)
            ours, bare = (measure.wait(found[one], 0.5) for one in ("recorded", "bare"))
            late = Goal(at_most=1)
            yield Row(
                f"{name}, {place}",
                duration(ours),
                "bare",
                duration(bare),
                (ours - bare) / _LATER,
                late,
            )


def _measured(
    bench: Bench, reel: Reel, read: Read, *, rounds: int | None = None
) -> tuple[dict[str, list[Sample]], dict[str, list[Sample]]]:
    """The CPU time and the time of a stream, ``bare`` and ``recorded``."""
    spent: dict[str, list[Sample]] = {"recorded": [], "bare": []}

    def timed(name: str) -> Sample:
        begin = time.process_time()
        sample = read()
        spent[name].append(Sample(time.process_time() - begin, sample.done))
        return sample

    def recorded() -> Sample:
        with reel.watch():
            return timed("recorded")

    works = {"recorded": recorded, "bare": lambda: timed("bare")}
    for work in works.values():
        work()
    for samples in spent.values():
        samples.clear()
    return spent, measure.interleaved(rounds or bench.sizes.rounds, works)


def _streams(server: str) -> dict[str, Read]:
    client = openai.OpenAI(base_url=f"{server}/v1", **_KEY)
    other = openai.AsyncOpenAI(base_url=f"{server}/v1", **_KEY)
    loop = asyncio.new_event_loop()

    async def read() -> int:
        return len(
            [event async for event in await other.responses.create(input="Hello?", **_ASKED)]
        )

    return {
        "a response": lambda: _whole(
            lambda: _count(client.responses.create(input="Hello?", **_ASKED))
        ),
        "a completion": lambda: _whole(
            lambda: _count(client.chat.completions.create(messages=_SAID, **_ASKED))
        ),
        "a response, asyncio": lambda: _whole(lambda: loop.run_until_complete(read())),
    }


def _paced(server: str) -> dict[str, Read]:
    client = openai.OpenAI(base_url=f"{server}/paced/v1", **_KEY)
    other = openai.AsyncOpenAI(base_url=f"{server}/paced/v1", **_KEY)
    loop = asyncio.new_event_loop()

    def read() -> Sample:
        chunks = client.chat.completions.create(messages=_SAID, **_ASKED)
        return _latencies([_latency(chunk) for chunk in chunks])

    async def aread() -> Sample:
        chunks = await other.chat.completions.create(messages=_SAID, **_ASKED)
        return _latencies([_latency(chunk) async for chunk in chunks])

    return {"at pace": read, "at pace, asyncio": lambda: loop.run_until_complete(aread())}


def _latency(chunk: Any) -> float:
    return time.time() - float(chunk.choices[0].delta.content)


def _latencies(waits: list[float]) -> Sample:
    return Sample(statistics.fmean(waits), len(waits), waits)


def _whole(read: Callable[[], int]) -> Sample:
    begin = time.perf_counter()
    count = read()
    return Sample(time.perf_counter() - begin, count)


def _count(events: Any) -> int:
    return sum(1 for _ in events)


@contextmanager
def _server(events: int) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.live_server", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()
