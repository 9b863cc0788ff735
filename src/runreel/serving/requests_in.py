"""What is done with each request before it is answered: its size, its host, when it came."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse

from runreel.system.http_server import ARRIVED

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# Bytes of a request's body; more than services take.
MAX_BODY = 64 * 1024 * 1024
_FORBIDDEN = 403
_LOCAL = ("localhost", "127.0.0.1", "[::1]")


class TooLarge(Exception):
    """The body of a request is over the limit."""

    def __init__(self) -> None:
        super().__init__(f"the body is larger than {MAX_BODY // 1024 // 1024} MiB")


async def body_of(scope: Scope, receive: Receive) -> bytes:
    """Return the body of a request.

    Raises:
        TooLarge: if it is larger than ``MAX_BODY``; the rest of it is not read.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > MAX_BODY:
            raise TooLarge
    content = bytearray()
    more = True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
        if len(content) > MAX_BODY:
            raise TooLarge
    return bytes(content)


async def gone(receive: Receive) -> None:
    """Return when the client of a request has gone away; its body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def is_loopback(host: str) -> bool:
    """True if only this machine reaches the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def arrival(scope: Scope) -> float:
    """Return when a request arrived, on the clock of the event loop."""
    arrived: float | None = scope.get("state", {}).get(ARRIVED)
    return asyncio.get_running_loop().time() if arrived is None else arrived


def guarded(app: ASGIApp, host: str) -> ASGIApp:
    """Return the application without requests of pages of other sites.

    On this machine alone, it answers to no other names: the page of a foreign site could have its
    name resolve to this machine.
    """
    checked = TrustedHostMiddleware(app, [*_LOCAL, host]) if is_loopback(host) else app

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif (b"sec-fetch-site", b"cross-site") in scope["headers"]:
            refused = PlainTextResponse("Requests from other sites are refused.\n", _FORBIDDEN)
            await refused(scope, receive, send)
        else:
            await checked(scope, receive, send)

    return guard
