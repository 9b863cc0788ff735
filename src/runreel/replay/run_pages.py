"""The run after any of its rows, from pages of rows: a step reads few of them, in any direction."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.text_delta import common_prefix
from runreel.model.events import RUN, STREAM_EVENT
from runreel.projection.stored_events import stored_event
from runreel.query import run_history, seek
from runreel.store.events import event_log

if TYPE_CHECKING:
    from runreel.model.events import StoredEvent
    from runreel.model.results import ToolCallList, Usage
    from runreel.model.status import RunStatus
    from runreel.projection.projector import RunProjector
    from runreel.store.database import Database

# Rows of a page, as many as there are between key-frames, and pages that are kept.
ROWS = 256
_KEPT = 8


class RunFacts(NamedTuple):
    """What is known of a run after one of its rows, without its text."""

    status: RunStatus
    recording: str
    error: str | None
    error_code: int | str | None
    tool_calls: ToolCallList | None
    usage: Usage | None


class Moment(NamedTuple):
    """The run after the row ``event``; ``text`` is that of its last answer so far."""

    event: StoredEvent
    facts: RunFacts
    text: str


class _Entry(NamedTuple):
    """A row: the text after it keeps ``keep`` characters of the text before it."""

    event: StoredEvent
    facts: RunFacts
    keep: int
    added: str


class _Page(NamedTuple):
    text_before: str
    entries: list[_Entry]


class RunPages:
    """The rows of a run before row ``stop``, read page by page when they are asked for.

    The events have no texts and, except for notes, requests and results of tools, no values.
    """

    def __init__(self, database: Database, run_id: str, stop: int) -> None:
        self._database = database
        self._run_id = run_id
        self._stop = stop
        self._pages: OrderedDict[int, _Page] = OrderedDict()

    def event(self, seq: int) -> StoredEvent:
        """Return the event of a row.

        Raises:
            RunNotFound: if the run was pruned meanwhile.
            DamagedRow: if the row cannot be read.
        """
        return self._page(seq // ROWS).entries[seq % ROWS].event

    def at(self, seq: int) -> Moment:
        """Return the run after a row; errors as for ``event``."""
        page = self._page(seq // ROWS)
        text = page.text_before
        for entry in page.entries[: seq % ROWS + 1]:
            # Nothing is copied where text is added to the end.
            if entry.keep == len(text):
                text += entry.added
            else:
                text = text[: entry.keep] + entry.added
        entry = page.entries[seq % ROWS]
        return Moment(entry.event, entry.facts, text)

    def _page(self, number: int) -> _Page:
        if number in self._pages:
            self._pages.move_to_end(number)
        else:
            self._pages[number] = self._load(number)
            if len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
        return self._pages[number]

    def _load(self, number: int) -> _Page:
        start, end = number * ROWS, min((number + 1) * ROWS, self._stop)
        with self._database.reading() as connection:
            projector = seek.nearest(connection, self._run_id, start)
            first = projector.state.last_seq + 1
            rows = list(event_log.read(connection, self._run_id, start=first, stop=end))
            if len(rows) < end - first:
                run_history.require_logged(connection, self._run_id)
                lost = first + len(seek.in_sequence(rows, first))
                raise seek.missing(connection, self._run_id, lost)
        projector.frames = None
        projector.apply_all(rows[: start - first])
        before = text = _text(projector)
        entries = []
        for row in rows[start - first :]:
            projected = projector.apply(row)
            event = stored_event(
                row, projected.value, projected.interpretation, projector.transcript.text
            )
            after = _text(projector)
            keep = common_prefix(text, after)
            entries.append(_Entry(_light(event), _facts(projector), keep, after[keep:]))
            text = after
        return _Page(before, entries)


def _text(projector: RunProjector) -> str:
    message = projector.state.message
    return (message.text if message is not None else None) or ""


def _facts(projector: RunProjector) -> RunFacts:
    state = projector.state
    outcome = state.error, state.error_code, state.tool_calls, state.usage
    return RunFacts(state.status, state.recording, *outcome)


def _light(event: StoredEvent) -> StoredEvent:
    """Return an event without what grows with the run: the text, which its value repeats."""
    value = event.raw
    if event.kind in (RUN, STREAM_EVENT):
        value = None if value is None else {}
    return event._replace(event=None, text=None, raw=value)
