"""Every shape of traffic, in each way that it is recorded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest

from runreel.importing.record_lines import record_lines
from tests.live.server_shapes import CHAT, SHAPES, Shape

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.sse_server import Script

BY_NAME = pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))


def check(reel: Reel, run_id: str, shape: Shape, *, live: bool) -> None:
    run, result = reel.state(run_id)
    calls = [
        (call.id, call.function.name, call.function.arguments) for call in run.tool_calls or ()
    ]
    assert (run.source, run.status.name, run.recording) == (shape.source, shape.status, "closed")
    assert (result.text_so_far or None, calls) == (shape.text, shape.calls)
    assert list(result.parts_so_far) == (shape.parts or [])
    assert (run.error and (run.error.message, run.error.code)) == shape.error
    assert (run.usage and (*vars_of(run.usage),)) == shape.usage
    assert (run.usage_details and run.usage_details.cached_tokens) == shape.cached
    assert reel.reasoning(run_id) == shape.reasoning
    read = shape.read if live and shape.read else len(shape.values)
    assert run.events == read
    assert reel.rebuild(check=True) == []


def vars_of(usage: Any) -> tuple[int, int, int]:
    return usage.input_text_tokens, usage.completion_tokens, usage.total_tokens


def ask(client: Any, shape: Shape) -> Any:
    if shape.source == CHAT:
        return client.chat.completions.create(model="m", messages=[], stream=True)
    return client.responses.create(model="m", input="x", stream=True)


def run_id_of(reel: Reel) -> str:
    (run,) = reel.runs(limit=2)
    return run.run_id


@BY_NAME
def test_lines(reel: Reel, shape: Shape) -> None:
    report = record_lines(
        reel.db, shape.wire.encode().splitlines(keepends=True), run_id="run-1", source=shape.source
    )
    assert report.problems == []
    check(reel, "run-1", shape, live=False)


@BY_NAME
def test_client(server: Script, client: openai.OpenAI, reel: Reel, shape: Shape) -> None:
    server.stream([shape.wire])
    try:
        for _ in reel.record(ask(client, shape)):
            pass
    except openai.APIError:
        assert shape.error is not None
    check(reel, run_id_of(reel), shape, live=True)


@BY_NAME
def test_async_client(server: Script, reel: Reel, shape: Shape) -> None:
    async def read() -> None:
        async with openai.AsyncOpenAI(
            api_key="sk-secret", base_url=server.url, max_retries=0
        ) as client:
            try:
                async for _ in reel.record(await ask(client, shape)):
                    pass
            except openai.APIError:
                assert shape.error is not None

    server.stream([shape.wire])
    asyncio.run(read())
    check(reel, run_id_of(reel), shape, live=True)
