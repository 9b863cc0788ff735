"""The maintenance of a SQLite file. Implements ``Admin``."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from runreel.model.maintenance import Space
from runreel.store.drivers.errors import file_errors
from runreel.store.drivers.sqlite import text_search
from runreel.store.drivers.sqlite.connecting import APPLICATION_ID
from runreel.system import atomic_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.drivers.interface import Connection

_SETTINGS = ("journal_mode", "synchronous", "busy_timeout", "page_size", "foreign_keys")
_WAL = (
    "the write-ahead log next to the file has old pages while a reader uses them: end what reads"
    " the log, and run this again"
)


def is_replica(connection: Connection) -> bool:  # noqa: ARG001
    """Return False: a file follows no other one."""
    return False


def sizes(connection: Connection) -> dict[str, int]:
    """Return the sizes of the file and its WAL in bytes."""
    path = _path(connection)
    files = {"database": path, "wal": _wal(path)}
    return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}


def size(connection: Connection) -> int:
    """Return the size of the file and its WAL in bytes."""
    return sum(sizes(connection).values())


def settings(connection: Connection) -> dict[str, object]:
    """Return the version of the library and the settings of the connection."""
    pragmas = {name: connection.one(f"PRAGMA {name}")[0] for name in _SETTINGS}
    return {"sqlite_version": sqlite3.sqlite_version, **pragmas}


def release(connection: Connection, *, purge: bool) -> Space:
    """Truncate the WAL; ``purge`` rewrites the file first."""
    before = size(connection)
    text_search.optimize(connection)
    if purge:
        connection.execute("VACUUM")
    busy, _, _ = connection.one("PRAGMA wal_checkpoint(TRUNCATE)")
    unused = connection.one("PRAGMA freelist_count")[0] * connection.one("PRAGMA page_size")[0]
    after = size(connection)
    return Space(before, after, (_WAL,) if busy else (), int(unused), held=purge and bool(busy))


def wait_durable(connection: Connection) -> None:
    """Wait until the WAL is on disk."""
    # SQLite syncs the WAL before it moves pages into the database file, and that file before it
    # resets the WAL. Never open the database file here: closing it would drop SQLite's locks.
    file = next(row[2] for row in connection.all("PRAGMA database_list") if row[1] == "main")
    wal = _wal(Path(file))
    with file_errors(wal):
        if wal.exists():
            atomic_files.sync(wal)
            atomic_files.sync(wal.parent)


def file_problems(connection: Connection) -> Iterator[str]:
    """Yield the problems of the file: integrity check and application id."""
    application = connection.one("PRAGMA application_id")[0]
    if application != APPLICATION_ID:
        yield f"the application id of the file is {application}, not {APPLICATION_ID}"
    for (found,) in connection.execute("PRAGMA integrity_check"):
        if found != "ok":
            yield str(found)


def _path(connection: Connection) -> Path:
    path = connection.driver.path
    assert path is not None  # noqa: S101 - SQLite always has a file
    return path


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
