"""Two hundred open pages at a time: each gets what is new, the log is read once for all of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from runreel.api.queries import QueryMixin
from tests.cli import stories
from tests.web.conftest import serving

STREAMS = 200


@asynccontextmanager
async def opened(access, path):
    """The lines of a stream; at the end, its connection is cut."""
    reader, writer = await asyncio.open_connection(access.host, access.port)
    cookie = access.set_cookie.partition(";")[0]
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    try:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        yield reader
    finally:
        writer.transport.abort()


async def told(reader, word):
    """Read on until a line has this word."""
    while True:
        line = await reader.readline()
        assert line, "the stream ended"
        if word.encode() in line:
            return


@pytest.mark.parametrize("backend", ["sqlite"])
def test_two_hundred_streams_do_no_harm(reel, monkeypatch):
    stories.tell_open(reel)
    reads = []
    read = QueryMixin.runs

    def counted(self, **more):
        reads.append(more)
        return read(self, **more)

    async def look(access):
        async with AsyncExitStack() as stack:
            paths = ["/live/runs"] * (STREAMS // 2) + ["/live/run/open-run"] * (STREAMS // 2)
            readers = [await stack.enter_async_context(opened(access, path)) for path in paths]
            lists, runs = readers[: STREAMS // 2], readers[STREAMS // 2 :]
            await asyncio.gather(*(told(reader, "open-run") for reader in lists))
            await asyncio.gather(*(told(reader, "in_progress") for reader in runs))
            monkeypatch.setattr(QueryMixin, "runs", counted)
            with reel.recording("new-run") as recording:
                recording.append(stories.partial("Once"))
            await asyncio.gather(*(told(reader, "new-run") for reader in lists))
            assert 0 < len(reads) < 20
            async with httpx.AsyncClient(base_url=access.origin, timeout=30) as client:
                client.headers["Cookie"] = access.set_cookie.partition(";")[0]
                answers = await asyncio.gather(*(client.get("/") for _ in range(5)))
            assert [answer.status_code for answer in answers] == [200] * 5
        # All of them went away; new ones are served.
        async with opened(access, "/live/runs") as reader:
            await told(reader, "new-run")

    with serving(reel) as access:
        asyncio.run(asyncio.wait_for(look(access), 60))
