"""The event log: the only writer of ``events``, and its readers."""

from __future__ import annotations

from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object
from runreel.integrity.digest_chain import commitment
from runreel.model.events import MASKED, NOTE, REDACTED, EventRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runreel.store.connection import Connection

COLUMNS = EventRow._fields
_LIST = ", ".join(COLUMNS)

_AT = "(run_id = ? AND seq = ?)"
_OMITTED = ("elapsed", "salt", "digest")
_PROJECTION_COLUMNS = ", ".join(f"NULL AS {name}" if name in _OMITTED else name for name in COLUMNS)
_PAGE = "SELECT {} FROM events WHERE {} ORDER BY run_id, seq LIMIT ?"
# Reads one partition only.
_OF_ONE = "run_id = ? AND seq > ? AND seq < ?"
_READ = _PAGE.format(_LIST, _OF_ONE)
_READ_ONE = _PAGE.format(_PROJECTION_COLUMNS, _OF_ONE)
_READ_MANY = _PAGE.format(_PROJECTION_COLUMNS, "(run_id, seq) > (?, ?) AND run_id <= ?")
_ID, _SEQ, _PAYLOAD = map(COLUMNS.index, ("run_id", "seq", "payload"))
_payload = itemgetter(_PAYLOAD)
# ``EventRow._make`` is a function of Python around this one.
event_row = partial(tuple.__new__, EventRow)
_END = 2**63 - 1
# Seconds.
_LOCK_WAIT = 5.0
_CHUNK = 1_000


def append(connection: Connection, rows: Sequence[EventRow], *, durable: bool = True) -> bool:
    """Append rows, each directly after its predecessor; False on an append conflict.

    Call it for several rows inside a transaction, and roll back if it returns False. ``durable``
    makes Postgres wait for its disk; a SQLite connection has its own setting.
    """
    return connection.driver.append(connection, rows, durable=durable)


def append_one(connection: Connection, row: EventRow, *, durable: bool = True) -> bool:
    """Append one row; outside a transaction it commits by itself."""
    return connection.driver.append_one(connection, row, durable=durable)


def append_tombstone(connection: Connection, row: EventRow) -> bool:
    """Store the tombstone of a run that was pruned elsewhere; False if the run has rows.

    Call it inside a transaction, after ``lock_appends``.
    """
    return connection.driver.append_tombstone(connection, row)


def contains(connection: Connection, row: EventRow) -> bool:
    """True if exactly this row is in the event log."""
    found = connection.one(
        "SELECT digest FROM events WHERE run_id = ? AND seq = ?", (row.run_id, row.seq)
    )
    return found is not None and bytes(found[0]) == row.digest


def read(
    connection: Connection,
    run_id: str,
    *,
    start: int = 0,
    stop: int | None = None,
    chunk: int = _CHUNK,
) -> Iterator[EventRow]:
    """Yield the rows of a run from ``start`` to before ``stop``, in order, read in chunks.

    The payload of an erased row is its masked payload, if there is one.
    """
    end = _END if stop is None else min(stop, _END)
    masks = cache(partial(masked_payloads, connection, run_id))
    for rows in _pages(connection, _READ, (run_id, start - 1), end, chunk):
        yield from map(event_row, with_masked_payloads(rows, masks))


