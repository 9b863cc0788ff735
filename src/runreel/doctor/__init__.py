"""Health checks of a log: its database, files, schema and contents, and installed packages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runreel.doctor import files, log, packages, postgres, sqlite
from runreel.doctor.checks import BAD, OK, Check, HealthReport
from runreel.model.errors import LogError
from runreel.store import database_url
from runreel.store.drivers import errors as driver_errors
from runreel.store.read_only import ReadOnlyDatabase
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.database import Database


def check_health(database: Database, *, now: int) -> HealthReport:
    """Run all health checks; changes nothing. ``now`` is in µs.

    If the database cannot be reached, the result has one failed check; no error is raised.
    """
    try:
        database.check_exists()
    except LogError as error:
        return _unreachable(error)
    read_only = ReadOnlyDatabase(database)
    try:
        with read_only.reading(checked=False) as connection:
            revision = migrations.current(connection)
            checks = [
                Check("database", OK, database.shown),
                *_run_checks(connection, revision, database, now),
                packages.check_packages(),
            ]
    except LogError as error:
        return _unreachable(error)
    finally:
        read_only.close()
    return HealthReport(tuple(checks), reached=True)


def _unreachable(error: LogError) -> HealthReport:
    return HealthReport((Check("database", BAD, str(error), error.hint),), reached=False)


def _run_checks(
    connection: Connection, revision: str | None, database: Database, now: int
) -> Iterator[Check]:
    path = database_url.sqlite_path(database.url)
    if path is None:
        yield from _guarded(database, "server", lambda: postgres.check_server(connection))
    else:
        yield from _guarded(database, "sqlite", lambda: sqlite.check_settings(connection))
        yield from files.check_files(path)
    yield log.check_revision(revision)
    if revision != migrations.HEAD:
        return
    if path is None:
        yield from _guarded(database, "role", lambda: postgres.check_role(connection))
    for name, examiner in log.EXAMINERS.items():
        yield from _guarded(database, name, partial(examiner, connection, now))


def _guarded(
    database: Database, name: str, examiner: Callable[[], Iterable[Check]]
) -> Iterator[Check]:
    """Run an examiner; its failure becomes a failed check."""
    try:
        with driver_errors.our_errors(database.url):
            yield from examiner()
    except LogError as error:
        yield Check(name, BAD, str(error), error.hint)
