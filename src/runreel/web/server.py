"""The server of the pages."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from runreel.api.reel import Reel
from runreel.model.errors import MissingExtra, UsageError
from runreel.store.read_only import ReadOnlyDatabase

try:
    import uvicorn

    from runreel.web.app import create_app
except ImportError as error:
    raise MissingExtra(
        f"the page needs a package that is not installed: {error.name}",
        hint="pip install 'runreel[ui]'",
    ) from None

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.web.access import Access


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


def serve(
    reel: Reel, listener: socket.socket, access: Access, *, on_start: Callable[[Server], None]
) -> None:
    """Serve the pages of a log until a signal stops it, with connections that only read.

    ``on_start`` is called once the server answers. The signal is raised again at the end.
    """
    with Reel(ReadOnlyDatabase(reel.db)) as readable:
        config = uvicorn.Config(
            create_app(readable, access),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            # A browser that reads on does not keep the server alive.
            timeout_graceful_shutdown=0,
        )
        asyncio.run(Server(config, on_start).serve([listener]))


class Server(uvicorn.Server):
    """A server that calls ``on_start`` when it answers; it ends when ``should_exit`` is true."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[Server], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer."""
        await super().startup(sockets)
        self._on_start(self)
