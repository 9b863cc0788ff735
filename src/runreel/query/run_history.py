"""The state and the events of one run, now or at an earlier position or time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from runreel.codec.stream_codec import StreamCodec
from runreel.model.errors import RunNotFound, UsageError
from runreel.model.events import OPEN
from runreel.model.identifiers import check_lookup_id
from runreel.model.selection import UNFINISHED
from runreel.model.timestamps import to_micros
from runreel.projection import event_times, run_mapper
from runreel.projection.projector import RunProjector, project_run, stored_event
from runreel.projection.run_mapper import RunProjection
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.query.open_recordings import is_abandoned
from runreel.sources import reader_of, thoughts
from runreel.store.events import event_log, stream_heads
from runreel.store.projections import run_queries, run_table
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.events import EventRow, StoredEvent
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_STILL_COUNTED = "`runreel usage` still counts it if it was pruned with --keep-usage."
# Number of rows read with one connection.
_PAGE = 1_000


def require_kept(connection: Connection, run_id: str) -> None:
    """Check that a run was not pruned; an unknown run passes.

    Raises:
        RunNotFound: if it was pruned.
    """
    first = stream_heads.first_row(connection, run_id)
    if first is not None and is_tombstone(first):
        raise RunNotFound(pruned_message(first), hint=_STILL_COUNTED)


def require_logged(connection: Connection, run_id: str) -> int:
    """Return the seq of a run's last row.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
    """
    require_kept(connection, run_id)
    head = event_log.last_position(connection, run_id)
    if head < 0:
        raise RunNotFound(f"run not found: {run_id!r}")
    return head


def state(connection: Connection, run_id: str, at: int | datetime | None = None) -> RunProjection:
    """Return a run's summary, result and text, now or ``at`` an earlier seq or time.

    Raises:
        RunNotFound: if the log has no such run, or it had no events at that time.
        UsageError: if the run has no row with this seq.
    """
    check_lookup_id(run_id)
    require_kept(connection, run_id)
    head = event_log.last_position(connection, run_id)
    if at is None:
        migrations.require_projections(connection)
        stored = run_table.load(connection, run_id)
        if stored is not None and stored[0].last_seq == head:
            return _with_stale(connection, _with_text(connection, *stored))
        stop = None
    elif isinstance(at, datetime):
        stop = _rows_until(connection, run_id, to_micros(at))
    elif at > head >= 0:
        raise UsageError(f"run {run_id} has no row {at}; its last row is {head}")
    else:
        stop = at + 1
    projector = project_run(run_id, event_log.read(connection, run_id, stop=stop))
    if projector.state.last_seq >= head >= 0:
        return _with_stale(connection, projector.projection())
    if projector.state.last_seq >= 0:
        return projector.projection()
    if head >= 0:
        raise RunNotFound(
            f"run {run_id} had no events then", hint="`runreel show` says when it started."
        )
    raise RunNotFound(f"run not found: {run_id!r}")


def events(
    connection: Connection,
    run_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    types: frozenset[str] | None = None,
) -> Iterator[StoredEvent]:
    """Yield a run's events from seq ``start`` up to but not ``stop``.

    ``types`` selects events by type or kind.

    Raises:
        RunNotFound: if the log has no such run.
    """
    check_lookup_id(run_id)
    require_logged(connection, run_id)
    yield from _project_events(run_id, event_log.read(connection, run_id, stop=stop), start, types)


def paged_events(
    database: Database,
    run_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    types: frozenset[str] | None = None,
) -> Iterator[StoredEvent]:
    """Like ``events``, without holding a connection while the generator is suspended.

    Ends at the head that the run has when the first event is requested.

    Raises:
        RunNotFound: if the log has no such run, or it is pruned meanwhile.
    """
    check_lookup_id(run_id)
    yield from _project_events(run_id, _rows_in_pages(database, run_id, stop), start, types)


def _project_events(
    run_id: str, rows: Iterable[EventRow], start: int, types: frozenset[str] | None
) -> Iterator[StoredEvent]:
    projector = RunProjector(run_id)
    for row in rows:
        projected = projector.apply(row)
        if row.seq >= start and (types is None or row.type in types or row.kind in types):
            yield stored_event(
                row, projected.value, projected.interpretation, projector.transcript.text
            )


def _rows_in_pages(database: Database, run_id: str, stop: int | None) -> Iterator[EventRow]:
    start, end = 0, -1
    while start != end:
        with database.reading() as connection:
            if end < 0:
                head = require_logged(connection, run_id)
                end = head + 1 if stop is None else max(min(stop, head + 1), 0)
            end_of_page = min(end, start + _PAGE)
            rows = list(event_log.read(connection, run_id, start=start, stop=end_of_page))
            if len(rows) < end_of_page - start:
                # Rows are only removed by pruning.
                require_logged(connection, run_id)
                raise RunNotFound(f"rows of run {run_id} were removed meanwhile")
        yield from rows
        start = end_of_page


def reasoning(connection: Connection, run_id: str, stop: int) -> str | None:
    """Return the reasoning of the last answer in the rows before ``stop``; None if it has none.

    Its parts are separated by an empty line.
    """
    projector = RunProjector(run_id)
    parts: dict[tuple[int, ...], str] = {}
    for row in event_log.read(connection, run_id, stop=stop):
        value, interpretation, _ = projector.apply(row)
        if interpretation is None:
            continue
        if interpretation.starts_response:
            parts.clear()
        thought_parts = list(thoughts(projector.reader.name, row.kind, value))
        if interpretation.result is not None and thought_parts:
            parts.clear()
        for part, text, is_complete in thought_parts:
            parts[part] = text if is_complete else parts.get(part, "") + text
    return "\n\n".join(parts[part] for part in sorted(parts)) or None


def _with_text(connection: Connection, summary: RunSummary, result: bytes) -> RunProjection:
    """Build a projection from its stored row, with the text read from the log."""
    transcript = StreamCodec(reader_of(summary.source))
    # The run may have grown since the projection was read.
    for row in event_log.read(connection, summary.run_id, stop=summary.last_seq + 1):
        transcript.skip(row)
    text = transcript.text
    return RunProjection(summary, run_mapper.decode_result(summary.run_id, result, text), text)


def _rows_until(connection: Connection, run_id: str, at: int) -> int:
    """Return the number of rows a run had at a time, in µs; see ``event_times.wall_times``."""
    projector = RunProjector(run_id)
    received: list[int] = []
    event_time_at: dict[int, int] = {}
    for row in event_log.read(connection, run_id):
        interpretation = projector.apply(row).interpretation
        received.append(row.at)
        if projector.state.has_live_clock:
            time: int | None = row.at
        else:
            time = None if interpretation is None else interpretation.time
        if time is not None:
            event_time_at[row.seq] = time
    if projector.state.has_start_time and received:
        event_time_at.setdefault(0, projector.state.started_at)
    return bisect_right(event_times.wall_times(received, event_time_at), at)


def _with_stale(connection: Connection, projected: RunProjection) -> RunProjection:
    """Set whether the run is stale."""
    summary = projected.summary
    if summary.recording != OPEN or summary.status not in UNFINISHED:
        return projected
    _, _, note = run_queries.progress(connection, summary.run_id, summary.last_seq)
    return replace(projected, summary=summary._replace(stale=is_abandoned(note)))
