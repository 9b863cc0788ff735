"""The interface of a driver: engines, the connections they lend, and an error of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Connection as SAConnection

    from runreel.store.database_url import Url


class NotPreparedError(Exception):
    """The server of this connection has not prepared the statement; nothing was executed."""


class PooledConnection(Protocol):
    """A connection of a driver, in use until it is closed or discarded."""

    url: Url
    driver: Any

    @property
    def alchemy(self) -> SAConnection | None:
        """SQLAlchemy's connection around this one; None if SQLAlchemy did not open it."""
        ...

    def close(self) -> None:
        """Return the connection to the pool."""
        ...

    def discard(self) -> None:
        """Close the connection instead of returning it, in any state."""
        ...


class Engine(Protocol):
    """A pool of autocommit connections to one database. Thread-safe."""

    def connect(self, *, reserved: bool = False) -> PooledConnection:
        """Return an idle connection or a new one; ``reserved`` ones do not count to the limit.

        Raises:
            DatabaseUnavailable: if the limit is reached, or the database file was replaced.
        """
        ...

    def dispose(self) -> None:
        """Close the idle connections; those in use are closed when they are returned."""
        ...

    def leave_parent(self) -> None:
        """In a forked child: never use or close a connection of this engine again."""
        ...
