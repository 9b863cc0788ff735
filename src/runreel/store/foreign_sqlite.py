"""Reads SQLite databases of other programs, without changing them or waiting for long."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runreel.model.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# How long to wait for the program that holds the database, in seconds.
_PATIENCE = 2.0

Record = dict[str, object]


class DatabaseHeld(BadInput):
    """Another program holds the database."""


class ForeignDatabase:
    """A database of another program, open for reading in one snapshot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> frozenset[str]:
        """Return the names of the columns of a table; none if it does not exist.

        Raises:
            BadInput: if the database cannot be read.
        """
        rows = self.rows("SELECT name FROM pragma_table_info(?)", (table,))
        return frozenset(str(row["name"]) for row in rows)

    def rows(self, sql: str, values: Sequence[object] = ()) -> Iterator[Record]:
        """Yield the rows of a query, as dictionaries.

        Raises:
            BadInput: if the database cannot be read.
        """
        try:
            cursor = self._connection.execute(sql, tuple(values))
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))
        except sqlite3.Error as error:
            _refuse(error)


@contextmanager
def opened(path: str) -> Iterator[ForeignDatabase]:
    """Open a SQLite file for reading.

    Raises:
        BadInput: if it cannot be read, or another program holds it.
    """
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)
    except sqlite3.Error as error:
        _refuse(error)
    try:
        connection.text_factory = _text
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            _refuse(error)
        yield ForeignDatabase(connection)
    finally:
        connection.close()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _refuse(error: sqlite3.Error) -> NoReturn:
    text = str(error)
    if "locked" in text or "busy" in text:
        raise DatabaseHeld(
            "another program holds the database: import it again when that has ended"
        ) from None
    raise BadInput(f"cannot read the database: {text}") from None
