"""What an open page shows, and the events that bring it up to date."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runreel.codec import json_objects
from runreel.codec.escaping import escape
from runreel.query import changes, run_reading
from runreel.web import run_list, words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

    from runreel.api.reel import Reel
    from runreel.web.query import Query


class Event(NamedTuple):
    """An event of a stream: its name, its JSON, and the position from which it goes on."""

    name: str
    data: str
    id: str | None = None


class News(NamedTuple):
    """Events, and the part of them that is compared with what the page shows already."""

    events: tuple[Event, ...]
    shown: object


class Read(Protocol):
    """Reads the log once for all pages that ask for the same ``key``."""

    def __call__(self, key: Hashable, make: Callable[[], News]) -> Awaitable[News]:
        """Return what ``make`` returns, or raise its error."""


class Topic(Protocol):
    """What a page shows."""

    def check(self) -> None:
        """Read it once.

        Raises:
            LogError: if it cannot be read, or is not there.
            UsageError: if a parameter is invalid.
        """

    def events(self, read: Read) -> AsyncIterator[Event]:
        """Yield what is new since the last call."""


class RunsTopic:
    """A page of the list of runs: an event ``runs`` with the whole page, when it has changed."""

    def __init__(self, reel: Reel, query: Query) -> None:
        self._read = partial(_runs, reel, query)
        self._key = ("runs", *query.pairs)
        self._shown: object = None

    def check(self) -> None:
        """Read the page."""
        self._read()

    async def events(self, read: Read) -> AsyncIterator[Event]:
        """Yield the page, if it has changed."""
        news = await read(self._key, self._read)
        if news.shown != self._shown:
            self._shown = news.shown
            for event in news.events:
                yield event


class RunTopic:
    """A run after a row, which the page shows.

    ``rows`` has the new rows as columns, and ``state`` the facts that have changed. ``erased`` says
    that rows were redacted that the page may show.
    """

    def __init__(self, reel: Reel, run_id: str, after: int) -> None:
        self._reel = reel
        self._run_id = run_id
        self._after = after
        self._shown: object = None

    def check(self) -> None:
        """Read the run."""
        _run(self._reel, self._run_id, self._after)

    async def events(self, read: Read) -> AsyncIterator[Event]:
        """Yield what is new."""
        key = ("run", self._run_id, self._after)
        news = await read(key, partial(_run, self._reel, self._run_id, self._after))
        if news.shown == self._shown:
            return
        self._shown = news.shown
        for event in news.events:
            if event.id is not None:
                self._after = int(event.id)
            yield event


def _runs(reel: Reel, query: Query) -> News:
    found = run_list.read(reel, query)
    page = {
        "first": found.first,
        "next": found.next,
        "runs": [[row.url, row.kind, *map(escape, row.cells)] for row in found.rows],
    }
    event = Event("runs", json_objects.text({**page, "as_of": found.as_of}))
    return News((event,), json_objects.text(page))


def _run(reel: Reel, run_id: str, after: int) -> News:
    summary, is_erased = changes.run_news(reel.db, run_id, after)
    last = max(summary.last_seq, after)
    usage = summary.usage
    facts = json_objects.text(
        {
            "state": summary.state,
            "kind": summary.status_name,
            "recording": summary.recording,
            "took": words.duration(summary.duration_ms),
            "first_text": words.duration(summary.first_text_ms),
            "tokens": words.number(usage.total_tokens if usage else None),
        }
    )
    if is_erased and after >= 0:
        return News((Event("erased", "{}", str(last)),), (last, facts))
    rows: list[Event] = []
    if summary.last_seq > after:
        columns = run_reading.columns_after(reel.db, run_id, after)
        last = max(after, -1) + len(columns["kind"])
        rows = [Event("rows", json.dumps(columns), str(last))]
    return News((*rows, Event("state", facts, str(last))), (last, facts))
