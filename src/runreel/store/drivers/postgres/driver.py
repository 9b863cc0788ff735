"""The driver of Postgres."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING

from runreel.store.drivers.interface import Dialect, Driver
from runreel.store.drivers.postgres import admin, catalogue, connecting, statements, text_search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from psycopg import Connection as Raw
    from sqlalchemy import Engine

    from runreel.store.database_url import Url
    from runreel.store.drivers.interface import Connection, Cursor, Fetch, Parameters, Row

# Without an index scan the server sorts first and reads everything: one unreadable row would make
# all rows unreadable.
_ALONG_THE_KEY = "SELECT " + ", ".join(
    f"set_config('{setting}', 'off', true)"
    for setting in ("enable_sort", "enable_seqscan", "enable_bitmapscan")
)

_NO_SUCH_FUNCTION = "42883"
_SNAPSHOT = "SELECT CAST(pg_current_snapshot() AS text)"


class PostgresDriver(Driver):
    """A database of a Postgres server."""

    backend = "postgresql"
    in_process = False
    one_writer = False
    atomic_appends = True
    has_statistics = True
    dialect = Dialect(
        begin="BEGIN",
        begin_snapshot="BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        export_snapshot="SELECT pg_export_snapshot()",
        lock_rows=" FOR UPDATE",
        no_index="",
        bytewise=' COLLATE "C"',
        contains='strpos(lower({} COLLATE "C"), ?) > 0',
        strings="json_array_elements_text(?::json) AS asked (value)",
        lateral=True,
    )
    admin = admin
    catalogue = catalogue
    text_search = text_search
    append = staticmethod(statements.append)
    append_one = staticmethod(statements.append_one)
    write = staticmethod(statements.write)
    append_tombstone = staticmethod(statements.append_tombstone)
    add_counts = staticmethod(statements.add_counts)

    def __init__(self, url: Url) -> None:
        self.url = url

    def fresh(self) -> PostgresDriver:
        return self

    def read_only_engine(self) -> Engine:
        from runreel.store.drivers.postgres.engine import read_only_engine

        return read_only_engine(self.url)

    # A database on a server has no file, and its text is UTF-8; a thread waits for its locks.
    def check_exists(self) -> None: ...

    def create_file(self, *, allowed: bool) -> None: ...

    def check_commit(self, *, now: bool = False) -> None: ...

    def wait_for_lock(self, raw: Raw, *, waits: bool) -> None: ...

    def decode_damaged(self, raw: Raw, *, enabled: bool) -> None: ...

    def open(self) -> Raw:
        return connecting.connect(self.url)

    def is_usable(self, raw: Raw) -> bool:
        return connecting.is_alive(raw)

    def close(self, raw: Raw) -> None:
        with contextlib.suppress(Exception):
            raw.close()

    def runner(self, raw: Raw) -> Callable[[str, Parameters], Cursor]:
        return lambda sql, parameters: raw.execute(_translate(sql), parameters)

    def translate(self, sql: str) -> str:
        return _translate(sql)

    def in_transaction(self, raw: Raw) -> bool:
        return bool(raw.pgconn.transaction_status)

    # To ask what was committed costs a server as much as to look for new rows.
    def change_mark(self, connection: Connection) -> object:  # noqa: ARG002
        return object()

    # A transaction that writes has a number, and a snapshot says which of them have ended; of those
    # of other nodes, an extension that distributes tables may know nothing.
    def change_hint(self, connection: Connection) -> object:
        try:
            return connection.one(_SNAPSHOT)[0]
        except Exception as error:
            if getattr(error, "sqlstate", None) != _NO_SUCH_FUNCTION:
                raise
            return object()

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Parameters]
    ) -> None:
        cursor = connection.raw.cursor()
        with cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def lock_writes(self, connection: Connection, table: str, *, seconds: float = 0) -> None:
        if seconds:
            # Others queue behind our lock request, so it must not wait long.
            connection.execute(
                "SELECT set_config('lock_timeout', ?, true)", (f"{seconds * 1000:.0f}ms",)
            )
        connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")

    def stream(
        self,
        connection: Connection,
        sql: str,
        parameters: Parameters = (),
        *,
        name: str,
        by_key: bool = False,
    ) -> Fetch:
        if by_key:
            connection.execute(_ALONG_THE_KEY)
        connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", parameters)

        def fetch(most: int) -> list[Row]:
            rows = connection.all(f"FETCH FORWARD {most} FROM {name}")
            if not rows:
                connection.execute(f"CLOSE {name}")
            return rows

        return fetch

    def id_list(self, ids: Sequence[str]) -> tuple[str, str, object]:
        return "= ANY (?)", "<> ALL (?)", [*ids]


@lru_cache(maxsize=512)
def _translate(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")
