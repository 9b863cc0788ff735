"""A server of what was recorded, and a model to record."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from runreel.serving import server
from runreel.serving.collection import collect
from runreel.serving.matching import Matcher
from runreel.serving.player import Player
from runreel.serving.timing import Timing
from runreel.store.read_only import ReadOnlyDatabase
from tests.live import sse_server
from tests.live.callers import client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import openai

    from runreel.api.reel import Reel

INSTANT = Timing(instant=True)


class Serving:
    """A running server: its base URL, its player, and why it refused requests."""

    def __init__(self, player: Player, matcher: Matcher) -> None:
        self.player = player
        self.matcher = matcher
        self.problems: list[str] = []
        self.url = ""
        self.notices: list[str] = []
        self.others: list[str] = []

        self._client: openai.OpenAI | None = None

    def client(self, **more: Any) -> openai.OpenAI:
        """A client of the server; all of them share their connections."""
        if self._client is None:
            self._client = client_of(self.url)
        return self._client.with_options(**more)

    def close(self) -> None:
        """Close the connections of the client."""
        if self._client is not None:
            self._client.close()


@contextmanager
def running(app: Any, **options: Any) -> Iterator[str]:
    """Run an application on a port of this machine; its origin."""
    listener = server.listen("127.0.0.1", 0)
    started: list[server.Server] = []
    ready = threading.Event()

    def on_start(one: server.Server) -> None:
        started.append(one)
        ready.set()

    thread = threading.Thread(
        target=server.run, args=(app, listener), kwargs={"on_start": on_start, **options}
    )
    thread.start()
    try:
        assert ready.wait(30)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for one in started:
            one.should_exit = True
        thread.join(30)
        listener.close()


@contextmanager
def serving_of(
    reel: Reel,
    *run_ids: str,
    timing: Timing = INSTANT,
    strict: bool = False,
    fail_at: int | None = None,
) -> Iterator[Serving]:
    """Serve a log, or some of its runs."""
    ids = run_ids or [run.run_id for run in reel.runs()][::-1]
    with closing(ReadOnlyDatabase(reel.db)) as database:
        found = collect(database, ids, named=bool(run_ids))
        matcher = Matcher(found.exchanges, strict=strict)
        player = Player(database, found.exchanges, matcher, as_timed=timing, fail_at=fail_at)
        serving = Serving(player, matcher)
        serving.notices, serving.others = found.notices, found.others
        app = server.create_app(player, "127.0.0.1", on_problem=serving.problems.append)
        with running(app) as origin:
            serving.url = f"{origin}/v1"
            with closing(serving):
                yield serving


@pytest.fixture
def serve(reel: Reel) -> Callable[..., Any]:
    """Serves the log of the test; arguments as for ``serving_of``."""

    def begin(*run_ids: str, **more: Any) -> Any:
        return serving_of(reel, *run_ids, **more)

    return begin


@pytest.fixture
def server_of_models() -> Iterator[sse_server.Script]:
    """A server of OpenAI's interfaces that says what the test has it say."""
    with sse_server.serving() as script:
        yield script


@pytest.fixture
def record(reel: Reel, server_of_models: sse_server.Script) -> Callable[..., Any]:
    """Runs a program on a client whose calls are recorded, against given answers."""

    def run(program: Callable[[openai.OpenAI], Any], *answers: Any, **options: Any) -> Any:
        server_of_models.say(*answers)
        with reel.watch(), client_of(server_of_models.url, **options) as client:
            return program(client)

    return run
