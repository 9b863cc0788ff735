"""Runs a server in a thread, for the time of a test."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runreel.serving import server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

HOST = "127.0.0.1"
# Seconds for a machine under load.
_PATIENCE = 30.0


@contextmanager
def running(app: ASGIApp, *, has_lifespan: bool = False) -> Iterator[str]:
    """Serve ``app`` on a free port of this machine; yield its origin."""
    listener = server.listen(HOST, 0)
    started: list[server.Server] = []
    ready = threading.Event()

    def on_start(one: server.Server) -> None:
        started.append(one)
        ready.set()

    def serve() -> None:
        server.run(app, listener, on_start=on_start, has_lifespan=has_lifespan)

    thread = threading.Thread(target=serve, name="runreel-server", daemon=True)
    thread.start()
    try:
        if not ready.wait(_PATIENCE):
            raise TimeoutError("the server of recorded calls did not start")
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        for one in started:
            one.should_exit = True
        thread.join(_PATIENCE)
        listener.close()
