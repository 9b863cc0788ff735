"""The first look at a run: its state at one of its rows and now, and the rows around that one.

It reads what follows the last key-frame before these rows, not the whole run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.event_text import event_text
from runreel.projection.stored_events import stored_event
from runreel.query import damaged_runs, run_reading, seek
from runreel.store.events import damage, event_log
from runreel.store.projections import run_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.events import StoredEvent
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection
    from runreel.store.database import Database


class OverviewRow(NamedTuple):
    """An event with the ``text`` that says what it holds, None if that was erased.

    ``damage`` says why the row cannot be read; the event has only the columns of the row then.
    """

    event: StoredEvent
    text: str | None
    damage: str | None


class RunOverview(NamedTuple):
    """A run as of a row (``summary``), as it is now (``now``), and ``rows`` around that row.

    ``newer`` and ``older`` are the runs that the list of all runs has before and after it.
    """

    summary: RunSummary
    now: RunSummary
    rows: tuple[OverviewRow, ...]
    newer: str | None
    older: str | None


def overview(
    database: Database, run_id: str, seq: int | None = None, *, around: int
) -> RunOverview:
    """Return a run after row ``seq`` (None: the last one), with as many rows on both sides.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
        UsageError: if the run has no such row.
    """
    with database.reading() as connection, damage.snapshot(connection):
        shown = damaged_runs.state_of(connection, run_id, seq).summary
        now = shown if seq is None else damaged_runs.state_of(connection, run_id).summary
        here = shown.last_seq
        rows = tuple(_rows(connection, run_id, max(here - around, 0), here + around + 1))
        return RunOverview(shown, now, rows, *run_queries.neighbours(connection, run_id))


def _rows(connection: Connection, run_id: str, start: int, stop: int) -> Iterator[OverviewRow]:
    projector = seek.nearest(connection, run_id, start)
    projector.frames = None
    after = projector.state.last_seq + 1
    rows = event_log.read(connection, run_id, start=after, stop=stop)
    for row, projected, why in run_reading.projected_rows(connection, projector, rows):
        if row.seq >= start:
            text = projector.transcript.text
            event = stored_event(row, projected.value, projected.interpretation, text)
            damaged = None if why is None else str(why)
            yield OverviewRow(event, damaged or event_text(event), damaged)