def read_range(connection: Connection, first: str, last: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the rows of all runs from ``first`` to ``last`` in order: a run id and its next rows.

    The columns are those a projector needs: ``elapsed``, ``salt`` and ``digest`` are None. The
    payload of an erased row is its masked payload, if there is one.
    """
    sql, end = (_READ_ONE, _END) if first == last else (_READ_MANY, last)
    for rows in _pages(connection, sql, (first, -1), end):
        for run_id, group in groupby(rows, key=itemgetter(_ID)):
            masks = partial(masked_payloads, connection, run_id)
            yield run_id, with_masked_payloads(list(group), masks)


def _pages(
    connection: Connection, sql: str, after: tuple[str, int], end: int | str, chunk: int = _CHUNK
) -> Iterator[list[Any]]:
    while rows := connection.all(sql, (*after, end, chunk)):
        yield rows
        if len(rows) < chunk:
            return
        after = rows[-1][_ID], rows[-1][_SEQ]


def with_masked_payloads(rows: list[Any], masks: Callable[[], dict[int, str]]) -> list[Any]:
    """Fill in the masked payloads of erased rows; ``masks`` is called only if there are any."""
    if None not in map(_payload, rows):
        return rows
    masked = masks()
    return [
        EventRow._make(row)._replace(payload=masked.get(row[_SEQ]))
        if row[_PAYLOAD] is None
        else row
        for row in rows
    ]


def masked_payloads(connection: Connection, run_id: str) -> dict[int, str]:
    """Return the masked payloads of a run's erased rows by seq."""
    found: dict[int, str] = {}
    for payloads in masked_notes(connection, run_id).values():
        found |= payloads
    return found


def masked_notes(connection: Connection, run_id: str) -> dict[int, dict[int, str]]:
    """Return the notes with masked payloads by their own seq."""
    notes = connection.all(
        "SELECT seq, payload FROM events WHERE run_id = ? AND kind = ? AND type = ?"
        " AND payload IS NOT NULL ORDER BY seq",
        (run_id, NOTE, MASKED),
    )
    found = {}
    for seq, payload in notes:
        payloads = as_object(as_object(loads(payload)).get("payloads"))
        found[seq] = {
            int(row_seq): text for row_seq, text in payloads.items() if isinstance(text, str)
        }
    return found


def erased(connection: Connection, run_id: str) -> set[int]:
    """Return the seqs of a run's erased rows."""
    sql = "SELECT seq FROM events WHERE run_id = ? AND payload IS NULL"
    return {seq for (seq,) in connection.all(sql, (run_id,))}


def has_erasures(connection: Connection, run_id: str, start: int) -> bool:
    """True if a note from ``start`` on says that rows of the run were erased."""
    sql = "SELECT 1 FROM events WHERE run_id = ? AND seq >= ? AND kind = ? AND type = ? LIMIT 1"
    return connection.one(sql, (run_id, start, NOTE, REDACTED)) is not None


def erase(connection: Connection, run_id: str, seq: int) -> None:
    """Erase a row's payload and salt, but keep the commitment; a note lists the row already."""
    payload, salt = connection.one(
        "SELECT payload, salt FROM events WHERE run_id = ? AND seq = ?", (run_id, seq)
    )
    connection.execute(
        "UPDATE events SET payload = NULL, salt = NULL, redacted = ?"
        " WHERE run_id = ? AND seq = ? AND payload IS NOT NULL",
        (commitment(bytes(salt), payload), run_id, seq),
    )


def lock_appends(connection: Connection) -> None:
    """Block concurrent appends until commit; SQLite does so by itself.

    On Postgres an append that began earlier does not see that a row is being deleted.

    Raises:
        psycopg.errors.LockNotAvailable: if another session holds the table for more than 5 s.
    """
    connection.driver.lock_writes(connection, "events", seconds=_LOCK_WAIT)


def remove(connection: Connection, run_id: str, seq: int) -> int:
    """Delete a run's rows before ``seq``, its tombstone; return how many."""
    cursor = connection.execute("DELETE FROM events WHERE run_id = ? AND seq < ?", (run_id, seq))
    return int(cursor.rowcount)


def last_position(connection: Connection, run_id: str) -> int:
    """Return the last seq of a run, -1 if it has no rows."""
    row = connection.one("SELECT max(seq) FROM events WHERE run_id = ?", (run_id,))
    return -1 if row[0] is None else int(row[0])


def read_at(connection: Connection, positions: Sequence[tuple[str, int]]) -> list[EventRow]:
    """Return the rows at these positions, as far as they exist, unordered, in one query.

    The payload of an erased row is its masked payload, if there is one.
    """
    parameters = [value for position in positions for value in position]
    anywhere = " OR ".join([_AT] * len(positions))
    rows = connection.all(f"SELECT {_LIST} FROM events WHERE {anywhere}", parameters)
    return [_with_mask(connection, row) for row in map(EventRow._make, rows)]


def _with_mask(connection: Connection, row: EventRow) -> EventRow:
    if row.payload is not None:
        return row
    return row._replace(payload=masked_payloads(connection, row.run_id).get(row.seq))


def last_of_kind(connection: Connection, run_id: str, kind: str, stop: int) -> int | None:
    """Return the seq of a run's last row of a kind before ``stop``, None if it has none."""
    sql = (
        "SELECT seq FROM events WHERE run_id = ? AND seq < ? AND kind = ? ORDER BY seq DESC LIMIT 1"
    )
    row = connection.one(sql, (run_id, stop, kind))
    return None if row is None else int(row[0])


def last_note(
    connection: Connection, run_id: str, types: Sequence[str], start: int
) -> EventRow | None:
    """Return a run's last note of one of ``types`` from the row ``start`` on, None if it has none.

    The payload of an erased note is None.
    """
    one_of = ", ".join("?" * len(types))
    sql = (
        f"SELECT {_LIST} FROM events WHERE run_id = ? AND seq >= ? AND kind = ?"
        f" AND type IN ({one_of}) ORDER BY seq DESC LIMIT 1"
    )
    row = connection.one(sql, (run_id, start, NOTE, *types))
    return None if row is None else EventRow._make(row)


def run_ids(connection: Connection, *, prefix: str = "", limit: int = _END) -> list[str]:
    """Return the ids of runs that start with ``prefix``, in order."""
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
