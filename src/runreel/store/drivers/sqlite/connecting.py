"""Opens a SQLite file with the settings that an event log needs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from runreel.store.database_url import file_uri, sqlite_path
from runreel.store.drivers.errors import file_errors

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.store.database_url import Url

BUSY_SECONDS = 10.0
WAL_CHECKPOINT_PAGES = 4_000

# "RREL": marks a SQLite file as a runreel database.
APPLICATION_ID = 0x5252454C


def wait_for_lock(raw: sqlite3.Connection, *, waits: bool) -> None:
    """Switch waiting for the write lock and automatic WAL checkpoints on or off."""
    busy, pages = (int(BUSY_SECONDS * 1_000), WAL_CHECKPOINT_PAGES) if waits else (0, 0)
    raw.execute(f"PRAGMA busy_timeout = {busy}").close()
    raw.execute(f"PRAGMA wal_autocheckpoint = {pages}").close()


def connect(url: Url, path: Path, *, durable: bool) -> sqlite3.Connection:
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
        return _connect(name, durable=durable)
    except sqlite3.OperationalError:
        if not _frozen(path):
            raise
        # SQLite creates files next to the database even to read it, unless it is immutable.
        return _connect(file_uri(path, "immutable=1"), durable=durable)


def _connect(name: str, *, durable: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        _set_up(raw, durable=durable)
    except sqlite3.Error:
        raw.close()
        raise
    except UnicodeDecodeError as error:
        # SQLite quotes the damaged bytes in its message, and the driver cannot decode them.
        raw.close()
        raise sqlite3.DatabaseError("malformed database schema") from error
    return raw


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


def _set_up(raw: sqlite3.Connection, *, durable: bool) -> None:
    cursor = raw.cursor()
    # A file of another application must not be changed, not even its journal mode.
    ours = cursor.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    if ours and mode != "wal" and not cursor.execute("PRAGMA query_only").fetchone()[0]:
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
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
