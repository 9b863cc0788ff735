"""Answers about runs, from the projections and, where those lag behind, from the log."""

from __future__ import annotations

import base64
from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runreel.codec.json_text import loads
from runreel.codec.plain_json import as_object
from runreel.codec.stream_codec import StreamCodec
from runreel.model.errors import AmbiguousRun, BadInput, RunNotFound, UsageError
from runreel.model.events import NOTE, OPEN, OPENED, RESUMED
from runreel.model.identifiers import LATEST, check_lookup_id, check_run_id
from runreel.model.runs import Listing, OpenRecording, Page
from runreel.model.selection import UNFINISHED, RunFilter
from runreel.model.timestamps import from_micros, to_micros
from runreel.projection import event_times, run_mapper
from runreel.projection.projector import RunProjector, project_run, stored_event
from runreel.projection.run_mapper import RunProjection
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.sources import reader_of, thoughts
from runreel.store.events import event_log, stream_heads
from runreel.store.projections import run_queries, run_table
from runreel.store.schema import migrations
from runreel.system import process_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.model.events import EventRow, StoredEvent
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection
    from runreel.store.database import Database

_STILL_COUNTED = "`runreel usage` still counts it if it was pruned with --keep-usage."
_CANDIDATES = 10
# Runs that are read at once while all are iterated over.
_RUNS_OF_A_PAGE = 200
_PAGE = 1_000


