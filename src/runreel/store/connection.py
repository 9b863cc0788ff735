"""A connection: explicit transactions, one SQL syntax for all databases."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from runreel.model.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.store.drivers.interface import Cursor, Driver, Parameters, Raw


class RollbackTransaction(Exception):
    """Raised inside a transaction: roll it back and continue after its block."""


class Connection:
    """One connection of a pool, in use until it is closed or discarded.

    Outside ``transaction`` each statement commits by itself. SQL is written with ``?``. The
    statements are few and constant, so that they are compiled once.
    """

    __slots__ = ("_broken", "_give_back", "_run", "driver", "prepared", "raw", "waits")

    def __init__(self, driver: Driver, raw: Raw, give_back: Callable[[bool], None]) -> None:
        self.driver = driver
        self.raw = raw
        self.waits = True
        self._run = driver.runner(raw)
        # Called once, with whether the connection can be kept.
        self._give_back: Callable[[bool], None] | None = give_back
        self._broken = False
        # The statements that the server has prepared; None if it cannot.
        self.prepared: set[object] | None = set()

    @property
    def in_transaction(self) -> bool:
        """True if a transaction is open."""
        return self.driver.in_transaction(self.raw)

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Execute a statement; return the driver's cursor."""
        return self._run(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Execute a statement for each row; return the number of affected rows."""
        cursor = self.raw.cursor()
        try:
            cursor.executemany(self.driver.translate(sql), rows)
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def one(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first row, or None."""
        return self.execute(sql, parameters).fetchone()

    def all(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Return all rows."""
        return self.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in one transaction that may write.

        Raises:
            LogError: if a forked child leaves the block: the transaction is its parent's.
        """
        self.execute(self.driver.dialect.begin)
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
        """Switch waiting for other processes and for the disk on or off, as far as possible.

        An event loop does neither: it would block for as long as another process or the disk takes.
        """
        if waits is not self.waits:
            self.driver.wait_for_lock(self.raw, waits=waits)
            self.waits = waits

    def close(self) -> None:
        """Return the connection to the pool; a broken one is discarded."""
        self.wait_for_lock(waits=True)
        self._end_use(keep=not self._broken)

    def discard(self) -> None:
        """Close the connection instead of returning it, in any state."""
        self._end_use(keep=False)

    def _end_use(self, *, keep: bool) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back(keep)

    def _rollback(self) -> None:
        try:
            self.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - the caller gets the first error
            # SQLite rolls back by itself after some errors, and then rejects this statement.
            self._broken = self.in_transaction
