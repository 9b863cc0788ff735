"""Waits until the event log is on disk, including rows of other writers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runreel.store.drivers import errors as driver_errors
from runreel.store.replica import refuse_replica
from runreel.system import atomic_files

if TYPE_CHECKING:
    from runreel.store.connection import Connection


def wait_durable(connection: Connection) -> None:
    """Wait until every row that was readable before survives a power loss.

    Writers with ``normal`` durability do not wait themselves.

    Raises:
        LogError: if the database is a replica, which may lag and cannot wait.
    """
    if connection.postgres:
        _wait_postgres(connection)
    else:
        _wait_sqlite(connection)


def _wait_postgres(connection: Connection) -> None:
    refuse_replica(connection)
    # A commit that wrote something and waited for its disk has waited for all commits before it.
    with connection.transaction():
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', true),"
            " pg_logical_emit_message(true, 'runreel', 'checkpoint')"
        )


def _wait_sqlite(connection: Connection) -> None:
    file = next(row[2] for row in connection.all("PRAGMA database_list") if row[1] == "main")
    # SQLite syncs the WAL before it moves pages into the database file, and that file before it
    # resets the WAL. Never open the database file here: closing it would drop SQLite's locks.
    wal = Path(file + "-wal")
    with driver_errors.file_errors(wal):
        if wal.exists():
            atomic_files.sync(wal)
            atomic_files.sync(wal.parent)
