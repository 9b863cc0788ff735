"""The server of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.api.reel import Reel
from runreel.model.errors import MissingExtra
from runreel.store.read_only import ReadOnlyDatabase

try:
    from runreel.system.http_server import Server, listen, run
    from runreel.web.app import create_app
    from runreel.web.live.streams import Streams
    from runreel.web.threads import Threads
except ImportError as error:
    raise MissingExtra(
        f"the page needs a package that is not installed: {error.name}",
        hint="pip install 'runreel[ui]'",
    ) from None

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from runreel.web.access import Access

__all__ = ["Server", "listen", "serve"]


def serve(
    reel: Reel, listener: socket.socket, access: Access, *, on_start: Callable[[Server], None]
) -> None:
    """Serve the pages of a log until a signal stops it, with connections that only read.

    ``on_start`` is called once the server answers. The signal is raised again at the end.
    """
    with Reel(ReadOnlyDatabase(reel.db)) as readable:
        threads = Threads()
        streams = Streams(readable, threads)
        app = create_app(readable, access, threads, streams)
        run(app, listener, on_start=on_start, on_end=streams.end)
