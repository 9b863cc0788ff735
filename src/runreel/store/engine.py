"""Connections to a file of SQLite: opened with the settings that a log needs, kept for reuse.

Those to Postgres come from SQLAlchemy: see ``postgres_engine``. For a file that would be to wait
for an import several times as long as for the answer.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, Protocol

from runreel.store.driver_errors import file_errors, too_many
from runreel.store.urls import file_uri, sqlite_path

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection as SAConnection

    from runreel.store.urls import Url


BUSY_SECONDS = 10.0
CHECKPOINT_PAGES = 4_000

# So many connections are open at most, and so many are kept when nobody uses them. Whoever wants
# one more waits so long.
MOST = 64
KEPT = 4
WAIT_SECONDS = 30.0

# "RREL": how a SQLite file says whose it is.
APPLICATION_ID = 0x5252454C


class Held(Protocol):
    """A connection of a driver, held by whoever asked for it until it is closed or discarded."""

    url: Url
    driver: Any

    @property
    def alchemy(self) -> SAConnection | None:
        """The same connection as SQLAlchemy holds it, if it does."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...

    def discard(self) -> None:
        """Close the connection, whatever state it is in."""
        ...


class Engine(Protocol):
    """Connections to one database, which commit each statement by themselves. Thread-safe."""

    def connect(self) -> Held:
        """A connection that was given back, or a new one.

        Raises:
            DatabaseUnavailable: if too many are held.
        """
        ...

    def dispose(self) -> None:
        """Close what is kept; what is held is closed when it comes back."""
        ...


def create(url: Url, *, durability: str) -> Engine:
    """An engine of the database at ``url``; nothing is opened before it is needed.

    Raises:
        MissingExtra: if the driver of Postgres is not installed.
    """
    if url.postgres:
        from runreel.store.postgres_engine import PostgresEngine

        return PostgresEngine(url, kept=KEPT, most=MOST, wait=WAIT_SECONDS)
    return _SqliteEngine(url, durability=durability)


class _SqliteHeld:
    __slots__ = ("_engine", "_idle", "alchemy", "driver", "url")

    def __init__(self, engine: _SqliteEngine, driver: Any, idle: list[Any]) -> None:
        self.alchemy = None
        self.driver = driver
        self.url = engine.url
        self._engine: _SqliteEngine | None = engine
        self._idle = idle

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.take_back(self.driver, self._idle)

    def discard(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.throw_away(self.driver)


class _SqliteEngine:
    def __init__(self, url: Url, *, durability: str) -> None:
        self.url = url
        self._durability = durability
        self._idle: list[Any] = []
        self._room = threading.BoundedSemaphore(MOST)

    def connect(self) -> Held:
        if not self._room.acquire(timeout=WAIT_SECONDS):
            raise too_many(self.url)
        idle = self._idle
        try:
            driver = idle.pop() if idle else _open_sqlite(self.url, self._durability)
        except IndexError:
            # Another thread was faster.
            driver = _open_sqlite(self.url, self._durability)
        except BaseException:
            self._room.release()
            raise
        return _SqliteHeld(self, driver, idle)

    def dispose(self) -> None:
        idle, self._idle = self._idle, []
        while idle:
            idle.pop().close()

    def take_back(self, driver: sqlite3.Connection, idle: list[Any]) -> None:
        """Keep a connection that ``connect`` gave, or close it."""
        fresh = idle is self._idle and len(idle) < KEPT
        with contextlib.suppress(sqlite3.Error):
            driver.rollback()
            if fresh:
                idle.append(driver)
                self._room.release()
                return
        self.throw_away(driver)

    def throw_away(self, driver: sqlite3.Connection) -> None:
        """Close a connection that ``connect`` gave."""
        with contextlib.suppress(sqlite3.Error):
            driver.close()
        self._room.release()


def wait_for_lock(driver: sqlite3.Connection, *, waits: bool) -> None:
    """Whether a connection to SQLite waits for its lock, and moves the WAL into the file."""
    busy, pages = (int(BUSY_SECONDS * 1_000), CHECKPOINT_PAGES) if waits else (0, 0)
    driver.execute(f"PRAGMA busy_timeout = {busy}").close()
    driver.execute(f"PRAGMA wal_autocheckpoint = {pages}").close()


def _open_sqlite(url: Url, durability: str) -> sqlite3.Connection:
    path = sqlite_path(url)
    assert path is not None  # noqa: S101 - it is a URL of SQLite
    if url.is_uri:
        rest = "&".join(f"{key}={value}" for key, value in url.query if key != "uri")
        name = f"{url.database}?{rest}"
    else:
        name = str(path.absolute())
    try:
        return _sqlite_connection(name, durability, uri=url.is_uri)
    except sqlite3.OperationalError:
        if not _frozen(path):
            raise
        # SQLite wants to create a file beside it even to read, unless it is told this.
        name = file_uri(path, "immutable=1")
        return _sqlite_connection(name, durability, uri=True)


def _sqlite_connection(name: str, durability: str, *, uri: bool) -> sqlite3.Connection:
    driver = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri
    )
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
