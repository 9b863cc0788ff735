"""Connections to Postgres, from the pool of SQLAlchemy."""

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
    """A connection of the driver, held until it is closed or discarded; ``alchemy`` is the same."""

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
        """Give the connection back."""
        if self._ours():
            self.alchemy.close()
            self._leave()

    def discard(self) -> None:
        """Close the connection, whatever state it is in."""
        if self._ours():
            with contextlib.suppress(Exception):
                self.alchemy.invalidate()
                self.alchemy.close()
            self._leave()

    def _ours(self) -> bool:
        # A word on a connection of the parent's would end what that is in the middle of.
        engine, self._engine = self._engine, None
        return engine is not None and not engine.left

    def _leave(self) -> None:
        if self._limit is not None:
            self._limit.release()


def _check_alive(driver: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool give another connection for one that lay idle and that the server has left.

    To ask the server each time, as the pool would, takes as long as most answers.
    """
    if driver.closed:
        raise DisconnectionError
    waiting = select.poll()
    waiting.register(driver.fileno(), select.POLLIN)
    # A server that leaves says so, and its end of the wire is closed. Who says nothing is there.
    if waiting.poll(0):
        try:
            driver.execute("SELECT 1")
        except Exception as error:
            raise DisconnectionError from error


class PostgresEngine:
    """Connections to one database, which commit each statement by themselves.

    Raises:
        MissingExtra: if the driver of Postgres is not installed.
    """

    def __init__(self, url: Url) -> None:
        self.url = url
        self.left = False
        self._limit = ConnectionLimit(url)
        alchemy = cast("URL", url.alchemy)
        # No prepared statements: they break behind a pooler that hands out server connections.
        usual: dict[str, Any] = {"prepare_threshold": None, "connect_timeout": CONNECT_SECONDS}
        arguments = {key: value for key, value in usual.items() if key not in alchemy.query}
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
        """A connection that was given back, or a new one; ``reserved`` ones are not counted.

        Raises:
            DatabaseUnavailable: if too many are held.
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
        """Close what is kept; what is held is closed when it comes back."""
        self._engine.dispose()

    def leave_parent(self) -> None:
        """In a forked child: never use or close a connection of this engine again."""
        self.left = True
        _inherited.append(self._engine)


# What a forked child never collects.
_inherited: list[object] = []
