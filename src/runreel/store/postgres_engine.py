"""Connections to Postgres, from the pool of SQLAlchemy."""

from __future__ import annotations

import contextlib
import select
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from runreel.store.driver_errors import too_many
from runreel.words.errors import MissingExtra

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy import Connection as SAConnection

    from runreel.store.urls import Url

CONNECT_SECONDS = 10


class PostgresHeld:
    """A connection of the driver, held until it is closed or discarded; ``alchemy`` is the same."""

    __slots__ = ("alchemy", "driver", "url")

    def __init__(self, url: Url, connection: SAConnection) -> None:
        self.url = url
        self.driver: Any = connection.connection.driver_connection
        self.alchemy = connection

    def close(self) -> None:
        """Give the connection back."""
        self.alchemy.close()

    def discard(self) -> None:
        """Close the connection, whatever state it is in."""
        with contextlib.suppress(Exception):
            self.alchemy.invalidate()
            self.alchemy.close()


def _see_alive(driver: Any, _record: Any, _proxy: Any) -> None:
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

    def __init__(self, url: Url, *, kept: int, most: int, wait: float) -> None:
        self._url = url
        alchemy = cast("URL", url.alchemy)
        # No prepared statements: they break behind a pooler that hands out server connections.
        usual: dict[str, Any] = {"prepare_threshold": None, "connect_timeout": CONNECT_SECONDS}
        arguments = {key: value for key, value in usual.items() if key not in alchemy.query}
        try:
            self._engine = create_engine(
                alchemy,
                pool_size=kept,
                max_overflow=most - kept,
                pool_timeout=wait,
                isolation_level="AUTOCOMMIT",
                connect_args={**arguments, "client_encoding": "utf8"},
                hide_parameters=True,
            )
        except ModuleNotFoundError:
            raise MissingExtra(
                "the driver for Postgres is not installed", hint="pip install 'runreel[postgres]'"
            ) from None
        event.listen(self._engine, "checkout", _see_alive)

    def connect(self) -> PostgresHeld:
        """A connection that was given back, or a new one.

        Raises:
            DatabaseUnavailable: if too many are held.
        """
        try:
            return PostgresHeld(self._url, self._engine.connect())
        except PoolTimeout:
            raise too_many(self._url) from None

    def dispose(self) -> None:
        """Close what is kept; what is held is closed when it comes back."""
        self._engine.dispose()
