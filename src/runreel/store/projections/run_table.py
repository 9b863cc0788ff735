"""The projections ``runs`` and ``run_labels``: their only writer, and what is read from them."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from runreel.projection.run_mapper import COLUMNS, SUMMARY, label_rows, row_to_summary, to_dict
from runreel.store.projections import usage_rollups
from runreel.store.projections.usage_buckets import UsageContribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.runs import RunSummary
    from runreel.projection.run_mapper import Label, RunProjection
    from runreel.store.connection import Connection
    from runreel.store.projections.usage_buckets import ContributionChange

_LIST = ", ".join(COLUMNS)

# Writing one of these moves a row in an index, so each is only written where it changes.
INDEXED = (
    *("source", "status", "recording", "assistant_id", "thread_id", "model", "error", "error_code"),
    *("started_at", "total_tokens", "response_id"),
)
_FREE = tuple(column for column in COLUMNS[1:] if column not in INDEXED)
# What has to be known of a row that stands there before another takes its place.
_KNOWN = tuple(
    dict.fromkeys(("run_id", "projected_seq", "labels", *UsageContribution._fields, *INDEXED))
)
_CURRENT = f"SELECT {', '.join(_KNOWN)} FROM runs WHERE run_id "
_CURRENT_ONE = f"{_CURRENT}= ?"
_counted = itemgetter(*UsageContribution._fields)
_INSERT = f"INSERT INTO runs ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"


def save(connection: Connection, *projected: RunProjection, force: bool = False) -> None:
    """Write runs' rows and labels, but for rows that have read further (or ``anyway``).

    Call it last in a transaction: what usage adds up to is moved along.
    """
    latest = {one.summary.run_id: one for one in projected}
    stood = _current_rows(connection, sorted(latest))
    moves: list[ContributionChange] = []
    writes: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for run_id, one in latest.items():
        row, before = to_dict(one), stood.get(run_id)
        # Recorders fold the log themselves; whichever has read further is right.
        if before and not force and before["projected_seq"] > row["projected_seq"]:
            continue
        sql, values = _write(before, row)
        writes[sql].append(values)
        if before is None or any(before[name] != row[name] for name in ("labels", "started_at")):
            _save_labels(connection, label_rows(one.summary), run_id, anew=before is None)
        moves.append((counted(before) if before else None, counted(row)))
    for sql, rows in writes.items():
        _execute(connection, sql, rows)
    usage_rollups.apply_changes(connection, moves)


def delete(connection: Connection, run_id: str) -> None:
    """Remove a run's row and labels."""
    stood = _current_rows(connection, [run_id])
    connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM run_labels WHERE run_id = ?", (run_id,))
    usage_rollups.apply_changes(connection, [(counted(row), None) for row in stood.values()])


def counted(row: dict[str, Any]) -> UsageContribution:
    """What usage adds up of a row by column names."""
    return UsageContribution._make(_counted(row))


def load(connection: Connection, run_id: str) -> tuple[RunSummary, bytes] | None:
    """A run's summary and its result still encoded, None if there is none."""
    row = connection.one(
        f"SELECT {', '.join(SUMMARY)}, result FROM runs WHERE run_id = ?", (run_id,)
    )
    return None if row is None else (row_to_summary(row[:-1]), bytes(row[-1]))


def _current_rows(connection: Connection, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    """What is known of the rows that stand there; nobody else changes them from now on."""
    if connection.postgres:
        rows = connection.all(f"{_CURRENT}= ANY (?) ORDER BY run_id FOR UPDATE", (run_ids,))
    else:
        rows = [row for run_id in run_ids for row in connection.all(_CURRENT_ONE, (run_id,))]
    return {row[0]: dict(zip(_KNOWN, row, strict=True)) for row in rows}


def _write(before: dict[str, Any] | None, row: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement that puts a row in the place of another, and its parameters."""
    if before is None:
        return _INSERT, list(row.values())
    changed = (*_FREE, *[name for name in INDEXED if before[name] != row[name]])
    return _update(changed), [*[row[name] for name in changed], row["run_id"]]


@lru_cache(maxsize=64)
def _update(changed: tuple[str, ...]) -> str:
    return f"UPDATE runs SET {', '.join(f'{name} = ?' for name in changed)} WHERE run_id = ?"


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
