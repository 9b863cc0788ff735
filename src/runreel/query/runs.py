"""Lists runs and resolves ids, from the projections and, where they lag, from the log."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from runreel.model.errors import AmbiguousRun, BadInput, RunNotFound, UsageError
from runreel.model.events import OPEN, RECORDINGS
from runreel.model.identifiers import LATEST, check_lookup_id, check_run_id, not_found
from runreel.model.run_filter import run_filter
from runreel.model.runs import Listing, Page
from runreel.model.selection import UNFINISHED, RunFilter
from runreel.model.timestamps import from_micros, to_micros
from runreel.query.open_recordings import is_abandoned
from runreel.store.events import event_log
from runreel.store.projections import run_key_queries, run_queries
from runreel.store.schema import migrations
from runreel.system import wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.model.run_filter import Filters
    from runreel.model.runs import RunSummary
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.projections.run_queries import Head

# Number of runs that the error for an ambiguous id lists.
_CANDIDATES = 10
# Page size when iterating over all runs.
_PAGE_SIZE = 200


def listing(
    database: Database, filters: Filters, *, limit: int | None, after: str | None
) -> Listing[RunSummary] | Page[RunSummary]:
    """Return the selected runs, read page by page; with ``limit``, one page of them.

    Raises:
        UsageError: if a filter, the limit or the cursor is invalid.
    """
    selected = run_filter(filters, now=wall_clock.now())
    if limit is not None and limit < 0:
        raise UsageError(f"invalid limit {limit}: use a number from 0 (all)")

    def page(after: str | None, size: int) -> Page[RunSummary]:
        with database.reading() as connection:
            return list_runs(connection, selected, limit=size, after=after)

    def count(after: str) -> int:
        with database.reading() as connection:
            return count_runs(connection, selected, after=after)

    if limit is not None:
        return page(after, limit)
    return Listing(page(after, _PAGE_SIZE), lambda cursor: page(cursor, _PAGE_SIZE), count)


def list_runs(
    connection: Connection, selected: RunFilter, *, limit: int = 20, after: str | None = None
) -> Page[RunSummary]:
    """Return a page of the selected runs, newest first; ``limit`` 0 means all.

    Raises:
        UsageError: if ``after`` is not a cursor of a page.
    """
    as_of = wall_clock.now()
    position = None if after is None else _decode_cursor(after)
    selected = with_stale(connection, selected)
    found = run_queries.page(connection, selected, limit=limit + 1 if limit else 0, after=position)
    items = _at_head(connection, found[:limit] if limit else found)
    more = bool(limit) and len(found) > limit
    return Page(tuple(items), _cursor(items[-1]) if more else None, as_of)


def every_run(connection: Connection) -> Iterator[RunSummary]:
    """Yield all runs, newest first, also pruned ones that usage reports count."""
    after: str | None = None
    while True:
        page = list_runs(connection, RunFilter(recording=RECORDINGS), limit=_PAGE_SIZE, after=after)
        yield from page.items
        after = page.next
        if after is None:
            return


def some_runs(connection: Connection, run_ids: Sequence[str]) -> Iterator[RunSummary]:
    """Yield those of these runs that are listed or counted in usage reports, newest first."""
    migrations.require_projections(connection)
    starts = [start for part in _parts(run_ids) for start in run_queries.starts(connection, part)]
    starts.sort(key=lambda start: (start[0], start[1].encode()), reverse=True)
    for part in _parts([run_id for _, run_id in starts]):
        found = {item.run_id: item for item in run_queries.some(connection, part)}
        yield from _at_head(connection, [found[run_id] for run_id in part])


def _parts(run_ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(run_ids)
    while part := list(islice(rest, _PAGE_SIZE)):
        yield part


def _at_head(connection: Connection, items: Sequence[RunSummary]) -> list[RunSummary]:
    """Return these runs at the head of the log.

    Only the projection of an open recording may lag behind it, by rows that change the number of
    events and the last position. All of them are brought up to date by one statement.
    """
    is_open = [item.run_id for item in items if item.recording == OPEN]
    if not is_open:
        return [*items]
    heads: dict[str, Head] = {}
    for part in _parts(is_open):
        heads |= run_queries.heads(connection, part)
    return [
        item
        if item.recording != OPEN or (head := heads.get(item.run_id)) is None
        else item._replace(
            events=head.events,
            last_seq=head.last_seq,
            stale=item.status in UNFINISHED and is_abandoned(head.session),
        )
        for item in items
    ]


def count_runs(connection: Connection, selected: RunFilter, *, after: str) -> int:
    """Count the selected runs after a cursor."""
    return run_queries.count(
        connection, with_stale(connection, selected), after=_decode_cursor(after)
    )


def with_stale(connection: Connection, selected: RunFilter) -> RunFilter:
    """Add the ids of stale runs to a filter, if it needs them."""
    if selected.status is None or not selected.status.needs_stale:
        return selected
    unfinished = run_queries.unfinished(connection)
    return replace(
        selected, stale=tuple(run_id for run_id, note in unfinished if is_abandoned(note))
    )


def resolve(connection: Connection, text: str) -> str:
    """Return the id of a run, given its id, a unique prefix of it, or ``latest``.

    The id of a response or completion of the run is accepted too.

    Raises:
        RunNotFound: if there is no such run.
        AmbiguousRun: if several ids have this prefix.
    """
    check_lookup_id(text)
    if text and event_log.last_position(connection, text) >= 0:
        return text
    if text == LATEST:
        newest = list_runs(connection, RunFilter(), limit=1).items
        if not newest:
            raise RunNotFound("the log has no runs yet", hint="`runreel demo` records one.")
        return newest[0].run_id
    found = run_key_queries.runs_with_response(connection, text, _CANDIDATES + 1) if text else []
    if not found and text:
        found = event_log.run_ids(connection, prefix=text, limit=_CANDIDATES + 1)
    if not found:
        raise not_found(text)
    if len(found) > 1:
        listed = tuple(found[:_CANDIDATES])
        more = ", …" if len(found) > _CANDIDATES else ""
        raise AmbiguousRun(
            f"several runs begin with {text!r}: {', '.join(listed)}{more}", candidates=listed
        )
    return found[0]


def _cursor(item: RunSummary) -> str:
    return _encode_cursor(f"{to_micros(item.started_at)}:{item.run_id}")


def _encode_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        started_at, _, run_id = text.partition(":")
        check_run_id(run_id)
        moment = to_micros(from_micros(int(started_at)))
    except (ValueError, BadInput):
        moment, run_id = 0, ""
    if _encode_cursor(f"{moment}:{run_id}") != cursor or not run_id:
        raise UsageError("invalid cursor", hint="Pass `next` of the previous page unchanged.")
    return moment, run_id
