"""The state and the events of one run, now or at an earlier position or time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import RunNotFound, UsageError
from runreel.model.events import OPEN
from runreel.model.identifiers import check_lookup_id, not_found
from runreel.model.selection import UNFINISHED
from runreel.model.timestamps import to_micros
from runreel.projection import result_codec, run_text
from runreel.projection.event_reader import next_event
from runreel.projection.projector import RunProjector
from runreel.projection.result_codec import NO_RESULT
from runreel.projection.run_projection import RunProjection
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.query import seek, story
from runreel.query.open_recordings import is_abandoned
from runreel.query.requests import request_of
from runreel.query.runs import resolve
from runreel.store.events import damage, event_log, stream_heads
from runreel.store.projections import run_key_queries, run_table
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.events import EventRow, StoredEvent
    from runreel.model.results import RunResult
    from runreel.model.runs import RunSummary
    from runreel.model.story import StoryStep
    from runreel.sources.requests import Body
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_STILL_COUNTED = "`runreel usage` still counts it if it was pruned with --keep-usage."
# Number of rows read with one connection.
_PAGE = 1_000


class ShownRun(NamedTuple):
    """A run at one moment; ``reasoning`` is that of the last answer.

    ``request`` is the last request, whole. Both are None without content, and ``story`` is empty.
    """

    summary: RunSummary
    result: RunResult
    reasoning: str | None
    request: Body | None
    story: tuple[StoryStep, ...] = ()


def require_logged(connection: Connection, run_id: str) -> int:
    """Return the seq of a run's last row.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
    """
    check_lookup_id(run_id)
    found = stream_heads.first_and_last(connection, run_id)
    if found is None:
        raise not_found(run_id)
    first, last = found
    if is_tombstone(first):
        raise RunNotFound(pruned_message(first), hint=_STILL_COUNTED)
    return last


def require_row(run_id: str, seq: int | None, head: int) -> int:
    """Return ``seq``, or the last row of the run, ``head``, for None.

    Raises:
        UsageError: if the run has no such row.
    """
    if seq is not None and seq > head:
        raise UsageError(f"run {run_id} has no row {seq}; its last row is {head}")
    return head if seq is None else seq


def with_id(connection: Connection, run_id: str) -> str:
    """Return the id of the run with this id, or else of the newest run with such a response.

    An unknown id is returned unchanged.
    """
    check_lookup_id(run_id)
    if event_log.last_position(connection, run_id) < 0:
        for found in run_key_queries.runs_with_response(connection, run_id, 1):
            return found
    return run_id


def show(
    database: Database,
    reference: str,
    at: int | datetime | None = None,
    *,
    exact: bool = False,
    with_content: bool = False,
) -> ShownRun:
    """Return a run, now or ``at`` an earlier seq or time, read from one snapshot.

    ``reference`` is resolved by ``resolve``, unless it is ``exact``.

    Raises:
        RunNotFound: if there is no such run, or it had no events at that time.
        AmbiguousRun: if several runs have ids that start with ``reference``.
        UsageError: if the run has no row with this seq.
    """
    with database.reading() as connection, damage.snapshot(connection):
        run_id = with_id(connection, reference) if exact else resolve(connection, reference)
        projected = state(connection, run_id, at)
        if not with_content:
            return ShownRun(projected.summary, projected.result, None, None)
        stop = projected.summary.last_seq + 1
        request = request_of(connection, projected.summary.source, run_id, stop)
        steps, reasons = _story_and_reasoning(connection, run_id, stop)
    return ShownRun(projected.summary, projected.result, reasons, request, steps)


def state(connection: Connection, run_id: str, at: int | datetime | None = None) -> RunProjection:
    """Return a run's summary, result and text, now or ``at`` an earlier seq or time.

    Raises:
        RunNotFound: if the log has no such run, or it had no events at that time.
        UsageError: if the run has no row with this seq.
    """
    head = require_logged(connection, run_id)
    stop = head + 1
    if at is None:
        migrations.require_projections(connection)
        stored = run_table.load(connection, run_id)
        if stored is not None and stored[0].last_seq == head and stored[1] != NO_RESULT:
            return with_stale(connection, _with_text(connection, *stored))
    elif isinstance(at, datetime):
        stop = seek.rows_until(connection, run_id, to_micros(at))
    else:
        stop = require_row(run_id, at, head) + 1
    projector = seek.projector_at(connection, run_id, stop)
    last = projector.state.last_seq
    if last < 0:
        raise RunNotFound(
            f"run {run_id} had no events then", hint="`runreel show` says when it started."
        )
    projected = projector.projection()
    return with_stale(connection, projected) if last >= head else projected


def events(connection: Connection, run_id: str) -> Iterator[StoredEvent]:
    """Yield a run's events.

    Raises:
        RunNotFound: if the log has no such run.
    """
    require_logged(connection, run_id)
    yield from _project_events(RunProjector(run_id), event_log.read(connection, run_id))


def paged_events(
    database: Database,
    run_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    types: frozenset[str] | None = None,
) -> Iterator[StoredEvent]:
    """Yield events from seq ``start`` up to but not ``stop``, of one of ``types`` or kinds.

    No connection is held while the generator is suspended. It ends at the head that the run has
    when the first event is requested.

    Raises:
        RunNotFound: if the log has no such run, or it is pruned meanwhile.
    """
    with database.reading() as connection:
        try:
            head = require_logged(connection, run_id)
        except RunNotFound:
            run_id = with_id(connection, run_id)
            head = require_logged(connection, run_id)
        start = max(min(start, head + 1), 0)
        end = head + 1 if stop is None else max(min(stop, head + 1), 0)
        projector = seek.nearest(connection, run_id, start)
        # Most runs have one page, which takes no other connection.
        page = _page(connection, run_id, projector.state.last_seq + 1, end)
    projector.frames = None
    rows = _rows_in_pages(database, run_id, page, end)
    projector.apply_all(islice(rows, max(start - projector.state.last_seq - 1, 0)))
    yield from _project_events(projector, rows, start, types)


def _project_events(
    projector: RunProjector,
    rows: Iterable[EventRow],
    start: int = 0,
    types: frozenset[str] | None = None,
) -> Iterator[StoredEvent]:
    for row in rows:
        if row.seq >= start and (types is None or row.type in types or row.kind in types):
            yield next_event(projector, row)
        else:
            projector.apply(row)


def _rows_in_pages(
    database: Database, run_id: str, page: list[EventRow], end: int
) -> Iterator[EventRow]:
    """Yield the rows of a page and those after it, up to the row before ``end``."""
    while page:
        yield from page
        start = page[-1].seq + 1
        if start >= end:
            return
        with database.reading() as connection:
            page = _page(connection, run_id, start, end)


def _page(connection: Connection, run_id: str, start: int, end: int) -> list[EventRow]:
    """Return the rows of a run from ``start`` to before ``end``, at most those of a page.

    They end before a row that is missing.

    Raises:
        RunNotFound: if the run was pruned meanwhile.
        DamagedRow: if the first of them is missing.
    """
    end = min(end, start + _PAGE)
    if start >= end:
        return []
    rows = list(event_log.read(connection, run_id, start=start, stop=end))
    if len(rows) < end - start:
        # Rows are only removed by pruning, and then none of them is left.
        require_logged(connection, run_id)
        rows = seek.in_sequence(rows, start)
        if not rows:
            raise seek.missing(connection, run_id, start)
    return rows


def _story_and_reasoning(
    connection: Connection, run_id: str, stop: int
) -> tuple[tuple[StoryStep, ...], str | None]:
    """Return the story of the rows before ``stop``, and the reasoning of their last answer.

    That is None without any; its parts are separated by an empty line.
    """
    projector = RunProjector(run_id, collects_all=True)
    steps = story.of_rows(projector, event_log.read(connection, run_id, stop=stop)).steps
    collected = projector.collected
    return steps, None if collected is None else run_text.last_reasoning(collected.remarks)


def _with_text(connection: Connection, summary: RunSummary, result: bytes) -> RunProjection:
    """Build a projection from its stored row, with the text read from the log."""
    # The run may have grown since the projection was read.
    text = seek.text_at(connection, summary.run_id, summary.source, summary.last_seq + 1)
    return RunProjection(summary, result_codec.decode_result(summary.run_id, result, text), text)


def with_stale(connection: Connection, projected: RunProjection) -> RunProjection:
    """Set whether the run is stale."""
    summary = projected.summary
    if summary.recording != OPEN or summary.status not in UNFINISHED:
        return projected
    note = seek.session_note(connection, summary.run_id, summary.last_seq)
    return replace(projected, summary=summary._replace(stale=is_abandoned(note)))
