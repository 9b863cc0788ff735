"""Whether a log is well kept: its database, its files, its tables and what is in them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runreel.doctor import files, log, postgres, sqlite
from runreel.doctor.checks import BAD, OK, Check, Examination
from runreel.model.errors import LogError
from runreel.store import database_url
from runreel.store.database import Database
from runreel.store.drivers import errors as driver_errors
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.store.connection import Connection


def examine(database: Database, *, now: int) -> Examination:
    """Look at everything that can be looked at; changes nothing. ``now`` is in µs.

    A database that cannot be reached is what the one check says, not an error.
    """
    try:
        database.check_exists()
    except LogError as error:
        return _unreached(error)
    looked_at = _read_only(database)
    try:
        with looked_at.reading(checked=False) as connection:
            revision = migrations.current(connection)
            checks = [
                Check("database", OK, database.shown),
                *_examined(connection, revision, database, now),
            ]
    except LogError as error:
        return _unreached(error)
    finally:
        looked_at.close()
    return Examination(tuple(checks), reached=True)


def _unreached(error: LogError) -> Examination:
    return Examination((Check("database", BAD, str(error), error.hint),), reached=False)


def _examined(
    connection: Connection, revision: str | None, database: Database, now: int
) -> Iterator[Check]:
    path = database_url.sqlite_path(database.url)
    if path is None:
        yield from _guarded(database, "server", lambda: postgres.server(connection))
    else:
        yield from _guarded(database, "sqlite", lambda: sqlite.settings(connection))
        yield from files.around(path)
    yield log.revision(revision)
    if revision != migrations.HEAD:
        return
    if path is None:
        yield from _guarded(database, "role", lambda: postgres.role(connection))
    for name, examiner in log.EXAMINERS.items():
        yield from _guarded(database, name, partial(examiner, connection, now))


def _guarded(
    database: Database, name: str, examiner: Callable[[], Iterable[Check]]
) -> Iterator[Check]:
    """What an examiner finds; that it could not look is a finding as well."""
    try:
        with driver_errors.our_errors(database.url):
            yield from examiner()
    except LogError as error:
        yield Check(name, BAD, str(error), error.hint)


def _read_only(database: Database) -> Database:
    """The same log; a file of SQLite so that looking at it changes nothing, not even its mode."""
    path = database_url.sqlite_path(database.url)
    durability = "full" if database.durable else "normal"
    url = database.url.text
    if path is not None and not database.url.query:
        url = f"sqlite:///{database_url.file_uri(path, 'mode=ro&uri=true')}"
    return Database(url, durability=durability, create=False)
