"""The driver of SQLite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runreel.store.drivers.interface import Dialect, Driver
from runreel.store.drivers.sqlite import connecting, statements
from runreel.store.drivers.sqlite.log_file import LogFile, is_file, missing, refuse_left_behind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from runreel.store.database_url import Url
    from runreel.store.drivers.interface import (
        Admin,
        Catalogue,
        Connection,
        Cursor,
        Fetch,
        Parameters,
        TextSearch,
    )


class SqliteDriver(Driver):
    """A SQLite file."""

    backend = "sqlite"
    in_process = True
    one_writer = True
    atomic_appends = False
    has_statistics = False
    dialect = Dialect(
        # The write lock at once: a transaction that reads first and then writes fails if another
        # connection has written in between, no matter how long the timeout.
        begin="BEGIN IMMEDIATE",
        begin_snapshot="BEGIN",
        export_snapshot="",
        lock_rows="",
        no_index="+",
        bytewise="",
        contains="instr(lower({}), ?) > 0",
        strings="json_each(?) AS asked",
        lateral=False,
    )
    append = staticmethod(statements.append)
    append_one = staticmethod(statements.append_one)
    write = staticmethod(statements.write)
    append_tombstone = staticmethod(statements.append_tombstone)
    add_counts = staticmethod(statements.add_counts)

    def __init__(self, url: Url, path: Path, *, durable: bool) -> None:
        self.url = url
        self.path = self._path = path
        self._durable = durable
        self._file = LogFile(path, often=durable)

    @property
    def admin(self) -> Admin:
        from runreel.store.drivers.sqlite import admin

        return admin

    @property
    def catalogue(self) -> Catalogue:
        from runreel.store.drivers.sqlite import catalogue

        return catalogue

    @property
    def text_search(self) -> TextSearch:
        from runreel.store.drivers.sqlite import text_search

        return text_search

    def fresh(self) -> SqliteDriver:
        return SqliteDriver(self.url, self._path, durable=self._durable)

    def read_only_engine(self) -> Engine:
        from runreel.store.drivers.sqlite.engine import read_only_engine

        return read_only_engine(self.url, self._path)

    def check_exists(self) -> None:
        if not is_file(self._path, self.url.database):
            raise missing(self.url.database)

    def create_file(self, *, allowed: bool) -> None:
        if is_file(self._path, self.url.database) and self._path.stat().st_size:
            return
        refuse_left_behind(self._path)
        if self._path.exists():
            return
        if not allowed:
            raise missing(self.url.database)
        connecting.create_owner_only(self._path)

    def open(self) -> sqlite3.Connection:
        self._file.opening()
        raw = connecting.connect(self.url, self._path, durable=self._durable)
        self._file.opened()
        return raw

    def is_usable(self, raw: sqlite3.Connection) -> bool:  # noqa: ARG002
        """Check that the file is still the same."""
        self._file.check()
        return True

    def close(self, raw: sqlite3.Connection) -> None:
        self._file.close(raw)

    def runner(self, raw: sqlite3.Connection) -> Callable[[str, Parameters], Cursor]:
        return raw.execute

    def translate(self, sql: str) -> str:
        return sql

    def in_transaction(self, raw: sqlite3.Connection) -> bool:
        return raw.in_transaction

    def wait_for_lock(self, raw: sqlite3.Connection, *, waits: bool) -> None:
        connecting.wait_for_lock(raw, waits=waits)

    def check_commit(self, *, now: bool = False) -> None:
        self._file.check_commit(now=now)

    def change_mark(self, connection: Connection) -> object:
        # The number is one of this connection: another one counts in its own way.
        return connection.raw, connection.one("PRAGMA data_version")[0]

    def change_hint(self, connection: Connection) -> object:
        return self.change_mark(connection)

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Parameters]
    ) -> None:
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    # The transaction has excluded other writers from its beginning.
    def lock_writes(self, connection: Connection, table: str, *, seconds: float = 0) -> None: ...

    def stream(
        self,
        connection: Connection,
        sql: str,
        parameters: Parameters = (),
        *,
        name: str,  # noqa: ARG002
        by_key: bool = False,  # noqa: ARG002
    ) -> Fetch:
        return connection.execute(sql, parameters).fetchmany

    def id_list(self, ids: Sequence[str]) -> tuple[str, str, object]:
        one_of = "IN (SELECT value FROM json_each(?))"
        return one_of, f"NOT {one_of}", json.dumps(ids)

    def decode_damaged(self, raw: sqlite3.Connection, *, enabled: bool) -> None:
        raw.text_factory = _decode if enabled else str


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
