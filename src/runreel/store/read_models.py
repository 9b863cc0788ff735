"""The projections ``runs`` and ``run_labels``: their only writer, and what is read from them."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runreel.rules import codec, plain_json
from runreel.sources import reader_of
from runreel.store import rollups
from runreel.store.rollups import Counted
from runreel.store.tables import runs
from runreel.words.errors import BadValue, LogError
from runreel.words.log import RunError, RunSummary
from runreel.words.results import Usage, UsageDetails
from runreel.words.status import RunStatus
from runreel.words.times import from_micros, to_micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from runreel.store.connection import Connection
    from runreel.store.rollups import Move
    from runreel.words.results import RunResult

# Key, value, and when the run started, in µs.
Label = tuple[str, str, int]

COLUMNS = tuple(column.name for column in runs.columns)
# What a list shows; results can be long.
SUMMARY = tuple(column for column in COLUMNS if column != "result")
_LIST = ", ".join(COLUMNS)
_SHAPE = reader_of("plain")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_STATUSES = dict(RunStatus.__members__)

# Writing one of these moves a row in an index, so each is only written where it changes.
INDEXED = (
    *("source", "status", "recording", "assistant_id", "thread_id", "model", "error", "error_code"),
    *("started_at", "total_tokens", "response_id"),
)
_FREE = tuple(column for column in COLUMNS[1:] if column not in INDEXED)
# What has to be known of a row that stands there before another takes its place.
_KNOWN = tuple(dict.fromkeys(("run_id", "projected_seq", "labels", *Counted._fields, *INDEXED)))
_INSERT = f"INSERT INTO runs ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"
# An index of Postgres takes no more than 2,704 bytes of a row.
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Projected:
    """One row of ``runs`` as words; ``text`` is the run's text as of the same event."""

    summary: RunSummary
    result: RunResult
    text: str


def save(connection: Connection, *projected: Projected, anyway: bool = False) -> None:
    """Write runs' rows and labels, but for rows that have read further (or ``anyway``).

    Call it last in a transaction: what usage adds up to is moved along.
    """
    latest = {one.summary.run_id: one for one in projected}
    stood = _stood(connection, sorted(latest))
    moves: list[Move] = []
    writes: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for run_id, one in latest.items():
        row, before = named_row_of(one), stood.get(run_id)
        # Recorders fold the log themselves; whichever has read further is right.
        if before and not anyway and before["projected_seq"] > row["projected_seq"]:
            continue
        sql, values = _write(before, row)
        writes[sql].append(values)
        if before is None or any(before[name] != row[name] for name in ("labels", "started_at")):
            _save_labels(connection, label_rows(one.summary), run_id, anew=before is None)
        moves.append((counted(before) if before else None, counted(row)))
    for sql, rows in writes.items():
        _execute(connection, sql, rows)
    rollups.move(connection, moves)


def delete(connection: Connection, run_id: str) -> None:
    """Remove a run's row and labels."""
    stood = _stood(connection, [run_id])
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    rollups.move(connection, [(counted(row), None) for row in stood.values()])


def counted(row: dict[str, Any]) -> Counted:
    """What usage adds up of a row by column names."""
    return Counted(*(row[name] for name in Counted._fields))


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


def labels_of(connection: Connection, run_id: str) -> list[Label]:
    """The labels as their own table has them, in order; a key may wrongly be there twice."""
    sql = "SELECT key, value, started_at FROM run_labels WHERE run_id = ?"
    return ordered((key, value, at) for key, value, at in connection.all(sql, (run_id,)))


def ordered(labels: Iterable[Label]) -> list[Label]:
    """Labels in order, whatever a damaged table holds."""
    return sorted(labels, key=repr)


def differing(stored: dict[str, Any], projected: Projected) -> Iterator[tuple[str, Any, Any]]:
    """The columns in which a row is not what it should be: name, the row's value, the right one.

    A result is compared unpacked: equal states may be compressed unequally.
    """
    packed = stored["result"]
    same = _same_result(packed, _result_payload(projected))
    right = _row(projected, packed if same else encode_result(projected))
    for column, value, due in zip(COLUMNS, stored.values(), right, strict=True):
        # SQLite may hold a number of another type, which Python calls equal.
        if type(value) is not type(due) or value != due:
            yield column, value, due


def label_rows(summary: RunSummary) -> list[Label]:
    """The labels as their own table holds them, in order."""
    stored = {str(key(name)): str(key(value)) for name, value in summary.labels.items()}
    started_at = to_micros(summary.started_at)
    return ordered((name, value, started_at) for name, value in stored.items())


def row_of(projected: Projected) -> tuple[Any, ...]:
    """The values of a row, in the order of its columns."""
    return _row(projected, encode_result(projected))


def named_row_of(projected: Projected) -> dict[str, Any]:
    """The values of a row by column names."""
    return dict(zip(COLUMNS, row_of(projected), strict=True))


def _row(projected: Projected, result: bytes) -> tuple[Any, ...]:
    told = projected.summary
    usage, details = told.usage, told.usage_details
    calls = plain_json.tool_calls_value(told.tool_calls)
    return (
        told.run_id,
        told.source,
        told.status.name,
        told.recording,
        key(told.assistant_id),
        key(told.thread_id),
        storable(told.created_by),
        key(told.model),
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
        key(told.response_id),
        told.events,
        result,
        told.last_seq,
    )


