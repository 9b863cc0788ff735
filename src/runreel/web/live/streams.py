"""The streams of open pages: one of each tab, which ends with it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runreel.codec import json_objects
from runreel.model.errors import RunNotFound, RunreelError, UsageError
from runreel.model.passwords import mask_passwords
from runreel.query import changes
from runreel.web import filters
from runreel.web.live.changes import Changes
from runreel.web.live.shared import SharedAnswers
from runreel.web.live.topics import Event, News, RunsTopic, RunTopic
from runreel.web.query import Query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from runreel.api.reel import Reel
    from runreel.web.live.topics import Topic
    from runreel.web.threads import Threads

_LIST = (*filters.NAMES, "after", "limit")
_RUN = ("id", "after")
# Streams at a time: the browsers of a few people.
_MOST = 500
# Seconds in which a browser has to take an event before its stream is ended; it resumes later.
_PATIENCE = 30
# Digits of a position.
_DIGITS = 18
# Milliseconds after which a browser opens a stream again that was cut.
_RETRY = 1000


class Streams:
    """The streams of one server."""

    def __init__(self, reel: Reel, threads: Threads) -> None:
        self._reel = reel
        self._threads = threads
        self._changes = Changes(partial(changes.change_hint, reel.db), threads)
        self._answers = SharedAnswers[News](threads)
        self._open = 0

    async def runs(self, request: Request) -> Response:
        """Answer with a stream of the list of runs; the parameters are those of its page.

        Raises:
            RunreelError: if there is no such page.
        """
        query = Query(request.query_params.multi_items(), _LIST)
        return await self._answer(RunsTopic(self._reel, query))

    async def run(self, request: Request) -> Response:
        """Answer with a stream of a run, after the row ``after`` or that of ``Last-Event-ID``.

        Raises:
            RunreelError: if there is no such run.
        """
        pairs = [*request.query_params.multi_items(), *request.path_params.items()]
        query = Query(pairs, _RUN)
        run_id, after = query.text("id"), query.number("after")
        if run_id is None:
            raise UsageError("no run is named")
        last = request.headers.get("last-event-id", "")
        position = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
        return await self._answer(
            RunTopic(self._reel, run_id, -1 if position is None else position)
        )

    def end(self) -> None:
        """End all streams: the server ends."""
        self._changes.end()

    async def _answer(self, topic: Topic) -> Response:
        from sse_starlette import EventSourceResponse, ServerSentEvent

        if self._open >= _MOST:
            raise UsageError(f"{_MOST} pages are open already", hint="Close some of them.")
        await self._threads.run(topic.check)

        async def messages() -> AsyncIterator[ServerSentEvent]:
            async for name, data, id_ in self._events(topic):
                yield ServerSentEvent(data, event=name, id=id_, retry=_RETRY, sep="\n")

        return EventSourceResponse(messages(), sep="\n", send_timeout=_PATIENCE)

    async def _events(self, topic: Topic) -> AsyncIterator[Event]:
        """Yield what is new until the browser goes away, or the run is gone."""
        problem: str | None = None
        self._open += 1
        try:
            with self._changes.listening():
                while not self._changes.is_over:
                    version = self._changes.version
                    try:
                        async for event in topic.events(partial(self._answers.get, version)):
                            yield event
                        if problem is not None:
                            yield Event("ok", "{}")
                        problem = None
                    except RunNotFound as error:
                        yield _problem("gone", error)
                        return
                    except RunreelError as error:
                        if str(error) != problem:
                            yield _problem("problem", error)
                        problem = str(error)
                    await self._changes.after(version)
                yield Event("over", "{}")
        finally:
            self._open -= 1


def _problem(name: str, error: RunreelError) -> Event:
    message = {"message": mask_passwords(str(error)), "hint": mask_passwords(error.hint or "")}
    return Event(name, json_objects.text(message))
