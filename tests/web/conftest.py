"""A real server of the pages, and a browser that has used its token."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from runreel.web import access as rules
from runreel.web import server
from tests.cli.calls import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.web.access import Access


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in clean_environment(tmp_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@contextmanager
def serving(reel: Reel) -> Iterator[Access]:
    """Serve the pages of a log on a port of this machine."""
    listener = server.listen(rules.LOOPBACK, 0)
    access = rules.Access(rules.LOOPBACK, listener.getsockname()[1])
    started: list[server.Server] = []
    ready = threading.Event()

    def on_start(one: server.Server) -> None:
        started.append(one)
        ready.set()

    thread = threading.Thread(
        target=server.serve, args=(reel, listener, access), kwargs={"on_start": on_start}
    )
    thread.start()
    try:
        assert ready.wait(30)
        yield access
    finally:
        for one in started:
            one.should_exit = True
        thread.join(30)
        listener.close()


@contextmanager
def browsing(reel: Reel) -> Iterator[httpx.Client]:
    """A client that has the cookie."""
    with serving(reel) as access, httpx.Client(base_url=access.origin, timeout=30) as client:
        assert client.get("/", params={"token": access.token}).status_code == 303
        yield client


@pytest.fixture
def access(reel: Reel) -> Iterator[Access]:
    """The server of a log."""
    with serving(reel) as found:
        yield found


@pytest.fixture
def browser(reel: Reel) -> Iterator[httpx.Client]:
    """A client that has the cookie of the server of a log."""
    with browsing(reel) as client:
        yield client
