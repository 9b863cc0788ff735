"""SQLite: its version and its settings."""

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
_PATIENT = 5_000


def settings(connection: Connection) -> Iterator[Check]:
    """The library and how this log is opened."""
    yield version(sqlite3.sqlite_version_info)
    yield _journal(str(connection.one("PRAGMA journal_mode")[0]))
    yield _synchronous(int(connection.one("PRAGMA synchronous")[0]))
    yield timeout(int(connection.one("PRAGMA busy_timeout")[0]))


def version(told: Version) -> Check:
    """Whether this SQLite can damage a file that several connections write to."""
    name = ".".join(map(str, told))
    if not may_reset_wrongly(told):
        return Check("sqlite version", OK, name)
    return Check(
        "sqlite version",
        WARN,
        f"{name} has the WAL-reset bug: rarely, two writers at once damage the file",
        "Use a Python with SQLite 3.51.3 (or 3.50.7, 3.44.6) or later, or let one process write"
        " at a time. Make backups.",
    )


def may_reset_wrongly(told: Version) -> bool:
    """Whether a version has the bug that SQLite calls WAL-reset."""
    back_ported = (3, 50, 7) <= told < (3, 51) or (3, 44, 6) <= told < (3, 45)
    return (3, 7) <= told < (3, 51, 3) and not back_ported


def _journal(mode: str) -> Check:
    if mode == "wal":
        return Check("journal mode", OK, mode)
    return Check(
        "journal mode",
        WARN,
        f"{mode}: readers and writers wait for each other",
        "Any command that opens the log for writing makes it WAL. If it stays, its directory"
        " cannot be written or its file system has no shared memory.",
    )


def _synchronous(level: int) -> Check:
    name = _SYNCHRONOUS[level] if level < len(_SYNCHRONOUS) else str(level)
    if level >= _FULL:
        return Check("synchronous", OK, f"{name}: what your code saw survives a power loss")
    return Check(
        "synchronous",
        WARN if level else BAD,
        f"{name}: a power loss may take the last moments",
        "Open the log with durability='full', the default.",
    )


def timeout(milliseconds: int) -> Check:
    """Whether a writer waits for long enough for another one."""
    found = f"{milliseconds / 1000:g} s"
    if milliseconds >= _PATIENT:
        return Check("busy timeout", OK, found)
    return Check("busy timeout", WARN, found, "runreel waits for 10 s by itself: see who sets it.")