def listing(
    database: Database, chosen: RunFilter, *, limit: int | None, after: str | None
) -> Listing[RunSummary] | Page[RunSummary]:
    """All runs that ``chosen`` lets through, read page by page, or with ``limit`` one page.

    Raises:
        UsageError: if the limit or the cursor is invalid.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"invalid limit {limit}: use a number from 0 (all)")

    def page(after: str | None, size: int) -> Page[RunSummary]:
        with database.reading() as connection:
            return list_runs(connection, chosen, limit=size, after=after)

    def count(after: str) -> int:
        with database.reading() as connection:
            return count_runs(connection, chosen, after=after)

    if limit is not None:
        return page(after, limit)
    return Listing(
        page(after, _RUNS_OF_A_PAGE), lambda cursor: page(cursor, _RUNS_OF_A_PAGE), count
    )


def list_runs(
    connection: Connection, run_filter: RunFilter, *, limit: int = 20, after: str | None = None
) -> Page[RunSummary]:
    """The runs that ``chosen`` lets through, newest first; ``limit`` 0 is all.

    Raises:
        UsageError: if ``after`` is not a cursor of a page.
    """
    as_of = datetime.now(UTC)
    position = None if after is None else _position(after)
    run_filter = with_stale(connection, run_filter)
    found = run_queries.page(
        connection, run_filter, limit=limit + 1 if limit else 0, after=position
    )
    items = [
        # Most runs of a log have ended: what is known of them is known at once.
        item
        if item.finished_at is not None and item.recording != OPEN
        else _current(connection, item)
        for item in (found[:limit] if limit else found)
    ]
    more = bool(limit) and len(found) > limit
    return Page(tuple(items), _cursor(items[-1]) if more else None, as_of)


def count_runs(connection: Connection, chosen: RunFilter, *, after: str) -> int:
    """How many runs the pages from ``after`` on have together."""
    return run_queries.count(connection, with_stale(connection, chosen), after=_position(after))


def with_stale(connection: Connection, chosen: RunFilter) -> RunFilter:
    """The same filter with the ids of stale runs, where it needs them."""
    if chosen.status is None or not chosen.status.needs_stale:
        return chosen
    unfinished = run_queries.unfinished(connection)
    return replace(chosen, stale=tuple(run_id for run_id, note in unfinished if _is_gone(note)))


def resolve(connection: Connection, text: str) -> str:
    """The id of the run that ``text`` is: an id, the beginning of one alone, or ``latest``.

    Raises:
        RunNotFound: if there is none.
        AmbiguousRun: if several begin so.
    """
    check_lookup_id(text)
    if text and event_log.last_position(connection, text) >= 0:
        return text
    if text == LATEST:
        newest = list_runs(connection, RunFilter(), limit=1).items
        if not newest:
            raise RunNotFound("the log has no runs yet", hint="`runreel demo` records one.")
        return newest[0].run_id
    found = event_log.run_ids(connection, prefix=text, limit=_CANDIDATES + 1) if text else []
    if not found:
        raise RunNotFound(f"no run is called {text!r} or begins so")
    if len(found) > 1:
        listed = tuple(found[:_CANDIDATES])
        more = ", …" if len(found) > _CANDIDATES else ""
        raise AmbiguousRun(
            f"several runs begin with {text!r}: {', '.join(listed)}{more}", candidates=listed
        )
    return found[0]


def require_kept(connection: Connection, run_id: str) -> None:
    """See that the rows of a run are there, if it ever had any.

    Raises:
        RunNotFound: if it was pruned.
    """
    first = stream_heads.first_row(connection, run_id)
    if first is not None and is_tombstone(first):
        raise RunNotFound(pruned_message(first), hint=_STILL_COUNTED)


def require_logged(connection: Connection, run_id: str) -> int:
    """The seq of a run's last row.

    Raises:
        RunNotFound: if the log has no such run, or it was pruned.
    """
    require_kept(connection, run_id)
    head = event_log.last_position(connection, run_id)
    if head < 0:
        raise RunNotFound(f"no run is called {run_id!r}")
    return head


def state(connection: Connection, run_id: str, at: int | datetime | None = None) -> RunProjection:
    """A run's summary and result, now or after the row or at the time of ``at``.

    Raises:
        RunNotFound: if the log has no such run, or had none then.
        UsageError: if the run has no such row.
    """
    check_lookup_id(run_id)
    require_kept(connection, run_id)
    head = event_log.last_position(connection, run_id)
    if at is None:
        migrations.require_projections(connection)
        kept = run_table.load(connection, run_id)
        if kept is not None and kept[0].last_seq == head:
            return _judged(connection, _reopened(connection, *kept))
        stop = None
    elif isinstance(at, datetime):
        stop = _rows_until(connection, run_id, to_micros(at))
    elif at > head >= 0:
        raise UsageError(f"run {run_id} has no row {at}; its last row is {head}")
    else:
        stop = at + 1
    folded = project_run(run_id, event_log.read(connection, run_id, stop=stop))
    if folded.state.last_seq >= head >= 0:
        return _judged(connection, folded.projection())
    if folded.state.last_seq >= 0:
        return folded.projection()
    if head >= 0:
        raise RunNotFound(
            f"run {run_id} had no events then", hint="`runreel show` says when it started."
        )
    raise RunNotFound(f"no run is called {run_id!r}")


def events(
    connection: Connection,
    run_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    types: frozenset[str] | None = None,
) -> Iterator[StoredEvent]:
    """A run's rows from ``start`` up to but not ``stop``, all or those of some types or kinds.

    Raises:
        RunNotFound: if the log has no such run.
    """
    check_lookup_id(run_id)
    require_logged(connection, run_id)
    yield from _events(run_id, event_log.read(connection, run_id, stop=stop), start, types)


def paged_events(
    database: Database,
    run_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    types: frozenset[str] | None = None,
) -> Iterator[StoredEvent]:
    """``events`` as of when the first is asked for; no connection is held while it is suspended.

    Raises:
        RunNotFound: if the log has no such run, or it is pruned meanwhile.
    """
    check_lookup_id(run_id)
    yield from _events(run_id, _paged(database, run_id, stop), start, types)


def _events(
    run_id: str, rows: Iterable[EventRow], start: int, types: frozenset[str] | None
) -> Iterator[StoredEvent]:
    folded = RunProjector(run_id)
    for row in rows:
        told = folded.apply(row)
        if row.seq >= start and (types is None or row.type in types or row.kind in types):
            yield stored_event(row, told.value, told.interpretation, folded.transcript.text)


def _paged(database: Database, run_id: str, stop: int | None) -> Iterator[EventRow]:
    begin, end = 0, -1
    while begin != end:
        with database.reading() as connection:
            if end < 0:
                head = require_logged(connection, run_id)
                end = head + 1 if stop is None else max(min(stop, head + 1), 0)
            until = min(end, begin + _PAGE)
            rows = list(event_log.read(connection, run_id, start=begin, stop=until))
            if len(rows) < until - begin:
                # Rows go only where a run is pruned.
                require_logged(connection, run_id)
                raise RunNotFound(f"rows of run {run_id} were removed meanwhile")
        yield from rows
        begin = until


def reasoning(connection: Connection, run_id: str, stop: int) -> str | None:
    """The reasoning of a run's last answer in its rows before ``stop``; None where it has none.

    Its parts are separated by an empty line.
    """
    folded = RunProjector(run_id)
    parts: dict[tuple[int, ...], str] = {}
    for row in event_log.read(connection, run_id, stop=stop):
        value, reading, _ = folded.apply(row)
        if reading is None:
            continue
        if reading.starts_response:
            parts.clear()
        found = list(thoughts(folded.reader.name, row.kind, value))
        if reading.result is not None and found:
            parts.clear()
        for part, text, whole in found:
            parts[part] = text if whole else parts.get(part, "") + text
    return "\n\n".join(parts[part] for part in sorted(parts)) or None


def open_recordings(connection: Connection) -> list[OpenRecording]:
    """The recordings that nobody has closed, whoever makes them, oldest first."""
    page = run_queries.page(connection, RunFilter(recording=(OPEN,)), limit=0, after=None)
    return [_open_recording(connection, item) for item in reversed(page)]


def _reopened(connection: Connection, summary: RunSummary, result: bytes) -> RunProjection:
    """What a row of the projections says, with the text that the log alone has."""
    transcript = StreamCodec(reader_of(summary.source))
    # No further than the result has read: the run may have grown since.
    for row in event_log.read(connection, summary.run_id, stop=summary.last_seq + 1):
        transcript.skip(row)
    text = transcript.text
    return RunProjection(summary, run_mapper.decode_result(summary.run_id, result, text), text)


def _open_recording(connection: Connection, item: RunSummary) -> OpenRecording:
    opened: dict[str, Any] = {}
    opened_at = last_at = item.started_at
    last_seq = -1
    for row in event_log.read(connection, item.run_id):
        last_at, last_seq = from_micros(row.at), row.seq
        if row.kind == NOTE and row.type in (OPENED, RESUMED):
            opened, opened_at = _note(row.payload), last_at
    return OpenRecording(
        run_id=item.run_id,
        source=item.source,
        opened_at=opened_at,
        host=opened.get("host"),
        pid=opened.get("pid"),
        process_started=opened.get("started"),
        last_event_at=last_at,
        last_seq=last_seq,
        alive=_alive(opened),
    )


def _note(payload: str | None) -> dict[str, Any]:
    return {} if payload is None else as_object(loads(payload))


def _alive(opened: dict[str, Any]) -> bool | None:
    host, pid = opened.get("host"), opened.get("pid")
    if not isinstance(host, str) or not isinstance(pid, int):
        return None
    return process_identity.alive(process_identity.Process(host, pid, opened.get("started")))


def _rows_until(connection: Connection, run_id: str, at: int) -> int:
    """How many rows a run had at a time by its own clock: see ``pacing.wall``."""
    folded = RunProjector(run_id)
    received: list[int] = []
    known: dict[int, int] = {}
    for row in event_log.read(connection, run_id):
        reading = folded.apply(row).interpretation
        received.append(row.at)
        time = row.at if folded.state.has_live_clock else None if reading is None else reading.time
        if time is not None:
            known[row.seq] = time
    if folded.state.has_start_time and received:
        known.setdefault(0, folded.state.started_at)
    return bisect_right(event_times.wall_times(received, known), at)


def _is_gone(note: str | None) -> bool:
    """Whether the process that began a recording session no longer exists on this host."""
    return _alive(_note(note)) is False


def _judged(connection: Connection, projected: RunProjection) -> RunProjection:
    """The same with whether the run is stale."""
    summary = projected.summary
    if summary.recording != OPEN or summary.status not in UNFINISHED:
        return projected
    _, _, note = run_queries.progress(connection, summary.run_id, summary.last_seq)
    return replace(projected, summary=summary._replace(stale=_is_gone(note)))


def _current(connection: Connection, item: RunSummary) -> RunSummary:
    """The summary as of the log's last row.

    The rows behind the projection change no more of it than how many events there are.
    """
    unfinished = item.status in UNFINISHED
    if item.recording != OPEN and not unfinished:
        return item
    events, last, note = run_queries.progress(connection, item.run_id, item.last_seq)
    return item._replace(
        events=item.events + events,
        last_seq=last,
        stale=unfinished and item.recording == OPEN and _is_gone(note),
    )


def _cursor(item: RunSummary) -> str:
    return _encoded(f"{to_micros(item.started_at)}:{item.run_id}")


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        started_at, _, run_id = text.partition(":")
        check_run_id(run_id)
        moment = to_micros(from_micros(int(started_at)))
    except (ValueError, BadInput):
        moment, run_id = 0, ""
    if _encoded(f"{moment}:{run_id}") != cursor or not run_id:
        raise UsageError("invalid cursor", hint="Pass `next` of the page before unchanged.")
    return moment, run_id
