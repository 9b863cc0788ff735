"""From a URL to connections: dialects, pragmas, time-outs, and driver errors as our own."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from runreel.words.errors import (
    BadDatabaseUrl,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnavailable,
    LogError,
    MissingExtra,
    NotOurDatabase,
    SchemaMissing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Engine

BUSY_SECONDS = 10.0
CONNECT_SECONDS = 10
CHECKPOINT_PAGES = 4_000

# "RREL": how a SQLite file says whose it is.
APPLICATION_ID = 0x5252454C


def parse_url(text: str) -> URL:
    """The URL of a database; a bare path means SQLite.

    Raises:
        BadDatabaseUrl: if it is neither, or of a database that runreel does not know.
    """
    if "://" not in text:
        path = Path(text).expanduser()
        return make_url("sqlite://").set(database=str(path))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl("this is no database URL") from None
    backend = url.get_backend_name()
    if "@" in (url.host or ""):
        raise BadDatabaseUrl("a password with an @ in it is written with %40")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise BadDatabaseUrl(f"runreel knows SQLite and Postgres, not {backend!r}")
    _check_sqlite(url)
    return url


def _check_sqlite(url: URL) -> None:
    if url.host or url.username:
        raise BadDatabaseUrl("a SQLite URL has three slashes before its path, four if that is /")
    memory = url.database in (None, "", ":memory:", "file::memory:")
    if memory or url.query.get("mode") == "memory":
        raise BadDatabaseUrl("a log in memory would be gone with the process: name a file")
    if url.query and not _is_uri(url):
        raise BadDatabaseUrl("options of SQLite need uri=true beside them, and a path like file:…")


def _is_uri(url: URL) -> bool:
    return str(url.query.get("uri", "")).lower() in ("true", "yes", "on", "1")


def shown(url: URL) -> str:
    """The URL as it may be printed: passwords masked, a SQLite file by its path."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    hidden = {key: "***" for key in url.query if "pass" in key.lower() or "secret" in key.lower()}
    masked = url.set(drivername="postgresql").update_query_dict(hidden)
    # The library masks the password in its place, and leaves our own stars escaped.
    return masked.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite URL, None for other databases."""
    if url.get_backend_name() != "sqlite":
        return None
    database = str(url.database)
    if not _is_uri(url):
        return Path(database)
    return Path(unquote(database.removeprefix("file:").partition("?")[0]))


def may_create(url: URL) -> bool:
    """Whether the URL lets a file of SQLite be created that is not there."""
    return url.query.get("mode", "rwc") == "rwc" and "immutable" not in url.query


def create(url: URL, *, durability: str) -> Engine:
    """An engine whose connections commit each statement by themselves (see ``Connection``).

    Raises:
        MissingExtra: if the driver of Postgres is not installed.
    """
    sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    if not sqlite:
        # No prepared statements: they break behind a pooler that hands out server connections.
        arguments = {"prepare_threshold": None, "connect_timeout": CONNECT_SECONDS}
        arguments = {key: value for key, value in arguments.items() if key not in url.query}
        arguments["client_encoding"] = "utf8"
    try:
        engine = create_engine(
            url,
            pool_pre_ping=not sqlite,
            pool_size=4,
            max_overflow=60,
            isolation_level="AUTOCOMMIT",
            connect_args=arguments,
            hide_parameters=True,
        )
    except (NoSuchModuleError, ModuleNotFoundError):
        raise MissingExtra(
            "the driver for Postgres is not installed", hint="pip install 'runreel[postgres]'"
        ) from None
    path = sqlite_path(url)
    if path is not None:

        @event.listens_for(engine, "do_connect")
        def connect(dialect: Any, _: Any, names: list[str], options: dict[str, Any]) -> Any:
            try:
                return _sqlite_connection(dialect, names[0], options, durability)
            except sqlite3.OperationalError:
                if not _frozen(path):
                    raise
                # SQLite wants to create a file beside it even to read, unless it is told this.
                name = f"file:{quote(str(path.absolute()))}?immutable=1"
                return _sqlite_connection(dialect, name, options | {"uri": True}, durability)

    return engine


def _sqlite_connection(
    dialect: Any, name: str, options: dict[str, Any], durability: str
) -> sqlite3.Connection:
    driver: sqlite3.Connection = dialect.connect(name, **options)
    try:
        _sqlite_settings(driver, durability)
    except sqlite3.Error:
        driver.close()
        raise
    except UnicodeDecodeError as error:
        # SQLite quotes what is damaged in its message, which the driver then cannot read.
        driver.close()
        raise sqlite3.DatabaseError("malformed database schema") from error
    return driver


def _frozen(path: Path) -> bool:
    """Whether we can read a file, create none beside it, and nobody has it open for writing."""
    wal = path.with_name(path.name + "-wal")
    return (
        os.access(path, os.R_OK)
        and not os.access(path.parent, os.W_OK)
        and not (wal.exists() and wal.stat().st_size)
    )


def make_private(path: Path) -> None:
    """Create an empty file that only its owner can read, and its directory, if missing.

    SQLite gives its -wal and -shm files the same permissions.
    """
    with file_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an error of ours."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailable(f"cannot open {path}: {error.strerror}") from error


@contextlib.contextmanager
def our_errors(url: URL) -> Iterator[None]:
    """Turn what the drivers raise inside into errors of ours that name the database."""
    try:
        yield
    except Exception as error:
        ours = our_error(error, url)
        if ours is None:
            raise
        raise ours from error


def our_error(error: BaseException, url: URL) -> LogError | None:
    """What a driver raised as an error of ours that names the database; None for any other."""
    if isinstance(error, DBAPIError):
        error = error.orig if error.orig is not None else error
        return _translated(error, shown(url))
    if isinstance(error, PoolTimeout):
        return DatabaseUnavailable(
            f"too many connections to {shown(url)} are open at once",
            hint="Read to the end, or close, what was begun: an iterator holds one.",
        )
    if isinstance(error, sqlite3.Error) or type(error).__module__.partition(".")[0] == "psycopg":
        return _translated(error, shown(url))
    return None


def _translated(error: BaseException, name: str) -> LogError:
    if isinstance(error, sqlite3.Error):
        return _sqlite_error(error, name)
    state = getattr(error, "sqlstate", None)
    reason = _without_passwords(" ".join(str(error).split()))
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
        "cannot be read or written: the system refuses; is the disk full, or a quota reached?",
    ),
    ((sqlite3.SQLITE_FULL,), LogError, "has no space left; what was stored stays"),
    ((sqlite3.SQLITE_CORRUPT,), LogError, "is damaged; restore it from a backup"),
)


def _sqlite_error(error: sqlite3.Error, name: str) -> LogError:
    # The extended code's low byte is the primary one.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    for codes, kind, what in _SQLITE_ERRORS:
        if code in codes:
            return kind(f"{name} {what}")
    return LogError(f"{name} refused: {error}")


def _sqlite_settings(driver: sqlite3.Connection, durability: str) -> None:
    cursor = driver.cursor()
    # A file that is not ours must not be touched, not even its journal mode.
    ours = cursor.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    if ours and mode != "wal" and not cursor.execute("PRAGMA query_only").fetchone()[0]:
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA trusted_schema = OFF")
    # What is erased or replaced leaves no copy in the unused parts of its page.
    cursor.execute("PRAGMA secure_delete = ON")
    # So that deleting triggers see what INSERT OR REPLACE deletes.
    cursor.execute("PRAGMA recursive_triggers = ON")
    # A checkpoint waits for the disk: with SQLite's 1,000 pages that was a fifth of all time.
    cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    cursor.close()


def _without_passwords(text: str) -> str:
    words = []
    for word in text.split(" "):
        key, equals, _ = word.partition("=")
        secret = equals and any(name in key.lower() for name in ("password", "secret"))
        words.append(f"{key}=***" if secret else word)
    return " ".join(words)
