"""A snapshot that workers share with the process that gives them work."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from runreel.model.errors import DatabaseReadOnly
from runreel.store.events import damage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.worker_pool import WorkerPool

_FIRST_READ = "SELECT 1 FROM runreel_meta LIMIT 1"


@contextlib.contextmanager
def snapshot(
    database: Database, connection: Connection, pool: WorkerPool | None
) -> Iterator[WorkerPool | None]:
    """Let all reads inside see one moment: those on ``connection``, and those of the workers.

    Yields the workers, or None where they cannot: in a SQLite file that may not be written, as
    writers have to wait for the short time in which the workers begin.
    """
    if pool is None:
        with damage.snapshot(connection):
            yield None
    elif export := connection.driver.dialect.export_snapshot:
        with damage.snapshot(connection):
            (name,) = connection.one(export)
            pool.on_each(partial(_adopt, name=str(name)))
            yield pool
    else:
        with contextlib.ExitStack() as whole:
            yield _begin_all(database, connection, pool, whole)


def _begin_all(
    database: Database, connection: Connection, pool: WorkerPool, whole: contextlib.ExitStack
) -> WorkerPool | None:
    try:
        with database.writing() as writer, writer.transaction():
            whole.enter_context(damage.snapshot(connection))
            connection.one(_FIRST_READ)
            pool.on_each(_begin)
    except DatabaseReadOnly:
        whole.enter_context(damage.snapshot(connection))
        return None
    return pool


def _begin(connection: Connection) -> None:
    connection.execute(connection.driver.dialect.begin_snapshot)
    connection.one(_FIRST_READ)


def _adopt(connection: Connection, name: str) -> None:
    connection.execute(connection.driver.dialect.begin_snapshot)
    # The name is the server's own, and a parameter is not possible here.
    connection.execute(f"SET TRANSACTION SNAPSHOT '{name}'")
