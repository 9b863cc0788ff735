"""The projections ``runs`` and ``run_labels``: their only writer, and what is read from them."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runreel.rules import codec, plain_json
from runreel.sources import reader_of
from runreel.store.tables import runs
from runreel.words.errors import BadValue, LogError
from runreel.words.log import RunError, RunSummary
from runreel.words.results import Usage, UsageDetails
from runreel.words.status import RunStatus
from runreel.words.times import from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from runreel.store.connection import Connection
    from runreel.words.results import RunResult

COLUMNS = tuple(column.name for column in runs.columns)
# What a list shows; results can be long.
SUMMARY = tuple(column for column in COLUMNS if column != "result")
_LIST = ", ".join(COLUMNS)
_CHUNK = 500
_SHAPE = reader_of("plain")
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
    """One row of ``runs`` as words; ``text`` is the run's text as of the same event."""

    summary: RunSummary
    result: RunResult
    text: str


def save(connection: Connection, projected: Projected, *, anyway: bool = False) -> None:
    """Write a run's row and labels, unless the row there has read further (or ``anyway``)."""
    values = row_of(projected)
    saved = connection.execute(_SAVE if anyway else _SAVE_NEWER, values)
    if saved.rowcount != 1:
        return
    run_id, labels = projected.summary.run_id, label_rows(projected.summary.labels)
    if labels_of(connection, run_id) != labels:
        save_labels(connection, run_id, labels)


def save_labels(connection: Connection, run_id: str, labels: list[tuple[str, str]]) -> None:
    """Replace a run's labels in their own table."""
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    for key, value in labels:
        connection.execute(
            "INSERT INTO run_labels (key, value, run_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (key, value, run_id),
        )


def delete(connection: Connection, run_id: str) -> None:
    """Remove a run's row and labels."""
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))


def load(connection: Connection, run_id: str) -> tuple[RunSummary, bytes] | None:
    """A run's summary and its result still encoded, None if there is none."""
    row = connection.one(
        f"SELECT {', '.join(SUMMARY)}, result FROM runs WHERE run_id = ?", (run_id,)
    )
    return None if row is None else (summary_of(row[:-1]), bytes(row[-1]))


def load_row(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """A run's row by column names, None if there is none."""
    row = connection.one(f"SELECT {_LIST} FROM runs WHERE run_id = ?", (run_id,))
    return None if row is None else dict(zip(COLUMNS, row, strict=True))


def labels_of(connection: Connection, run_id: str) -> list[tuple[str, str]]:
    """The labels as their own table has them, in order; a key may wrongly be there twice."""
    found = connection.all("SELECT key, value FROM run_labels WHERE run_id = ?", (run_id,))
    return sorted((key, value) for key, value in found)


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


def label_rows(labels: dict[str, str]) -> list[tuple[str, str]]:
    """The labels as their own table holds them, in order."""
    stored = {str(storable(key)): str(storable(value)) for key, value in labels.items()}
    return sorted(stored.items())


def row_of(projected: Projected) -> tuple[Any, ...]:
    """The values of a row, in the order of its columns."""
    told = projected.summary
    usage, details = told.usage, told.usage_details
    calls = plain_json.tool_calls_value(told.tool_calls)
    return (
        told.run_id,
        told.source,
        told.status.name,
        told.recording,
        storable(told.assistant_id),
        storable(told.thread_id),
        storable(told.created_by),
        storable(told.model),
        codec.dumps(told.labels) if told.labels else None,
        storable(None if told.error is None else told.error.message),
        None if told.error is None or told.error.code is None else codec.dumps(told.error.code),
        None if calls is None else codec.dumps(calls),
        _micros(told.created_at),
        to_micros(told.started_at),
        _first_text_at(told),
        _micros(told.finished_at),
        usage and usage.input_text_tokens,
        usage and usage.completion_tokens,
        usage and usage.total_tokens,
        details and details.cached_tokens,
        details and details.reasoning_tokens,
        storable(told.response_id),
        told.events,
        encode_result(projected),
        told.last_seq,
    )


def storable(text: str | None) -> str | None:
    """``text`` as both databases take it; the log has it exactly."""
    return None if text is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def summary_of(row: Sequence[Any]) -> RunSummary:
    """The words of a row of ``SUMMARY``.

    Raises:
        LogError: if the row is damaged.
    """
    values = dict(zip(SUMMARY, row, strict=True))
    try:
        code, calls, labels = (
            None if values[column] is None else codec.loads(values[column])
            for column in ("error_code", "tool_calls", "labels")
        )
    except BadValue as error:
        raise _damaged(values["run_id"]) from error
    failed = values["error"] is not None or code is not None
    started_at, total = values["started_at"], values["total_tokens"]
    return RunSummary(
        run_id=values["run_id"],
        source=values["source"],
        status=RunStatus.coerce(values["status"]),
        recording=values["recording"],
        assistant_id=values["assistant_id"],
        thread_id=values["thread_id"],
        model=values["model"],
        labels=labels or {},
        created_by=values["created_by"],
        created_at=_moment(values["created_at"]),
        started_at=from_micros(started_at),
        finished_at=_moment(values["finished_at"]),
        first_text_ms=_since(started_at, values["first_text_at"]),
        duration_ms=_since(started_at, values["finished_at"]),
        error=RunError(values["error"], code) if failed else None,
        tool_calls=plain_json.tool_calls(calls),
        usage=None
        if total is None
        else Usage(values["input_text_tokens"], values["completion_tokens"], total),
        events=values["events"],
        last_seq=values["projected_seq"],
        usage_details=_details(values["cached_tokens"], values["reasoning_tokens"]),
        response_id=values["response_id"],
    )


def encode_result(projected: Projected) -> bytes:
    """A result as compressed plain JSON, the text that stands in the log lifted out of it."""
    value = plain_json.result_value(projected.result)
    encoded = codec.encode(value, _SHAPE, text=projected.text)
    return zlib.compress(encoded.payload.encode(), 6)


def decode_result(run_id: str, data: bytes, text: str) -> RunResult:
    """The result that ``encode_result`` was given; ``text`` is the run's text in the log.

    Raises:
        LogError: if it is damaged.
    """
    try:
        return plain_json.result(codec.reopen(zlib.decompress(data).decode(), _SHAPE, text=text))
    except (zlib.error, UnicodeDecodeError, BadValue) as error:
        raise _damaged(run_id) from error


def _damaged(run_id: str) -> LogError:
    return LogError(
        f"the projection of run {run_id} is damaged",
        hint=f"`runreel rebuild {run_id}` makes it anew from the log.",
    )


def _details(cached: int | None, reasoning: int | None) -> UsageDetails | None:
    return None if cached is reasoning is None else UsageDetails(cached, reasoning)


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
