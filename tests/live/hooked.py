"""Clients whose connection is a list of bytes, and what a program gets through them."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai

from tests.live.sse_server import sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PACKAGES = (httpx, httpx2)
KEY = {"api_key": "sk-secret", "base_url": "http://model.test/v1", "max_retries": 0}


def wire(events: list[Any], *, done: bool = False) -> bytes:
    """The bytes of a stream of events."""
    return "".join([*map(sse, events), "data: [DONE]\n\n" if done else ""]).encode()


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body)


def deflated(body: bytes) -> bytes:
    return zlib.compress(body)


def deflated_raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


class Body:
    """The chunks of a response; counts how often it was closed, and may end with an error."""

    def __init__(self, chunks: list[bytes], error: Exception | None = None) -> None:
        self.chunks = chunks
        self.error = error
        self.closed = 0
        self.before: Callable[[int], object] = str

    def __iter__(self) -> Iterator[bytes]:
        for number, chunk in enumerate(self.chunks):
            self.before(number)
            yield chunk
        if self.error is not None:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}


class Wire:
    """What each request is answered with, and the requests."""

    def __init__(self, package: Any = httpx2) -> None:
        self.package = package
        self.asked: list[Any] = []
        self.answers: list[tuple[int, dict[str, str], Body]] = []

    def answer(
        self,
        body: bytes | list[bytes],
        headers: dict[str, str] = EVENTS,
        *,
        status: int = 200,
        error: Exception | None = None,
    ) -> Body:
        made = Body([body] if isinstance(body, bytes) else body, error)
        self.answers.append((status, headers, made))
        return made

    def json(self, value: Any, **more: Any) -> Body:
        return self.answer(json.dumps(value).encode(), JSON, **more)

    def transport(self) -> Any:
        package = self.package

        class Stream(Body, package.SyncByteStream, package.AsyncByteStream):
            pass

        def handle(request: Any) -> Any:
            self.asked.append(request)
            status, headers, body = self.answers.pop(0)
            body.__class__ = Stream
            return package.Response(status, headers=headers, stream=body)

        return package.MockTransport(handle)

    def http(self) -> Any:
        return self.package.Client(transport=self.transport(), follow_redirects=True)

    def client(self, **more: Any) -> openai.OpenAI:
        return openai.OpenAI(http_client=self.http(), **{**KEY, **more})

    def async_client(self, **more: Any) -> openai.AsyncOpenAI:
        http = self.package.AsyncClient(transport=self.transport())
        return openai.AsyncOpenAI(http_client=http, **{**KEY, **more})
