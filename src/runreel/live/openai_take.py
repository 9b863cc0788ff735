"""One response as it is recorded: from the JSON on the wire to the run that it belongs to."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runreel.keeper import Keeper
from runreel.live import openai_request as requests
from runreel.live.openai_runs import Claims, place
from runreel.recorder import Recorder
from runreel.rules import plain_json as pj
from runreel.rules.codec import loads
from runreel.sources import openai_chat, openai_responses
from runreel.words.errors import BadValue, RecordingError
from runreel.words.log import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.store.database import Database

RESPONSES = openai_responses.reader.name
CHAT = openai_chat.reader.name
CUT = "the stream ended before its last event"

_log = logging.getLogger("runreel")
_ENDS = {RESPONSES: openai_responses.ends, CHAT: openai_chat.ends}
_claims = Claims()


class Take:
    """What a client's stream tells, stored value by value, and how the recording ends.

    ``id_`` is the response's id where it is known beforehand, ``previous`` that of the one before;
    ``again`` whether the same response may have been recorded before. ``open`` is whether there is
    a recording to end; ``reader`` whoever reads the stream.
    """

    def __init__(  # noqa: PLR0913 - what is known of a response beforehand
        self,
        database: Database,
        source: str,
        *,
        request: dict[str, Any] | None,
        labels: dict[str, str] | None,
        on_error: str,
        id_: str | None = None,
        previous: str | None = None,
        again: bool = False,
    ) -> None:
        self.source = source
        self._database = database
        self._request = None if request is None else requests.kept(request)
        self._labels = labels
        self._id = id_
        self._previous = previous
        self._again = again
        self._claimed: str | None = None
        self._goes_on = False
        self._begun = False
        self.open = False
        self.reader: object = None
        self._over = False
        self._keeper = Keeper(self._recorder, on_error)
        self._pid = os.getpid()

    def keep(self, wire: Iterable[str], event: Any) -> None:
        """Store what came on the wire for ``event``.

        Raises:
            RecordingError: if it cannot be stored.
        """
        for kind, value in self._rows(wire, event):
            self._keeper.offer(kind, value, event)
        self._release()

    async def akeep(self, wire: Iterable[str], event: Any) -> None:
        """Like ``keep``, in an event loop."""
        for kind, value in self._rows(wire, event):
            await self._keeper.aoffer(kind, value, event)
        self._release()

    def keep_whole(self, value: dict[str, Any], event: Any) -> None:
        """Store a finished response, which is all that there is of it."""
        for kind, row in self._told(RUN, value):
            self._keeper.offer(kind, row, event)
        self._release()
        self._over = True
        self.end(CUT)

    def fail(self, wire: Iterable[str], error: BaseException) -> None:
        """The client's stream has raised: store what it raised it for, and end the recording."""
        try:
            self.keep(_readable(wire), error)
        except RecordingError:
            _log.exception("what a stream of %s failed with could not be stored", self.source)
        self.end(type(error).__name__)

    async def afail(self, wire: Iterable[str], error: BaseException) -> None:
        """Like ``fail``, in an event loop."""
        try:
            await self.akeep(_readable(wire), error)
        except RecordingError:
            _log.exception("what a stream of %s failed with could not be stored", self.source)
        await self.aend(type(error).__name__)

    def end(self, reason: str) -> None:
        """Close the recording; as interrupted, and why, if the stream's last event has not come."""
        if self._ending():
            if self._over:
                self._keeper.close()
            else:
                self._keeper.interrupt(reason)

    async def aend(self, reason: str) -> None:
        """Like ``end``, in an event loop."""
        if self._ending():
            if self._over:
                await self._keeper.aclose()
            else:
                await self._keeper.ainterrupt(reason)

    def _ending(self) -> bool:
        ending, self.open = self.open, False
        self._release()
        # A forked child has its own copy of what its parent records.
        return ending and os.getpid() == self._pid

    def _rows(self, wire: Iterable[str], event: Any) -> Iterator[tuple[str, Any]]:
        for text in wire:
            try:
                value = loads(text)
            except BadValue as error:
                self._keeper.failed(error, event)
                continue
            yield from self._told(STREAM_EVENT, value)

    def _told(self, kind: str, value: Any) -> Iterator[tuple[str, Any]]:
        """The value, and before the first one what it was asked for with."""
        self.open = True
        if not self._begun:
            self._begun = True
            self._learn(pj.as_object(value))
            if self._request is not None:
                yield CONTEXT, self._request
                answers = requests.answers(self._request)
                if answers and self._goes_on:
                    yield TOOL_RESULTS, {"tool_results": answers}
        self._over = self._over or _ENDS[self.source](value)
        yield kind, value

    def _learn(self, value: dict[str, Any]) -> None:
        response = value.get("response") if "response" in value else value
        told = pj.as_object(response)
        self._id = self._id or pj.as_text(told.get("id"))
        if self.source == RESPONSES:
            self._previous = self._previous or pj.as_text(told.get("previous_response_id"))

    def _recorder(self) -> Recorder:
        if self._previous and _claims.take(self._database, self._previous):
            self._claimed = self._previous
        try:
            found = place(self._database, self.source, self._id, self._claimed, again=self._again)
            recorder = Recorder(
                self._database,
                found.run_id,
                source=self.source,
                via="live",
                identity={"labels": self._labels} if self._labels else None,
                offered=found.before,
            )
        except BaseException:
            self._release()
            raise
        self._goes_on = found.goes_on
        return recorder

    def _release(self) -> None:
        if self._claimed is not None:
            _claims.release(self._database, self._claimed)
            self._claimed = None


def _readable(wire: Iterable[str]) -> Iterator[str]:
    """What of the wire is JSON: what is not has been the client's error."""
    for text in wire:
        with suppress(BadValue):
            loads(text)
            yield text
