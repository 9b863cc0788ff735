"""Checks of SQLite: its version and settings."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from runreel.doctor.checks import BAD, OK, WARN, Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection

    Version = tuple[int, ...]

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
_FULL = 2
_MIN_TIMEOUT = 5_000


def check_settings(connection: Connection) -> Iterator[Check]:
    """Check the library and the settings of the connection."""
    yield check_version(sqlite3.sqlite_version_info)
    yield _journal(str(connection.one("PRAGMA journal_mode")[0]))
    yield _synchronous(int(connection.one("PRAGMA synchronous")[0]))
    yield check_busy_timeout(int(connection.one("PRAGMA busy_timeout")[0]))


def check_version(number: Version) -> Check:
    """Check for the SQLite bug that can damage a file with several writers."""
    name = ".".join(map(str, number))
    if not has_wal_reset_bug(number):
        return Check("sqlite version", OK, name)
    return Check(
        "sqlite version",
        WARN,
        f"{name} has the WAL-reset bug: rarely, two writers at once damage the file",
        "Use a Python with SQLite 3.51.3 (or 3.50.7, 3.44.6) or later, or run one writer at a"
        " time. Make backups.",
    )


def has_wal_reset_bug(number: Version) -> bool:
    """True if a version has the bug that SQLite calls WAL-reset."""
    back_ported = (3, 50, 7) <= number < (3, 51) or (3, 44, 6) <= number < (3, 45)
    return (3, 7) <= number < (3, 51, 3) and not back_ported


def _journal(mode: str) -> Check:
    if mode == "wal":
        return Check("journal mode", OK, mode)
    return Check(
        "journal mode",
        WARN,
        f"{mode}: readers and writers block each other",
        "Any command that writes to the log switches it to WAL. If it does not change, the"
        " directory is not writable or the file system has no shared memory.",
    )


def _synchronous(level: int) -> Check:
    name = _SYNCHRONOUS[level] if level < len(_SYNCHRONOUS) else str(level)
    if level >= _FULL:
        return Check("synchronous", OK, f"{name}: committed events survive a power loss")
    return Check(
        "synchronous",
        WARN if level else BAD,
        f"{name}: a power loss may lose the newest events",
        "Open the log with durability='full', the default.",
    )


def check_busy_timeout(milliseconds: int) -> Check:
    """Check that a writer waits long enough for another one."""
    found = f"{milliseconds / 1000:g} s"
    if milliseconds >= _MIN_TIMEOUT:
        return Check("busy timeout", OK, found)
    return Check("busy timeout", WARN, found, "runreel sets 10 s: find out what lowers it.")
