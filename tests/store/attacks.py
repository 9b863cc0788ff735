"""Statements that would change or remove rows of a log, and a log to try them on."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from runreel.model.events import EventRow
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection

SALT, DIGEST, OTHER = b"s" * 16, b"d" * 32, b"c" * 32


def row(run_id: str, seq: int, kind: str, type_: str, payload: str) -> EventRow:
    return EventRow(
        run_id, seq, kind, type_, seq, 1_000 + seq, seq, None, None, payload, SALT, None, DIGEST
    )


def note(run_id: str, seq: int, type_: str, payload: str) -> EventRow:
    return row(run_id, seq, "note", type_, payload)


def said(run_id: str, seq: int, payload: str = '"secret"') -> EventRow:
    return row(run_id, seq, "stream_event", "PARTIAL_MESSAGE", payload)


ROWS = [
    # Rows 1 and 3 are listed by a note, and 1 is erased already.
    *(note("run", 0, "opened", "{}"), said("run", 1), said("run", 2), said("run", 3)),
    note("run", 4, "redacted", '{"seqs": [1, 3], "reason": "asked for"}'),
    *(said("run", 5), note("run", 6, "closed", "{}")),
    # A note that comes too early, of strange values, in what is no note, and about notes.
    *(note("odd", 0, "redacted", '{"seqs": [1, 2, 3]}'), said("odd", 1), said("odd", 2)),
    *(said("odd", 3), row("odd", 4, "context", "redacted", '{"seqs": [1, 2, 3]}')),
    note("odd", 5, "redacted", '{"seqs": ["1", [2], {"3": 3}, 33, 1.5, true, null]}'),
    note("odd", 6, "redacted", '{"list": [1], "reason": {"seqs": [1]}}'),
    *(note("odd", 7, "pruned", "{}"), note("odd", 8, "redacted", '{"seqs": [0, 7, 8]}')),
    # A tombstone whose run is not pruned yet, with a note behind it.
    *(said("old", 0), said("old", 1), note("old", 2, "pruned", '{"seq": 1, "reason": "old"}')),
    note("old", 3, "resumed", "{}"),
    # What only looks like a tombstone.
    *(said("fake", 0), row("fake", 1, "context", "pruned", "{}")),
    # Pruned: the tombstone is the first row that is left, once the log is made.
    *(said("gone", seq) for seq in range(7)),
    note("gone", 7, "pruned", '{"seq": 6, "reason": "old"}'),
]
ERASE = "UPDATE events SET payload = NULL, salt = NULL, redacted = $OTHER"
VALUES = "('run', 2, 'note', 'forged', NULL, 0, 0, NULL, NULL, '\"forged\"', $SALT, NULL, $DIGEST)"
NEW = VALUES.replace("2", "7", 1)

# Changes of one column each; a redaction changes three of them at once and no other.
COLUMNS = {
    "run_id": "run_id || '2'",
    "seq": "seq + 100",
    "kind": "'context'",
    "type": "'COMPLETED'",
    "source_index": "source_index + 1",
    "at": "at + 1",
    "elapsed": "elapsed + 1",
    "keep": "0",
    "added": "1",
    "payload": "'\"forged\"'",
    "salt": "$OTHER",
    "digest": "$OTHER",
}
ATTACKS = {
    **{
        f"change {name}": f"UPDATE events SET {name} = {to} WHERE payload IS NOT NULL"
        for name, to in COLUMNS.items()
    },
    "change one row": "UPDATE events SET payload = '\"\"' WHERE run_id = 'run' AND seq = 2",
    "change nothing": "UPDATE events SET payload = payload",
    "take a value away": "UPDATE events SET type = NULL WHERE run_id = 'run' AND seq = 2",
    "erase a row that is not listed": f"{ERASE} WHERE run_id = 'run' AND seq = 2",
    "erase a row behind the note": f"{ERASE} WHERE run_id = 'run' AND seq = 5",
    "erase a row without a note": f"{ERASE} WHERE run_id = 'old' AND seq = 0",
    "erase all rows": ERASE,
    "erase what is listed as text": f"{ERASE} WHERE run_id = 'odd' AND seq = 1",
    "erase what is listed deeper": f"{ERASE} WHERE run_id = 'odd' AND seq = 2",
    "erase what is listed as a key": f"{ERASE} WHERE run_id = 'odd' AND seq = 3",
    "erase a redaction": f"{ERASE} WHERE run_id = 'odd' AND seq = 0",
    "erase a tombstone": f"{ERASE} WHERE run_id = 'odd' AND seq = 7",
    "erase with too short a commitment": (
        "UPDATE events SET payload = NULL, salt = NULL, redacted = $SALT"
        " WHERE run_id = 'run' AND seq = 3"
    ),
    "erase and change the digest": f"{ERASE}, digest = $OTHER WHERE run_id = 'run' AND seq = 3",
    "erase and change the time": f"{ERASE}, at = at + 1 WHERE run_id = 'run' AND seq = 3",
    "erase and change the shape": f"{ERASE}, added = 9 WHERE run_id = 'run' AND seq = 3",
    "erase and change the type": f"{ERASE}, type = NULL WHERE run_id = 'run' AND seq = 3",
    "erase and move": f"{ERASE}, run_id = 'zzz' WHERE run_id = 'run' AND seq = 3",
    "change a commitment": (
        "UPDATE events SET redacted = $DIGEST WHERE run_id = 'run' AND seq = 1"
    ),
    "put a payload back": (
        "UPDATE events SET payload = '\"forged\"', salt = $SALT, redacted = NULL"
        " WHERE run_id = 'run' AND seq = 1"
    ),
    "delete a row": "DELETE FROM events WHERE run_id = 'run' AND seq = 6",
    "delete a run": "DELETE FROM events WHERE run_id = 'run'",
    "delete all": "DELETE FROM events",
    "delete a tombstone": "DELETE FROM events WHERE run_id = 'gone'",
    "delete behind a tombstone": "DELETE FROM events WHERE run_id = 'old' AND seq = 3",
    "delete with what is no tombstone": "DELETE FROM events WHERE run_id = 'fake' AND seq = 0",
    "upsert": (
        f"INSERT INTO events VALUES {VALUES}"
        " ON CONFLICT (run_id, seq) DO UPDATE SET payload = excluded.payload"
    ),
    "upsert among others": (
        f"INSERT INTO events VALUES {NEW}, {VALUES}"
        " ON CONFLICT (run_id, seq) DO UPDATE SET payload = excluded.payload"
    ),
    "update from another table": (
        "UPDATE events SET payload = o.payload FROM (SELECT * FROM events WHERE run_id = 'gone') o"
        " WHERE events.run_id = 'run' AND events.seq = 2"
    ),
}
SQLITE = {
    "insert or replace": f"INSERT OR REPLACE INTO events VALUES {VALUES}",
    "replace": f"REPLACE INTO events VALUES {VALUES}",
    "replace among others": f"REPLACE INTO events VALUES {NEW}, {VALUES}",
    "replace from a query": (
        "REPLACE INTO events SELECT run_id, seq, kind, type, source_index, 0, elapsed, keep, added,"
        " payload, salt, redacted, digest FROM events WHERE run_id = 'run' AND seq < 4"
    ),
    "replace by moving": ("UPDATE OR REPLACE events SET seq = 2 WHERE run_id = 'run' AND seq = 3"),
    "move and ignore conflicts": "UPDATE OR IGNORE events SET seq = seq + 1 WHERE run_id = 'run'",
    "insert behind a gap": f"INSERT INTO events VALUES {VALUES.replace('2', '99', 1)}",
    "insert before the head": f"INSERT INTO events VALUES {VALUES.replace('run', 'gone', 1)}",
    "a key in another case of letters": (
        "INSERT OR REPLACE INTO EVENTS (SEQ, RUN_ID, KIND, AT, ELAPSED, PAYLOAD, SALT, DIGEST)"
        " VALUES (2, 'run', 'note', 0, 0, '{}', $SALT, $DIGEST)"
    ),
}
_NOTE = "('run', {seq}, 'note', '{type}', NULL, 0, 0, NULL, NULL, '{said}', $SALT, NULL, $DIGEST)"
_NOTES = (
    _NOTE.format(seq=9, type="redacted", said='{"seqs": [2]}'),
    _NOTE.format(seq=10, type="pruned", said="{}"),
)
_SHADOW = (
    "CREATE TEMP TABLE events AS SELECT * FROM public.events",
    "DELETE FROM pg_temp.events",
    f"INSERT INTO pg_temp.events VALUES {', '.join(_NOTES)}",
)
_MERGE = "MERGE INTO events USING (SELECT 1) AS one ON run_id = 'run' AND seq = 2 WHEN MATCHED THEN"
_REPLICA = "SET session_replication_role = replica"
POSTGRES = {
    "truncate": ("TRUNCATE events",),
    "truncate in cascades": ("TRUNCATE runs, events RESTART IDENTITY CASCADE",),
    "update as a replica": (_REPLICA, "UPDATE events SET at = 0"),
    "delete as a replica": (_REPLICA, "DELETE FROM events"),
    "truncate as a replica": (_REPLICA, "TRUNCATE events"),
    "merge": (f"{_MERGE} UPDATE SET payload = '\"forged\"'",),
    "merge and delete": (f"{_MERGE} DELETE",),
    "update a view": ("UPDATE transcript SET type = 'COMPLETED'",),
    "delete from a view": ("DELETE FROM transcript",),
    "delete in a subquery": ("WITH d AS (DELETE FROM events RETURNING 1) SELECT * FROM d",),
    "delete only": ("DELETE FROM ONLY events",),
    "erase, with a note in a table of one's own": (
        *_SHADOW,
        ERASE.replace("events", "public.events") + " WHERE run_id = 'run' AND seq = 2",
    ),
    "delete, with a tombstone in a table of one's own": (
        *_SHADOW,
        "DELETE FROM public.events WHERE run_id = 'run'",
    ),
    "delete, with operators of one's own": (
        "CREATE SCHEMA evil",
        "CREATE FUNCTION evil.always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.always)",
        "SET search_path = evil, pg_catalog, public",
        "DELETE FROM public.events WHERE run_id OPERATOR(pg_catalog.=) 'run'",
    ),
}
OF_POSTGRES = {name: (sql,) for name, sql in ATTACKS.items()} | POSTGRES


def _at_partition(statement: str) -> str:
    """The same at the partition of the run that it names, past the table of all events."""
    named = re.search(r"run_id = '(\w+)'", statement)
    return re.sub(r"\bevents\b", f"${named[1] if named else 'run'}", statement)


# What a partition may answer otherwise than a table; the rest is tried at the partitions.
_THROUGH_ALL = {
    *(POSTGRES.keys() - {"delete only"}),
    *("change run_id", "erase and move", "erase all rows", "delete all", "upsert"),
    "update from another table",
}
# They name several runs or none of the log, or what the key of a partition forbids anyway.
_ELSEWHERE = {
    *("update from another table", "update a view", "delete from a view"),
    *("change run_id", "erase and move"),
}
OF_PARTITIONS = {name: OF_POSTGRES[name] for name in sorted(_THROUGH_ALL)} | {
    f"{name}, at a partition": tuple(map(_at_partition, OF_POSTGRES[name]))
    for name in sorted(OF_POSTGRES.keys() - _ELSEWHERE)
}


@dataclass(frozen=True)
class Attack:
    """Statements, the last of which would do harm."""

    backend: str
    name: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.backend}: {self.name}"


ALL = [
    *(Attack("sqlite", name, (sql,)) for name, sql in (ATTACKS | SQLITE).items()),
    *(Attack("postgresql", name, sqls) for name, sqls in OF_POSTGRES.items()),
    *(Attack("partitioned", name, sqls) for name, sqls in OF_PARTITIONS.items()),
]

_CHILDREN = "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'events'::regclass"


class Log:
    """A log with such rows, and what anybody can do to it with a client of their own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.postgres = "://" in url
        self.partitions: dict[str, str] = {}
        database = Database(url)
        with database.writing() as connection:
            for told in ROWS:
                sql = f"INSERT INTO events VALUES ({', '.join('?' * len(told))})"
                connection.execute(sql, told)
            connection.execute(self.sql(f"{ERASE} WHERE run_id = 'run' AND seq = 1"))
            connection.execute("DELETE FROM events WHERE run_id = 'gone' AND seq < 7")
            if self.postgres:
                self.partitions = _partitions(connection)
        database.close()

    def sql(self, text: str) -> str:
        """The statement in this database's spelling of bytes."""
        for run_id, partition in self.partitions.items():
            text = text.replace(f"${run_id}", partition)
        for name, value in (("$SALT", SALT), ("$DIGEST", DIGEST), ("$OTHER", OTHER)):
            text = text.replace(
                name, f"'\\x{value.hex()}'" if self.postgres else f"x'{value.hex()}'"
            )
        return text

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """Another client, which knows nothing of runreel; each statement commits by itself."""
        if self.postgres:
            with psycopg.connect(self.url, autocommit=True) as client:
                yield client
            return
        with contextlib.closing(sqlite3.connect(self.url, isolation_level=None)) as client:
            yield client

    def rows(self, client: Any) -> list[tuple[Any, ...]]:
        name = "public.events" if self.postgres else "events"
        return list(client.execute(f"SELECT * FROM {name} ORDER BY run_id, seq").fetchall())

    def unguard(self, client: Any) -> None:
        if self.postgres:
            for table in ("events", *(name for (name,) in client.execute(_CHILDREN))):
                client.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            return
        names = client.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            client.execute(f"DROP TRIGGER {name}")


def _partitions(connection: Connection) -> dict[str, str]:
    """The partition that each run is in."""
    found = connection.all("SELECT DISTINCT run_id, tableoid::regclass::text FROM events")
    return {run_id: table for run_id, table in found if table != "events"}
