"""The bytes of rows that are gone or erased: given back, overwritten, or still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.store.connection import Connection

_TABLES = ("events", "runs", "run_labels", "usage_by_time", "usage_by_value")
_WAL = "the write-ahead log beside the file may hold old pages: a reader was busy; run it again"
_DEAD = "the server keeps what was in dead rows until it rewrites the tables"

# What a table in partitions has, they have.
_SIZE = """
WITH asked AS (SELECT ?::regclass::oid AS oid)
SELECT sum(pg_total_relation_size(part)) FROM (
    SELECT oid FROM asked UNION ALL
    SELECT inhrelid FROM pg_inherits JOIN asked ON inhparent = oid) AS parts (part)
"""


class Space(NamedTuple):
    """Bytes before and after, and what may still hold the old bytes.

    ``unused`` are bytes inside of a SQLite file that wait for what is recorded next.
    """

    before: int
    after: int
    left: tuple[str, ...]
    unused: int | None = None


def release(connection: Connection, path: Path | None, *, purge: bool) -> Space:
    """Let go of the bytes of erased and deleted rows; ``purge`` rewrites the tables without them.

    Call it outside of a transaction. ``path`` is that of a SQLite file.
    """
    before = size(connection, path)
    left = tuple(
        _postgres(connection, purge=purge) if path is None else _sqlite(connection, purge=purge)
    )
    return Space(before, size(connection, path), left, _unused(connection))


def _unused(connection: Connection) -> int | None:
    if connection.postgres:
        return None
    pages = connection.one("PRAGMA freelist_count")[0] * connection.one("PRAGMA page_size")[0]
    return int(pages)


def _sqlite(connection: Connection, *, purge: bool) -> Iterator[str]:
    if purge:
        connection.execute("VACUUM")
    busy, _, _ = connection.one("PRAGMA wal_checkpoint(TRUNCATE)")
    if busy:
        yield _WAL


def _postgres(connection: Connection, *, purge: bool) -> Iterator[str]:
    for table in _TABLES:
        # FULL writes the table anew, and locks it meanwhile.
        connection.execute(f"VACUUM FULL {table}" if purge else f"VACUUM {table}")
    if not purge:
        yield _DEAD
    elif _may_checkpoint(connection):
        connection.execute("CHECKPOINT")
    yield "the server's write-ahead log, until its files are recycled"


def _may_checkpoint(connection: Connection) -> bool:
    version, is_super = connection.one(
        "SELECT current_setting('server_version_num')::int, current_setting('is_superuser') = 'on'"
    )
    if is_super or version < 150_000:
        return bool(is_super)
    return bool(connection.one("SELECT pg_has_role('pg_checkpoint', 'USAGE')")[0])


def size(connection: Connection, path: Path | None) -> int:
    """The bytes of the log's tables, or of its file and the write-ahead log beside that."""
    if path is None:
        return sum(size_of(connection, table) for table in _TABLES)
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def size_of(connection: Connection, table: str) -> int:
    """The bytes of a table of Postgres with all its partitions and indexes."""
    return int(connection.one(_SIZE, (table,))[0])
