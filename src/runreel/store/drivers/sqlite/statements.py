"""Stores rows in SQLite: appends to the event log, and adds to counts of usage."""

from __future__ import annotations

import sqlite3
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

from runreel.model.events import EventRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runreel.store.drivers.interface import Connection, Keys, Row

_LIST = ", ".join(EventRow._fields)
_MARKS = f"({', '.join('?' * len(EventRow._fields))})"
# One statement, no lock: a trigger rejects a row that does not follow the stream's head.
_APPEND = f"INSERT INTO events ({_LIST}) VALUES {_MARKS}"
# Rows per statement: 50 times the columns is within every SQLite's limit of parameters.
_AT_ONCE = 50
_APPEND_MANY = f"INSERT INTO events ({_LIST}) VALUES {', '.join([_MARKS] * _AT_ONCE)}"
_CONFLICT_CODES = (sqlite3.SQLITE_CONSTRAINT_TRIGGER, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


def append(connection: Connection, rows: Sequence[EventRow], *, durable: bool) -> bool:
    """Append rows in a transaction; its connection has a setting for ``durable``."""
    if len(rows) == 1:
        return append_one(connection, rows[0], durable=durable)
    try:
        full = len(rows) - len(rows) % _AT_ONCE
        for start in range(0, full, _AT_ONCE):
            batch = chain.from_iterable(rows[start : start + _AT_ONCE])
            connection.execute(_APPEND_MANY, tuple(batch))
        if full < len(rows):
            connection.executemany(_APPEND, rows[full:])
    except sqlite3.IntegrityError as error:
        return _false_on_conflict(error)
    return True


def append_one(connection: Connection, row: EventRow, *, durable: bool) -> bool:  # noqa: ARG001
    """Append one row; outside a transaction it commits by itself."""
    try:
        connection.execute(_APPEND, row)
    except sqlite3.IntegrityError as error:
        return _false_on_conflict(error)
    return True


def write(connection: Connection, sql: str, parameters: Sequence[object]) -> int:
    """Execute a statement that changes rows; return how many."""
    return int(connection.execute(sql, parameters).rowcount)


# The guard lets a row only follow the row before it, and rows go only once a tombstone stands: so
# rows without content are put before the tombstone and pruned in the same transaction.
_FILL = (
    f"WITH RECURSIVE before (seq) AS (VALUES (0) UNION ALL SELECT seq + 1 FROM before"
    f" WHERE seq + 1 < ?) INSERT INTO events ({_LIST})"
    " SELECT ?, seq, 'note', NULL, NULL, 0, 0, NULL, NULL, '', zeroblob(16), NULL, zeroblob(32)"
    " FROM before"
)
_PRUNE = "DELETE FROM events WHERE run_id = ? AND seq < ?"


def append_tombstone(connection: Connection, row: EventRow) -> bool:
    """Store a tombstone as the first row of its run, in a transaction; False on a conflict."""
    try:
        connection.execute(_FILL, (row.seq, row.run_id))
        connection.execute(_APPEND, row)
    except sqlite3.IntegrityError as error:
        return _false_on_conflict(error)
    connection.execute(_PRUNE, (row.run_id, row.seq))
    return True


def _false_on_conflict(error: sqlite3.IntegrityError) -> bool:
    """Return False for an append conflict; raise any other error."""
    if error.sqlite_errorcode in _CONFLICT_CODES:
        return False
    raise error


def add_counts(
    connection: Connection, keys: Keys, counts: tuple[str, ...], rows: Mapping[str, Sequence[Row]]
) -> None:
    """Add to the counts of tables with these keys; missing rows are inserted."""
    for table, key in keys:
        connection.executemany(_upsert(table, key, counts), rows[table])


@cache
def _upsert(table: str, key: tuple[str, ...], counts: tuple[str, ...]) -> str:
    columns = (*key, *counts, "slot")
    marks = ", ".join("?" * (len(columns) - 1))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in counts)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}, 0)"
        f" ON CONFLICT DO UPDATE SET {added}"
    )
