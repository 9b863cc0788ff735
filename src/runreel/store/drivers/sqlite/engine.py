"""A SQLAlchemy engine on a SQLite file, for queries of users; runreel itself uses none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool

from runreel.store.database_url import Url, file_uri
from runreel.store.drivers.sqlite import connecting

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from sqlalchemy import Connection

__all__ = ["Engine", "read_only_engine"]


def read_only_engine(url: Url, path: Path) -> Engine:
    """Return an engine whose connections cannot write, and see one snapshot each."""
    options = {**dict(url.query), "mode": "ro", "uri": "true"}
    read_only = Url(file_uri(path, "").removesuffix("?"), tuple(options.items()))

    def connect() -> sqlite3.Connection:
        raw = connecting.connect(read_only, path, durable=True)
        # The view ``transcript`` calls functions of SQLite that an untrusted view may not call.
        raw.execute("PRAGMA trusted_schema = ON").close()
        return raw

    # No pool: an idle connection would be shared with forked children.
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # The driver itself begins no transaction, so each statement would see another moment.
    connection.exec_driver_sql("BEGIN")
