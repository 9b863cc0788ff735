"""Chooses the driver of a database URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.store.database_url import sqlite_path
from runreel.store.drivers.log_file import LogFile
from runreel.store.drivers.sqlite import SqliteEngine

if TYPE_CHECKING:
    from runreel.store.database_url import Url
    from runreel.store.drivers.interface import Engine


def create_engine(url: Url, *, durability: str, file: LogFile | None = None) -> Engine:
    """Create an engine for the database at ``url``; it connects at first use.

    ``file`` is the already known SQLite file, so that a replaced file is detected.

    Raises:
        MissingExtra: if the Postgres driver is not installed.
    """
    if url.postgres:
        from runreel.store.drivers.postgres import PostgresEngine

        return PostgresEngine(url)
    path = sqlite_path(url)
    assert path is not None  # noqa: S101 - it is a URL of SQLite
    return SqliteEngine(url, durability=durability, file=file or LogFile(path.absolute()))
