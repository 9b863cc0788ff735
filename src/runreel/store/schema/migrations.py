"""The schema's revision and its migrations. The only importer of Alembic, and only to migrate."""

from __future__ import annotations

import contextlib
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runreel.model import columns
from runreel.model.errors import (
    ProjectionOutdated,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)
from runreel.store import fork_guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection as SAConnection

    from runreel.store.connection import Connection
    from runreel.store.database_url import Url

# This code supports these revisions, and needs the last one.
REVISIONS = columns.REVISIONS
HEAD = REVISIONS[-1]
PROJECTION_VERSION = columns.PROJECTION_VERSION
VERSION_TABLE = "runreel_version"

# SQL for the version of the stored projections.
VERSION = "(SELECT value FROM runreel_meta WHERE key = 'projection_version')"

# SQLAlchemy's names of the drivers.
_DIALECTS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}

_migrating = fork_guard.Lock()


def current(connection: Connection) -> str | None:
    """Return the revision of the database, None if it has no runreel tables.

    Raises:
        NotOurDatabase: if it is a SQLite file of another application.
    """
    if not connection.driver.catalogue.has_table(connection, VERSION_TABLE):
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


def upgrade(connection: Connection, *, partitions: int | None = None) -> tuple[str | None, str]:
    """Bring the schema up to date in one transaction; return the revisions before and after.

    ``partitions`` is the number of partitions on Postgres: see ``partitions.make``. Several
    processes may call it at once: one migrates, the others find it done. The connection cannot be
    used afterwards.

    Raises:
        SchemaTooNew: if this code does not know the revision; nothing is changed.
        UsageError: if it has another number of partitions; nothing is changed.
        LogError: if it is new and its encoding is not UTF8; nothing is changed.
    """
    catalogue = connection.driver.catalogue
    # Alembic keeps its context in a global variable.
    with _migrating, alchemy(connection) as sa, connection.transaction():
        catalogue.prepare_migration(connection)
        before = current(connection)
        if before is None:
            catalogue.prepare_creation(connection)
        else:
            _refuse_unknown(before)
        migrate(sa, "head")
        after = current(connection)
        if partitions is not None:
            from runreel.store.drivers.postgres import partitions as partitioning

            partitioning.make(connection, partitions)
    return before, str(after)


@contextlib.contextmanager
def alchemy(connection: Connection) -> Iterator[SAConnection]:
    """Lend the connection as SQLAlchemy's, for Alembic; it is closed afterwards."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        _DIALECTS[connection.driver.backend],
        creator=lambda: connection.raw,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )
    # Without this outer transaction Alembic would commit ours.
    with engine.connect() as sa, sa.begin():
        yield sa


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
        from runreel.store.drivers.postgres import partitions as partitioning

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
