"""Lists and reports of runs, asked of the projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.store.read_models import SUMMARY, storable, summary_of
from runreel.words.times import to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.store.connection import Connection
    from runreel.words.log import RunFilter, RunSummary

_TOKENS = ("input_text_tokens", "completion_tokens", "total_tokens")
# A sum of 64-bit counts can be wider: SQLite fails then. The two parts of a count never add up so.
_SPLIT = 1_000_000_000
# Division cuts towards zero: years before 1970 are counted from one before all of them.
_QUARTERS_BEFORE = 80_000_000
_QUARTER = f"(r.started_at + {_QUARTERS_BEFORE * 900_000_000}) / 900000000 - {_QUARTERS_BEFORE}"


def page(
    connection: Connection,
    chosen: RunFilter,
    *,
    limit: int,
    after: tuple[int, str] | None,
) -> list[RunSummary]:
    """The rows that ``chosen`` lets through, newest first, behind the position ``after``."""
    where, parameters = conditions(chosen)
    if after is not None:
        where.append("(r.started_at, r.run_id) < (?, ?)")
        parameters += after
    columns = ", ".join(f"r.{column}" for column in SUMMARY)
    sql = (
        f"SELECT {columns} FROM runs AS r{_where(where)} ORDER BY r.started_at DESC, r.run_id DESC"
    )
    if limit:
        sql += " LIMIT ?"
        parameters.append(limit)
    return [summary_of(row) for row in connection.all(sql, parameters)]


def conditions(chosen: RunFilter) -> tuple[list[str], list[Any]]:
    """SQL conditions on ``runs AS r``, and their parameters."""
    where: list[str] = []
    parameters: list[Any] = []
    equal = {
        "status": None if chosen.status is None else chosen.status.name,
        "source": chosen.source,
        "assistant_id": chosen.assistant,
        "thread_id": chosen.thread,
        "model": chosen.model,
        "recording": chosen.recording,
    }
    for column, value in equal.items():
        if value is not None:
            where.append(f"r.{column} = ?")
            parameters.append(storable(value))
    for key, value in chosen.labels.items():
        where.append(
            "EXISTS (SELECT 1 FROM run_labels AS l"
            " WHERE l.key = ? AND l.value = ? AND l.run_id = r.run_id)"
        )
        parameters += (storable(key), storable(value))
    for moment, operator in ((chosen.since, ">="), (chosen.until, "<")):
        if moment is not None:
            where.append(f"r.started_at {operator} ?")
            parameters.append(to_micros(moment))
    if chosen.has_error:
        where.append("(r.error IS NOT NULL OR r.error_code IS NOT NULL)")
    if chosen.no_usage:
        where.append("r.total_tokens IS NULL")
    return where, parameters


def usage(
    connection: Connection, columns: Sequence[str], chosen: RunFilter, *, quarters: bool
) -> list[tuple[Any, ...]]:
    """Runs, known runs and sums of tokens by ``columns`` of ``runs`` or ``label:K``.

    Each row is the group's values, led by the quarter of an hour of the runs' start where
    ``quarters`` says so (every time zone's days begin on one), then runs, known, input,
    completion, total. Sums are exact whatever their size.
    """
    where, parameters = conditions(chosen)
    joins, grouped = "", [_QUARTER] if quarters else []
    joined: list[Any] = []
    for number, column in enumerate(columns):
        if column.startswith("label:"):
            joins += (
                f" LEFT JOIN run_labels AS l{number}"
                f" ON l{number}.run_id = r.run_id AND l{number}.key = ?"
            )
            joined.append(storable(column.removeprefix("label:")))
            grouped.append(f"l{number}.value")
        else:
            grouped.append(f"r.{column}")
    sums = ", ".join(
        f"sum(r.{tokens} / {_SPLIT}), sum(r.{tokens} % {_SPLIT})" for tokens in _TOKENS
    )
    chosen_columns = "".join(f"{column}, " for column in grouped)
    sql = (
        f"SELECT {chosen_columns}count(*), count(r.total_tokens), {sums}"
        f" FROM runs AS r{joins}{_where(where)}"
    )
    if grouped:
        sql += f" GROUP BY {', '.join(str(n + 1) for n in range(len(grouped)))}"
    width = len(grouped)
    return [_summed(row, width) for row in connection.all(sql, joined + parameters)]


def run_of_response(connection: Connection, source: str, response_id: str) -> str | None:
    """The run whose last response is this one, the newest if there are several."""
    row = connection.one(
        "SELECT run_id FROM runs WHERE response_id = ? AND source = ?"
        " ORDER BY started_at DESC, run_id DESC LIMIT 1",
        (storable(response_id), source),
    )
    return None if row is None else str(row[0])


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _summed(row: Sequence[Any], width: int) -> tuple[Any, ...]:
    group, (runs_, known), parts = row[:width], row[width : width + 2], row[width + 2 :]
    sums = (
        None if high is None else int(high) * _SPLIT + int(low)
        for high, low in zip(parts[::2], parts[1::2], strict=True)
    )
    return (*group, runs_, known, *sums)
