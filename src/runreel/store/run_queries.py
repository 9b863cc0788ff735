"""Lists of runs, asked of the projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.store import schema
from runreel.store.leading import led
from runreel.store.run_rows import SUMMARY, key, summary_of
from runreel.words.log import PRUNED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.store.connection import Connection
    from runreel.words.log import RunFilter, RunSummary

_COLUMNS = ", ".join((*(f"r.{column}" for column in SUMMARY), schema.VERSION))
_LAST_AT = "(SELECT at FROM events AS e WHERE e.run_id = r.run_id ORDER BY e.seq DESC LIMIT 1)"


def page(
    connection: Connection,
    chosen: RunFilter,
    *,
    limit: int,
    after: tuple[int, str] | None,
) -> list[RunSummary]:
    """The rows that ``chosen`` lets through, newest first, behind the position ``after``.

    Those of pruned runs, kept for their usage, are there if they are asked for.

    Raises:
        ProjectionOutdated: if these rows mean something else to this code.
    """
    asked = led(connection, chosen)
    where, parameters = asked.where()
    if chosen.recording is None:
        where.append("r.recording <> ?")
        parameters.append(PRUNED)
    place = asked.place
    if after is not None:
        where.append(f"({', '.join(place)}) < (?, ?)")
        parameters += after
    sql = (
        f"SELECT {_COLUMNS} FROM {asked.tables}{where_clause(where)}"
        f" ORDER BY {' DESC, '.join(place)} DESC"
    )
    if limit:
        sql += " LIMIT ?"
        parameters.append(limit)
    rows = connection.all(sql, parameters)
    # Each row tells the version, so that a server is asked once.
    schema.check_projections(rows[0][-1] if rows else schema.projection_version(connection))
    return [summary_of(row[:-1]) for row in rows]


def ended(  # noqa: PLR0913 - the conditions
    connection: Connection,
    before: int,
    *,
    recordings: Sequence[str],
    statuses: Sequence[str],
    after: str,
    limit: int,
) -> list[str]:
    """The ids behind ``after`` of runs that ended before a time in µs, in order.

    A run that has not finished ended when its last row came. No statuses are all of them.
    """
    where, parameters = _ended(before, recordings, statuses)
    sql = f"SELECT r.run_id FROM runs AS r{where} AND r.run_id > ? ORDER BY r.run_id LIMIT ?"
    return [str(run_id) for (run_id,) in connection.all(sql, (*parameters, after, limit))]


def count_ended(
    connection: Connection, before: int, *, recordings: Sequence[str], statuses: Sequence[str]
) -> int:
    """How many ``ended`` finds in all."""
    where, parameters = _ended(before, recordings, statuses)
    return int(connection.one(f"SELECT count(*) FROM runs AS r{where}", parameters)[0])


def _ended(
    before: int, recordings: Sequence[str], statuses: Sequence[str]
) -> tuple[str, list[Any]]:
    where = [f"r.recording IN ({_marks(recordings)})", f"coalesce(r.finished_at, {_LAST_AT}) < ?"]
    if statuses:
        where.append(f"r.status IN ({_marks(statuses)})")
    return where_clause(where), [*recordings, before, *statuses]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def run_of_response(connection: Connection, source: str, response_id: str) -> str | None:
    """The run whose last response is this one, the newest if there are several."""
    row = connection.one(
        "SELECT run_id FROM runs WHERE response_id = ? AND source = ?"
        " ORDER BY started_at DESC, run_id DESC LIMIT 1",
        (key(response_id), source),
    )
    return None if row is None else str(row[0])


def where_clause(conditions: list[str]) -> str:
    """The conditions as a clause, empty where there are none."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
