"""Lists of runs, read from the projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.events import PRUNED
from runreel.model.selection import UNFINISHED, RunFilter
from runreel.projection.run_mapper import SUMMARY, row_to_summary
from runreel.store.projections import predicates
from runreel.store.projections.filter_planner import plan_filter
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.runs import RunSummary
    from runreel.model.selection import StatusChoice
    from runreel.store.connection import Connection
    from runreel.store.projections.filter_planner import FilterPlan, Where

_COLUMNS = ", ".join((*(f"r.{column}" for column in SUMMARY), migrations.VERSION))
_SESSION = (
    "SELECT payload FROM events AS e WHERE e.run_id = r.run_id AND e.kind = 'note'"
    " AND e.type IN ('opened', 'resumed') ORDER BY e.seq DESC LIMIT 1"
)
_LAST_AT = "(SELECT at FROM events AS e WHERE e.run_id = r.run_id ORDER BY e.seq DESC LIMIT 1)"


class Head(NamedTuple):
    """The number of stream events of a run, its last seq, and the note of its newest session.

    ``session`` is the note that starts a recording session, as JSON.
    """

    events: int
    last_seq: int
    session: str | None


def page(
    connection: Connection,
    run_filter: RunFilter,
    *,
    limit: int,
    after: tuple[int, str] | None,
) -> list[RunSummary]:
    """Return the runs that match ``run_filter``, newest first, after the position ``after``.

    Pruned runs, kept for their usage, are included only if the filter asks for them.

    Raises:
        ProjectionOutdated: if the projections are of another version.
    """
    sql, parameters = _page_statement(plan_filter(connection, run_filter), limit, after)
    rows = connection.all(sql, parameters)
    # Each row has the version, so that a server gets only one query.
    migrations.check_projections(rows[0][-1] if rows else migrations.projection_version(connection))
    return [row_to_summary(row) for row in rows]


def starts(connection: Connection, run_ids: Sequence[str]) -> list[tuple[int, str]]:
    """Return when those of these runs started that have a row: µs and id."""
    sql = f"SELECT started_at, run_id FROM runs WHERE run_id IN ({_marks(run_ids)})"
    return [(int(at), str(run_id)) for at, run_id in connection.all(sql, run_ids)]


def neighbours(connection: Connection, run_id: str) -> tuple[str | None, str | None]:
    """Return the runs that the list of all runs has before and after this one."""
    found: list[str | None] = []
    for sign, order in ((">", "ASC"), ("<", "DESC")):
        row = connection.one(
            f"SELECT run_id FROM runs WHERE (started_at, run_id) {sign}"
            " (SELECT started_at, run_id FROM runs WHERE run_id = ?) AND recording <> ?"
            f" ORDER BY started_at {order}, run_id {order} LIMIT 1",
            (run_id, PRUNED),
        )
        found.append(None if row is None else str(row[0]))
    return found[0], found[1]


def some(connection: Connection, run_ids: Sequence[str]) -> list[RunSummary]:
    """Return those of these runs that have a row, in any order."""
    sql = f"SELECT {_COLUMNS} FROM runs AS r WHERE r.run_id IN ({_marks(run_ids)})"
    return [row_to_summary(row) for row in connection.all(sql, run_ids)]


def _page_statement(
    plan: FilterPlan, limit: int, after: tuple[int, str] | None
) -> tuple[str, list[object]]:
    """Return the statement of a page and its parameters; several parts are merged."""
    order = f" ORDER BY {' DESC, '.join(plan.order_columns)} DESC"
    limit_clause: tuple[str, list[object]] = (" LIMIT ?", [limit]) if limit else ("", [])
    parts, parameters = [], []
    for part in plan.parts():
        where, values = selected(plan, part, after)
        sql = f"SELECT {_COLUMNS} FROM {plan.tables}{where_clause(where)}{order}{limit_clause[0]}"
        parts.append(sql)
        parameters += [*values, *limit_clause[1]]
    if len(parts) == 1:
        return parts[0], parameters
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS p{n}" for n, sql in enumerate(parts))
    sql = f"SELECT * FROM ({union}) AS r ORDER BY r.started_at DESC, r.run_id DESC{limit_clause[0]}"
    return sql, [*parameters, *limit_clause[1]]


def selected(plan: FilterPlan, part: Where, after: tuple[int, str] | None) -> Where:
    """Return the conditions of a part, after a position; without pruned runs by default."""
    where, values = part
    if not plan.run_filter.recording:
        where.append("r.recording <> ?")
        values.append(PRUNED)
    if after is not None:
        where.append(f"({', '.join(plan.order_columns)}) < (?, ?)")
        values += after
    return where, values


def count(
    connection: Connection, run_filter: RunFilter, *, after: tuple[int, str] | None = None
) -> int:
    """Count the runs on all pages of a list after the position ``after``."""
    plan = plan_filter(connection, run_filter)
    where, parameters = selected(plan, plan.where(), after)
    sql = f"SELECT count(*) FROM {plan.tables}{where_clause(where)}"
    return int(connection.one(sql, parameters)[0])


def heads(connection: Connection, run_ids: Sequence[str]) -> dict[str, Head]:
    """Return where the log is with those of these runs that have a row, in one statement."""
    one_of, _, ids = connection.driver.id_list(run_ids)
    rows = connection.all(
        "SELECT r.run_id, r.events + (SELECT count(*) FROM events AS e WHERE e.run_id = r.run_id"
        " AND e.seq > r.projected_seq AND e.kind = 'stream_event'), r.projected_seq,"
        " (SELECT max(seq) FROM events AS e WHERE e.run_id = r.run_id),"
        f" ({_SESSION}) FROM runs AS r WHERE r.run_id {one_of}",
        (ids,),
    )
    return {
        str(run_id): Head(int(events), int(seq if last is None else last), note)
        for run_id, events, seq, last, note in rows
    }


def open_since(
    connection: Connection, since: int, run_ids: Sequence[str] = ()
) -> list[tuple[str, int, bool]]:
    """Return the runs whose recording is open, or which started at ``since`` (µs) or later.

    ``run_ids`` are returned too. Each run comes with its last seq and whether its recording is
    open; the oldest is first.
    """
    these, _, ids = connection.driver.id_list(run_ids)
    # The projection of a recording that has ended is up to date.
    ended = (
        "SELECT r.started_at, r.run_id, r.projected_seq, 0 FROM runs AS r"
        " WHERE r.recording NOT IN ('open', 'pruned')"
    )
    rows = connection.all(
        "SELECT r.started_at, r.run_id,"
        " (SELECT max(seq) FROM events AS e WHERE e.run_id = r.run_id), 1"
        " FROM runs AS r WHERE r.recording = 'open' AND r.recording <> 'closed'"
        f" UNION ALL {ended} AND r.started_at >= ?"
        f" UNION ALL {ended} AND r.started_at < ? AND r.run_id {these}",
        (since, since, ids),
    )
    return [
        (str(run_id), int(last), bool(is_open))
        for _, run_id, last, is_open in sorted(rows)
        if last is not None
    ]


def unfinished(connection: Connection) -> list[tuple[str, str | None]]:
    """Return the runs whose recording is open and whose status is not final.

    Each comes with the newest note that starts a recording session, as JSON.
    """
    names = [status.name for status in UNFINISHED]
    rows = connection.all(
        f"SELECT r.run_id, ({_SESSION}) FROM runs AS r WHERE r.recording = 'open'"
        f" AND r.recording <> 'closed' AND r.status IN ({_marks(names)})",
        names,
    )
    return [(str(run_id), payload) for run_id, payload in rows]


def ended(  # noqa: PLR0913 - the conditions
    connection: Connection,
    before: int,
    *,
    recordings: Sequence[str],
    status: StatusChoice | None,
    after: str,
    limit: int,
) -> list[str]:
    """Return the ids after ``after`` of runs that ended before a time in µs, in order.

    An unfinished run ended with its last row. Without ``status``, all statuses match.
    """
    where, parameters = _ended(connection, before, recordings, status)
    sql = f"SELECT r.run_id FROM runs AS r{where} AND r.run_id > ? ORDER BY r.run_id LIMIT ?"
    return [str(run_id) for (run_id,) in connection.all(sql, (*parameters, after, limit))]


def count_ended(
    connection: Connection, before: int, *, recordings: Sequence[str], status: StatusChoice | None
) -> int:
    """Count all runs that ``ended`` would return."""
    where, parameters = _ended(connection, before, recordings, status)
    return int(connection.one(f"SELECT count(*) FROM runs AS r{where}", parameters)[0])


def _ended(
    connection: Connection, before: int, recordings: Sequence[str], status: StatusChoice | None
) -> tuple[str, list[object]]:
    where = [f"r.recording IN ({_marks(recordings)})", f"coalesce(r.finished_at, {_LAST_AT}) < ?"]
    parameters: list[object] = [*recordings, before]
    if status is not None:
        # Open recordings are excluded above, so no run is stale.
        run_filter = RunFilter(status=status)
        for predicate in predicates.indexed(run_filter, connection.driver):
            where.append(predicate.together)
            parameters += predicate.parameters
    return where_clause(where), parameters


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def where_clause(conditions: list[str]) -> str:
    """Join conditions to a WHERE clause; empty without conditions."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
