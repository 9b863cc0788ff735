"""The maintenance of a Postgres database. Implements ``Admin``."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from runreel.model.columns import PROJECTIONS
from runreel.model.maintenance import Space
from runreel.store.drivers.postgres import partitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.errors import Diagnostic

    from runreel.store.drivers.interface import Connection

_SETTINGS = ("server_version", "server_encoding", "synchronous_commit", "fsync")
_SHOWN = ("events", "runs", "run_labels", "run_keys")
_TABLES = ("events", *PROJECTIONS)
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


def is_replica(connection: Connection) -> bool:
    """True if the server only follows another one."""
    return bool(connection.one("SELECT pg_is_in_recovery()")[0])


def sizes(connection: Connection) -> dict[str, int]:
    """Return the sizes of tables with their partitions and indexes in bytes."""
    return {table: _size(connection, table) for table in _SHOWN}


def size(connection: Connection) -> int:
    """Return the size of all tables in bytes."""
    return sum(_size(connection, table) for table in _TABLES)


def _size(connection: Connection, table: str) -> int:
    return int(connection.one(_SIZE, (table,))[0])


def settings(connection: Connection) -> dict[str, object]:
    """Return the version and settings of the server, and the number of partitions."""
    found: dict[str, object] = {name: connection.one(f"SHOW {name}")[0] for name in _SETTINGS}
    number = partitions.count(connection)
    return found if number is None else {**found, "partitions": number}


def release(connection: Connection, *, purge: bool) -> Space:
    """Vacuum each table; ``purge`` rewrites it."""
    before = size(connection)
    if purge:
        held = [_SNAPSHOTS] if _rewrite(connection) else []
        left = (*held, _SERVER_LOG)
    else:
        held, left = [], (_DEAD, _SERVER_LOG)
        for table in _TABLES:
            connection.execute(f"VACUUM {table}")
    return Space(before, size(connection), left, held=bool(held))


def _rewrite(connection: Connection) -> int:
    """Rewrite each table; return the number of dead rows that old snapshots kept."""
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
    return kept


@contextlib.contextmanager
def _notices(connection: Connection) -> Iterator[list[str]]:
    """Collect the details of the notices that the server sends inside."""
    details: list[str] = []

    def add_detail(diagnostic: Diagnostic) -> None:
        details.append((diagnostic.message_detail or "").strip())

    connection.raw.add_notice_handler(add_detail)
    try:
        yield details
    finally:
        connection.raw.remove_notice_handler(add_detail)


def _may_checkpoint(connection: Connection) -> bool:
    version, is_super = connection.one(
        "SELECT current_setting('server_version_num')::int, current_setting('is_superuser') = 'on'"
    )
    if is_super or version < 150_000:
        return bool(is_super)
    return bool(connection.one("SELECT pg_has_role('pg_checkpoint', 'USAGE')")[0])


def wait_durable(connection: Connection) -> None:
    """Wait for the server's write-ahead log; a replica cannot."""
    # A commit that wrote something and waited for its disk has waited for all commits before it.
    with connection.transaction():
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', true),"
            " pg_logical_emit_message(true, 'runreel', 'checkpoint')"
        )


def file_problems(connection: Connection) -> Iterator[str]:  # noqa: ARG001
    """Yield nothing: the files are the server's."""
    return iter(())
