"""Calls are recorded in any order with others that patch httpx, and all are restored exactly."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
import respx
import vcr
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.hooked import EVENTS, wire
from tests.live.sse_server import Answer
from tests.live.told import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
ENDED = TOLD[-1]["response"]
FORMS = list(itertools.product((False, True), (True, False)))
PATCHED = [
    (httpx.Client, "_send_single_request"),
    (httpx.AsyncClient, "_send_single_request"),
    (httpx.HTTPTransport, "handle_request"),
    (httpx.AsyncHTTPTransport, "handle_async_request"),
]


@pytest.fixture
def backend():
    """One kind of database: what is tested here does not depend on it."""
    return "sqlite"


def patched():
    return [kind.__dict__[name] for kind, name in PATCHED]


@pytest.fixture(autouse=True)
def restored():
    before = patched()
    yield
    assert patched() == before


class Spans(trace.TracerProvider, trace.Tracer):
    """Counts the spans of calls."""

    def __init__(self) -> None:
        self.count = 0

    def get_tracer(self, *_: object, **__: object) -> trace.Tracer:
        return self

    def start_span(self, *_: object, **__: object) -> trace.Span:
        self.count += 1
        return trace.INVALID_SPAN

    @contextlib.contextmanager
    def start_as_current_span(self, *_: object, **__: object) -> Iterator[trace.Span]:
        yield self.start_span()


@contextlib.contextmanager
def traced(_server, _tmp_path):
    """OpenTelemetry's instrumentation."""
    spans, instrumentor = Spans(), HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=spans)
    try:
        yield lambda: spans.count
    finally:
        instrumentor.uninstrument()


@contextlib.contextmanager
def mocked(server, _tmp_path):
    """A mock that answers with responses that hold their content."""
    answers = [
        httpx.Response(200, headers=EVENTS, content=wire(TOLD)),
        httpx.Response(200, json=ENDED),
    ]
    with respx.mock:
        route = respx.post(f"{server.url}/responses").mock(side_effect=answers * 2)
        yield lambda: route.call_count


@contextlib.contextmanager
def taped(_server, tmp_path):
    """A cassette that writes what it hears."""
    with vcr.use_cassette(str(tmp_path / "tape.yaml"), record_mode="all") as cassette:
        yield lambda: len(cassette)


@contextlib.contextmanager
def played(server, tmp_path):
    """A cassette that answers instead of the server."""
    asks = server.asked
    with taped(server, tmp_path):
        for asynchronous, stream in FORMS:
            ask(server.url, asynchronous, stream)
    with vcr.use_cassette(
        str(tmp_path / "tape.yaml"), record_mode="none", match_on=["uri"]
    ) as cassette:
        yield lambda: cassette.play_count
    assert len(asks) == len(FORMS)


def ask(url, asynchronous, stream):
    options = {"base_url": url, "api_key": "k", "max_retries": 0}
    if not asynchronous:
        with openai.OpenAI(http_client=httpx.Client(), **options) as client:
            got = client.responses.create(**ASKED, stream=stream)
            return list(got)[-1].response if stream else got

    async def main():
        async with openai.AsyncOpenAI(http_client=httpx.AsyncClient(), **options) as client:
            got = await client.responses.create(**ASKED, stream=stream)
            return [event async for event in got][-1].response if stream else got

    return asyncio.run(main())


@pytest.mark.parametrize("order", ["before", "after", "crossed"])
@pytest.mark.parametrize("other", [traced, mocked, taped, played])
def test_calls_are_recorded_in_any_order_with(reel, server, tmp_path, other, order):
    """With ``crossed``, the one that begins first ends first."""
    server.say(*[Answer(events=TOLD), Answer(body=ENDED)] * 2)
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        if order == "after":
            watch = ours.enter_context(reel.watch())
            count = theirs.enter_context(other(server, tmp_path))
        else:
            count = theirs.enter_context(other(server, tmp_path))
            watch = ours.enter_context(reel.watch())
        before = len(list(reel.runs()))
        for asynchronous, stream in FORMS:
            assert ask(server.url, asynchronous, stream).output_text == "Hello, world"
        assert count() == len(FORMS)
        if order == "crossed":
            theirs.close()
            server.say(Answer(body=ENDED))
            ask(server.url, asynchronous=False, stream=False)
        watch.stop()
    runs = list(reel.runs())
    assert len(runs) - before == len(FORMS) + (order == "crossed")
    assert {(run.status, run.recording) for run in runs} == {(RunStatus.COMPLETED, "closed")}
    assert kept(reel, runs[-1].run_id) == TOLD
    assert {reel.result(run.run_id).text for run in runs} == {"Hello, world"}
