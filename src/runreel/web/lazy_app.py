"""The application, which is made for the first request: the server starts without its packages."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runreel.model.errors import MissingExtra
from runreel.web.threads import Threads

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from runreel.api.reel import Reel
    from runreel.web.access import Access
    from runreel.web.live.streams import Streams

_PACKAGES = ("starlette.applications", "jinja2", "sse_starlette")


def require_packages() -> None:
    """Check that the packages of the pages are installed, without importing them.

    Raises:
        MissingExtra: if one is not.
    """
    for name in _PACKAGES:
        if find_spec(name.partition(".")[0]) is None or find_spec(name) is None:
            raise missing(name)


def missing(package: str | None) -> MissingExtra:
    """Return the error that names a package that is not installed."""
    return MissingExtra(
        f"the page needs a package that is not installed: {package}",
        hint="pip install 'runreel[ui]'",
    )


class LazyApp:
    """The application that shows the log of ``reel`` to whom ``access`` admits."""

    def __init__(self, reel: Reel, access: Access) -> None:
        self._reel = reel
        self._access = access
        self._threads = Threads()
        self._made: asyncio.Task[ASGIApp] | None = None
        self._streams: Streams | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._made is None:
            self._made = asyncio.ensure_future(self._threads.run(self._make))
        app = await asyncio.shield(self._made)
        await app(scope, receive, send)

    def end(self) -> None:
        """End the streams of open pages."""
        if self._streams is not None:
            self._streams.end()

    def _make(self) -> ASGIApp:
        from runreel.web.app import create_app
        from runreel.web.live.streams import Streams

        self._streams = Streams(self._reel, self._threads)
        return create_app(self._reel, self._access, self._threads, self._streams)
