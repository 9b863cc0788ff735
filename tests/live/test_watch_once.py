"""A call is recorded once by any two of the ways to record it, and by one of them twice."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest

import runreel
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.hooked import KEY, PACKAGES, Wire, wire
from tests.live.told import kept, notes

ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
WAYS = ("watch", "attach", "transport", "stream", "call")
PAIRS = list(itertools.combinations_with_replacement(WAYS, 2))
# Sync and async, streamed and not.
FORMS = list(itertools.product((False, True), (True, False)))


@pytest.fixture
def backend():
    """One kind of database: what is tested here does not depend on it."""
    return "sqlite"


@pytest.fixture
def other(reel, db_url, tmp_path):
    """Another Reel on the same log, whose file it has by another name."""
    reel.db.upgrade()
    file = Path(urlsplit(db_url).path)
    (tmp_path / "link").symlink_to(file.parent)
    (tmp_path / "folder").mkdir()
    with runreel.open(tmp_path / "folder" / ".." / "link" / file.name) as opened:
        assert list(opened.runs()) == []
        yield opened


class Program:
    """Asks once, by a client that two ways record."""

    def __init__(self, reel, other, ways, package):
        self.reel = reel
        self.reels = list(zip(ways, (reel, other), strict=True))
        self.connection = Wire(package)

    def by(self, way):
        return [reel for name, reel in self.reels if name == way]

    def client(self, *, asynchronous):
        package, transport = self.connection.package, self.connection.transport()
        for reel in self.by("transport"):
            transport = reel.transport(transport)
        kinds = (package.AsyncClient, openai.AsyncOpenAI)
        http, kind = kinds if asynchronous else (package.Client, openai.OpenAI)
        client = kind(http_client=http(transport=transport), **KEY)
        for reel in self.by("attach"):
            assert reel.attach(client) is client
        return client

    def create(self, client, *, stream):
        def create():
            return client.responses.create(**ASKED, stream=stream)

        for reel in self.by("call"):
            create = recorded_call(reel, create)
        return create()

    def ask(self, *, stream):
        got = self.create(self.client(asynchronous=False), stream=stream)
        for reel in self.by("stream"):
            got = reel.record(got)
        return list(got) if stream else [got]

    async def aask(self, *, stream):
        got = self.create(self.client(asynchronous=True), stream=stream)
        got = await got if inspect.isawaitable(got) else got
        for reel in self.by("stream"):
            got = reel.record(got)
        return [event async for event in got] if stream else [got]


def recorded_call(reel, create):
    return lambda: reel.record(create)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
@pytest.mark.parametrize("ways", PAIRS, ids="-".join)
def test_two_ways_record_a_call_once(reel, other, ways, package):
    program = Program(reel, other, ways, package)
    with contextlib.ExitStack() as stack:
        for watching in program.by("watch"):
            stack.enter_context(watching.watch())
        for number, (asynchronous, stream) in enumerate(FORMS):
            told = script.events([script.output_of(["Hello"])], id_=f"resp_{number}")
            if stream:
                program.connection.answer(wire(told))
            else:
                program.connection.json(told[-1]["response"])
            if asynchronous:
                got = asyncio.run(program.aask(stream=stream))
            else:
                got = program.ask(stream=stream)
            assert len(got) == (len(told) if stream else 1)
            runs = list(reel.runs())
            assert len(runs) == number + 1
            assert (runs[0].response_id, runs[0].recording) == (f"resp_{number}", "closed")
            assert (runs[0].status, runs[0].events) == (RunStatus.COMPLETED, len(told) * stream)
            assert reel.result(runs[0].run_id).text == "Hello"
    assert reel.rebuild(check=True) == []


def test_a_failed_call_is_recorded_once(reel, other):
    for hooked in (contextlib.nullcontext(), reel.watch()):
        connection = Wire()
        connection.json({"error": {"message": "no"}}, status=400)
        before = len(list(reel.runs()))
        with hooked, connection.client() as client, pytest.raises(openai.BadRequestError):
            reel.record(lambda: other.record(lambda: client.responses.create(**ASKED)))
        assert len(list(reel.runs())) == before + 1
        assert next(iter(reel.runs())).error == runreel.RunError("no", 400)


def test_a_stream_is_recorded_again_with_more_labels_or_refused_for_another_log(reel, tmp_path):
    connection = Wire()
    connection.answer(wire(TOLD))
    with connection.client() as client, runreel.open(tmp_path / "second.db") as second:
        stream = reel.record(client.responses.create(**ASKED, stream=True), labels={"a": "1"})
        with pytest.raises(runreel.UsageError, match="in another log"):
            second.record(stream)
        assert reel.record(stream, labels={"b": "2"}) is stream
        assert len(list(stream)) == len(TOLD)
    (run,) = reel.runs()
    assert run.labels == {"a": "1", "b": "2"}


def test_all_ways_together_record_once(reel):
    connection = Wire()
    connection.answer(wire(TOLD))
    transport = reel.transport(connection.transport())
    client = openai.OpenAI(http_client=connection.package.Client(transport=transport), **KEY)
    with reel.watch(labels={"a": "1", "c": "first"}), reel.watch(labels={"b": "2", "c": "last"}):
        stream = reel.attach(client).responses.create(**ASKED, stream=True)
        assert len(list(reel.record(stream, labels={"by": "record"}))) == len(TOLD)
    assert kept(reel) == TOLD
    (run,) = reel.runs()
    assert run.labels == {"a": "1", "b": "2", "c": "last", "by": "record"}
    assert notes(reel) == [("labeled", None), ("closed", None)]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_labels_are_kept_where_nothing_of_the_stream_is_read(reel, asynchronous):
    connection = Wire()
    connection.answer(wire(TOLD))

    async def leave() -> None:
        async with connection.async_client() as client:
            stream = await client.responses.create(**ASKED, stream=True)
            await reel.record(stream, labels={"by": "record"}).close()

    with reel.watch():
        if asynchronous:
            asyncio.run(leave())
        else:
            with connection.client() as client:
                stream = client.responses.create(**ASKED, stream=True)
                reel.record(stream, labels={"by": "record"}).close()
    (run,) = reel.runs()
    assert run.labels == {"by": "record"}
    assert [kind for kind, _ in notes(reel, run.run_id)] == ["labeled", "interrupted"]
