"""One log's database: checked, and created or migrated where that is ours to do."""

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

    from runreel.codec.secret_masking import SecretFilter
    from runreel.store.admin.vacuum import Space

T = TypeVar("T")

_log = logging.getLogger("runreel")


class Database(Connections):
    """One log. Thread-safe, and safe to use on in a forked child.

    SQLite is created and migrated by itself if ``create``; Postgres by ``upgrade`` alone.
    ``patience`` is for how many seconds a recorder tries again to reach it; ``masking`` what its
    recorders mask before they store anything.
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
        """What ``step`` answers, tried again for ``patience`` seconds while it cannot be reached.

        Raises:
            DatabaseUnavailable: if it cannot be reached for that long.
        """
        more = backoff.until(time.monotonic() + self.patience)
        while True:
            try:
                return step()
            except DatabaseUnavailable as error:
                if isinstance(error, DatabaseReadOnly) or not next(more, False):
                    raise

    def upgrade(self, *, partitions: int | None = None) -> tuple[str | None, str]:
        """Create or migrate the tables; the revisions before and after.

        ``partitions`` is how many the log is to have, on Postgres.

        Raises:
            UsageError: if it can have none, or not so many.
        """
        self._check_partitions(partitions)
        with driver_errors.our_errors(self.url):
            if self._path is not None:
                self._check_file(self._path)
            with self.reading(checked=False) as connection:
                migrations.current(connection)
            with in_use(), self._lock:
                moved = self._migrate(partitions)
        self._checked = True
        return moved

    def current(self) -> str | None:
        """The revision of the tables, None where there are none."""
        self.check_exists()
        with self.reading(checked=False) as connection:
            return migrations.current(connection)

    def check_exists(self) -> None:
        """See that the file of a SQLite log exists, without opening it.

        Raises:
            DatabaseUnavailable: if it does not.
        """
        if self._path is not None and not is_file(self._path, self.shown):
            raise missing(self.shown)

    def sql(self, *, partitions: int | None = None) -> str:
        """The DDL of this kind of database; the log in so many partitions, on Postgres.

        Raises:
            UsageError: if it can have none, or not so many.
        """
        self._check_partitions(partitions)
        return migrations.ddl(self.url, partitions=partitions)

    def status(self) -> dict[str, Any]:
        """Sizes in bytes, rows, settings and revision."""
        from runreel.store.admin import statistics

        with self.reading() as connection:
            return statistics.statistics(connection, self._path)

    def size(self) -> int:
        """The bytes that the log takes: see ``space.size``."""
        from runreel.store.admin import vacuum

        with self.reading() as connection:
            return vacuum.size(connection, self._path)

    def release(self, *, purge: bool) -> Space:
        """Let go of the bytes of what was erased or deleted: see ``space.release``."""
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
                # A reader changes nothing: older versions of runreel may still use the file.
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
        moved = migrations.upgrade(engine, partitions=partitions)
        # A file is given its journal mode by the first connection that finds it ours.
        engine.dispose()
        return moved

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
