"""The server of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.api.reel import Reel
from runreel.store.read_only import ReadOnlyDatabase
from runreel.web import lazy_app

try:
    from runreel.system.http_server import Server, listen, run
except ImportError as error:
    raise lazy_app.missing(error.name) from None

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from runreel.web.access import Access

__all__ = ["Server", "listen", "serve"]

lazy_app.require_packages()


def serve(
    reel: Reel, listener: socket.socket, access: Access, *, on_start: Callable[[Server], None]
) -> None:
    """Serve the pages of a log until a signal stops it, with connections that only read.

    ``on_start`` is called once the server answers. The signal is raised again at the end.
    """
    with Reel(ReadOnlyDatabase(reel.db)) as readable:
        app = lazy_app.LazyApp(readable, access)
        run(app, listener, on_start=on_start, on_end=app.end)
