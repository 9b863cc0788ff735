"""Postgres connections, from SQLAlchemy's pool."""

from __future__ import annotations

import contextlib
import select
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DisconnectionError

from runreel.model.errors import MissingExtra
from runreel.store.drivers.connection_limit import MAX_IDLE, ConnectionLimit

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy import Connection as SAConnection

    from runreel.store.database_url import Url

CONNECT_SECONDS = 10


class PostgresConnection:
    """A pooled Postgres connection, in use until it is closed or discarded.

    ``alchemy`` is SQLAlchemy's connection around ``driver``.
    """

    __slots__ = ("_engine", "_limit", "alchemy", "driver", "url")

    def __init__(
        self, engine: PostgresEngine, connection: SAConnection, limit: ConnectionLimit | None
    ) -> None:
        self.url = engine.url
        self.driver: Any = connection.connection.driver_connection
        self.alchemy = connection
        self._engine: PostgresEngine | None = engine
        self._limit = limit

    def close(self) -> None:
        """Return the connection to the pool."""
        if self._end_use():
            self.alchemy.close()
            self._release_limit()

    def discard(self) -> None:
        """Close the connection instead of returning it, in any state."""
        if self._end_use():
            with contextlib.suppress(Exception):
                self.alchemy.invalidate()
                self.alchemy.close()
            self._release_limit()

    def _end_use(self) -> bool:
        # In a forked child, any message on the connection would break the parent's session.
        engine, self._engine = self._engine, None
        return engine is not None and not engine.is_parents

    def _release_limit(self) -> None:
        if self._limit is not None:
            self._limit.release()


def _check_alive(driver: Any, _record: Any, _proxy: Any) -> None:
    """Make the pool replace an idle connection that the server has closed.

    Asking the server each time, as SQLAlchemy's pre-ping does, takes as long as most queries.
    """
    if driver.closed:
        raise DisconnectionError
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    # A server that closes the connection sends a message first, so a silent one is alive.
    if poll.poll(0):
        try:
            driver.execute("SELECT 1")
        except Exception as error:
            raise DisconnectionError from error


class PostgresEngine:
    """A pool of autocommit connections to one Postgres database.

    Raises:
        MissingExtra: if the Postgres driver is not installed.
    """

    def __init__(self, url: Url) -> None:
        self.url = url
        self.is_parents = False
        self._limit = ConnectionLimit(url)
        alchemy = cast("URL", url.alchemy)
        # The driver's own prepared statements break behind a pooler that shares server connections.
        defaults: dict[str, Any] = {"prepare_threshold": None, "connect_timeout": CONNECT_SECONDS}
        arguments = {key: value for key, value in defaults.items() if key not in alchemy.query}
        try:
            self._engine = create_engine(
                alchemy,
                pool_size=MAX_IDLE,
                max_overflow=-1,
                isolation_level="AUTOCOMMIT",
                connect_args={**arguments, "client_encoding": "utf8"},
                hide_parameters=True,
            )
        except ModuleNotFoundError:
            raise MissingExtra(
                "the driver for Postgres is not installed", hint="pip install 'runreel[postgres]'"
            ) from None
        event.listen(self._engine, "checkout", _check_alive)

    def connect(self, *, reserved: bool = False) -> PostgresConnection:
        """Return an idle connection or a new one; ``reserved`` ones do not count to the limit.

        Raises:
            DatabaseUnavailable: if the limit is reached.
        """
        limit = None if reserved else self._limit
        if limit is not None:
            limit.acquire()
        try:
            return PostgresConnection(self, self._engine.connect(), limit)
        except BaseException:
            if limit is not None:
                limit.release()
            raise

    def dispose(self) -> None:
        """Close the idle connections; those in use are closed when they are returned."""
        self._engine.dispose()

    def leave_parent(self) -> None:
        """In a forked child: never use or close a connection of this engine again."""
        self.is_parents = True
        _inherited.append(self._engine)


# Engines of the parent that a forked child keeps, so that nothing closes them.
_inherited: list[object] = []
