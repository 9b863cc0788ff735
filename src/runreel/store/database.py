"""The database of one log: checked before use, created or migrated where that is allowed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from runreel.model.errors import (
    DatabaseReadOnly,
    DatabaseUnavailable,
    SchemaMissing,
    SchemaTooOld,
    UsageError,
)
from runreel.store import database_url
from runreel.store.connection import Connection
from runreel.store.drivers import errors as driver_errors
from runreel.store.drivers.log_file import is_file, missing, refuse_left_behind
from runreel.store.drivers.sqlite import create_owner_only
from runreel.store.pool import Connections, in_use
from runreel.store.schema import migrations
from runreel.system import backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine

    from runreel.codec.secret_masking import SecretFilter
    from runreel.store.admin.vacuum import Space

T = TypeVar("T")

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
        super().__init__(url, durability=durability)
        self.patience = patience
        self.masking = masking
        self._create = create and database_url.may_create(self.url)

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
        self._check_partitions(partitions)
        with driver_errors.our_errors(self.url):
            if self._path is not None:
                self._check_file(self._path)
            with self.reading(checked=False) as connection:
                migrations.current(connection)
            with in_use(), self._lock:
                revisions = self._migrate(partitions)
        self._checked = True
        return revisions

    def current(self) -> str | None:
        """Return the revision of the tables, None if there are none."""
        self.check_exists()
        with self.reading(checked=False) as connection:
            return migrations.current(connection)

    def check_exists(self) -> None:
        """Check that the file of a SQLite log exists, without opening it.

        Raises:
            DatabaseUnavailable: if it does not.
        """
        if self._path is not None and not is_file(self._path, self.shown):
            raise missing(self.shown)

    def sql(self, *, partitions: int | None = None) -> str:
        """Return the DDL for this kind of database; ``partitions`` as in ``upgrade``.

        Raises:
            UsageError: if that number of partitions is not possible.
        """
        self._check_partitions(partitions)
        return migrations.ddl(self.url, partitions=partitions)

    def status(self) -> dict[str, Any]:
        """Return sizes in bytes, row counts, settings and revision."""
        from runreel.store.admin import statistics

        with self.reading() as connection:
            return statistics.statistics(connection, self._path)

    def size(self) -> int:
        """Return the size of the log in bytes: see ``vacuum.size``."""
        from runreel.store.admin import vacuum

        with self.reading() as connection:
            return vacuum.size(connection, self._path)

    def engine(self) -> Engine:
        """Return a read-only engine of SQLAlchemy: see ``alchemy.read_only_engine``."""
        from runreel.store import alchemy

        with self.reading():
            # The database exists, and its schema is the one that this code knows.
            return alchemy.read_only_engine(self.url, self._path)

    def release(self, *, purge: bool) -> Space:
        """Free the bytes of erased and deleted rows: see ``vacuum.release``."""
        from runreel.store.admin import vacuum

        with self.writing() as connection:
            return vacuum.release(connection, self._path, purge=purge)

    def _check(self) -> None:
        with self._lock:
            if self._path is not None:
                self._check_file(self._path)
            connection = Connection(self._engine_now().connect())
            try:
                migrations.require(connection)
            except (SchemaMissing, SchemaTooOld):
                # Reading never migrates: older versions of runreel may still use the file.
                if self._path is None or not self._create:
                    raise
                connection.close()
                self._log_migration(*self._migrate())
            finally:
                connection.close()
            self._checked = True

    def _check_partitions(self, number: int | None) -> None:
        if number is None:
            return
        from runreel.store.schema import partitions

        if not self.postgres:
            raise UsageError("only a log in Postgres has partitions")
        partitions.check(number)

    def _migrate(self, partitions: int | None = None) -> tuple[str | None, str]:
        engine = self._engine_now()
        revisions = migrations.upgrade(engine, partitions=partitions)
        # A connection sets the journal mode only of a file that is marked as runreel's.
        engine.dispose()
        return revisions

    def _log_migration(self, before: str | None, after: str) -> None:
        if before is not None and before != after:
            _log.warning(
                "%s was migrated from revision %s to %s; older versions of runreel can no longer"
                " open it",
                *(self.shown, before, after),
            )

    def _check_file(self, path: Path) -> None:
        if is_file(path, self.shown) and path.stat().st_size:
            return
        refuse_left_behind(path)
        if path.exists():
            return
        if not self._create:
            raise missing(self.shown)
        create_owner_only(path)
