"""Detects a server that only follows another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import LogError

if TYPE_CHECKING:
    from runreel.store.connection import Connection


def is_replica(connection: Connection) -> bool:
    """True if the server only follows another one."""
    return connection.driver.admin.is_replica(connection)


def refuse_replica(connection: Connection) -> None:
    """Check that the server accepts writes.

    Raises:
        LogError: if it is a replica.
    """
    if is_replica(connection):
        raise LogError(
            "this server is a replica, which may be behind the log",
            hint="Name the primary server's URL.",
        )