def storable(text: str | None) -> str | None:
    """``text`` as both databases take it; the log has it exactly."""
    return None if text is None else _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def key(text: str | None) -> str | None:
    """``text`` as indexes of both databases take it: what is long is cut, and told apart."""
    text = storable(text)
    if text is None or len(text) <= _KEPT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: _KEPT - 17]}\N{HORIZONTAL ELLIPSIS}{digest}"


def summary_of(row: Sequence[Any]) -> RunSummary:
    """The words of a row of ``SUMMARY``.

    Raises:
        LogError: if the row is damaged.
    """
    # A list has many of them: what most rows lack is looked for first.
    (run_id, source, status, recording, assistant_id, thread_id, created_by, model, *rest) = row
    (labels, error, error_code, calls, created_at, started_at, text_at, finished_at, *rest) = rest
    (given, made, total, cached, reasoning, response_id, events, last_seq) = rest
    try:
        labels = {} if labels is None else codec.loads(labels)
        code = None if error_code is None else codec.loads(error_code)
        calls = None if calls is None else plain_json.tool_calls(codec.loads(calls))
    except BadValue as bad:
        raise _damaged(run_id) from bad
    return RunSummary(
        run_id,
        source,
        _STATUSES.get(status, RunStatus.UNKNOWN),
        recording,
        assistant_id,
        thread_id,
        model,
        labels,
        created_by,
        None if created_at is None else from_micros(created_at),
        from_micros(started_at),
        None if finished_at is None else from_micros(finished_at),
        None if text_at is None else (text_at - started_at) / 1000,
        None if finished_at is None else (finished_at - started_at) / 1000,
        None if error is None and code is None else RunError(error, code),
        calls,
        None if total is None else Usage(given, made, total),
        events,
        last_seq,
        None if cached is None and reasoning is None else UsageDetails(cached, reasoning),
        response_id,
    )


def encode_result(projected: Projected) -> bytes:
    """A result as compressed plain JSON, the text that stands in the log lifted out of it."""
    return zlib.compress(_result_payload(projected), 6)


def decode_result(run_id: str, data: bytes, text: str) -> RunResult:
    """The result that ``encode_result`` was given; ``text`` is the run's text in the log.

    Raises:
        LogError: if it is damaged.
    """
    try:
        return plain_json.result(codec.reopen(zlib.decompress(data).decode(), _SHAPE, text=text))
    except (zlib.error, UnicodeDecodeError, BadValue) as error:
        raise _damaged(run_id) from error


def _result_payload(projected: Projected) -> bytes:
    value = plain_json.result_value(projected.result)
    return codec.encode(value, _SHAPE, text=projected.text).payload.encode()


def _same_result(packed: Any, payload: bytes) -> bool:
    """Whether a stored result is this one; however long it unpacks, little more is unpacked."""
    if not isinstance(packed, bytes):
        return False
    unpacking = zlib.decompressobj()
    try:
        # Keys may stand in another order, and characters be escaped, in what is equal.
        found = unpacking.decompress(packed, 6 * len(payload) + 1)
        whole = unpacking.eof and not unpacking.unused_data
        return whole and (found == payload or codec.loads(found) == codec.loads(payload))
    except (zlib.error, BadValue):
        return False


def _stood(connection: Connection, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    """What is known of the rows that stand there; nobody else changes them from now on."""
    sql = f"SELECT {', '.join(_KNOWN)} FROM runs WHERE run_id "
    if connection.postgres:
        rows = connection.all(f"{sql}= ANY (?) ORDER BY run_id FOR UPDATE", (run_ids,))
    else:
        rows = [row for run_id in run_ids for row in connection.all(f"{sql}= ?", (run_id,))]
    return {row[0]: dict(zip(_KNOWN, row, strict=True)) for row in rows}


def _write(before: dict[str, Any] | None, row: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement that puts a row in the place of another, and its parameters."""
    if before is None:
        return _INSERT, list(row.values())
    changed = [*_FREE, *(name for name in INDEXED if before[name] != row[name])]
    sql = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in changed)} WHERE run_id = ?"
    return sql, [*(row[name] for name in changed), row["run_id"]]


def _save_labels(connection: Connection, labels: list[Label], run_id: str, *, anew: bool) -> None:
    if not anew:
        connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    sql = "INSERT INTO run_labels (key, value, started_at, run_id) VALUES (?, ?, ?, ?)"
    _execute(connection, f"{sql} ON CONFLICT DO NOTHING", [(*label, run_id) for label in labels])


def _execute(connection: Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement for each row."""
    if len(rows) == 1:
        connection.execute(sql, rows[0])
    elif rows:
        connection.executemany(sql, rows)


def _damaged(run_id: str) -> LogError:
    return LogError(
        f"the projection of run {run_id} is damaged",
        hint=f"`runreel rebuild {run_id}` makes it anew from the log.",
    )


def _first_text_at(told: RunSummary) -> int | None:
    if told.first_text_ms is None:
        return None
    return to_micros(told.started_at) + round(told.first_text_ms * 1000)


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
