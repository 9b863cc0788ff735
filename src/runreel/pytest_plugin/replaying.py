"""Answers the model calls of a test from a recording, in this process and by a server."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from runreel.api.reel import Reel
from runreel.capture.http import patching
from runreel.capture.http.calls import ROUTES
from runreel.codec import json_text
from runreel.importing.recording_log import RecordingLog, run_ids
from runreel.model.errors import BadValue
from runreel.pytest_plugin import environment
from runreel.pytest_plugin.answering import AnsweringHook
from runreel.pytest_plugin.interface import Outcome, Urls
from runreel.serving.collection import collect
from runreel.serving.matching import Matcher, Miss
from runreel.serving.player import Player, Reply, refusal
from runreel.serving.timing import Timing
from runreel.sources import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from urllib.parse import SplitResult

    from runreel.serving.difference import Difference
    from runreel.serving.exchange import Exchange
    from runreel.sources.requests import Body
    from runreel.store.database import Database

_ANSWER = re.compile(r"/responses/([^/]+)/?$")
# Hosts of which nothing is asked while a test runs; those of the base URLs come on top.
_VENDORS = ("api.openai.com", "openai.azure.com", "api.anthropic.com", "api.cloud.yandex.net")


class Opened(NamedTuple):
    """A recording that was read: its log, and its calls in order."""

    path: Path
    database: Database
    exchanges: list[Exchange]


class Library:
    """Reads each recording once."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._opened: dict[tuple[Path, int, int], Opened] = {}

    def open(self, path: Path) -> Opened:
        """Return a recording; it is read again if the file has changed.

        Raises:
            BadRecording: if it is no recording, was changed or is cut off.
            UsageError: if it cannot be read.
        """
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._opened:
            log = RecordingLog([path])
            reel = self._stack.enter_context(Reel(log))
            known = set(run_ids(log, [os.fspath(path)]))
            ids = [run.run_id for run in reel.runs() if run.run_id in known][::-1]
            self._opened[key] = Opened(path, log, collect(log, ids, named=True).exchanges)
        return self._opened[key]

    def close(self) -> None:
        """Close the recordings."""
        self._stack.close()


class ReplayedCalls:
    """Answers the model calls of this process from the beginning of a recording, until ``end``.

    With ``speed`` they have the recorded timing, else they come at once.
    """

    def __init__(self, opened: Opened, speed: float | None, *, strict: bool) -> None:
        self._opened = opened
        self._matcher = _NotingMatcher(opened.exchanges, strict=strict)
        timing = Timing(instant=True) if speed is None else Timing(speed)
        self._player = Player(opened.database, opened.exchanges, self._matcher, as_timed=timing)
        self._problems: list[str] = []
        set_ = (os.environ.get(name) for name in environment.URLS)
        self._vendors = {urlsplit(url).netloc for url in set_ if url}
        self._hook = AnsweringHook(self._reply)
        patching.add(self._hook, innermost=True)
        self._keys = ExitStack()
        self._keys.enter_context(environment.with_keys())

    def problems(self) -> list[str]:
        """Return why calls were not answered, since the last time."""
        found, self._problems = self._problems, []
        return [self._explained(one) for one in dict.fromkeys(found)]

    @contextmanager
    def serving(self) -> Iterator[Urls]:
        """Answer the calls of other processes, too.

        Raises:
            MissingExtra: if a package of the server is not installed.
        """
        from runreel.pytest_plugin import served
        from runreel.serving import server

        app = server.create_app(self._player, served.HOST, on_problem=self._note)
        with served.running(app) as origin:
            yield Urls(f"{origin}/v1", origin)

    def end(self) -> Outcome:
        """End it, and return which calls were not used."""
        patching.remove(self._hook)
        self._keys.close()
        return Outcome(unused=[one.name for one in self._matcher.unused()])

    def _reply(self, method: str, url: str, content: bytes) -> Reply | None:
        """Return the answer to a request; None if it does not ask a model."""
        parts = urlsplit(url)
        reply = self._recorded(method, parts, content)
        if reply is None and self._is_vendor(parts):
            message = f"nothing is recorded of {method} {parts.path}"
            reply = refusal(None, message, code="not_recorded")
        if reply is not None and reply.problem is not None:
            self._note(reply.problem)
        return reply

    def _recorded(self, method: str, url: SplitResult, content: bytes) -> Reply | None:
        """Return what the recording has, or why it has nothing; None if it cannot have any."""
        if method == "POST" and requests.source_of_path(url.path) is not None:
            asks = self._is_vendor(url) or _asks(url.path, content)
            return self._player.create(url.path, content) if asks else None
        if method != "GET":
            return None
        if (answer := _ANSWER.search(url.path)) is not None:
            reply = self._retrieved(answer[1], url.query)
            return reply if reply.problem is None or self._is_vendor(url) else None
        if self._is_vendor(url) and url.path.endswith("/models"):
            return self._player.models()
        return None

    def _retrieved(self, response_id: str, query: str) -> Reply:
        given = dict(parse_qsl(query))
        after = given.get("starting_after", "")
        return self._player.retrieve(
            response_id,
            streamed=given.get("stream") == "true",
            after=int(after) if after.isdecimal() else None,
        )

    def _note(self, problem: str) -> None:
        self._problems.append(problem)

    def _is_vendor(self, url: SplitResult) -> bool:
        host = url.hostname or ""
        return url.netloc in self._vendors or any(
            host == one or host.endswith(f".{one}") for one in _VENDORS
        )

    def _explained(self, problem: str) -> str:
        difference = self._matcher.differences.get(problem)
        lines = [f"{self._opened.path.name}: {problem.removesuffix(f': {difference}')}"]
        if difference is not None:
            lines += [
                f"  at {difference.pointer}",
                f"  - {difference.recorded or 'nothing'}",
                f"  + {difference.sent or 'nothing'}",
            ]
        lines.append("If this is what the program shall ask: pytest --runreel-record")
        return "\n".join(lines)


class _NotingMatcher(Matcher):
    """A matcher that keeps the differences of requests that have no answer, by its message."""

    def __init__(self, exchanges: list[Exchange], *, strict: bool) -> None:
        super().__init__(exchanges, strict=strict)
        self.differences: dict[str, Difference] = {}

    def find(self, source: str, body: Body) -> Exchange | Miss:
        found = super().find(source, body)
        if isinstance(found, Miss) and found.difference is not None:
            self.differences[found.message] = found.difference
        return found


def _asks(path: str, content: bytes) -> bool:
    """Whether a request to an endpoint has what the endpoint is asked."""
    source = requests.source_of_path(path)
    try:
        body = json_text.loads(content)
    except BadValue:
        return False
    if source is None or not isinstance(body, dict):
        return False
    asked = not ROUTES[source].asks.isdisjoint(body)
    return asked and (isinstance(body.get("model"), str) or "prompt" in body)
