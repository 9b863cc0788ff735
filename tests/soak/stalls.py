"""The longest stall of an event loop that records while another process holds SQLite's lock."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import openai

import runreel
from tests.live import openai_script as script
from tests.live.sse_server import Answer, Asked, Pause, Script, serving

ROUNDS = {"sqlite": 4}
_HELD = 8.0
# Milliseconds; a quiet machine stays far below.
_LONGEST = 50
_HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""


def run(url: str, rounds: int) -> dict[str, int]:
    """Streams that are in the middle, and as many that begin, while the lock is held."""
    longest = 0.0
    for number in range(rounds):
        durability = "full" if number % 2 == 0 else "normal"
        with serving() as server, runreel.open(url, durability=durability) as reel:
            reel.db.upgrade()
            longest = max(longest, asyncio.run(_round(reel, server, url, number)))
            assert {one.recording for one in reel.runs(limit=0)} == {"closed"}
    milliseconds = round(longest * 1_000)
    assert milliseconds < _LONGEST, f"the event loop stood still for {milliseconds} ms"
    return {"rounds": rounds, "longest_stall_ms": milliseconds}


def _answer(asked: Asked) -> Answer:
    told = script.events([script.output_of(["word " * 40])], id_=asked.body["input"])
    return Answer(events=[item for event in told for item in (event, Pause(0.02))])


async def _round(reel: runreel.Reel, server: Script, url: str, number: int) -> float:
    server.say(*[_answer] * 9)
    stalls: list[float] = []
    async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as client:

        async def read(n: int) -> None:
            name = f"resp_{number}_{n}"
            stream = await client.responses.create(model="m", input=name, stream=True)
            assert [event async for event in reel.record(stream)]

        # The client takes seconds to prepare its types for its first stream.
        await read(8)
        beating = asyncio.create_task(_beat(stalls))
        streams = [asyncio.create_task(read(n)) for n in range(4)]
        await asyncio.sleep(0.2)
        hold = [sys.executable, "-c", _HOLD, url, str(_HELD)]
        holder = await asyncio.create_subprocess_exec(*hold, stdout=subprocess.PIPE)
        assert holder.stdout is not None
        await holder.stdout.readline()
        stalls.clear()
        streams += [asyncio.create_task(read(n)) for n in range(4, 8)]
        await holder.wait()
        await asyncio.gather(*streams)
        beating.cancel()
    return max(stalls)


async def _beat(stalls: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.01)
        now = time.perf_counter()
        stalls.append(now - last - 0.01)
        last = now
