"""Sends answers at their times, and breaks connections."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.responses import Response

from runreel.serving import requests_in, wire

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from runreel.serving.player import Reply

# Seconds without an event after which a comment is sent.
_SILENCE = 15.0


class TimedResponse(Response):
    """A response that sends each part of a ``Reply`` at its time after the request."""

    def __init__(self, reply: Reply) -> None:
        headers = {**dict(reply.headers), "content-type": reply.media, "cache-control": "no-store"}
        super().__init__(status_code=reply.status, headers=headers)
        self._reply = reply
        if reply.streamed:
            del self.headers["content-length"]
        else:
            self.headers["content-length"] = str(reply.length)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, until its end or until the client goes away."""
        gone = asyncio.ensure_future(requests_in.gone(receive))
        try:
            await self._send(scope, send, gone)
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    async def _send(self, scope: Scope, send: Send, gone: asyncio.Future[None]) -> None:
        started = requests_in.arrival(scope)
        begun = False
        for seconds, data in self._reply.chunks:
            while True:
                left = started + seconds - asyncio.get_running_loop().time()
                if self._reply.streamed and not begun:
                    # A client may have a limit for the time up to the headers.
                    await self._begin(send)
                    begun = True
                if left <= 0:
                    break
                wait = min(left, _SILENCE) if self._reply.streamed else left
                await asyncio.wait((gone,), timeout=wait)
                if gone.done():
                    return
                if wait < left:
                    await _part(send, wire.KEEP_ALIVE)
            if not begun:
                await self._begin(send)
                begun = True
            await _part(send, data)
        if not begun:
            await self._begin(send)
        if not self._reply.cut:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        # Otherwise the server closes the connection, because the body is not complete.

    async def _begin(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )


async def _part(send: Send, data: bytes) -> None:
    if data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
