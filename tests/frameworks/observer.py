"""Runs programs, each alone while it counts what is committed, and then sixteen times at once.

``observer.py LOG PROGRAM...`` prints a JSON list: for each chunk of a stream and each finished
answer, as the program is about to get it, how many events of the answers it has then been given,
and how many a second connection finds in the log.
"""

import asyncio
import contextlib
import inspect
import io
import json
import runpy
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 16
log, *programs = sys.argv[1:]


class Observer:
    """Counts the events of all answers."""

    def __init__(self) -> None:
        self.given = 0
        self.counts: list[tuple[int, int]] = []
        self.begun = _committed()

    def take(self, response, before: bytes, chunk: bytes) -> bytes:
        """Count the events that a chunk completes; return what has come of the answer."""
        whole = before + chunk
        if _is_stream(response):
            self._give(_events(whole) - _events(before))
        return whole

    def end(self, response) -> None:
        """Count a finished answer: a client takes it when its last chunk has come."""
        if not _is_stream(response):
            self._give(1)

    def _give(self, events: int) -> None:
        self.given += events
        self.counts.append((self.given, _committed() - self.begun))


def _is_stream(response) -> bool:
    return response.headers["Content-Type"] == "text/event-stream"


def _events(body: bytes) -> int:
    return len([event for event in body.split(b"\n\n")[:-1] if b"[DONE]" not in event])


def _committed() -> int:
    with contextlib.closing(sqlite3.connect(log)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
            return 0
        sql = "SELECT count(*) FROM events WHERE kind IN ('stream_event', 'run')"
        return connection.execute(sql).fetchone()[0]


@contextlib.contextmanager
def observed(package, observer: Observer):
    """Look at each chunk where a response gives it to whoever reads it."""
    plain, aplain = package.Response.iter_raw, package.Response.aiter_raw

    def iter_raw(self, chunk_size=None):
        body = b""
        for chunk in plain(self, chunk_size):
            body = observer.take(self, body, chunk)
            yield chunk
        observer.end(self)

    async def aiter_raw(self, chunk_size=None):
        body = b""
        async for chunk in aplain(self, chunk_size):
            body = observer.take(self, body, chunk)
            yield chunk
        observer.end(self)

    package.Response.iter_raw, package.Response.aiter_raw = iter_raw, aiter_raw
    try:
        yield
    finally:
        package.Response.iter_raw, package.Response.aiter_raw = plain, aplain


@contextlib.contextmanager
def observing(counts: list[list[tuple[int, int]]]):
    """Observe all that is read from responses; add to ``counts`` at the end."""
    observer = Observer()
    with contextlib.ExitStack() as packages:
        for name in ("httpx", "httpx2"):
            if name in sys.modules:
                packages.enter_context(observed(sys.modules[name], observer))
        yield
    counts.append(observer.counts)


def load(program: str):
    """The main function of a program; what it sets in a framework is set from now on."""
    return runpy.run_path(program, run_name="page")["main"]


def run(main, counts) -> None:
    """Run a blocking program."""
    with observing(counts):
        main()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(main) for _ in range(AT_ONCE)]:
            done.result()


async def arun(main, counts) -> None:
    """Run an asynchronous program; frameworks share clients, so that all run in one loop."""
    with observing(counts):
        await main()
    await asyncio.gather(*(main() for _ in range(AT_ONCE)))


async def all_of(counts) -> None:
    """Run all programs."""
    for program in programs:
        main = load(program)
        if inspect.iscoroutinefunction(main):
            await arun(main, counts)
        else:
            await asyncio.to_thread(run, main, counts)


counts: list[list[tuple[int, int]]] = []
with contextlib.redirect_stdout(io.StringIO()):
    asyncio.run(all_of(counts))
print(json.dumps(counts))
