"""The bare drivers, which do the same work with no library in between."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import psycopg

from runreel.store.events.event_log import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.api.reel import Reel

SELECT = f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY run_id, seq"
_TABLE = (
    "CREATE TABLE raw_events (run_id text NOT NULL, seq bigint NOT NULL, kind text NOT NULL,"
    " type text, source_index bigint, at bigint, elapsed bigint, keep bigint, added bigint,"
    " payload text, salt {blob}, redacted {blob}, digest {blob}, PRIMARY KEY (run_id, seq))"
)


def url_of(reel: Reel) -> str:
    """The URL of a log as the bare drivers take it."""
    return reel.db.url.text if reel.db.url.postgres else str(reel.db.url.database)


def is_postgres(url: str) -> bool:
    """Whether it is a URL of Postgres; else it is a path."""
    return "://" in url


@contextlib.contextmanager
def connected(url: str, durability: str = "full") -> Iterator[Any]:
    """A connection on which each statement commits by itself, as durably as ours."""
    if is_postgres(url):
        with psycopg.connect(url, autocommit=True) as connection:
            on = "on" if durability == "full" else "off"
            connection.execute(f"SET synchronous_commit = {on}")
            yield connection
        return
    with contextlib.closing(sqlite3.connect(url, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute(f"PRAGMA synchronous = {durability}")
        yield file


@contextlib.contextmanager
def log(url: str, durability: str = "full") -> Iterator[Any]:
    """A connection to a table with the columns and the key of ours, and nothing that guards it."""
    with connected(url, durability) as connection:
        blob, end = ("bytea", "") if is_postgres(url) else ("blob", " WITHOUT ROWID")
        connection.execute("DROP TABLE IF EXISTS raw_events")
        connection.execute(_TABLE.format(blob=blob) + end)
        yield connection


def insert(url: str, table: str = "raw_events", width: int = len(COLUMNS)) -> str:
    """A statement that inserts a row."""
    mark = "%s" if is_postgres(url) else "?"
    return f"INSERT INTO {table} VALUES ({', '.join([mark] * width)})"


def insert_many(connection: Any, statement: str, rows: Sequence[Any], at_once: int = 1_000) -> None:
    """Insert rows, ``at_once`` per commit."""
    cursor = connection.cursor()
    for start in range(0, len(rows), at_once):
        cursor.execute("BEGIN")
        cursor.executemany(statement, rows[start : start + at_once])
        cursor.execute("COMMIT")


@contextlib.contextmanager
def reading(url: str, statement: str = SELECT) -> Iterator[Any]:
    """The rows of a statement, as they are read."""
    if is_postgres(url):
        with psycopg.connect(url) as connection, connection.cursor(name="bare") as cursor:
            cursor.itersize = 1_000
            cursor.execute(statement)
            yield cursor
        return
    with contextlib.closing(sqlite3.connect(url)) as file:
        yield file.execute(statement)


def size(url: str) -> int:
    """The bytes of all tables and indexes of a database."""
    with connected(url) as connection:
        if is_postgres(url):
            sql = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
            return int(connection.execute(sql).fetchone()[0] or 0)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,), (each,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
        return int(pages * each)
