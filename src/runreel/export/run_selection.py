"""The runs of an export, and their rows as the log has them."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import LogError, RunNotFound
from runreel.model.identifiers import check_lookup_id, not_found
from runreel.model.run_filter import run_filter
from runreel.query import runs as run_lists
from runreel.store.events import event_log
from runreel.store.events.full_scan import Span, Unreadable, is_after, scan
from runreel.system import wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.model.events import EventRow
    from runreel.model.run_filter import Filters
    from runreel.store.connection import Connection
    from runreel.store.events.full_scan import Row

_PAGE = 500
_COUNT = "SELECT count(*), count(redacted) FROM events"
_DAMAGED = "`runreel verify` reports what is wrong. Nothing was written."


class RowCounts(NamedTuple):
    """Numbers of rows, and of those whose payload was erased."""

    rows: int
    erased: int


def selected_ids(
    connection: Connection, run_ids: Sequence[str] | None, filters: Filters
) -> list[str] | None:
    """Return the ids of the selected runs in the order of their bytes; None means all runs.

    Raises:
        RunNotFound: if one of ``run_ids`` is not in the log, or no run matches the filters.
        UsageError: if a filter is invalid.
    """
    if run_ids is not None:
        for run_id in run_ids:
            check_lookup_id(run_id)
            if event_log.last_position(connection, run_id) < 0:
                raise not_found(run_id)
        return _sorted(run_ids)
    if not filters:
        return None
    found = _sorted(_matching(connection, filters))
    if not found:
        raise RunNotFound("no run matches the filters; nothing was written")
    return found


def _sorted(run_ids: Iterable[str]) -> list[str]:
    return sorted(set(run_ids), key=str.encode)


def _matching(connection: Connection, filters: Filters) -> Iterator[str]:
    selected = run_filter(filters, now=wall_clock.now())
    after: str | None = None
    while True:
        page = run_lists.list_runs(connection, selected, limit=_PAGE, after=after)
        yield from (run.run_id for run in page.items)
        after = page.next
        if after is None:
            return


def count_rows(connection: Connection, run_ids: Sequence[str] | None) -> RowCounts:
    """Count the rows of these runs, or of all."""
    if run_ids is None:
        return RowCounts(*connection.one(_COUNT))
    found = (connection.one(f"{_COUNT} WHERE run_id = ?", (run_id,)) for run_id in run_ids)
    return RowCounts(*map(sum, zip((0, 0), *found, strict=True)))


def stored_rows(
    connection: Connection, run_ids: Sequence[str] | None
) -> Iterator[tuple[str, Iterator[list[EventRow]]]]:
    """Yield each run, or all runs, with its rows in chunks, as they are stored.

    Raises:
        LogError: if a row cannot be read.
    """
    if run_ids is None:
        yield from _by_run(scan(connection))
        return
    for run_id in run_ids:
        found = False
        for found_id, chunks in _by_run(scan(connection, run_id)):
            found = True
            yield found_id, chunks
        if not found:
            raise damaged_row(run_id, None, "its rows cannot be found")


def neighbouring_rows(
    connection: Connection, run_ids: Sequence[str], after: str | None
) -> Iterator[tuple[str, Iterator[list[EventRow]]]]:
    """Do the same for runs between which there is no other, by one statement.

    ``after`` is the run before the first of them, None if it is the first of the log.
    """
    span, missing = Span(after, run_ids[-1]), iter(run_ids)
    for run_id, chunks in _by_run(scan(connection, span=span)):
        if is_after(span, run_id):
            break
        if run_id != next(missing, None):
            raise damaged_row(run_id, None, "its rows are out of order")
        yield run_id, chunks
    for run_id in missing:
        raise damaged_row(run_id, None, "its rows cannot be found")


def _by_run(
    parts: Iterable[tuple[str, list[Row] | Unreadable]],
) -> Iterator[tuple[str, Iterator[list[EventRow]]]]:
    for run_id, chunks in groupby(parts, key=itemgetter(0)):
        yield run_id, (_rows(run_id, chunk) for _, chunk in chunks)


def _rows(run_id: object, chunk: list[Row] | Unreadable) -> list[EventRow]:
    if isinstance(chunk, Unreadable):
        where = "" if chunk.seq is None else f" from row {chunk.seq} on"
        raise LogError(f"run {run_id} cannot be read{where}: {chunk.reason}", hint=_DAMAGED)
    return list(map(event_log.event_row, chunk))


def damaged_row(run_id: object, seq: int | None, detail: str) -> LogError:
    """Return the error for a row that does not fit to its digest."""
    where = "" if seq is None else f"row {seq} of "
    return LogError(f"{where}run {run_id} is damaged: {detail}", hint=_DAMAGED)
