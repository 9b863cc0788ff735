"""The schema's state and its migrations. The only importer of Alembic, and only to migrate."""

from __future__ import annotations

import threading
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runreel.store.engine import APPLICATION_ID
from runreel.words.errors import (
    NotOurDatabase,
    ProjectionOutdated,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy import Connection as SAConnection

    from runreel.store.connection import Connection

# The revisions this code knows, oldest first; the last is the one it needs.
REVISIONS = ("0001", "0002", "0003")
HEAD = REVISIONS[-1]
VERSION_TABLE = "runreel_version"

# Raise it whenever the fold or the columns of a projection change their meaning.
PROJECTION_VERSION = "1"

_migrating = threading.Lock()
# Any constant will do, as long as it stays the same.
_MIGRATION_LOCK = 0x72756E7265656C


def current(connection: Connection) -> str | None:
    """The revision of the database, None where runreel has no tables in it.

    Raises:
        NotOurDatabase: if it is a SQLite file with somebody else's tables.
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
                raise NotOurDatabase("this SQLite file holds something else than a runreel log")
            return None
    row = connection.one(f"SELECT version_num FROM {VERSION_TABLE}")
    return None if row is None else str(row[0])


def require(connection: Connection) -> None:
    """See that the tables are those this code knows.

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
    """See that the projections were made by code that means the same by them.

    Raises:
        ProjectionOutdated: if they were not.
    """
    version = projection_version(connection)
    if version != PROJECTION_VERSION:
        raise ProjectionOutdated(
            f"the projections are of version {version}; this runreel makes {PROJECTION_VERSION}"
        )


def projection_version(connection: Connection) -> str | None:
    """The version of the code that made the projections."""
    row = connection.one("SELECT value FROM runreel_meta WHERE key = 'projection_version'")
    return None if row is None else str(row[0])


def set_projection_version(connection: Connection) -> None:
    """Record that the projections are what this code makes."""
    if projection_version(connection) == PROJECTION_VERSION:
        # A recorder may rebuild; only who upgrades may write to this table.
        return
    connection.execute(
        "INSERT INTO runreel_meta (key, value) VALUES ('projection_version', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (PROJECTION_VERSION,),
    )


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema up to date in one transaction; the revisions before and after.

    Safe to run from several processes at once: one migrates, the others find it done.

    Raises:
        SchemaTooNew: if it is of a revision that this code does not know; nothing is changed.
    """
    from alembic import command

    # Alembic keeps its context in a global.
    with _migrating, engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")
        try:
            if not sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            before = _revision(connection)
            if before is not None:
                _refuse_unknown(before)
            command.upgrade(_config(connection=connection), "head")
            after = _revision(connection)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
    return before, str(after)


def ddl(url: URL) -> str:
    """The SQL that ``upgrade`` would run on an empty database of this kind."""
    from alembic import command

    out = StringIO()
    with _migrating:
        command.upgrade(_config(output=out, url=url), "head", sql=True)
    return out.getvalue()


def migrations() -> Path:
    """The folder of migrations: inside of the installed package, or the checkout's."""
    installed = Path(str(resources.files("runreel"))) / "migrations"
    if installed.is_dir():
        return installed
    return Path(__file__).parents[3] / "migrations"


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


def _revision(connection: SAConnection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()
