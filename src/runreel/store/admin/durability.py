"""Waiting until what a log says is on its disk, whoever wrote it and however."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runreel.store.drivers import errors as driver_errors
from runreel.store.replica import refuse_replica
from runreel.system import atomic_files

if TYPE_CHECKING:
    from runreel.store.connection import Connection


def wait_durable(connection: Connection) -> None:
    """Wait until every row that could be read before survives a power loss.

    Writers of ``normal`` durability do not wait themselves.

    Raises:
        LogError: if the database is a replica, which may be behind and has nothing to wait for.
    """
    if connection.postgres:
        _settle_postgres(connection)
    else:
        _settle_sqlite(connection)


def _settle_postgres(connection: Connection) -> None:
    refuse_replica(connection)
    # A commit that has written something and waits for its disk has waited for all before it.
    with connection.transaction():
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', true),"
            " pg_logical_emit_message(true, 'runreel', 'checkpoint')"
        )


def _settle_sqlite(connection: Connection) -> None:
    file = next(row[2] for row in connection.all("PRAGMA database_list") if row[1] == "main")
    # SQLite syncs the log before it moves rows into the file, and the file before it forgets the
    # log. The file itself must never be opened here: closing it would drop SQLite's locks.
    wal = Path(file + "-wal")
    with driver_errors.file_errors(wal):
        if wal.exists():
            atomic_files.sync(wal)
            atomic_files.sync(wal.parent)
