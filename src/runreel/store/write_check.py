"""Checks that a log can be written, without writing to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runreel.store.connection import Connection
    from runreel.store.database import Database

# It changes no row, but the database refuses it where it would refuse an event.
_WRITE = "UPDATE runs SET source = source WHERE 1 = 0"


def check_writable(database: Database) -> None:
    """Check that an event could be stored now.

    Raises:
        LogError: if the database cannot be reached, is locked, or is read-only.
    """
    database.write(_check)


def _check(connection: Connection) -> None:
    connection.execute(_WRITE)
