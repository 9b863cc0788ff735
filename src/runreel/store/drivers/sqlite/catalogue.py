"""The schema of a SQLite file. Implements ``Catalogue``."""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from typing import TYPE_CHECKING

from runreel.model.errors import NotOurDatabase, UsageError
from runreel.store.drivers.sqlite.connecting import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.store.drivers.interface import Connection, Row, SchemaObjects

# Names are case-insensitive, and a trigger has the name of its table as it was written.
_MASTER = "SELECT type, name, lower(tbl_name), sql FROM sqlite_master WHERE lower(tbl_name) IN ({})"
_COLUMNS = """
SELECT lower(m.name), c.name,
       c.type || iif(c."notnull", ' not null', '') || iif(c.pk, ' key ' || c.pk, '')
       || iif(c.hidden, ' generated', '') || coalesce(' default ' || c.dflt_value, '')
  FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
 WHERE m.type = 'table' AND lower(m.name) IN ({})
"""


def has_table(connection: Connection, name: str) -> bool:
    """True if the table exists.

    Raises:
        NotOurDatabase: if it does not, and the file belongs to another application.
    """
    tables = {row[0] for row in connection.all("SELECT name FROM sqlite_master")}
    if name in tables:
        return True
    if tables or connection.one("PRAGMA application_id")[0] not in (0, APPLICATION_ID):
        raise NotOurDatabase("this SQLite file is not a runreel log")
    return False


def prepare_creation(connection: Connection) -> None:
    """Do nothing: a file stores every character."""


def prepare_migration(connection: Connection) -> None:
    """Do nothing: the transaction has excluded others."""


def check_partitions(number: int) -> None:  # noqa: ARG001
    """Raise UsageError: a file has no partitions."""
    raise UsageError("only a log in Postgres has partitions")


def not_compared(connection: Connection) -> None:
    """Return None: the schema can always be compared."""


def objects(
    connection: Connection, relations: Sequence[str], ddl: str
) -> tuple[SchemaObjects, SchemaObjects]:
    """Return the objects of the file, and those that ``ddl`` creates in memory."""
    ours = ", ".join(f"'{name}'" for name in relations)
    return _objects(connection.all, ours), _expected(ddl, ours)


@cache
def _expected(ddl: str, ours: str) -> SchemaObjects:
    scratch = sqlite3.connect(":memory:")
    try:
        scratch.executescript(ddl)
        return _objects(scratch.execute, ours)
    finally:
        scratch.close()


def _objects(query: Callable[[str], Iterable[Row]], ours: str) -> SchemaObjects:
    found: SchemaObjects = {}
    for kind, name, relation, sql in query(_MASTER.format(ours)):
        item = "" if kind in ("table", "view") else f"{kind} {name}"
        # A damaged file may hold anything as its SQL.
        found[relation, item] = f"a {kind}\n{_tokens(str(sql or ''))}"
    for relation, column, definition in query(_COLUMNS.format(ours)):
        found[relation, f"column {column}"] = definition
    return found


def _tokens(sql: str) -> str:
    """Normalise the whitespace between the tokens of SQL: SQLAlchemy chooses the layout."""
    return "".join(
        text if text.startswith("'") else " ".join(re.sub(r"([(),])", r" \1 ", text).split())
        for text in re.split(r"('(?:[^']|'')*')", sql)
    )
