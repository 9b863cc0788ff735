"""Chooses the driver of a database URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import DatabaseUnavailable
from runreel.store.database_url import sqlite_path
from runreel.store.drivers.sqlite.driver import SqliteDriver

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.store.database_url import Url
    from runreel.store.drivers.interface import Driver


def create_driver(url: Url, *, durability: str) -> Driver:
    """Create the driver of the database at ``url``; it connects at first use.

    Raises:
        DatabaseUnavailable: if the path is relative and the working directory no longer exists.
    """
    path = sqlite_path(url)
    if path is None:
        from runreel.store.drivers.postgres.driver import PostgresDriver

        return PostgresDriver(url)
    return SqliteDriver(url, _absolute(path), durable=durability == "full")


def _absolute(path: Path) -> Path:
    # So that a change of the working directory does not change the log.
    try:
        return path.absolute()
    except FileNotFoundError as error:
        raise DatabaseUnavailable(
            f"cannot open {path}: the working directory no longer exists",
            hint="Change to another directory, or give the path from the root.",
        ) from error
