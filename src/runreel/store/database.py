"""The database of one log: checked before use, created or migrated where that is allowed."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from runreel.model.errors import (
    DatabaseReadOnly,
    DatabaseUnavailable,
    SchemaMissing,
    SchemaTooOld,
)
from runreel.store import database_url
from runreel.store.connections import Connections, in_use
from runreel.store.drivers import errors as driver_errors
from runreel.store.schema import migrations
from runreel.system import backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from runreel.codec.secret_masking import SecretFilter
    from runreel.model.maintenance import Space
    from runreel.store.connection import Connection
    from runreel.store.pool import Pool

T = TypeVar("T")

# The tables whose rows ``Database.status`` counts.
_COUNTED = ("events", "runs", "run_labels", "run_keys")
_log = logging.getLogger("runreel")


class Database(Connections):
    """The database of one log. Thread-safe; usable in a forked child.

    With ``create``, a SQLite file is created and migrated automatically; Postgres only by
    ``upgrade``. ``patience`` is for how many seconds recorders retry to reach the database.
    ``masking`` is the secret filter that recorders apply before they store anything.
    """

    def __init__(
        self,
        url: str,
        *,
        durability: str = "full",
        create: bool = True,
        patience: float = 0.0,
        masking: SecretFilter | None = None,
    ) -> None:
        super().__init__(url, durability=durability, prepare=partial(_prepare, create=create))
        self.patience = patience
        self.masking = masking
        self._create = create

    def retry_unavailable(self, step: Callable[[], T]) -> T:
        """Call ``step``, retrying for ``patience`` seconds while the database is unavailable.

        Raises:
            DatabaseUnavailable: if it is unavailable for that long.
        """
        attempts = backoff.until(time.monotonic() + self.patience)
        while True:
            try:
                return step()
            except DatabaseUnavailable as error:
                if isinstance(error, DatabaseReadOnly) or not next(attempts, False):
                    raise

    def upgrade(self, *, partitions: int | None = None) -> tuple[str | None, str]:
        """Create or migrate the tables; return the revisions before and after.

        ``partitions`` is the number of partitions of the event log, on Postgres.

        Raises:
            UsageError: if that number is not possible.
        """
        if partitions is not None:
            self.driver.catalogue.check_partitions(partitions)
        with driver_errors.our_errors(self.url):
            _create_file(self._pool, create=self._create)
            with self.reading(checked=False) as connection:
                migrations.current(connection)
            with in_use(), self._lock:
                revisions = _migrate(self._pool, partitions)
        self._prepared = True
        return revisions

    def current(self) -> str | None:
        """Return the revision of the tables, None if there are none."""
        self.check_exists()
        with self.reading(checked=False) as connection:
            return migrations.current(connection)

    def check_exists(self) -> None:
        """Check that the file of a log exists, without opening it.

        Raises:
            DatabaseUnavailable: if it does not.
        """
        self.driver.check_exists()

    def sql(self, *, partitions: int | None = None) -> str:
        """Return the DDL for this kind of database; ``partitions`` as in ``upgrade``.

        Raises:
            UsageError: if that number of partitions is not possible.
        """
        if partitions is not None:
            self.driver.catalogue.check_partitions(partitions)
        return migrations.ddl(self.url, partitions=partitions)

    def status(self, *, count_up_to: int | None = None) -> dict[str, object]:
        """Return sizes in bytes, row counts, settings and revision.

        No table is counted further than ``count_up_to`` rows, since that reads them.
        """
        admin = self.driver.admin
        with self.reading() as connection:
            rows = {name: _count(connection, name, count_up_to) for name in _COUNTED}
            return {
                "backend": self.driver.backend,
                "revision": migrations.current(connection),
                "projection_version": migrations.projection_version(connection),
                "rows": rows,
                "bytes": admin.sizes(connection),
                "settings": admin.settings(connection),
            }

    def size(self) -> int:
        """Return the size of the log in bytes; for SQLite, of the file and its WAL."""
        with self.reading() as connection:
            return self.driver.admin.size(connection)

    def engine(self) -> Engine:
        """Return a read-only engine of SQLAlchemy, for queries of users."""
        with self.reading():
            # The database exists, and its schema is the one that this code knows.
            return self.driver.read_only_engine()

    def release(self, *, purge: bool) -> Space:
        """Free the space of erased and deleted rows; ``purge`` rewrites the tables without them."""
        with self.writing() as connection:
            return self.driver.admin.release(connection, purge=purge)


def _count(connection: Connection, table: str, most: int | None) -> int:
    limit = "" if most is None else f" LIMIT {most:d}"
    return int(connection.one(f"SELECT count(*) FROM (SELECT 1 FROM {table}{limit}) AS t")[0])


def _prepare(pool: Pool, *, create: bool) -> None:
    """Check that the log can be used; with ``create``, create or migrate a file."""
    _create_file(pool, create=create)
    try:
        with closing(pool.connect()) as connection:
            migrations.require(connection)
    except (SchemaMissing, SchemaTooOld):
        # Reading never migrates: older versions of runreel may still use the file.
        if not (create and pool.driver.in_process and database_url.may_create(pool.driver.url)):
            raise
        before, after = _migrate(pool)
        if before is not None and before != after:
            _log.warning(
                "%s was migrated from revision %s to %s; older versions of runreel can no longer"
                " open it",
                *(database_url.shown(pool.driver.url), before, after),
            )


def _create_file(pool: Pool, *, create: bool) -> None:
    pool.driver.create_file(allowed=create and database_url.may_create(pool.driver.url))


def _migrate(pool: Pool, partitions: int | None = None) -> tuple[str | None, str]:
    with closing(pool.connect()) as connection:
        revisions = migrations.upgrade(connection, partitions=partitions)
    # A connection sets the journal mode only of a file that is marked as runreel's.
    pool.dispose()
    return revisions
