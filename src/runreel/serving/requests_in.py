"""What is done with each request before it is answered: its size, its host, when it came."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from starlette.middleware.trustedhost import TrustedHostMiddleware

from runreel.serving.sending import ARRIVAL

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

# Bytes of a request's body; more than services take.
MAX_BODY = 64 * 1024 * 1024
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


class TooLarge(Exception):
    """The body of a request is over the limit."""

    def __init__(self) -> None:
        super().__init__(f"the body is larger than {MAX_BODY // 1024 // 1024} MiB")


async def body_of(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        TooLarge: if it is larger than ``MAX_BODY``; the rest of it is not read.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise TooLarge
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise TooLarge
    return bytes(content)


def is_loopback(host: str) -> bool:
    """True if only this machine reaches the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def guarded(app: ASGIApp, host: str) -> ASGIApp:
    """Return the application with the time at which each request came in its scope.

    On this machine alone, requests under another name are refused: the page of a foreign site could
    have its name resolve to this machine.
    """
    inner = TrustedHostMiddleware(app, [*_LOCAL, host]) if is_loopback(host) else app

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        scope[ARRIVAL] = asyncio.get_running_loop().time()
        await inner(scope, receive, send)

    return timed
