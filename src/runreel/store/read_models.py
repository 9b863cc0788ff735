"""The projections ``runs`` and ``run_labels``: their only writer, and what is read from them."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runreel.rules import codec, plain_json
from runreel.store.tables import runs
from runreel.words.errors import BadValue
from runreel.words.log import RunError, RunSummary
from runreel.words.results import Usage
from runreel.words.status import RunStatus
from runreel.words.times import from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from runreel.store.connection import Connection
    from runreel.words.log import RunFilter
    from runreel.words.results import RunResult

COLUMNS = tuple(column.name for column in runs.columns)
# What a list shows; results can be long.
SUMMARY = tuple(column for column in COLUMNS if column != "result")
_LIST = ", ".join(COLUMNS)
_CHUNK = 500
_TOKENS = ("input_text_tokens", "completion_tokens", "total_tokens")
# A sum of 64-bit counts can be wider: SQLite fails then. The two parts of a count never add up so.
_SPLIT = 1_000_000_000
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

# Recorders fold the log themselves; whichever has read further is right.
_SAVE = (
    f"INSERT INTO runs ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"
    " ON CONFLICT (run_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
)
_SAVE_NEWER = _SAVE + " WHERE runs.projected_seq <= excluded.projected_seq"


@dataclass(frozen=True, slots=True)
class Projected:
    """One row of ``runs`` as words: what it says, and how far into the log it has read."""

    summary: RunSummary
    result: RunResult


def save(connection: Connection, projected: Projected, *, anyway: bool = False) -> None:
    """Write a run's row and labels, unless the row there has read further (or ``anyway``)."""
    values = row_of(projected)
    saved = connection.execute(_SAVE if anyway else _SAVE_NEWER, values)
    if saved.rowcount != 1:
        return
    run_id, labels = projected.summary.run_id, stored_labels(projected)
    if labels_of(connection, run_id) != labels:
        _save_labels(connection, run_id, labels)


def delete(connection: Connection, run_id: str) -> None:
    """Remove a run's row and labels."""
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))


def load(connection: Connection, run_id: str) -> Projected | None:
    """A run's row as words, None if there is none."""
    row = connection.one(
        f"SELECT {', '.join(SUMMARY)}, result FROM runs WHERE run_id = ?", (run_id,)
    )
    return None if row is None else Projected(summary_of(row[:-1]), decode_result(row[-1]))


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
        "status": chosen.status and chosen.status.name,
        "source": chosen.source,
        "assistant_id": chosen.assistant,
        "thread_id": chosen.thread,
        "model": chosen.model,
        "recording": chosen.recording,
    }
    for column, value in equal.items():
        if value is not None:
            where.append(f"r.{column} = ?")
            parameters.append(value)
    for key, value in chosen.labels.items():
        where.append(
            "EXISTS (SELECT 1 FROM run_labels AS l"
            " WHERE l.key = ? AND l.value = ? AND l.run_id = r.run_id)"
        )
        parameters += (key, value)
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
    joins, grouped = "", ["r.started_at / 900000000"] if quarters else []
    joined: list[Any] = []
    for number, column in enumerate(columns):
        if column.startswith("label:"):
            joins += (
                f" LEFT JOIN run_labels AS l{number}"
                f" ON l{number}.run_id = r.run_id AND l{number}.key = ?"
            )
            joined.append(column.removeprefix("label:"))
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


