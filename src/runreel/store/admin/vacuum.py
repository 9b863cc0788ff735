"""Frees the space of erased and deleted rows, and reports what still holds the old bytes."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.columns import PROJECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.store.connection import Connection

_TABLES = ("events", *PROJECTIONS)
_WAL = (
    "the write-ahead log next to the file has old pages while a reader uses them: end what reads"
    " the log, and run this again"
)
_SNAPSHOTS = (
    "the tables have erased rows while an open transaction can see them: end it, and run this again"
)
_DEAD = "dead rows in the tables, until --purge rewrites them"
_SERVER_LOG = "the server's write-ahead log, until its files are recycled"
_COUNT = re.compile("[0-9]+")

# The size of a partitioned table is that of its partitions.
_SIZE = """
WITH asked AS (SELECT ?::regclass::oid AS oid)
SELECT sum(pg_total_relation_size(part)) FROM (
    SELECT oid FROM asked UNION ALL
    SELECT inhrelid FROM pg_inherits JOIN asked ON inhparent = oid) AS parts (part)
"""


class Space(NamedTuple):
    """Bytes before and after, and what may still hold the old bytes.

    ``unused`` are free bytes inside a SQLite file, reused by later recordings. ``held`` is true if
    a reader kept a purge from removing all old bytes.
    """

    before: int
    after: int
    left: tuple[str, ...]
    unused: int | None = None
    held: bool = False


def release(connection: Connection, path: Path | None, *, purge: bool) -> Space:
    """Free the space of erased and deleted rows; ``purge`` rewrites the tables without them.

    Call it outside a transaction. ``path`` is the SQLite file, None for Postgres.
    """
    before = size(connection, path)
    held = _postgres(connection, purge=purge) if path is None else _sqlite(connection, purge=purge)
    left = list(filter(None, [held]))
    if path is None:
        left += [_SERVER_LOG] if purge else [_DEAD, _SERVER_LOG]
    return Space(
        before,
        size(connection, path),
        tuple(left),
        _unused(connection),
        held=purge and held is not None,
    )


def _unused(connection: Connection) -> int | None:
    if connection.postgres:
        return None
    pages = connection.one("PRAGMA freelist_count")[0] * connection.one("PRAGMA page_size")[0]
    return int(pages)


def _sqlite(connection: Connection, *, purge: bool) -> str | None:
    """Truncate the WAL; return the reason if readers kept old pages in it."""
    if purge:
        connection.execute("VACUUM")
    busy, _, _ = connection.one("PRAGMA wal_checkpoint(TRUNCATE)")
    return _WAL if busy else None


def _postgres(connection: Connection, *, purge: bool) -> str | None:
    """Vacuum each table; return the reason if old snapshots kept dead rows of a purge."""
    if not purge:
        for table in _TABLES:
            connection.execute(f"VACUUM {table}")
        return None
    kept = 0
    with _notices(connection) as notices:
        for table in _TABLES:
            # FULL copies the table into a new file, and locks it meanwhile.
            connection.execute(f"VACUUM (FULL, VERBOSE) {table}")
    for notice in notices:
        # "3 dead row versions cannot be removed yet.", in the server's language.
        found = _COUNT.match(notice)
        kept += int(found[0]) if found else 0
    if _may_checkpoint(connection):
        connection.execute("CHECKPOINT")
    return _SNAPSHOTS if kept else None


@contextlib.contextmanager
def _notices(connection: Connection) -> Iterator[list[str]]:
    """Collect the details of the notices that the server sends inside."""
    details: list[str] = []

    def add_detail(diagnostic: Any) -> None:
        details.append((diagnostic.message_detail or "").strip())

    connection.driver.add_notice_handler(add_detail)
    try:
        yield details
    finally:
        connection.driver.remove_notice_handler(add_detail)


def _may_checkpoint(connection: Connection) -> bool:
    version, is_super = connection.one(
        "SELECT current_setting('server_version_num')::int, current_setting('is_superuser') = 'on'"
    )
    if is_super or version < 150_000:
        return bool(is_super)
    return bool(connection.one("SELECT pg_has_role('pg_checkpoint', 'USAGE')")[0])


def size(connection: Connection, path: Path | None) -> int:
    """Return the size of the tables in bytes; for SQLite, of the file and its WAL."""
    if path is None:
        return sum(size_of(connection, table) for table in _TABLES)
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def size_of(connection: Connection, table: str) -> int:
    """Return the size of a Postgres table with its partitions and indexes in bytes."""
    return int(connection.one(_SIZE, (table,))[0])
