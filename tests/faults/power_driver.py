"""SQLite as Python's driver speaks it, with files on a disk of ours: the driver lets in no VFS."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any
from unittest import mock

import apsw

from runreel.store.drivers.sqlite import connecting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_COUNTED = ("INSERT", "UPDATE", "DELETE")
_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI


@contextlib.contextmanager
def driven_by(vfs: str) -> Iterator[None]:
    """Every SQLite connection that runreel opens inside puts its files on the disk ``vfs``."""

    def connect(name: str, *, timeout: float, **_: Any) -> Connection:
        return Connection(name, vfs, timeout)

    with mock.patch.object(connecting.sqlite3, "connect", connect):
        yield


class Connection:
    """What SQLAlchemy and the store ask of a ``sqlite3.Connection``."""

    isolation_level: str | None = None

    def __init__(self, name: str, vfs: str, timeout: float) -> None:
        with _errors():
            self._inner = apsw.Connection(name, _FLAGS, vfs=vfs)
        self._inner.set_busy_timeout(round(timeout * 1_000))

    @property
    def in_transaction(self) -> bool:
        with _errors():
            return self._inner.in_transaction

    def create_function(self, name: str, arguments: int, function: Any, **_: Any) -> None:
        self._inner.create_scalar_function(name, function, arguments, deterministic=True)

    def cursor(self) -> Cursor:
        return Cursor(self._inner)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        return self.cursor().execute(sql, parameters)

    def commit(self) -> None:
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        with _errors():
            self._inner.close()


class Cursor:
    """What they ask of a ``sqlite3.Cursor``."""

    arraysize = 1
    lastrowid = None

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._inner = connection.cursor()
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = -1

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Cursor:
        counted = sql.lstrip()[:6].upper() in _COUNTED
        # Left there, it would keep the cursor alive, and with it the statement, for a while.
        self._inner.exec_trace = self._begun
        try:
            with _errors():
                self._inner.execute(sql, parameters)
        finally:
            self._inner.exec_trace = None
        self.rowcount = self._connection.changes() if counted else -1
        return self

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> Cursor:
        self.rowcount = sum(Cursor(self._connection).execute(sql, row).rowcount for row in rows)
        return self

    def fetchone(self) -> Any:
        with _errors():
            return self._inner.fetchone()

    def fetchmany(self, size: int = 1) -> list[Any]:
        with _errors():
            return [row for _, row in zip(range(size), self._inner, strict=False)]

    def fetchall(self) -> list[Any]:
        with _errors():
            return list(self._inner)

    def close(self) -> None:
        self._inner.close(force=True)

    def _begun(self, cursor: apsw.Cursor, *_: Any) -> bool:
        # Later it is no longer told of a statement that answers no rows.
        columns = cursor.get_description()
        self.description = tuple((name, *[None] * 6) for name, *_ in columns) or None
        return True


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        code = getattr(error, "extendedresult", 0)
        refused = code & 0xFF == apsw.SQLITE_CONSTRAINT
        told = (sqlite3.IntegrityError if refused else sqlite3.OperationalError)(str(error))
        told.sqlite_errorcode = code
        raise told from error
