"""Lists of runs, asked of the projections."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runreel.store.read_models import SUMMARY, key, summary_of
from runreel.words.log import CLOSED, PRUNED
from runreel.words.times import to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.store.connection import Connection
    from runreel.words.log import RunFilter, RunSummary

_COLUMNS = ", ".join(f"r.{column}" for column in SUMMARY)
_MANY = 1_000
_HAS_LABEL = (
    "(SELECT 1 FROM run_labels AS o WHERE o.key = ? AND o.value = ?"
    " AND o.started_at = l.started_at AND o.run_id = l.run_id) IS NOT NULL"
)
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
    """
    chosen = rarest_first(connection, chosen)
    where, parameters = conditions(chosen)
    if chosen.recording is None:
        where.append("r.recording <> ?")
        parameters.append(PRUNED)
    place = time_of(chosen), "l.run_id" if chosen.labels else "r.run_id"
    if after is not None:
        where.append(f"({', '.join(place)}) < (?, ?)")
        parameters += after
    sql = (
        f"SELECT {_COLUMNS} FROM {source(chosen)}{where_clause(where)}"
        f" ORDER BY {' DESC, '.join(place)} DESC"
    )
    if limit:
        sql += " LIMIT ?"
        parameters.append(limit)
    return [summary_of(row) for row in connection.all(sql, parameters)]


def source(chosen: RunFilter) -> str:
    """What ``conditions`` are on: ``runs AS r``, led by the first of the labels asked for."""
    # SQLite keeps to the order of a cross join, and so reads no run that lacks the label.
    return "run_labels AS l CROSS JOIN runs AS r" if chosen.labels else "runs AS r"


def rarest_first(connection: Connection, chosen: RunFilter) -> RunFilter:
    """The same filter, led by the label that the fewest runs have."""
    if len(chosen.labels) < 2:
        return chosen
    # Those that many have are all the same.
    few = f"SELECT 1 FROM run_labels WHERE key = ? AND value = ? LIMIT {_MANY}"
    counted = [
        (connection.one(f"SELECT count(*) FROM ({few}) AS few", [*map(key, label)])[0], label)
        for label in chosen.labels.items()
    ]
    counted.sort(key=lambda one: one[0])
    return replace(chosen, labels=dict(label for _, label in counted))


def conditions(chosen: RunFilter) -> tuple[list[str], list[Any]]:
    """SQL conditions on ``source``, and their parameters."""
    where: list[str] = []
    parameters: list[Any] = []
    for label in chosen.labels.items():
        # The first leads. The others are looked up one by one, whatever a planner thinks.
        where.append(_HAS_LABEL if where else "l.key = ? AND l.value = ? AND r.run_id = l.run_id")
        parameters += map(key, label)
    equal = {
        "status": None if chosen.status is None else chosen.status.name,
        "source": chosen.source,
        "assistant_id": chosen.assistant,
        "thread_id": chosen.thread,
        "model": chosen.model,
        "recording": chosen.recording,
    }
    told = {column: value for column, value in equal.items() if value is not None}
    where += [f"r.{column} = ?" for column in told]
    parameters += map(key, told.values())
    for moment, operator in ((chosen.since, ">="), (chosen.until, "<")):
        if moment is not None:
            where.append(f"{time_of(chosen)} {operator} ?")
            parameters.append(to_micros(moment))
    return where + _rare(chosen), parameters


def time_of(chosen: RunFilter) -> str:
    """The column of ``source`` that says when a run started: in the index that is read."""
    return "l.started_at" if chosen.labels else "r.started_at"


def _rare(chosen: RunFilter) -> list[str]:
    """Conditions in the words of the indexes that have such runs alone."""
    found = []
    if chosen.recording not in (None, CLOSED):
        found.append("r.recording <> 'closed'")
    if chosen.has_error:
        found.append("(r.error IS NOT NULL OR r.error_code IS NOT NULL)")
    if chosen.no_usage:
        found.append("r.total_tokens IS NULL")
    return found


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
