"""Integrity checks of the database itself, and which driver errors indicate damage."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import TYPE_CHECKING

from runreel.store.drivers.sqlite import APPLICATION_ID
from runreel.store.schema.migrations import VERSION_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection

_META = {"database_id", "projection_version"}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# SQLite codes that do not indicate damage.
_TRANSIENT = (
    sqlite3.SQLITE_ABORT,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
)
# SQLSTATE classes: internal error or damaged data, invalid value, I/O error.
_DAMAGED = ("XX", "22", "58")


def file_problems(connection: Connection) -> Iterator[str]:
    """Yield the problems of a SQLite file: integrity check and application id."""
    if connection.postgres:
        return
    application = connection.one("PRAGMA application_id")[0]
    if application != APPLICATION_ID:
        yield f"the application id of the file is {application}, not {APPLICATION_ID}"
    for (found,) in connection.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield str(found)


def meta_problems(connection: Connection) -> Iterator[str]:
    """Yield the problems of the tables that describe the database."""
    found = dict(connection.all("SELECT key, value FROM runreel_meta ORDER BY key"))
    for key in sorted(_META - found.keys(), key=repr):
        yield f"runreel_meta has no {key}"
    for key in found.keys() - _META:
        yield f"runreel_meta has a row {key!r} that is not runreel's"
    database_id = found.get("database_id")
    if database_id is not None and not _ID.fullmatch(
        database_id if isinstance(database_id, str) else ""
    ):
        yield f"the database's id is damaged: {database_id!r}"
    revisions = connection.all(f"SELECT version_num FROM {VERSION_TABLE}")
    if len(revisions) != 1:
        yield f"{VERSION_TABLE} has {len(revisions)} rows"


def damage_reason(error: Exception) -> str | None:
    """Return the reason if a driver's error indicates damaged data; None for any other error."""
    reason = " ".join(str(error).split())
    if isinstance(error, UnicodeDecodeError):
        return reason
    if isinstance(error, sqlite3.ProgrammingError):
        return None
    if isinstance(error, sqlite3.Error):
        # The low byte of the extended code is the primary code; an error about invalid UTF-8 has
        # none.
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        return None if code in _TRANSIENT else reason
    if type(error).__module__.partition(".")[0] == "psycopg":
        return reason if (getattr(error, "sqlstate", None) or "")[:2] in _DAMAGED else None
    return None


def require_reason(error: Exception) -> str:
    """Return the damage that caused a driver's error; raise any other error again."""
    reason = damage_reason(error)
    if reason is None:
        raise error
    return reason


@contextlib.contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let all reads inside see one moment, unless ``restart_snapshot`` is called."""
    _begin(connection)
    try:
        yield
    finally:
        _end(connection)


def restart_snapshot(connection: Connection) -> None:
    """Replace a snapshot in which a read failed by a new one."""
    _end(connection)
    _begin(connection)


def _begin(connection: Connection) -> None:
    if connection.postgres:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    else:
        connection.execute("BEGIN")


def _end(connection: Connection) -> None:
    # SQLite rolls back by itself after some errors, and the connection may be closed.
    with contextlib.suppress(Exception):
        connection.execute("ROLLBACK")
