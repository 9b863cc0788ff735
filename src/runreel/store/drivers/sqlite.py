"""SQLite connections, with the settings that an event log needs; idle ones are reused.

Postgres connections come from SQLAlchemy (``drivers.postgres``). Importing that takes several times
as long as a query on a file.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from runreel.store import fork_guard
from runreel.store.database_url import file_uri, sqlite_path
from runreel.store.drivers.connection_limit import MAX_IDLE, ConnectionLimit
from runreel.store.drivers.errors import file_errors

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.store.database_url import Url
    from runreel.store.drivers.interface import PooledConnection
    from runreel.store.drivers.log_file import LogFile

BUSY_SECONDS = 10.0
WAL_CHECKPOINT_PAGES = 4_000

# "RREL": marks a SQLite file as a runreel database.
APPLICATION_ID = 0x5252454C


class _SqliteConnection:
    __slots__ = ("_engine", "_idle", "_limit", "alchemy", "driver", "url")

    def __init__(
        self, engine: SqliteEngine, driver: Any, idle: list[Any], limit: ConnectionLimit | None
    ) -> None:
        self.alchemy = None
        self.driver = driver
        self.url = engine.url
        self._engine: SqliteEngine | None = engine
        self._idle = idle
        self._limit = limit

    def close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.take_back(self.driver, self._idle)
            self._release_limit()

    def discard(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.throw_away(self.driver)
            self._release_limit()

    def _release_limit(self) -> None:
        if self._limit is not None:
            self._limit.release()


class SqliteEngine:
    """A pool of autocommit connections to one SQLite file. Implements ``Engine``."""

    def __init__(self, url: Url, *, durability: str, file: LogFile) -> None:
        self.url = url
        self.file = file
        self._durability = durability
        self._idle: list[Any] = []
        self._limit = ConnectionLimit(url)
        # Every open connection; a forked child keeps those of its parent open.
        self._open: set[Any] = set()
        self._is_parents = False

    def connect(self, *, reserved: bool = False) -> PooledConnection:
        """Return an idle connection or a new one; ``reserved`` ones do not count to the limit.

        Raises:
            DatabaseUnavailable: if the limit is reached, or the database file was replaced.
        """
        limit = None if reserved else self._limit
        if limit is not None:
            limit.acquire()
        idle = self._idle
        try:
            driver = self._driver(idle)
        except BaseException:
            if limit is not None:
                limit.release()
            raise
        return _SqliteConnection(self, driver, idle, limit)

    def dispose(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        while idle:
            self.throw_away(idle.pop())

    def leave_parent(self) -> None:
        """In a forked child: never use or close a connection of this engine again."""
        self._is_parents = True
        fork_guard.keep_open(self._open)

    def take_back(self, driver: sqlite3.Connection, idle: list[Any]) -> None:
        """Keep a connection of ``connect`` idle, or close it."""
        if self._is_parents:
            return
        fresh = idle is self._idle and len(idle) < MAX_IDLE
        with contextlib.suppress(sqlite3.Error):
            driver.rollback()
            if fresh:
                idle.append(driver)
                return
        self.throw_away(driver)

    def throw_away(self, driver: sqlite3.Connection) -> None:
        """Close a connection of ``connect``."""
        if not self._is_parents:
            self.file.close(driver)
            self._open.discard(driver)

    def _driver(self, idle: list[Any]) -> sqlite3.Connection:
        with contextlib.suppress(IndexError):
            # Another thread may take the last idle connection first.
            driver: sqlite3.Connection = idle.pop()
            try:
                self.file.check()
            except BaseException:
                self.throw_away(driver)
                raise
            return driver
        self.file.opening()
        driver = connect(self.url, self.file.path, self._durability)
        self._open.add(driver)
        self.file.opened()
        return driver


def wait_for_lock(driver: sqlite3.Connection, *, waits: bool) -> None:
    """Switch waiting for the write lock and automatic WAL checkpoints on or off."""
    busy, pages = (int(BUSY_SECONDS * 1_000), WAL_CHECKPOINT_PAGES) if waits else (0, 0)
    driver.execute(f"PRAGMA busy_timeout = {busy}").close()
    driver.execute(f"PRAGMA wal_autocheckpoint = {pages}").close()


def connect(url: Url, path: Path, durability: str) -> sqlite3.Connection:
    """Open a connection to the file at ``path`` that commits each statement by itself."""
    if url.is_uri:
        rest = "&".join(f"{key}={value}" for key, value in url.query if key != "uri")
        # An absolute path still names the same file after a change of the working directory.
        known = sqlite_path(url) == path
        name = f"{url.database}?{rest}" if known else file_uri(path, rest)
    else:
        # A missing file is created by ``create_owner_only`` or not at all.
        name = file_uri(path, "mode=rw")
    try:
        return _sqlite_connection(name, durability)
    except sqlite3.OperationalError:
        if not _frozen(path):
            raise
        # SQLite creates files next to the database even to read it, unless it is immutable.
        return _sqlite_connection(file_uri(path, "immutable=1"), durability)


def _sqlite_connection(name: str, durability: str) -> sqlite3.Connection:
    driver = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        _sqlite_settings(driver, durability)
    except sqlite3.Error:
        driver.close()
        raise
    except UnicodeDecodeError as error:
        # SQLite quotes the damaged bytes in its message, and the driver cannot decode them.
        driver.close()
        raise sqlite3.DatabaseError("malformed database schema") from error
    return driver


def _frozen(path: Path) -> bool:
    """True if we may only read the file, not write its directory, and no writer has it open."""
    wal = path.with_name(path.name + "-wal")
    return (
        os.access(path, os.R_OK)
        and not os.access(path.parent, os.W_OK)
        and not (wal.exists() and wal.stat().st_size)
    )


def create_owner_only(path: Path) -> None:
    """Create an empty file that only its owner can read, and its directory, if missing.

    SQLite gives its -wal and -shm files the same permissions.
    """
    with file_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _sqlite_settings(driver: sqlite3.Connection, durability: str) -> None:
    cursor = driver.cursor()
    # A file of another application must not be changed, not even its journal mode.
    ours = cursor.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    if ours and mode != "wal" and not cursor.execute("PRAGMA query_only").fetchone()[0]:
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA trusted_schema = OFF")
    # Overwrite erased and replaced content with zeros in its page.
    cursor.execute("PRAGMA secure_delete = ON")
    # Makes INSERT OR REPLACE fire the triggers of DELETE.
    cursor.execute("PRAGMA recursive_triggers = ON")
    # A WAL checkpoint waits for the disk: at SQLite's default of 1,000 pages that took a fifth of
    # the time.
    cursor.execute(f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}")
    cursor.close()
