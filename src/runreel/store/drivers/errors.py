"""Translates the exceptions of database drivers into runreel's own."""

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
    reason = without_passwords(" ".join(str(error).split()))
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
    # The extended code's low byte is the primary one.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    for codes, kind, what in _SQLITE_ERRORS:
        if code in codes:
            return kind(f"{name} {what}")
    return LogError(f"{name} refused: {error}")


def without_passwords(text: str) -> str:
    """Replace the values of passwords and secrets in ``text``."""
    words = []
    for word in text.split(" "):
        key, equals, _ = word.partition("=")
        secret = equals and any(name in key.lower() for name in ("password", "secret"))
        words.append(f"{key}=***" if secret else word)
    return " ".join(words)
