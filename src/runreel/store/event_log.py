"""The log: the only writer of ``events``, and its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.words.log import EventRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection

COLUMNS = EventRow._fields
_LIST = ", ".join(COLUMNS)
_TYPES = {
    "run_id": "text",
    "kind": "text",
    "type": "text",
    "payload": "text",
    "salt": "bytea",
    "redacted": "bytea",
    "digest": "bytea",
}

# One statement, no lock: a row goes in where its predecessor stands and its own place is free.
_APPEND = (
    "INSERT INTO events (" + _LIST + ") SELECT {values}"
    " WHERE ({first} = 0 OR EXISTS (SELECT 1 FROM events WHERE run_id = ? AND seq = ?)){also}"
    " ON CONFLICT DO NOTHING"
)
_APPEND_SQLITE = _APPEND.format(values=", ".join("?" * len(COLUMNS)), first="?", also="")
# Postgres takes an untyped parameter in a SELECT for text.
# Durability goes with the statement: a session's settings get lost behind a pooler.
_DURABLE = (
    " AND (current_setting('synchronous_commit') <> 'off'"
    " OR set_config('synchronous_commit', 'on', true) = 'on')"
)
_LAZY = " AND set_config('synchronous_commit', 'off', true) = 'off'"
_APPEND_POSTGRES = _APPEND.format(
    values=", ".join(f"?::{_TYPES.get(column, 'bigint')}" for column in COLUMNS),
    first="?::bigint",
    also="{also}",
)
_APPEND_DURABLE = _APPEND_POSTGRES.format(also=_DURABLE)
_APPEND_LAZY = _APPEND_POSTGRES.format(also=_LAZY)
_READ = f"SELECT {_LIST} FROM events WHERE run_id = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?"
_END = 2**63 - 1
_CHUNK = 1_000


def append(connection: Connection, rows: Sequence[EventRow], *, durable: bool = True) -> bool:
    """Append rows, each right behind its predecessor; False if any lost its place to another.

    Call it for several rows inside of a transaction, and roll that back where it answers False.
    ``durable`` is whether Postgres waits for its disk; SQLite's connection knows by itself.
    """
    sql = _APPEND_SQLITE
    if connection.postgres:
        sql = _APPEND_DURABLE if durable else _APPEND_LAZY
    parameters = [(*row, row.seq, row.run_id, row.seq - 1) for row in rows]
    if len(parameters) == 1:
        return bool(connection.execute(sql, parameters[0]).rowcount == 1)
    return connection.executemany(sql, parameters) == len(parameters)


def holds(connection: Connection, row: EventRow) -> bool:
    """Whether this very row is in the log."""
    found = connection.one(
        "SELECT digest FROM events WHERE run_id = ? AND seq = ?", (row.run_id, row.seq)
    )
    return found is not None and bytes(found[0]) == row.digest


def read(
    connection: Connection, run_id: str, *, start: int = 0, stop: int | None = None
) -> Iterator[EventRow]:
    """The rows of a run from ``start`` to before ``stop``, in order, chunk by chunk."""
    end = _END if stop is None else min(stop, _END)
    while start < end:
        chunk = connection.all(_READ, (run_id, start, end, _CHUNK))
        yield from map(EventRow._make, chunk)
        if len(chunk) < _CHUNK:
            return
        start = chunk[-1][1] + 1


def head(connection: Connection, run_id: str) -> int:
    """The last seq of a run, -1 if it has none."""
    row = connection.one("SELECT max(seq) FROM events WHERE run_id = ?", (run_id,))
    return -1 if row[0] is None else int(row[0])


def count_runs(connection: Connection) -> int:
    """How many runs the log holds."""
    return int(connection.one("SELECT count(*) FROM events WHERE seq = 0")[0])


def run_ids(connection: Connection, *, prefix: str = "", limit: int = _END) -> list[str]:
    """The ids of runs that begin with ``prefix``, in order."""
    after = prefix
    found: list[str] = []
    while len(found) < limit:
        row = connection.one(_NEXT_RUN if found else _FIRST_RUN, (after,))
        if row is None or not row[0].startswith(prefix):
            return found
        found.append(after := row[0])
    return found


# Skips from run to run along the primary key: the log may have millions of rows per run.
_FIRST_RUN = "SELECT run_id FROM events WHERE run_id >= ? ORDER BY run_id LIMIT 1"
_NEXT_RUN = "SELECT run_id FROM events WHERE run_id > ? ORDER BY run_id LIMIT 1"
