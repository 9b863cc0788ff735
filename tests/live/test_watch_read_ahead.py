"""Events that have arrived share a commit; what has not arrived is never waited for."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from runreel.recording.group_commit import Committer
from tests.live import openai_script as script
from tests.live.hooked import PACKAGES
from tests.live.sse_server import sse
from tests.live.told import kept, notes

ASKED = {"model": script.MODEL, "input": "Hello?", "stream": True}
TOLD = script.events([script.output_of(["word "] * 300)], chunk=5)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextmanager
def raw_server(*parts):
    """A server that sends these bytes; an event among them is waited for."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b""
            while b'"Hello?"' not in received:
                received += connection.recv(65536)
            for part in parts:
                if isinstance(part, threading.Event):
                    assert part.wait(20)
                else:
                    connection.sendall(part)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/responses"
    finally:
        thread.join(20)
        listener.close()


def read(package, url, seen, pause=0.0):
    with package.Client() as client, client.stream("POST", url, json=ASKED) as answer:
        time.sleep(pause)
        chunks = []
        for number, data in enumerate(answer.iter_raw(), 1):
            chunks.append(data)
            seen(number)
        return chunks


def aread(package, url, seen, pause=0.0):
    async def main():
        async with (
            package.AsyncClient() as client,
            client.stream("POST", url, json=ASKED) as answer,
        ):
            await asyncio.sleep(pause)
            chunks = []
            async for data in answer.aiter_raw():
                chunks.append(data)
                seen(len(chunks))
            return chunks

    return asyncio.run(main())


@pytest.fixture
def backend():
    """One kind of database: what is tested here does not depend on it."""
    return "sqlite"


@pytest.fixture(params=[read, aread], ids=["sync", "async"])
def reads(request):
    return request.param


@pytest.fixture(params=PACKAGES, ids=lambda package: package.__name__)
def package(request):
    return request.param


@pytest.fixture(autouse=True)
def watch(reel):
    with reel.watch() as watch:
        yield watch
    assert reel.rebuild(check=True) == []


@pytest.fixture
def rows(monkeypatch):
    """The numbers of rows of the commits."""
    counts = []
    real = Committer._transact, Committer._append_once

    def transact(self, connection, units):
        counts.append(sum(len(unit.rows) for unit in units))
        return real[0](self, connection, units)

    def append_once(self, connection, unit):
        if unit.projected is None and len(unit.rows) == 1:
            counts.append(1)
        return real[1](self, connection, unit)

    monkeypatch.setattr(Committer, "_transact", transact)
    monkeypatch.setattr(Committer, "_append_once", append_once)
    return counts


def test_chunks_that_have_arrived_share_a_commit(reel, package, reads, rows):
    events = [sse(event).encode() for event in TOLD]
    with raw_server(HEAD + b"".join(map(chunk, events)) + END) as url:
        assert b"".join(reads(package, url, bool, pause=0.3)) == b"".join(events)
    assert kept(reel) == TOLD
    assert sum(rows) == len(TOLD) + 3
    # What one read of the client returns is at most 64 KiB; a few have to be waited for.
    assert len(rows) < len(TOLD) / 20


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 6, 7, 20])
def test_a_chunk_that_has_not_arrived_is_not_waited_for(reel, package, reads, cut):
    """The second chunk is cut anywhere, also in its size, until the first one was seen."""
    events = [sse(event).encode() for event in TOLD[:3]]
    first, second = chunk(events[0]), chunk(events[1]) + chunk(events[2]) + END
    seen = threading.Event()

    def see(number):
        assert len(kept(reel)) >= 1
        seen.set()

    with raw_server(
        HEAD + first[:-2] + (first[-2:] + second)[:cut], seen, (first[-2:] + second)[cut:]
    ) as url:
        chunks = reads(package, url, see)
    assert b"".join(chunks) == b"".join(events)
    assert kept(reel) == TOLD[:3]


def test_an_error_behind_chunks_that_have_arrived_comes_after_them(reel, package, reads):
    """The connection is cut in the middle of the third chunk."""
    events = [sse(event).encode() for event in TOLD[:2]]
    body = b"".join(map(chunk, events)) + b"ffff\r\ndata: {"
    got = []
    with raw_server(HEAD + body) as url, pytest.raises(package.RemoteProtocolError):
        reads(package, url, got.append, pause=0.2)
    assert got[-1] >= 2
    assert kept(reel) == TOLD[:2]
    assert notes(reel) == [("interrupted", "RemoteProtocolError")]


def test_a_client_of_another_structure_is_recorded_chunk_by_chunk(
    reel, package, reads, monkeypatch
):
    monkeypatch.setattr("runreel.capture.http.read_ahead._PATH", ("_no_such_name",))
    events = [sse(event).encode() for event in TOLD[:20]]
    with raw_server(HEAD + b"".join(map(chunk, events)) + END) as url:
        assert reads(package, url, bool) == events
    assert kept(reel) == TOLD[:20]
