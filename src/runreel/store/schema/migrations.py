"""The schema's revision and its migrations. The only importer of Alembic, and only to migrate."""

from __future__ import annotations

import contextlib
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runreel.model import columns
from runreel.model.errors import (
    LogError,
    NotOurDatabase,
    ProjectionOutdated,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)
from runreel.store import fork_guard
from runreel.store.connection import Connection
from runreel.store.drivers.sqlite import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection as SAConnection

    from runreel.store.database_url import Url
    from runreel.store.drivers.interface import Engine

# This code supports these revisions, and needs the last one.
REVISIONS = columns.REVISIONS
HEAD = REVISIONS[-1]
PROJECTION_VERSION = columns.PROJECTION_VERSION
VERSION_TABLE = "runreel_version"

# SQL for the version of the stored projections.
VERSION = "(SELECT value FROM runreel_meta WHERE key = 'projection_version')"

# For one transaction: the syntax of literals and the quoting of names, at any server default.
USUAL_SETTINGS = (
    "SELECT set_config('standard_conforming_strings', 'on', true),"
    " set_config('quote_all_identifiers', 'off', true)"
)

_migrating = fork_guard.Lock()
# Any constant, as long as it never changes.
_MIGRATION_LOCK = 0x72756E7265656C


def current(connection: Connection) -> str | None:
    """Return the revision of the database, None if it has no runreel tables.

    Raises:
        NotOurDatabase: if it is a SQLite file of another application.
    """
    if connection.postgres:
        found = connection.one("SELECT to_regclass(?)", (VERSION_TABLE,))[0]
        if found is None:
            return None
    else:
        tables = {row[0] for row in connection.all("SELECT name FROM sqlite_master")}
        if VERSION_TABLE not in tables:
            foreign = connection.one("PRAGMA application_id")[0] not in (0, APPLICATION_ID)
            if tables or foreign:
                raise NotOurDatabase("this SQLite file is not a runreel log")
            return None
    row = connection.one(f"SELECT version_num FROM {VERSION_TABLE}")
    return None if row is None else str(row[0])


def require(connection: Connection) -> None:
    """Check that the tables are of the revision that this code needs.

    Raises:
        SchemaMissing, SchemaTooOld, SchemaTooNew, NotOurDatabase: if they are not.
    """
    revision = current(connection)
    if revision is None:
        raise SchemaMissing("this database has no runreel tables")
    _refuse_unknown(revision)
    if revision != HEAD:
        raise SchemaTooOld(f"this database is of revision {revision}, this runreel needs {HEAD}")


def require_utf8(connection: Connection) -> None:
    """Check that the database can store every character, before creating tables.

    Raises:
        LogError: if the encoding of a Postgres database is not UTF8.
    """
    if not connection.postgres:
        return
    (encoding,) = connection.one("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        raise LogError(
            f"the database has the encoding {encoding}, which cannot store every character",
            hint="Nothing was changed. Create one with: createdb --encoding=UTF8"
            " --template=template0 NAME",
        )


def require_projections(connection: Connection) -> None:
    """Check that the projections are of the version that this code writes.

    Raises:
        ProjectionOutdated: if they are not.
    """
    check_projections(projection_version(connection))


def check_projections(version: str | None) -> None:
    """Check a version of the projections that is already known.

    Raises:
        ProjectionOutdated: if it is not the one that this code writes.
    """
    if version != PROJECTION_VERSION:
        raise ProjectionOutdated(
            f"the projections are of version {version}; this runreel makes {PROJECTION_VERSION}"
        )


def projection_version(connection: Connection) -> str | None:
    """Return the version of the stored projections."""
    (version,) = connection.one(f"SELECT {VERSION}")
    return None if version is None else str(version)


def set_projection_version(connection: Connection) -> None:
    """Record that the projections are of this code's version."""
    if projection_version(connection) == PROJECTION_VERSION:
        # Recorders may rebuild, but only the role that upgrades may write to this table.
        return
    connection.execute(
        "INSERT INTO runreel_meta (key, value) VALUES ('projection_version', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (PROJECTION_VERSION,),
    )


def upgrade(engine: Engine, *, partitions: int | None = None) -> tuple[str | None, str]:
    """Bring the schema up to date in one transaction; return the revisions before and after.

    ``partitions`` is the number of partitions on Postgres: see ``partitions.make``. Several
    processes may call it at once: one migrates, the others find it done.

    Raises:
        SchemaTooNew: if this code does not know the revision; nothing is changed.
        UsageError: if it has another number of partitions; nothing is changed.
        LogError: if it is new and its encoding is not UTF8; nothing is changed.
    """
    from runreel.store.schema import partitions as partitioning

    # Alembic keeps its context in a global variable.
    with (
        _migrating,
        contextlib.closing(Connection(engine.connect())) as connection,
        alchemy(connection) as sa,
        connection.transaction(),
    ):
        if connection.postgres:
            connection.execute(USUAL_SETTINGS)
            connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        before = current(connection)
        if before is None:
            require_utf8(connection)
        else:
            _refuse_unknown(before)
        migrate(sa, "head")
        after = current(connection)
        if partitions is not None:
            partitioning.make(connection, partitions)
    return before, str(after)


@contextlib.contextmanager
def alchemy(connection: Connection) -> Iterator[SAConnection]:
    """Lend the connection as SQLAlchemy's, for Alembic; one of SQLite is closed afterwards."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    held = connection.held.alchemy
    if held is None:
        held = create_engine(
            "sqlite://",
            creator=lambda: connection.driver,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        ).connect()
    # Without this outer transaction Alembic would commit ours.
    with held, held.begin():
        yield held


def migrate(connection: SAConnection, revision: str) -> None:
    """Upgrade the schema to a revision, in the transaction of ``connection``."""
    from alembic import command

    command.upgrade(_config(connection=connection), revision)


def ddl(url: Url, *, partitions: int | None = None) -> str:
    """Return the SQL that ``upgrade`` would run on an empty database of this kind."""
    from alembic import command

    out = StringIO()
    with _migrating:
        command.upgrade(_config(output=out, url=url), "head", sql=True)
    if partitions is not None:
        from runreel.store.schema import partitions as partitioning

        out.write(partitioning.sql(partitions))
    return out.getvalue()


def migrations() -> Path:
    """Return the directory of the migrations: in the installed package, or in the checkout."""
    installed = Path(str(resources.files("runreel"))) / "migrations"
    if installed.is_dir():
        return installed
    return Path(__file__).parents[4] / "migrations"


def _refuse_unknown(revision: str) -> None:
    if revision not in REVISIONS:
        raise SchemaTooNew(
            f"this database is of revision {revision}; this runreel knows up to {HEAD}"
        )


def _config(**attributes: Any) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes.update(attributes)
    return config
