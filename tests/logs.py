"""What tests look at in a log: its rows as they are, its chain, statements behind its back."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from unittest import mock

from runreel.integrity import digest_chain
from runreel.model.events import CONTEXT, NOTE, EventRow
from runreel.model.timestamps import to_micros
from runreel.projection.tombstone import is_tombstone, tombstone_of
from runreel.recording.recorder import Recorder
from runreel.recording.session import Recording
from runreel.store.database import Database
from runreel.store.drivers.postgres import catalogue
from runreel.store.projections import usage_rollup_check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from runreel.api.reel import Reel
    from runreel.store.drivers.interface import SchemaObjects

_COLUMNS = ", ".join(EventRow._fields)


def rows(reel: Reel, run_id: str | None = None) -> list[EventRow]:
    """Every row of the log, or of a run, exactly as it is stored."""
    with reel.db.reading() as connection:
        found = connection.all(f"SELECT {_COLUMNS} FROM events ORDER BY run_id, seq")
    kept = [EventRow._make(row) for row in found]
    return [row for row in kept if run_id in (None, row.run_id)]


def told(reel: Reel, run_id: str) -> list[tuple[str, str | None, Any]]:
    """What the source said of a run, in order: kind, type and JSON value of its rows."""
    return [(e.kind, e.type, e.raw) for e in reel.events(run_id) if e.kind != NOTE]


def said(reel: Reel, run_id: str) -> list[Any]:
    """The ``run`` and ``stream_event`` values of a run, in order."""
    return [raw for kind, _, raw in told(reel, run_id) if kind != CONTEXT]


def notes(reel: Reel, run_id: str) -> list[tuple[str | None, Any]]:
    """The recorder's own notes on a run, in order: type and value."""
    return [(e.type, e.raw) for e in reel.events(run_id) if e.kind == NOTE]


def run_ids(reel: Reel) -> list[str]:
    """Every run of the log, in order."""
    return sorted({row.run_id for row in rows(reel)})


def recording_at(reel: Reel, run_id: str, moment: datetime, **identity: Any) -> Recording:
    """A recording whose clock stands still."""
    recorder = Recorder(
        reel.db,
        run_id,
        source="plain",
        via="program",
        identity=identity,
        clock=lambda: to_micros(moment) * 1_000,
    )
    return Recording(recorder)


def execute(reel: Reel, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """A statement of one's own, on either database."""
    with reel.db.writing() as connection:
        cursor = connection.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def recount(reel: Reel) -> None:
    """Have usage add up to what the rows of ``runs`` say, whatever somebody made of them."""
    with reel.db.writing() as connection, connection.transaction():
        usage_rollup_check.repair(connection)


@contextlib.contextmanager
def unguarded(reel: Reel) -> Iterator[None]:
    """Nothing guards the log inside: for what somebody might do who owns the database."""
    if reel.db.url.postgres:
        execute(reel, "ALTER TABLE events DISABLE TRIGGER USER")
        yield
        triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ?::regclass"
        for (name,) in execute(reel, triggers, ("events",)):
            execute(reel, f"ALTER TABLE events ENABLE ALWAYS TRIGGER {name}")
        return
    made = execute(reel, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for name, _ in made:
        execute(reel, f"DROP TRIGGER {name}")
    yield
    for _, sql in made:
        execute(reel, sql)


def tamper(reel: Reel, sql: str, parameters: Sequence[Any] = ()) -> None:
    """A statement that nothing refuses."""
    with unguarded(reel):
        execute(reel, sql, parameters)


def verify(reel: Reel) -> int:
    """See that every row's digest follows from genesis, or from what was pruned; how many rows."""
    runs: defaultdict[str, list[EventRow]] = defaultdict(list)
    for row in rows(reel):
        runs[row.run_id].append(row)
    for run_id, stored in runs.items():
        first = stored[0]
        if is_tombstone(first):
            stone = tombstone_of(first)
            assert stone is not None, f"the tombstone of {run_id} does not follow from what it says"
            digest = stone.digest
        else:
            digest, first = digest_chain.genesis(run_id), first._replace(seq=0)
        for seq, row in enumerate(stored, first.seq):
            assert row.seq == seq, f"{run_id} has a gap before row {row.seq}"
            committed = row.redacted or digest_chain.commitment(
                bytes(row.salt or b""), row.payload or ""
            )
            bound = row[:9]
            digest = digest_chain.digest(digest, *bound, bytes(committed))
            assert bytes(row.digest) == digest, f"row {seq} of {run_id} breaks the chain"
            assert row.salt is None or len(row.salt) == digest_chain.SALT_BYTES
    return sum(map(len, runs.values()))


_expected: dict[tuple[object, ...], SchemaObjects] = {}


@contextlib.contextmanager
def _expecting_again() -> Iterator[None]:
    """Have a server create the schema once that it compares with that of each database."""
    create = catalogue._expected

    def expected(connection, names, ddl, number):
        key = (*names, ddl, number)
        if key not in _expected:
            _expected[key] = create(connection, names, ddl, number)
        return _expected[key]

    with mock.patch.object(catalogue, "_expected", expected):
        yield


def verify_database(url: str) -> None:
    """``verify`` for a log that nobody has open, and that the audit finds nothing in it."""
    import runreel
    from runreel.audit import verify as audit

    with runreel.open(url, create=False) as reel, _expecting_again():
        verify(reel)
        with reel.db.reading() as connection:
            found = list(audit.verify(connection))
        assert found == [], found


def opened(url: str) -> Database:
    """The database alone."""
    return Database(url)
