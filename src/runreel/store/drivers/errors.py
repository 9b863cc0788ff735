"""Translates the exceptions of database drivers into runreel's own, and finds damage in them."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from runreel.model.errors import (
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnavailable,
    LogError,
    NotOurDatabase,
    SchemaMissing,
)
from runreel.model.passwords import mask_passwords
from runreel.store.database_url import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.store.database_url import Url


@contextlib.contextmanager
def file_errors(path: Path | str) -> Iterator[None]:
    """Raise errors of the operating system about ``path`` as ``DatabaseUnavailable``."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(f"cannot open {path}: {error.strerror}") from error


@contextlib.contextmanager
def our_errors(url: Url) -> Iterator[None]:
    """Raise the drivers' exceptions as runreel's own, with the name of the database."""
    try:
        yield
    except Exception as error:
        ours = our_error(error, url)
        if ours is None:
            raise
        raise ours from error


def our_error(error: BaseException, url: Url) -> LogError | None:
    """Translate a driver's exception, with the name of the database; None for any other."""
    origin = type(error).__module__.partition(".")[0]
    if origin == "sqlalchemy":
        # SQLAlchemy wraps the driver's exception when it connects or migrates.
        error = getattr(error, "orig", None) or error
    if isinstance(error, sqlite3.Error):
        return _sqlite_error(error, shown(url))
    if origin in ("psycopg", "sqlalchemy"):
        return _postgres_error(error, shown(url))
    return None


def too_many(url: Url) -> DatabaseUnavailable:
    """Return the error for a reached connection limit."""
    return DatabaseUnavailable(
        f"too many connections to {shown(url)} are open at once",
        hint="Read from fewer threads at once, or finish open iterators over events and checks.",
    )


def _postgres_error(error: BaseException, name: str) -> LogError:
    state = getattr(error, "sqlstate", None)
    reason = mask_passwords(" ".join(str(error).split()))
    if state is None or state[:2] in ("08", "28", "3D", "53", "57"):
        return DatabaseUnavailable(f"cannot use {name}: {reason}")
    for states, kind, what in _POSTGRES_ERRORS:
        if state in states:
            return kind(f"{name} {what}")
    return LogError(f"{name} refused ({state}): {reason}")


_POSTGRES_ERRORS: tuple[tuple[tuple[str, ...], type[LogError], str], ...] = (
    (("25006",), DatabaseReadOnly, "is read-only"),
    (("55P03",), DatabaseLocked, "is locked"),
    (("42P01",), SchemaMissing, "has no runreel tables"),
    (("42P07",), NotOurDatabase, "holds other tables of the same names"),
)
_SQLITE_ERRORS: tuple[tuple[tuple[int, ...], type[LogError], str], ...] = (
    (
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        DatabaseLocked,
        "is locked by another process",
    ),
    ((sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM), DatabaseReadOnly, "is read-only"),
    ((sqlite3.SQLITE_NOTADB,), NotOurDatabase, "is not a SQLite database"),
    ((sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH), DatabaseUnavailable, "cannot be used"),
    (
        (sqlite3.SQLITE_IOERR,),
        DatabaseUnavailable,
        "cannot be read or written; check for a full disk or an exceeded quota",
    ),
    ((sqlite3.SQLITE_FULL,), LogError, "has no space left; stored events are kept"),
    ((sqlite3.SQLITE_CORRUPT,), LogError, "is damaged; restore it from a backup"),
)


def _sqlite_error(error: sqlite3.Error, name: str) -> LogError:
    code = _primary_code(error)
    for codes, kind, what in _SQLITE_ERRORS:
        if code in codes:
            return kind(f"{name} {what}")
    return LogError(f"{name} refused: {error}")


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


def damage_reason(error: Exception) -> str | None:
    """Return the reason if a driver's error indicates damaged data; None for any other error."""
    reason = " ".join(str(error).split())
    if isinstance(error, UnicodeDecodeError):
        return reason
    if isinstance(error, sqlite3.ProgrammingError):
        return None
    if isinstance(error, sqlite3.Error):
        return None if _primary_code(error) in _TRANSIENT else reason
    if type(error).__module__.partition(".")[0] == "psycopg":
        return reason if (getattr(error, "sqlstate", None) or "")[:2] in _DAMAGED else None
    return None


def is_rejection(error: Exception) -> bool:
    """True if the database responds, but rejects the statement because of its schema."""
    if isinstance(error, sqlite3.Error):
        rejected = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        return _primary_code(error) in rejected
    return (getattr(error, "sqlstate", None) or "")[:2] in ("0A", "22", "25", "42", "XX")


def _primary_code(error: sqlite3.Error) -> int:
    # The low byte of the extended code; an error about invalid UTF-8 has none.
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
