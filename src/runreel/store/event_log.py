"""The log: the only writer of ``events``, and its readers."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from runreel.rules.chain import commitment
from runreel.rules.codec import loads
from runreel.rules.plain_json import as_object
from runreel.words.log import MASKED, NOTE, EventRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection

COLUMNS = EventRow._fields
_LIST = ", ".join(COLUMNS)

# One statement, no lock: a trigger refuses a row whose predecessor is not the run's last.
_APPEND_SQLITE = f"INSERT INTO events ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"
_TAKEN = (sqlite3.SQLITE_CONSTRAINT_TRIGGER, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_READ = f"SELECT {_LIST} FROM events WHERE run_id = ? AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?"
_END = 2**63 - 1
_LOCK_WAIT = "5s"
_CHUNK = 1_000


def append(connection: Connection, rows: Sequence[EventRow], *, durable: bool = True) -> bool:
    """Append rows, each right behind its predecessor; False if any lost its place to another.

    Call it for several rows inside of a transaction, and roll that back where it answers False.
    ``durable`` is whether Postgres waits for its disk; SQLite's connection knows by itself.
    """
    if connection.postgres:
        from runreel.store import postgres_append

        return postgres_append.append(connection, rows, durable=durable)
    try:
        return connection.executemany(_APPEND_SQLITE, rows) == len(rows)
    except sqlite3.IntegrityError as error:
        return _lost(error)


def append_one(connection: Connection, row: EventRow, *, durable: bool = True) -> bool:
    """Append one row; outside of a transaction it is committed by itself."""
    if connection.postgres:
        from runreel.store import postgres_append

        return postgres_append.append_one(connection, row, durable=durable)
    try:
        connection.execute(_APPEND_SQLITE, row)
    except sqlite3.IntegrityError as error:
        return _lost(error)
    return True


def _lost(error: sqlite3.IntegrityError) -> bool:
    """False where a row lost its place to another; whatever else is wrong is raised."""
    if error.sqlite_errorcode in _TAKEN:
        return False
    raise error


def holds(connection: Connection, row: EventRow) -> bool:
    """Whether this very row is in the log."""
    found = connection.one(
        "SELECT digest FROM events WHERE run_id = ? AND seq = ?", (row.run_id, row.seq)
    )
    return found is not None and bytes(found[0]) == row.digest


def read(
    connection: Connection, run_id: str, *, start: int = 0, stop: int | None = None
) -> Iterator[EventRow]:
    """The rows of a run from ``start`` to before ``stop``, in order, chunk by chunk.

    An erased row comes with what is left of its payload, if anything is.
    """
    end = _END if stop is None else min(stop, _END)
    masks: dict[int, str] | None = None
    while start < end:
        chunk = connection.all(_READ, (run_id, start, end, _CHUNK))
        for row in map(EventRow._make, chunk):
            if row.payload is not None:
                yield row
                continue
            if masks is None:
                masks = stand_ins(connection, run_id)
            yield row._replace(payload=masks.get(row.seq))
        if len(chunk) < _CHUNK:
            return
        start = chunk[-1][1] + 1


def stand_ins(connection: Connection, run_id: str) -> dict[int, str]:
    """What is left of a run's erased payloads, by seq: see ``rules.masks``."""
    found: dict[int, str] = {}
    for told in masked_notes(connection, run_id).values():
        found |= told
    return found


def masked_notes(connection: Connection, run_id: str) -> dict[int, dict[int, str]]:
    """The notes that say what is left of erased payloads, by their own seq."""
    notes = connection.all(
        "SELECT seq, payload FROM events WHERE run_id = ? AND kind = ? AND type = ?"
        " AND payload IS NOT NULL ORDER BY seq",
        (run_id, NOTE, MASKED),
    )
    found = {}
    for seq, payload in notes:
        told = as_object(as_object(loads(payload)).get("payloads"))
        found[seq] = {int(of): text for of, text in told.items() if isinstance(text, str)}
    return found


def erased(connection: Connection, run_id: str) -> set[int]:
    """The rows of a run whose payload is erased."""
    sql = "SELECT seq FROM events WHERE run_id = ? AND payload IS NULL"
    return {seq for (seq,) in connection.all(sql, (run_id,))}


def erase(connection: Connection, run_id: str, seq: int) -> None:
    """Erase a row's payload and salt, leaving the commitment; a note lists it already."""
    payload, salt = connection.one(
        "SELECT payload, salt FROM events WHERE run_id = ? AND seq = ?", (run_id, seq)
    )
    connection.execute(
        "UPDATE events SET payload = NULL, salt = NULL, redacted = ?"
        " WHERE run_id = ? AND seq = ? AND payload IS NOT NULL",
        (commitment(bytes(salt), payload), run_id, seq),
    )


def keep_out(connection: Connection) -> None:
    """Have whoever appends wait until the transaction has ended, as on SQLite they do anyway.

    On Postgres a row that is being removed does not hold its place against an append that began
    before.

    Raises:
        psycopg.errors.LockNotAvailable: if somebody else holds the table for longer than we wait.
    """
    if connection.postgres:
        # Whoever appends queues behind us, so we do not queue for long.
        connection.execute("SELECT set_config('lock_timeout', ?, true)", (_LOCK_WAIT,))
        connection.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")


def remove(connection: Connection, run_id: str, seq: int) -> int:
    """Remove a run's rows before ``seq``, which is that of its tombstone; how many went."""
    gone = connection.execute("DELETE FROM events WHERE run_id = ? AND seq < ?", (run_id, seq))
    return int(gone.rowcount)


def head(connection: Connection, run_id: str) -> int:
    """The last seq of a run, -1 if it has none."""
    row = connection.one("SELECT max(seq) FROM events WHERE run_id = ?", (run_id,))
    return -1 if row[0] is None else int(row[0])


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
