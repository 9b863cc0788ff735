"""What somebody does to a log who can write the database, by statements of their own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from runreel.integrity import digest_chain
from runreel.model.events import NOTE, PRUNED, REDACTED, EventRow
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.api.reel import Reel

_INSERT = (
    f"INSERT INTO events ({', '.join(EventRow._fields)})"
    f" VALUES ({', '.join('?' * len(EventRow._fields))})"
)


def unguard(reel: Reel) -> None:
    """Take away what the database itself refuses."""
    with reel.db.writing() as connection:
        if connection.driver.url.postgres:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
            return
        found = connection.all("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in found:
            connection.execute(f"DROP TRIGGER {name}")


def cut(reel: Reel, run_id: str, seq: int = 0) -> None:
    """Take the rows from ``seq`` on away."""
    unguard(reel)
    logs.execute(reel, "DELETE FROM events WHERE run_id = ? AND seq >= ?", (run_id, seq))


def write(reel: Reel, rows: Sequence[EventRow]) -> None:
    """Put rows in as they are."""
    with reel.db.writing() as connection:
        connection.executemany(_INSERT, rows)


def rewrite(reel: Reel, run_id: str, seq: int, **columns: Any) -> None:
    """Change a row and recompute the chain from there on, as who knows how it is made would."""
    rows = logs.rows(reel, run_id)
    rows[seq] = rows[seq]._replace(**columns)
    digest = digest_chain.genesis(run_id)
    for place, row in enumerate(rows):
        digest = _digest(digest, row)
        rows[place] = row._replace(digest=digest)
    cut(reel, run_id)
    write(reel, rows)


def note(reel: Reel, run_id: str, type_: str, payload: dict[str, Any]) -> EventRow:
    """Append a note to a run."""
    last = logs.rows(reel, run_id)[-1]
    salt, text = os.urandom(digest_chain.SALT_BYTES), json.dumps(payload)
    row = EventRow(
        run_id, last.seq + 1, NOTE, type_, None, last.at + 1, 0, None, None, text, salt, None, b""
    )
    row = row._replace(digest=_digest(last.digest, row))
    write(reel, [row])
    return row


def prune(reel: Reel, run_id: str, **lies: Any) -> EventRow:
    """Leave a tombstone of a run."""
    rows = logs.rows(reel, run_id)
    payload = {
        "events": len(rows),
        "seq": rows[-1].seq,
        "digest": bytes(rows[-1].digest).hex(),
        "reason": "old",
        "actor": None,
    }
    stone = note(reel, run_id, PRUNED, payload | lies)
    with reel.db.writing() as connection:
        connection.execute("DELETE FROM events WHERE run_id = ? AND seq < ?", (run_id, stone.seq))
    return stone


def redact(reel: Reel, run_id: str, seqs: list[int]) -> None:
    """Erase the payloads of rows, and say so."""
    rows = logs.rows(reel, run_id)
    note(reel, run_id, REDACTED, {"seqs": seqs, "reason": "asked for", "actor": None})
    with reel.db.writing() as connection:
        for seq in seqs:
            row = rows[seq]
            committed = digest_chain.commitment(bytes(row.salt or b""), row.payload or "")
            connection.execute(
                "UPDATE events SET payload = NULL, salt = NULL, redacted = ?"
                " WHERE run_id = ? AND seq = ?",
                (committed, run_id, seq),
            )


def _digest(previous: bytes, row: EventRow) -> bytes:
    committed = row.redacted or digest_chain.commitment(bytes(row.salt or b""), row.payload or "")
    return digest_chain.digest(bytes(previous), *row[:9], bytes(committed))
