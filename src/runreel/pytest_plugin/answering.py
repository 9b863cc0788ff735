"""Answers requests of clients of httpx and httpx2 without their transports."""

from __future__ import annotations

import functools
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import ModuleType

    from runreel.serving.player import Reply

_CUT = "peer closed connection without sending complete message body (incomplete chunked read)"


class AnsweringHook:
    """Answers the requests for which ``reply`` returns something; sends the others.

    ``reply`` receives the method, the URL and the body of a request.
    """

    def __init__(self, reply: Callable[[str, str, bytes], Reply | None]) -> None:
        self._reply = reply

    def send(self, send: Callable[[Any], Any], request: Any) -> Any:
        """Return the response to ``request``."""
        content = request.read() if request.method == "POST" else b""
        reply = self._reply(request.method, str(request.url), content)
        return send(request) if reply is None else _response(request, reply, asynchronous=False)

    async def asend(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        """Return the response to ``request`` of an asynchronous client."""
        content = await request.aread() if request.method == "POST" else b""
        reply = self._reply(request.method, str(request.url), content)
        return (
            await send(request) if reply is None else _response(request, reply, asynchronous=True)
        )


def _response(request: Any, reply: Reply, *, asynchronous: bool) -> Any:
    package = sys.modules[type(request).__module__.partition(".")[0]]
    stream = _class_of(package, asynchronous)(reply, package, request)
    response = package.Response(
        reply.status,
        headers=[("content-type", reply.media), *reply.headers],
        stream=stream,
        request=request,
        extensions={"http_version": b"HTTP/1.1"},
    )
    stream.on_close = lambda elapsed: setattr(response, "elapsed", elapsed)
    return response


@functools.cache
def _class_of(package: ModuleType, asynchronous: bool) -> Any:  # noqa: FBT001 - the cache's key
    if asynchronous:
        return type("ReplayedStream", (_AsyncStream, package.AsyncByteStream), {})
    return type("ReplayedStream", (_Stream, package.SyncByteStream), {})


class _Chunks:
    """The parts of an answer, each at its time after the request."""

    on_close: Callable[[timedelta], None]

    def __init__(self, reply: Reply, package: ModuleType, request: Any) -> None:
        self._reply = reply
        self._package = package
        self._request = request
        self._started = time.monotonic()

    def _left(self, seconds: float) -> float:
        return self._started + seconds - time.monotonic()

    def _finish(self) -> None:
        if self._reply.cut:
            raise self._package.RemoteProtocolError(_CUT, request=self._request)

    def _closed(self) -> None:
        self.on_close(timedelta(seconds=time.monotonic() - self._started))


class _Stream(_Chunks):
    def __iter__(self) -> Iterator[bytes]:
        for seconds, data in self._reply.chunks:
            if (left := self._left(seconds)) > 0:
                time.sleep(left)
            yield data
        self._finish()

    def close(self) -> None:
        self._closed()


class _AsyncStream(_Chunks):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        import anyio

        for seconds, data in self._reply.chunks:
            # At least other tasks run, as they do while bytes are awaited.
            await anyio.sleep(max(0.0, self._left(seconds)))
            yield data
        self._finish()

    async def aclose(self) -> None:
        self._closed()
