"""Lists of runs, asked of the projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.model.events import PRUNED
from runreel.model.selection import UNFINISHED, RunFilter
from runreel.projection.run_mapper import SUMMARY, index_key, row_to_summary
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


def page(
    connection: Connection,
    run_filter: RunFilter,
    *,
    limit: int,
    after: tuple[int, str] | None,
) -> list[RunSummary]:
    """The rows that ``chosen`` lets through, newest first, behind the position ``after``.

    Those of pruned runs, kept for their usage, are there if they are asked for.

    Raises:
        ProjectionOutdated: if these rows mean something else to this code.
    """
    sql, parameters = _listed(plan_filter(connection, run_filter), limit, after)
    rows = connection.all(sql, parameters)
    # Each row tells the version, so that a server is asked once.
    migrations.check_projections(rows[0][-1] if rows else migrations.projection_version(connection))
    return [row_to_summary(row[:-1]) for row in rows]


def _listed(asked: FilterPlan, limit: int, after: tuple[int, str] | None) -> tuple[str, list[Any]]:
    """The statement of a page, and its parameters: of several parts, the first of their rows."""
    order = f" ORDER BY {' DESC, '.join(asked.order_columns)} DESC"
    only: tuple[str, list[Any]] = (" LIMIT ?", [limit]) if limit else ("", [])
    parts, parameters = [], []
    for part in asked.parts():
        where, values = _behind(asked, part, after)
        sql = f"SELECT {_COLUMNS} FROM {asked.tables}{where_clause(where)}{order}{only[0]}"
        parts.append(sql)
        parameters += [*values, *only[1]]
    if len(parts) == 1:
        return parts[0], parameters
    union = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS p{n}" for n, sql in enumerate(parts))
    sql = f"SELECT * FROM ({union}) AS r ORDER BY r.started_at DESC, r.run_id DESC{only[0]}"
    return sql, [*parameters, *only[1]]


def _behind(asked: FilterPlan, part: Where, after: tuple[int, str] | None) -> Where:
    """The conditions of a part, of rows behind a position; pruned runs have to be asked for."""
    where, values = part
    if not asked.run_filter.recording:
        where.append("r.recording <> ?")
        values.append(PRUNED)
    if after is not None:
        where.append(f"({', '.join(asked.order_columns)}) < (?, ?)")
        values += after
    return where, values


def count(
    connection: Connection, run_filter: RunFilter, *, after: tuple[int, str] | None = None
) -> int:
    """How many runs all pages of a list behind the position ``after`` have together."""
    asked = plan_filter(connection, run_filter)
    where, parameters = _behind(asked, asked.where(), after)
    sql = f"SELECT count(*) FROM {asked.tables}{where_clause(where)}"
    return int(connection.one(sql, parameters)[0])


def progress(connection: Connection, run_id: str, seq: int) -> tuple[int, int, str | None]:
    """How far the log of a run is ahead of the row ``seq``: stream events, and the last row.

    Third is the newest note that begins a recording session, as JSON.
    """
    events, last, note = connection.one(
        "SELECT count(CASE kind WHEN 'stream_event' THEN 1 END), max(seq),"
        f" (SELECT ({_SESSION}) FROM (SELECT ? AS run_id) AS r)"
        " FROM events WHERE run_id = ? AND seq > ?",
        (run_id, run_id, seq),
    )
    return int(events), seq if last is None else int(last), note


def unfinished(connection: Connection) -> list[tuple[str, str | None]]:
    """The runs whose recording is open and whose status is not final.

    Each with the newest note that begins a recording session, as JSON.
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
    """The ids behind ``after`` of runs that ended before a time in µs, in order.

    A run that has not finished ended when its last row came. ``status`` None is all.
    """
    where, parameters = _ended(connection, before, recordings, status)
    sql = f"SELECT r.run_id FROM runs AS r{where} AND r.run_id > ? ORDER BY r.run_id LIMIT ?"
    return [str(run_id) for (run_id,) in connection.all(sql, (*parameters, after, limit))]


def count_ended(
    connection: Connection, before: int, *, recordings: Sequence[str], status: StatusChoice | None
) -> int:
    """How many ``ended`` finds in all."""
    where, parameters = _ended(connection, before, recordings, status)
    return int(connection.one(f"SELECT count(*) FROM runs AS r{where}", parameters)[0])


def _ended(
    connection: Connection, before: int, recordings: Sequence[str], status: StatusChoice | None
) -> tuple[str, list[Any]]:
    where = [f"r.recording IN ({_marks(recordings)})", f"coalesce(r.finished_at, {_LAST_AT}) < ?"]
    parameters: list[Any] = [*recordings, before]
    if status is not None:
        # Open recordings are never asked for, so none is stale.
        chosen = RunFilter(status=status)
        for condition in predicates.indexed(chosen, postgres=connection.postgres):
            where.append(condition.together)
            parameters += condition.parameters
    return where_clause(where), parameters


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def run_of_response(connection: Connection, source: str, response_id: str) -> str | None:
    """The run whose last response is this one, the newest if there are several."""
    row = connection.one(
        "SELECT run_id FROM runs WHERE response_id = ? AND source = ?"
        " ORDER BY started_at DESC, run_id DESC LIMIT 1",
        (index_key(response_id), source),
    )
    return None if row is None else str(row[0])


def where_clause(conditions: list[str]) -> str:
    """The conditions as a clause, empty where there are none."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
