"""A held driver connection: explicit transactions, one spelling of SQL for both databases."""

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
    """Raised inside of a transaction: roll it back and go on behind it."""


class Connection:
    """One connection from the engine, used at driver level.

    Outside of ``transaction`` each statement commits by itself. SQL is written with ``?``; the
    statements are few and constant, so their text is compiled once, by the driver's own cache or
    here.
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
        """Whether a transaction of SQLite has begun and not ended."""
        return not self.postgres and bool(self.driver.in_transaction)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement; the driver's cursor."""
        if self.postgres:
            return self.driver.execute(_format(sql), parameters)
        return self.driver.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement for each row; how many rows it touched in all."""
        cursor = self.driver.cursor()
        try:
            cursor.executemany(_format(sql) if self.postgres else sql, rows)
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def run_prepared(self, statement: Prepared, parameters: Sequence[bytes | None]) -> int:
        """Run a statement of Postgres that is prepared at its first use; the rows it touched."""
        if self._prepared is None:
            return statement.run_unprepared(self.driver, parameters)
        try:
            if statement not in self._prepared:
                statement.prepare(self.driver)
                self._prepared.add(statement)
            return statement.run(self.driver, parameters)
        except NotPreparedError:
            # A pooler in between knows no prepared statements.
            self._prepared = None
            return statement.run_unprepared(self.driver, parameters)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        return self.execute(sql, parameters).fetchone()

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Every row."""
        rows: list[Any] = self.execute(sql, parameters).fetchall()
        return rows

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction that may write.

        On SQLite it takes the write lock at once: a transaction that first reads and then wants
        to write fails at once where another has written meanwhile, whatever the time-out.

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
        """Wait for SQLite's lock from now on, and move the WAL into the file when it is long.

        An event loop does neither: both take as long as another process or the disk takes.
        """
        if waits is not self.waits and not self.postgres:
            sqlite.wait_for_lock(self.driver, waits=waits)
            self.waits = waits

    def close(self) -> None:
        """Give the connection back; one that no longer answers is thrown away."""
        self.wait_for_lock(waits=True)
        if self._broken:
            self.discard()
        else:
            self.held.close()

    def discard(self) -> None:
        """Throw the connection away, whatever state it is in."""
        self.held.discard()

    def _rollback(self) -> None:
        try:
            self.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever went wrong before is what the caller hears
            # SQLite has already rolled back after some errors, and then refuses to.
            self._broken = self.postgres or self.driver.in_transaction
