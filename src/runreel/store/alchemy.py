"""A SQLAlchemy engine on the database of a log, for queries of users; runreel itself uses none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from runreel.store.database_url import Url, file_uri
from runreel.store.drivers import sqlite

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from psycopg import Connection as PostgresConnection
    from sqlalchemy import Connection

__all__ = ["Engine", "read_only_engine"]


def read_only_engine(url: Url, path: Path | None) -> Engine:
    """Return an engine whose connections cannot write, and see one snapshot each.

    ``path`` is the absolute path of a SQLite file. The engine has no pool: an idle connection would
    be shared with forked children.
    """
    if path is None:
        # Set for each transaction: settings of a session get lost behind a pooler.
        options = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: _connect_postgres(url),
            poolclass=NullPool,
            hide_parameters=True,
            execution_options=options,
        )
    read_only = _read_only(url, path)

    def connect() -> sqlite3.Connection:
        driver = sqlite.connect(read_only, path, "full")
        # The view ``transcript`` calls functions of SQLite that an untrusted view may not call.
        driver.execute("PRAGMA trusted_schema = ON").close()
        return driver

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "begin", _begin)
    return engine


def _read_only(url: Url, path: Path) -> Url:
    options = {**dict(url.query), "mode": "ro", "uri": "true"}
    return Url(file_uri(path, "").removesuffix("?"), tuple(options.items()))


def _begin(connection: Connection) -> None:
    # The driver itself begins no transaction, so each statement would see another moment.
    connection.exec_driver_sql("BEGIN")


def _connect_postgres(url: Url) -> PostgresConnection:
    import psycopg

    return psycopg.connect(url.text, prepare_threshold=None, client_encoding="utf8")