def load_row(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """A run's row by column names, None if there is none."""
    row = connection.one(f"SELECT {_LIST} FROM runs WHERE run_id = ?", (run_id,))
    return None if row is None else dict(zip(COLUMNS, row, strict=True))


def labels_of(connection: Connection, run_id: str) -> dict[str, str]:
    """The labels as their own table has them."""
    return dict(connection.all("SELECT key, value FROM run_labels WHERE run_id = ?", (run_id,)))


def run_ids(connection: Connection) -> Iterator[str]:
    """The ids of every projected run, labels without a run included, in order."""
    sql = (
        "SELECT run_id FROM runs WHERE run_id > ? UNION SELECT run_id FROM run_labels"
        " WHERE run_id > ? ORDER BY run_id LIMIT ?"
    )
    after = ""
    while chunk := connection.all(sql, (after, after, _CHUNK)):
        yield from (row[0] for row in chunk)
        after = chunk[-1][0]


def begin_staging(connection: Connection) -> None:
    """Make room beside the projections for rows that will replace theirs."""
    connection.execute("CREATE TEMPORARY TABLE staged_runs AS SELECT * FROM runs WHERE 1 = 0")
    connection.execute("CREATE TEMPORARY TABLE staged_ids (run_id TEXT NOT NULL)")


def stage(connection: Connection, run_id: str, projected: Projected | None) -> None:
    """Put a run's new row beside the projections; None: it is to have none."""
    connection.execute("INSERT INTO staged_ids VALUES (?)", (run_id,))
    if projected is not None:
        marks = ", ".join("?" * len(COLUMNS))
        connection.execute(
            f"INSERT INTO staged_runs ({_LIST}) VALUES ({marks})", row_of(projected)
        )


def unstage(connection: Connection) -> None:
    """Move the staged rows into place, but for runs that were recorded further meanwhile."""
    connection.execute(
        "DELETE FROM staged_ids WHERE run_id IN (SELECT r.run_id FROM runs AS r"
        " JOIN staged_runs AS s ON s.run_id = r.run_id"
        " JOIN (SELECT run_id, max(seq) AS head FROM events GROUP BY run_id) AS e"
        " ON e.run_id = r.run_id"
        " WHERE r.projected_seq > s.projected_seq AND r.projected_seq <= e.head)"
    )
    here = "run_id IN (SELECT run_id FROM staged_ids)"
    connection.execute(f"DELETE FROM runs WHERE {here}")
    connection.execute(f"DELETE FROM run_labels WHERE {here}")
    connection.execute(f"INSERT INTO runs ({_LIST}) SELECT {_LIST} FROM staged_runs WHERE {here}")
    labelled = connection.all(
        f"SELECT run_id, labels FROM staged_runs WHERE labels IS NOT NULL AND {here}"
    )
    for run_id, labels in labelled:
        _save_labels(connection, run_id, _stored(codec.loads(labels)))


def end_staging(connection: Connection) -> None:
    """Clear the room away."""
    connection.execute("DROP TABLE IF EXISTS staged_runs")
    connection.execute("DROP TABLE IF EXISTS staged_ids")


def named(projected: Projected) -> dict[str, Any]:
    """The row by column names."""
    return dict(zip(COLUMNS, row_of(projected), strict=True))


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its result unpacked: equal states may be compressed unequally."""
    try:
        result = codec.loads(zlib.decompress(bytes(row["result"])))
    except (zlib.error, BadValue):
        result = "damaged"
    return row | {"result": result}


def stored_labels(projected: Projected) -> dict[str, str]:
    """The labels as their table holds them."""
    return _stored(projected.summary.labels)


def row_of(projected: Projected) -> tuple[Any, ...]:
    """The values of a row, in the order of its columns."""
    told, usage = projected.summary, projected.summary.usage
    calls = plain_json.tool_calls_value(told.tool_calls)
    return (
        told.run_id,
        told.source,
        told.status.name,
        told.recording,
        _text(told.assistant_id),
        _text(told.thread_id),
        _text(told.created_by),
        _text(told.model),
        codec.dumps(told.labels) if told.labels else None,
        _text(told.error and told.error.message),
        None if told.error is None or told.error.code is None else codec.dumps(told.error.code),
        None if calls is None else codec.dumps(calls),
        _micros(told.created_at),
        to_micros(told.started_at),
        _first_text_at(told),
        _micros(told.finished_at),
        usage and usage.input_text_tokens,
        usage and usage.completion_tokens,
        usage and usage.total_tokens,
        told.events,
        encode_result(projected.result),
        told.last_seq,
    )


def summary_of(row: Sequence[Any]) -> RunSummary:
    """The words of a row of ``SUMMARY``."""
    values = dict(zip(SUMMARY, row, strict=True))
    code, calls, labels = values["error_code"], values["tool_calls"], values["labels"]
    failed = values["error"] is not None or code is not None
    error = RunError(values["error"], None if code is None else codec.loads(code))
    started_at, total = values["started_at"], values["total_tokens"]
    return RunSummary(
        run_id=values["run_id"],
        source=values["source"],
        status=RunStatus.coerce(values["status"]),
        recording=values["recording"],
        assistant_id=values["assistant_id"],
        thread_id=values["thread_id"],
        model=values["model"],
        labels=codec.loads(labels) if labels else {},
        created_by=values["created_by"],
        created_at=_moment(values["created_at"]),
        started_at=from_micros(started_at),
        finished_at=_moment(values["finished_at"]),
        first_text_ms=_since(started_at, values["first_text_at"]),
        duration_ms=_since(started_at, values["finished_at"]),
        error=error if failed else None,
        tool_calls=plain_json.tool_calls(codec.loads(calls)) if calls else None,
        usage=None
        if total is None
        else Usage(values["input_text_tokens"], values["completion_tokens"], total),
        events=values["events"],
        last_seq=values["projected_seq"],
    )


def encode_result(result: RunResult) -> bytes:
    """A result as compressed plain JSON."""
    return zlib.compress(codec.dumps(plain_json.result_value(result)).encode(), 6)


def decode_result(data: bytes) -> RunResult:
    """The result that ``encode_result`` was given."""
    return plain_json.result(codec.loads(zlib.decompress(data)))


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _summed(row: Sequence[Any], width: int) -> tuple[Any, ...]:
    group, (runs_, known), parts = row[:width], row[width : width + 2], row[width + 2 :]
    sums = (
        None if high is None else int(high) * _SPLIT + int(low)
        for high, low in zip(parts[::2], parts[1::2], strict=True)
    )
    return (*group, runs_, known, *sums)


def _stored(labels: dict[str, str]) -> dict[str, str]:
    return {str(_text(key)): str(_text(value)) for key, value in labels.items()}


def _save_labels(connection: Connection, run_id: str, labels: dict[str, str]) -> None:
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    for key, value in labels.items():
        connection.execute(
            "INSERT INTO run_labels (key, value, run_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (key, value, run_id),
        )


def _text(text: str | None) -> str | None:
    """``text`` as both databases take it; the log has it exactly."""
    return None if text is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _first_text_at(told: RunSummary) -> int | None:
    if told.first_text_ms is None:
        return None
    return to_micros(told.started_at) + round(told.first_text_ms * 1000)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


def _since(start: int, end: int | None) -> float | None:
    return None if end is None else (end - start) / 1000
