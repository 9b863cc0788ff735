"""A server of HTTP on a socket of this machine; needs uvicorn."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Key of the state of a request's scope: when it arrived, on the clock of the event loop.
ARRIVED = "runreel.arrived"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host``; ``port`` 0 is any free one.

    Raises:
        UsageError: if it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"cannot listen on host {host!r}: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            hint="Without --port, a free port is chosen.",
        ) from error
    return listener


def run(
    app: Callable[..., Awaitable[None]],
    listener: socket.socket,
    *,
    on_start: Callable[[Server], None],
    on_end: Callable[[], None] | None = None,
    has_lifespan: bool = False,
) -> None:
    """Serve ``app`` until a signal stops it, and raise the signal again at the end.

    ``on_start`` is called once the server answers, and ``on_end`` before it no longer does. What is
    still sent then does not keep it alive. An ``app`` that ``has_lifespan`` is called when the
    server starts and ends, too.
    """
    config = uvicorn.Config(
        app,
        http=_TimedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="on" if has_lifespan else "off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=0,
    )
    asyncio.run(Server(config, on_start, on_end).serve([listener]))


class Server(uvicorn.Server):
    """A server that calls ``on_start`` when it answers, and ``on_end`` before it no longer does.

    It ends when ``should_exit`` is true.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        on_start: Callable[[Server], None],
        on_end: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        await super().startup(sockets)
        self._on_start(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer no more."""
        if self._on_end is not None:
            self._on_end()
        await super().shutdown(sockets)


class _TimedProtocol(H11Protocol):
    """Notes when a request arrives; others may be parsed before it is answered."""

    def data_received(self, data: bytes) -> None:
        self.app_state = {**self.app_state, ARRIVED: self.loop.time()}
        super().data_received(data)
