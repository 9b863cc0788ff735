"""A connection at driver level: explicit transactions, one SQL syntax for both databases."""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runreel.model.errors import LogError
from runreel.store.drivers import sqlite
from runreel.store.drivers.interface import NotPreparedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.store.drivers.interface import PooledConnection
    from runreel.store.drivers.postgres_prepared import Prepared


@lru_cache(maxsize=512)
def _format(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class RollbackTransaction(Exception):
    """Raised inside a transaction: roll it back and continue after its block."""


class Connection:
    """One connection of the engine, used at driver level.

    Outside ``transaction`` each statement commits by itself. SQL is written with ``?``. The
    statements are few and constant, so their text is compiled once: in the driver's cache or here.
    """

    __slots__ = ("_broken", "_prepared", "driver", "held", "postgres", "url", "waits")

    def __init__(self, held: PooledConnection) -> None:
        self.url = held.url
        self.postgres = held.url.postgres
        self.driver: Any = held.driver
        self.held = held
        self.waits = True
        self._broken = False
        self._prepared: set[Prepared] | None = set()

    @property
    def in_transaction(self) -> bool:
        """True if a transaction of SQLite is open."""
        return not self.postgres and bool(self.driver.in_transaction)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Execute a statement; return the driver's cursor."""
        if self.postgres:
            return self.driver.execute(_format(sql), parameters)
        return self.driver.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Execute a statement for each row; return the number of affected rows."""
        cursor = self.driver.cursor()
        try:
            cursor.executemany(_format(sql) if self.postgres else sql, rows)
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def run_prepared(self, statement: Prepared, parameters: Sequence[bytes | None]) -> int:
        """Prepare a Postgres statement at first use and execute it; return the affected rows."""
        if self._prepared is None:
            return statement.run_unprepared(self.driver, parameters)
        try:
            if statement not in self._prepared:
                statement.prepare(self.driver)
                self._prepared.add(statement)
            return statement.run(self.driver, parameters)
        except NotPreparedError:
            # A pooler in between does not support prepared statements.
            self._prepared = None
            return statement.run_unprepared(self.driver, parameters)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first row, or None."""
        return self.execute(sql, parameters).fetchone()

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows."""
        rows: list[Any] = self.execute(sql, parameters).fetchall()
        return rows

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in one transaction that may write.

        On SQLite it takes the write lock at once. A transaction that reads first and then writes
        fails if another connection has written in between, no matter how long the timeout.

        Raises:
            LogError: if a forked child leaves the block: the transaction is its parent's.
        """
        self.execute("BEGIN" if self.postgres else "BEGIN IMMEDIATE")
        process = os.getpid()
        try:
            yield
        except BaseException as error:
            if os.getpid() == process:
                self._rollback()
            if isinstance(error, RollbackTransaction):
                return
            raise
        if os.getpid() != process:
            raise LogError("a forked child cannot end a transaction of its parent")
        self.execute("COMMIT")

    def wait_for_lock(self, *, waits: bool) -> None:
        """Switch waiting for SQLite's write lock and automatic WAL checkpoints on or off.

        An event loop does neither: it would block for as long as another process or the disk takes.
        """
        if waits is not self.waits and not self.postgres:
            sqlite.wait_for_lock(self.driver, waits=waits)
            self.waits = waits

    def close(self) -> None:
        """Return the connection to the pool; a broken one is discarded."""
        self.wait_for_lock(waits=True)
        if self._broken:
            self.discard()
        else:
            self.held.close()

    def discard(self) -> None:
        """Close the connection instead of returning it, in any state."""
        self.held.discard()

    def _rollback(self) -> None:
        try:
            self.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - the caller gets the first error
            # SQLite rolls back by itself after some errors, and then rejects this statement.
            self._broken = self.postgres or self.driver.in_transaction
