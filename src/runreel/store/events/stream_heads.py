"""The heads of streams: what a checkpoint stores, and what it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.integrity.checkpoint_format import HeadEntry
from runreel.model.errors import LogError
from runreel.model.events import EventRow
from runreel.store.events import event_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.store.connection import Connection

CHUNK = 200
DIGEST_BYTES = 32

_DAMAGED = "`runreel verify` reports what is wrong. Restore the log from a backup."

# Skips from run to run along the primary key, in one statement for many runs.
_HEADS = f"""
WITH RECURSIVE ids (run_id, n) AS (
  SELECT min(run_id), 1 FROM events WHERE run_id > ?
  UNION ALL
  SELECT (SELECT min(run_id) FROM events WHERE run_id > ids.run_id), n + 1 FROM ids
   WHERE run_id IS NOT NULL AND n < {CHUNK}
)
SELECT run_id, seq, (SELECT digest FROM events AS e WHERE e.run_id = h.run_id AND e.seq = h.seq)
  FROM (SELECT run_id, (SELECT max(seq) FROM events AS e WHERE e.run_id = ids.run_id) AS seq
          FROM ids WHERE run_id IS NOT NULL) AS h
 ORDER BY run_id
"""
_ASKED = "(CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS BIGINT))"
# A fixed number of rows, so that the statement is compiled once.
_LOOKUP = f"""
WITH asked (n, run_id, seq) AS (VALUES {", ".join([_ASKED] * CHUNK)})
SELECT n, (SELECT digest FROM events AS e WHERE e.run_id = asked.run_id AND e.seq = asked.seq),
       (SELECT max(seq) FROM events AS e WHERE e.run_id = asked.run_id)
  FROM asked ORDER BY n
"""
_FIRST_AND_LAST = (
    f"SELECT {', '.join(event_log.COLUMNS)}, (SELECT max(seq) FROM events WHERE run_id = ?)"
    " FROM events WHERE run_id = ? ORDER BY seq LIMIT 1"
)


class HeadState(NamedTuple):
    """The event log at a former head: the digest there and the last seq now, or None."""

    digest: bytes | None
    last_seq: int | None


def database_id(connection: Connection) -> str:
    """Return the id of this database; its copies have the same.

    Raises:
        LogError: if it is missing.
    """
    row = connection.one("SELECT value FROM runreel_meta WHERE key = 'database_id'")
    if row is None:
        raise LogError("the database has no id; restore runreel_meta from a backup")
    return str(row[0])


def stream_heads(connection: Connection) -> Iterator[HeadEntry]:
    """Yield the head of every run, ordered by the bytes of the ids.

    Raises:
        LogError: if one is damaged.
    """
    after = ""
    while found := connection.all(_HEADS, (after,)):
        for run_id, seq, stored in found:
            digest = _bytes(stored)
            if digest is None or len(digest) != DIGEST_BYTES:
                raise LogError(f"row {seq} of run {run_id} is damaged", hint=_DAMAGED)
            yield HeadEntry(run_id, int(seq), digest)
        after = found[-1][0]
        if len(found) < CHUNK:
            return


def lookup_heads(connection: Connection, heads: Sequence[HeadEntry]) -> list[HeadState]:
    """Return the state of the event log at these heads, at most ``CHUNK``, in order."""
    asked = [*heads, *[heads[-1]] * (CHUNK - len(heads))]
    parameters = [value for n, head in enumerate(asked) for value in (n, head.run_id, head.seq)]
    found = connection.all(_LOOKUP, parameters)
    return [HeadState(_bytes(digest), last) for _, digest, last in found[: len(heads)]]


def first_and_last(connection: Connection, run_id: str) -> tuple[EventRow, int] | None:
    """Return the first remaining row of a run and its last seq; None if it has no rows."""
    row = connection.one(_FIRST_AND_LAST, (run_id, run_id))
    return None if row is None else (EventRow._make(row[:-1]), int(row[-1]))


def _bytes(value: object) -> bytes | None:
    """Return a stored digest as bytes; a damaged file may hold a value of any type."""
    if value is None:
        return None
    return bytes(value) if isinstance(value, bytes | memoryview) else repr(value).encode()
